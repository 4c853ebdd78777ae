#!/usr/bin/env python3
"""Texts per second on one core, side by side: text2emb, sentence-transformers, onnxruntime and CTranslate2, all in f32 from the same folder.

    text_bench.py BUILD_FOLDER MODEL [ROUNDS [CORE]]

400 texts of about 110 tokens. Peers: one thread, texts sorted by length, the best of batches of 1, 8 and 32, tokenization included, loading not. text2emb
is measured as a whole process, start and loading included, and (from its time for 400 and for 100 texts) per text alone. Rounds are interleaved, the
figures are medians; the FMA peak is measured in every round too. Another load on the machine spoils the figures: let there be none.
"""
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

core = sys.argv[4] if len(sys.argv) > 4 else "0"
os.sched_setaffinity(0, {int(core)})
os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error", CT2_VERBOSE="-1")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))

import ctranslate2
import numpy
import onnxruntime
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertModel

from odd_texts import WORDS

TEXTS, TOKENS, BATCHES = 400, 110, (1, 8, 32)
torch.set_num_threads(1)


def make_texts(tokenizer):
    """Texts of 90 to 130 tokens, 110 on average."""
    source, texts = random.Random(22), []
    while len(texts) < TEXTS:
        wanted, words = source.randint(TOKENS - 20, TOKENS + 20), []
        while len(tokenizer(" ".join(words))["input_ids"]) < wanted:
            words.append(source.choice(WORDS))
        texts.append(" ".join(words))
    return texts


def batches(texts, size):
    ordered = sorted(texts, key=len)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def mean_pool(states, mask):
    weights = mask[..., None].astype(numpy.float32)
    pooled = (states * weights).sum(1) / weights.sum(1)
    return pooled / numpy.linalg.norm(pooled, axis=1, keepdims=True)


class LastHiddenState(torch.nn.Module):
    """The encoder with positional arguments and a plain tensor as its result, as the exporter wants it."""

    def __init__(self, folder):
        super().__init__()
        self.model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, ids, mask, types):
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state


class OnnxRuntime:
    def __init__(self, folder, tokenizer, scratch):
        model = LastHiddenState(folder).eval()
        config = model.model.config
        ids = torch.ones(2, 16, dtype=torch.long)
        path = str(Path(scratch) / "model.onnx")
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]}
        torch.onnx.export(model, (ids, ids, ids * 0), path, input_names=names, output_names=["last_hidden_state"], dynamic_axes=axes, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        try:  # the fusions for BERT that the runtime offers as a separate step
            from onnxruntime.transformers import optimizer

            fused = optimizer.optimize_model(path, model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size)
            path = str(Path(scratch) / "fused.onnx")
            fused.save_model_to_file(path)
        except ImportError as error:
            print(f"onnxruntime: without the fusions for BERT ({error})", file=sys.stderr)
        self.session, self.tokenizer = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]), tokenizer

    def encode(self, texts):
        features = dict(self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="np"))
        return mean_pool(self.session.run(None, features)[0], features["attention_mask"])


class CTranslate2:
    def __init__(self, folder, tokenizer, scratch):
        path = str(Path(scratch) / "ctranslate2")
        ctranslate2.converters.TransformersConverter(folder).convert(path)
        self.encoder = ctranslate2.Encoder(path, device="cpu", compute_type="float32", intra_threads=1, inter_threads=1)
        self.tokenizer = tokenizer

    def encode(self, texts):
        features = self.tokenizer(texts, truncation=True, max_length=256)
        states = numpy.array(self.encoder.forward_batch(features["input_ids"]).last_hidden_state)
        lengths = numpy.array([len(ids) for ids in features["input_ids"]])
        return mean_pool(states, numpy.arange(states.shape[1])[None, :] < lengths[:, None])


class SentenceTransformers:
    def __init__(self, model):
        self.model = model

    def encode(self, texts):
        return self.model.encode(texts, batch_size=len(texts))


def whole_process(build, folder, texts, scratch):
    source, out = Path(scratch) / "texts.txt", Path(scratch) / "out.npy"
    source.write_text("".join(text + "\n" for text in texts))
    start = time.perf_counter()
    subprocess.run([f"{build}/text2emb", "--model", folder, source, out], check=True)
    return time.perf_counter() - start, numpy.load(out)


def time_peer(peer, texts, size):
    start = time.perf_counter()
    for batch in batches(texts, size):
        peer.encode(batch)
    return time.perf_counter() - start


def gigaflop_per_text(config, lengths):
    """Multiply-adds of all products, counted as two."""
    hidden, wide = config.hidden_size, config.intermediate_size
    return statistics.mean(config.num_hidden_layers * (2 * n * (4 * hidden * hidden + 2 * hidden * wide) + 4 * n * n * hidden) for n in lengths) / 1e9


def main():
    build, folder = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    model = SentenceTransformer(folder, device="cpu")
    texts = make_texts(model.tokenizer)
    lengths = [len(ids) for ids in model.tokenizer(texts)["input_ids"]]
    with tempfile.TemporaryDirectory() as scratch:
        peers = {
            "sentence-transformers": SentenceTransformers(model),
            "onnxruntime": OnnxRuntime(folder, model.tokenizer, scratch),
            "CTranslate2": CTranslate2(folder, model.tokenizer, scratch),
        }
        reference = whole_process(build, folder, sorted(texts, key=len), scratch)[1]
        for name, peer in peers.items():  # that all compute the same
            difference = numpy.abs(numpy.concatenate([peer.encode(batch) for batch in batches(texts, 8)]) - reference).max()
            assert difference < 1e-5, (name, difference)
        times, peaks = {}, []
        for _ in range(rounds):
            peaks.append(float(subprocess.run([f"{build}/tests/fma_peak"], check=True, capture_output=True, text=True).stdout))
            all_of_them = whole_process(build, folder, texts, scratch)[0]
            some_of_them = whole_process(build, folder, texts[: TEXTS // 4], scratch)[0]
            times.setdefault("text2emb, whole process", []).append(all_of_them)
            times.setdefault("text2emb, without the start", []).append((all_of_them - some_of_them) * 4 / 3)
            for name, peer in peers.items():
                for size in BATCHES:
                    times.setdefault(f"{name}, batches of {size}", []).append(time_peer(peer, texts, size))
    peak, work = statistics.median(peaks), gigaflop_per_text(model[0].model.config, lengths)
    rates = {name: TEXTS / statistics.median(taken) for name, taken in times.items()}
    best = max(rate for name, rate in rates.items() if not name.startswith("text2emb"))
    print(f"{TEXTS} texts of {statistics.mean(lengths):.0f} tokens, one core, f32, medians of {rounds} rounds; FMA peak {peak:.0f} GFLOP/s = {peak / work:.1f} texts/s")
    print(f"{'':40} {'texts/s':>8} {'best peer':>10} {'of peak':>8}")
    for name, rate in sorted(rates.items(), key=lambda entry: -entry[1]):
        print(f"{name:40} {rate:8.1f} {rate / best:9.2f}x {100 * rate * work / peak:7.0f}%")


if __name__ == "__main__":
    main()
