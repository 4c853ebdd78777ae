#!/usr/bin/env python3
"""Compares text2emb with the tokenizers package and with sentence-transformers on the same model folder.

    text_parity.py PROGRAM MODEL [RANDOM_LINES]
    text_parity.py --golden PROGRAM MODEL FOLDER

Token ids must be equal: on 1,000 English texts, on odd lines (odd_texts.py), on every code point of Unicode in several surroundings and on RANDOM_LINES
(200,000) random lines. Embeddings of the English texts must have a cosine of at least 0.999999 and no element further off than 2e-6, in
each pooling mode; so must those of encoders with random weights in other shapes. Any difference makes the exit status 1. --golden writes the peers' results for a few texts, for the test suite.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

from odd_texts import ODD_LINES, english_texts, every_code_point, random_lines

LEAST_COSINE, MOST_DIFFERENCE = 0.999999, 2e-6
POOLINGS = ["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


class OurProgram:
    def __init__(self, program, model, folder):
        self.command, self.folder = [program, "--model", model], Path(folder)

    def run(self, lines, out, *options):
        source = self.folder / "texts.txt"
        source.write_bytes("".join(line + "\n" for line in lines).encode())
        subprocess.run([*self.command, *options, source, self.folder / out], check=True)
        return self.folder / out

    def ids(self, lines):
        return [json.loads(line) for line in self.run(lines, "ids.jsonl", "--output", "ids").open()]

    def embeddings(self, lines, *options):
        return numpy.load(self.run(lines, "embeddings.npy", *options))


def their_ids(model, lines):
    ids = []
    for begin in range(0, len(lines), 20000):
        part = model.tokenizer(lines[begin : begin + 20000], truncation=True, max_length=model.max_seq_length)
        ids += part["input_ids"]
    return ids


def compare_ids(ours, model, name, lines):
    mine, theirs = ours.ids(lines), their_ids(model, lines)
    assert len(mine) == len(theirs) == len(lines)
    wrong = [i for i in range(len(lines)) if mine[i] != theirs[i]]
    print(f"ids         {name:41} {len(lines):8} lines {sum(map(len, theirs)):9} tokens {len(wrong):6} differ", flush=True)
    for i in wrong[:5]:
        print(f"  {ascii(lines[i])[:300]}\n    ours   {mine[i][:40]}\n    theirs {theirs[i][:40]}")
    return not wrong


def compare_embeddings(name, mine, theirs):
    wide_mine, wide_theirs = mine.astype(float), theirs.astype(float)
    lengths = numpy.linalg.norm(wide_mine, axis=1) * numpy.linalg.norm(wide_theirs, axis=1)
    cosine = float(((wide_mine * wide_theirs).sum(axis=1) / lengths).min())
    # Unnormalized embeddings are compared as if they had length 1: the bound is one of relative accuracy.
    scale = numpy.linalg.norm(wide_theirs, axis=1, keepdims=True)
    difference = float((numpy.abs(wide_mine - wide_theirs) / scale).max())
    good = mine.shape == theirs.shape and cosine >= LEAST_COSINE and difference <= MOST_DIFFERENCE
    print(f"embeddings  {name:41} {len(mine):8} texts  least cosine {cosine:.9f}  largest difference {difference:.1e}{'' if good else '  TOO FAR'}", flush=True)
    return good


def without_normalization(model, pooling):
    model[1].pooling_mode = pooling
    if type(model[len(model) - 1]).__name__ == "Normalize":
        del model[len(model) - 1]


# Encoders with random weights, for the shapes and settings that the real one does not have. No modules.json: mean pooling, no normalization.
OTHER_FOLDERS = {
    "ragged: 312 wide, heads of 26": (dict(hidden_size=312, num_hidden_layers=4, num_attention_heads=12, intermediate_size=1200), {}),
    "heads of 64, 130 positions": (dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=520, max_position_embeddings=130), {}),
    "cased, 100 tokens": (dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256), dict(do_lower_case=False, model_max_length=100)),
    "lower case, accents kept": (dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64), dict(strip_accents=False)),
    "upper case, accents stripped, CJK unsplit": (
        dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=8, intermediate_size=33),
        dict(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False),
    ),
    "bert-base": (dict(), {}),
}


def make_folder(name, vocabulary, folder):
    """A BERT folder with random weights as transformers saves it; its tokenizer is built from vocab.txt and the settings."""
    config, settings = OTHER_FOLDERS[name]
    torch.manual_seed(3)
    model = BertModel(BertConfig(**config))
    for parameter in model.parameters():  # what is initialized to 0 or 1 would hide a mistake
        parameter.data += 0.02 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    shutil.copy(vocabulary, folder / "vocab.txt")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


def compare_other_folders(program, vocabulary, texts, folder):
    good = True
    for number, name in enumerate(OTHER_FOLDERS):
        path = Path(folder) / f"other{number}"
        path.mkdir()
        make_folder(name, vocabulary, path)
        model = SentenceTransformer(str(path), device="cpu")
        ours = OurProgram(program, path, folder)
        lines = texts[:30] + [line for line in ODD_LINES if line.strip()]
        good &= compare_ids(ours, model, name, lines)
        some = [line for line, ids in zip(lines, ours.ids(lines)) if len(ids) > 2][: 20 if name == "bert-base" else 80]
        good &= compare_embeddings(name, ours.embeddings(some), model.encode(some, batch_size=4))
        shutil.rmtree(path)
    return good


def parity(program, folder_of_model, count):
    model = SentenceTransformer(folder_of_model, device="cpu")
    texts = english_texts(1000, model.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        ours = OurProgram(program, folder_of_model, folder)
        good = compare_ids(ours, model, "English, 1 to 256 tokens", texts)
        good &= compare_ids(ours, model, "odd lines", ODD_LINES)
        good &= compare_ids(ours, model, "every code point", every_code_point())
        good &= compare_ids(ours, model, "random lines", random_lines(count))
        good &= compare_embeddings("as the folder says", ours.embeddings(texts), model.encode(texts, batch_size=8))
        odd = [line for line, ids in zip(ODD_LINES, ours.ids(ODD_LINES)) if len(ids) > 2]
        good &= compare_embeddings("odd lines", ours.embeddings(odd), model.encode(odd, batch_size=8))
        for pooling in POOLINGS:
            without_normalization(model, pooling)
            mine = ours.embeddings(texts[:200], "--pooling", pooling, "--normalize", "0")
            good &= compare_embeddings(f"{pooling}, not normalized", mine, model.encode(texts[:200], batch_size=8))
        good &= compare_other_folders(program, Path(folder_of_model) / "vocab.txt", texts, folder)
    return 0 if good else 1


def golden(folder_of_model, folder):
    model = SentenceTransformer(folder_of_model, device="cpu")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = english_texts(1000, model.tokenizer)[::84] + [line for line in ODD_LINES if "\n" not in line][:14]
    texts = [text for text in texts if len(model.tokenizer(text)["input_ids"]) > 2][:24]
    (folder / "texts.txt").write_bytes("".join(text + "\n" for text in texts).encode())
    (folder / "embeddings.npy").unlink(missing_ok=True)
    numpy.save(folder / "embeddings.npy", model.encode(texts, batch_size=1))
    lines = texts + ODD_LINES
    (folder / "lines.txt").write_bytes("".join(line + "\n" for line in lines).encode())
    (folder / "lines.ids").write_text("".join(json.dumps(ids, separators=(",", ":")) + "\n" for ids in their_ids(model, lines)))


if __name__ == "__main__":
    if sys.argv[1] == "--golden":
        golden(sys.argv[3], sys.argv[4])
    else:
        sys.exit(parity(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 200000))
