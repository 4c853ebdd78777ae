#!/usr/bin/env python3
"""Compares the subword engines (tests/subword_driver.c) with the models of the tokenizers package: subword_parity.py DRIVER [PIECES]

Models are trained on made-up text and varied at random: every combination of the settings, vocabularies with holes, words of other scripts, long words. A difference makes the exit status 1.
"""
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ALPHABETS = ["abcdefgh", "aabbbc", "éüñçà", "абвгд", "日本語音楽", "हिन्दी", "🎹🎻😀👩", "\u0301\u0300", "<unk>#0123"]


def word(source, longest=12):
    letters = source.choice(ALPHABETS) if source.random() < 0.8 else "".join(ALPHABETS)
    return "".join(source.choice(letters) for _ in range(source.randint(1, longest)))


def pieces_of(source, count):
    out = []
    for _ in range(count):
        piece = "".join(word(source) for _ in range(source.choice([1, 1, 1, 2, 3])))
        if source.random() < 0.02:
            piece = "".join(word(source, 400) for _ in range(3))
        if source.random() < 0.05:
            piece += "<unk>" + source.choice(["", "x"])
        out.append(piece)
    return out


def corpus(source):
    some = [word(source) for _ in range(60)]
    return [" ".join(source.choice(some) + source.choice(some) for _ in range(30)) for _ in range(60)]


def make_bpe(source):
    prefix, suffix = source.choice([None, None, "##", "@"]), source.choice([None, None, "</w>", "é"])
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    specials = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256) if source.random() < 0.999] if source.random() < 0.5 else [])
    more = {"continuing_subword_prefix": prefix} if prefix else {}
    more |= {"end_of_word_suffix": suffix} if suffix else {}
    tokenizer.train_from_iterator(corpus(source), trainers.BpeTrainer(vocab_size=len(specials) + source.randint(60, 400), special_tokens=specials, show_progress=False, **more))
    model = json.loads(tokenizer.to_str())["model"]
    used = {part for merge in model["merges"] for part in (merge if isinstance(merge, list) else merge.split(" "))}
    cut = len(prefix or "")
    used |= {(m if isinstance(m, list) else m.split(" "))[0] + (m if isinstance(m, list) else m.split(" "))[1][cut:] for m in model["merges"]}
    for token in list(model["vocab"]):  # characters that become unknown
        if token not in used and token != "<unk>" and source.random() < 0.2:
            del model["vocab"][token]
    if source.random() < 0.3:
        source.shuffle(model["merges"])
    model |= dict(unk_token=source.choice(["<unk>", "<unk>", None]), fuse_unk=source.random() < 0.5, byte_fallback=source.random() < 0.5, ignore_merges=source.random() < 0.5)
    if source.random() < 0.3:
        model["merges"] = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    return model


def make_unigram(source):
    tokens = {"<unk>"} | {word(source, source.choice([1, 2, 3, 5])) for _ in range(source.randint(20, 300))}
    if source.random() < 0.5:
        tokens |= {f"<0x{b:02X}>" for b in range(256)}
    tokens = sorted(tokens)
    source.shuffle(tokens)
    scores = [round(source.uniform(-12, -1), source.choice([0, 1, 6])) for _ in tokens]
    if source.random() < 0.3:
        tokens.append(source.choice(tokens))
        scores.append(-3.0)
    return {"type": "Unigram", "unk_id": tokens.index("<unk>"), "vocab": [list(pair) for pair in zip(tokens, scores)], "byte_fallback": source.random() < 0.5}


def make_wordpiece(source):
    prefix = source.choice(["##", "##", "", "é"])
    tokens = ["[UNK]"] + sorted({source.choice(["", prefix]) + word(source, source.choice([1, 1, 2, 4])) for _ in range(source.randint(20, 400))})
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": source.choice([100, 5, 30, 10**9]),
            "vocab": {token: i for i, token in enumerate(tokens)}}


def theirs(model, pieces):
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
                                               "post_processor": None, "decoder": None, "model": model}))
    return [encoding.ids for encoding in tokenizer.encode_batch(pieces)]


def main():
    driver, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200000
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (("BPE", make_bpe), ("Unigram", make_unigram), ("WordPiece", make_wordpiece)):
            source, done, models_made, differ = random.Random(name), 0, 0, 0
            while done < count:
                model, pieces = make(source), pieces_of(source, 1000)
                path = Path(folder) / "model.json"
                path.write_text(json.dumps(model))
                run = subprocess.run([driver, path], input="".join(piece + "\n" for piece in pieces).encode(), capture_output=True, check=True)
                mine = [json.loads(line) if line.startswith("[") else line for line in run.stdout.decode().splitlines()]
                for piece, ours, other in zip(pieces, mine, theirs(model, pieces), strict=True):
                    if ours != other:
                        differ += 1
                        if differ < 4:
                            print(f"  {ascii(piece)[:200]}\n    ours   {ours}\n    theirs {other}\n    {({k: v for k, v in model.items() if k not in ('vocab', 'merges')})}")
                done += len(pieces)
                models_made += 1
            print(f"engine      {name:41} {done:8} pieces, {models_made} models {differ:10} differ", flush=True)
            wrong += differ
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
