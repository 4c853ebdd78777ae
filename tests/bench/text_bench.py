#!/usr/bin/env python3
"""Texts per second, side by side: text2emb and its peers (text_peers.py), each in every precision that it offers, and beside it how close the embeddings are to
those of sentence-transformers in f32.

    text_bench.py BUILD_FOLDER [WORD ...]

Words choose what is run; of a kind that no word names, all is: models (minilm, mpnet), lengths (short: 12 tokens, caption: 60 to 110, long: 256), precisions
(f32, bf16, int8), cores (1, 2). So `BENCH="minilm caption int8 1" make bench` is short. ROUNDS (3) rounds are interleaved, the figures are medians.

On one core the clock is that of the processor: a rate is texts per second of its time, which another load on the machine changes little. On two cores
(two processes of text2emb, two threads of a peer) it is the wall's, so let there be no other load. On a processor without bf16 peers compute in f32 where text2emb
computes in bf16 (by 16-bit integers): what they do there in bf16 takes ten times as long. Peers get texts sorted by length in the best of batches of 1, 8 and
32, tokenization included and loading not. text2emb is measured as whole processes: "with start" as it is; without, from its time for all texts and for a
quarter of them. The peak is that of kernels_peak for the precision; its share counts the multiply-adds of all products, those of the
first layer too that text2emb makes once for each word.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="2", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error", CT2_VERBOSE="-1", HF_HUB_DISABLE_PROGRESS_BARS="1")
warnings.filterwarnings("ignore")
ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/parity"))

import numpy

from odd_texts import ODD_LINES, WORDS, english_texts
from text_peers import LONGEST, PEERS, SentenceTransformers

MODELS = {"minilm": "all-MiniLM-L6-v2", "mpnet": "all-mpnet-base-v2"}
LENGTHS = {"short": (12, 12, 1600), "caption": (60, 110, 240), "long": (256, 256, 80)}  # tokens from, to; texts
PRECISIONS, CORES, BATCHES = ("f32", "bf16", "int8"), (1, 2), (1, 8, 32)


def make_texts(tokenizer, least, most, count):
    source, texts = random.Random(22), []
    while len(texts) < count:
        wanted, words = source.randint(least, most), []
        while len(tokenizer(" ".join(words))["input_ids"]) < wanted:
            words.append(source.choice(WORDS))
        while len(tokenizer(" ".join(words))["input_ids"]) > wanted:
            words.pop()
        texts.append(" ".join(words))
    return texts


def held_out_texts(model):
    """Captions, English, and odd lines in many scripts, as far as peers are not set to cut them: nothing that precisions were chosen by."""
    captions = [pair["text_description"] for pair in json.loads((ROOT / "data/demo/pairs.json").read_text())]
    texts = captions + english_texts(150, model.tokenizer) + [line for line in ODD_LINES if not set(line) & set("\r\n\0")]
    return [text for text in texts if 2 < len(model.tokenizer(text)["input_ids"]) <= LONGEST]


def gigaflop_per_text(config, lengths):
    """Multiply-adds of all products, counted as two."""
    hidden, wide = config.hidden_size, config.intermediate_size
    return statistics.mean(config.num_hidden_layers * (2 * n * (4 * hidden * hidden + 2 * hidden * wide) + 4 * n * n * hidden) for n in lengths) / 1e9


def ranks(values):
    return numpy.argsort(numpy.argsort(values)).astype(float)


def units(embeddings):
    """Each embedding at length 1, in double precision."""
    return embeddings.astype(float) / numpy.linalg.norm(embeddings.astype(float), axis=1, keepdims=True)


def fidelity(reference, embeddings):
    """Cosine with the reference (least, mean), Spearman correlation of all pairs' similarities, overlap of the ten nearest neighbours."""
    a, b = units(reference), units(embeddings)
    cosine, pairs = (a * b).sum(1), numpy.triu_indices(len(a), 1)
    near_a, near_b = a @ a.T, b @ b.T
    spearman = numpy.corrcoef(ranks(near_a[pairs]), ranks(near_b[pairs]))[0, 1]
    for near in near_a, near_b:
        numpy.fill_diagonal(near, -2)
    overlap = numpy.mean([len(set(x) & set(y)) / 10 for x, y in zip(numpy.argsort(-near_a)[:, :10], numpy.argsort(-near_b)[:, :10])])
    return f"{cosine.min():.6f} {cosine.mean():.6f} {spearman:.5f} {overlap:7.3f}"


class Text2emb:
    def __init__(self, build, folder, precision, scratch):
        self.command, self.precision, self.scratch = [f"{build}/text2emb", "--model", folder], precision, Path(scratch)

    def start(self, texts, name):
        source, out = self.scratch / f"{name}.txt", self.scratch / f"{name}.npy"
        source.write_text("".join(text + "\n" for text in texts))
        return subprocess.Popen([*self.command, "--precision", self.precision, source, out]), out

    def encode(self, texts):
        process, out = self.start(texts, "all")
        assert process.wait() == 0
        return numpy.load(out)

    def seconds(self, texts, cores):
        """Of the processor on one core, of the wall on several, where as many processes share the texts."""
        begin, before = time.perf_counter(), os.times()
        processes = []
        for core in range(cores):
            os.sched_setaffinity(0, {core})
            processes.append(self.start(texts[core::cores], f"part{core}")[0])
        os.sched_setaffinity(0, set(range(cores)))
        assert all(process.wait() == 0 for process in processes)
        after = os.times()
        return time.perf_counter() - begin if cores > 1 else after.children_user + after.children_system - before.children_user - before.children_system


