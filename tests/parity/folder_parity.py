#!/usr/bin/env python3
"""Compares text2emb's token ids with those of transformers' own tokenizer classes, for the forms in which a folder may keep a tokenizer: folder_parity.py PROGRAM

vocab.json with merges.txt; vocab.txt of BERT, MPNet and DistilBERT, with and without lower case; and a tokenizer.json whose tokenizer_config.json says something else. A difference makes the exit status 1.
"""
import json
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

from multilingual_texts import multilingual_texts
from odd_texts import ODD_LINES, random_lines
from tokenizer_folders import write
from tokenizer_parity import compare

LINES = ODD_LINES + multilingual_texts(500) + random_lines(3000) + ["a <mask> b  [MASK] c"]


def model_of(folder):
    return json.loads((folder / "tokenizer.json").read_text())["model"]


def put(folder, name, content):
    (folder / name).write_text(json.dumps(content, ensure_ascii=False))


def vocab_json(folder, prefix):
    write("byte-level BPE", folder)
    model = model_of(folder)
    (folder / "tokenizer.json").unlink()
    put(folder, "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in model["merges"]))
    put(folder, "config.json", {"model_type": "roberta", "vocab_size": len(model["vocab"]), "max_position_embeddings": 514})
    put(folder, "tokenizer_config.json", json.loads((folder / "tokenizer_config.json").read_text()) | {"add_prefix_space": prefix})


def vocab_txt(folder, kind, tokenizer_class, lower):
    write("WordPiece cased", folder)
    vocabulary = model_of(folder)["vocab"]
    (folder / "tokenizer.json").unlink()
    names = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"} if kind == "mpnet" else {}
    (folder / "vocab.txt").write_text("".join(names.get(token, token) + "\n" for token in sorted(vocabulary, key=vocabulary.get)))
    put(folder, "tokenizer_config.json", {"do_lower_case": lower, "model_max_length": 512} | ({"tokenizer_class": tokenizer_class} if tokenizer_class else {}))
    put(folder, "config.json", {"model_type": kind, "vocab_size": len(vocabulary), "max_position_embeddings": 514})


def other_settings(folder, settings):
    write("WordPiece cased", folder)
    put(folder, "tokenizer_config.json", settings | {"model_max_length": 512})
    put(folder, "config.json", {"model_type": "bert", "vocab_size": 4000, "max_position_embeddings": 514})


def forms():
    for prefix in (False, True):
        yield f"vocab.json, prefix space {prefix}", lambda folder, prefix=prefix: vocab_json(folder, prefix)
    for kind, tokenizer_class in (("bert", "BertTokenizer"), ("mpnet", "MPNetTokenizer"), ("distilbert", None)):
        for lower in (True, False):
            yield f"vocab.txt, {kind}, lower case {lower}", lambda folder, of=(kind, tokenizer_class, lower): vocab_txt(folder, *of)
    for settings in ({}, {"tokenizer_class": "BertTokenizer"}, {"tokenizer_class": "PreTrainedTokenizerFast"}, {"tokenizer_class": "BertTokenizer", "do_lower_case": False}):
        yield f"cased, {' '.join(map(str, settings.values()))}", lambda folder, settings=settings: other_settings(folder, settings)


def main():
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, make) in enumerate(forms()):
            folder = Path(scratch) / str(number)
            make(folder)
            tokenizer = AutoTokenizer.from_pretrained(str(folder)).backend_tokenizer
            tokenizer.enable_truncation(512)
            good &= compare(sys.argv[1], folder, tokenizer, name, "all", LINES, scratch)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