def batches(texts, size):
    ordered = sorted(texts, key=len)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def in_order(peer, texts, size=8):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    rows = numpy.concatenate([peer.encode([texts[i] for i in order[j : j + size]]) for j in range(0, len(order), size)])
    result = numpy.empty_like(rows)
    result[order] = rows
    return result


def peer_seconds(peer, texts, size, cores):
    clock = time.process_time if cores == 1 else time.perf_counter
    begin = clock()
    for batch in batches(texts, size):
        peer.encode(batch)
    return clock() - begin


def best_batch(peer, texts, cores):
    some = texts[:: max(1, len(texts) // 64)]
    return min(BATCHES, key=lambda size: peer_seconds(peer, some, size, cores))


def bf16_in_hardware():
    return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))


def open_peers(folder, precision, cores, scratch):
    for kind in PEERS:
        if precision in kind.precisions:
            try:
                yield kind.name, kind(folder, precision, cores, scratch)
            except Exception as error:  # a model that a peer has no converter for
                print(f"({kind.name} {precision}: {type(error).__name__}: {str(error).splitlines()[0][:100]})", flush=True)


def warm_seconds(ours, texts, cores):
    """The better of two, right after another run: so the weights' file is in memory, as the peers' weights are, and the memory that was just used is at hand. A virtual machine gives that back to its host
    within seconds, and gets it again for 0.2 to 0.6 s, which no other program's figures have in them."""
    ours.seconds(texts[:cores], cores)
    return min(ours.seconds(texts, cores) for _ in range(2))


def measure(ours, peers, texts, cores, rounds):
    """Medians of texts a second, by name."""
    sizes = {name: best_batch(peer, texts, cores) for name, peer in peers.items()}
    rates = {}
    for _ in range(rounds):
        whole, quarter = (warm_seconds(ours, some, cores) for some in (texts, texts[: len(texts) // 4]))
        rates.setdefault("text2emb", []).append(len(texts) * 0.75 / (whole - quarter))
        rates.setdefault("text2emb, with start", []).append(len(texts) / whole)
        for name, peer in peers.items():
            rates.setdefault(f"{name}, batches of {sizes[name]}", []).append(len(texts) / peer_seconds(peer, texts, sizes[name], cores))
    return {name: statistics.median(rate) for name, rate in rates.items()}


def show(title, rates, peak, work, close):
    best = max((rate for name, rate in rates.items() if not name.startswith("text2emb")), default=float("nan"))
    print(f"\n{title}\n{'':34} {'texts/s':>8} {'best peer':>10} {'of peak':>8}   cosine: least, mean; Spearman; top 10", flush=True)
    for name, rate in sorted(rates.items(), key=lambda entry: -entry[1]):
        print(f"{name:34} {rate:8.1f} {rate / best:9.2f}x {100 * rate * work / peak:7.0f}%   {close.get(name.split(',')[0], '')}", flush=True)


def bench(build, name, chosen, rounds, scratch):
    folder = str(ROOT / "data/models" / MODELS[name])
    if not Path(folder).is_dir():
        print(f"{MODELS[name]} is not in data/models; left out", flush=True)
        return
    reference = SentenceTransformers(folder, "f32", 1, scratch)
    tokenizer, config, held_out = reference.model.tokenizer, reference.model[0].model.config, held_out_texts(reference.model)
    exact, shrink = in_order(reference, held_out), max(1, config.hidden_size * config.num_hidden_layers // 1500)
    for cores in chosen["cores"]:
        os.sched_setaffinity(0, set(range(cores)))
        for precision in chosen["precisions"]:
            of_peers = "f32" if precision == "bf16" and not bf16_in_hardware() else precision
            computed = precision if precision == of_peers else f"{precision} (peers in {of_peers})"
            ours, peers = Text2emb(build, folder, precision, scratch), dict(open_peers(folder, of_peers, cores, scratch))
            close = {kind: fidelity(exact, in_order(peer, held_out)) for kind, peer in peers.items()}
            close["text2emb"] = fidelity(exact, ours.encode(held_out))
            peak = cores * float(subprocess.run([f"{build}/tests/kernels_peak", precision], check=True, capture_output=True, text=True).stdout)
            for length in chosen["lengths"]:
                least, most, count = LENGTHS[length]
                texts = make_texts(tokenizer, least, most, max(16, count // shrink))
                work = gigaflop_per_text(config, [len(ids) for ids in tokenizer(texts)["input_ids"]])
                title = f"{MODELS[name]}, {computed}, {length} texts ({least} to {most} tokens), {cores} core{'s' * (cores > 1)}; peak {peak:.0f} G/s = {peak / work:.0f} texts/s"
                show(title, measure(ours, peers, texts, cores, rounds), peak or float("nan"), work, close)


def main():
    build, words = sys.argv[1], sys.argv[2:]
    kinds = {"models": list(MODELS), "lengths": list(LENGTHS), "precisions": list(PRECISIONS), "cores": [str(c) for c in CORES]}
    unknown = [word for word in words if not any(word in values for values in kinds.values())]
    if unknown:
        sys.exit(f"BENCH: unknown: {' '.join(unknown)}; known: {' '.join(word for values in kinds.values() for word in values)}")
    chosen = {kind: [value for value in values if value in words] or values for kind, values in kinds.items()}
    chosen["cores"] = [int(cores) for cores in chosen["cores"] if int(cores) <= os.cpu_count()]
    for name in chosen["models"]:
        with tempfile.TemporaryDirectory() as scratch:
            bench(build, name, chosen, int(os.environ.get("ROUNDS", "3")), scratch)


if __name__ == "__main__":
    main()
