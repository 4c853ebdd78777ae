#!/usr/bin/env python3
"""Compares text2emb's token ids with those of the tokenizers package, for tokenizers of every kind: tokenizer_parity.py PROGRAM [RANDOM_LINES [MODEL ...]]

Texts: odd lines (odd_texts.py), every code point of Unicode in several surroundings, and random lines (100,000). Tokenizers: those of tokenizer_folders.py, and the models' named. Any
difference makes the exit status 1.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

from odd_texts import ODD_LINES, every_code_point, random_lines
from tokenizer_folders import TOKENIZERS, write

AT_A_TIME = 50000


def our_ids(program, folder, lines, scratch):
    source, out = Path(scratch) / "lines.txt", Path(scratch) / "ids.jsonl"
    source.write_bytes("".join(line + "\n" for line in lines).encode())
    subprocess.run([program, "--model", folder, "--output", "ids", source, out], check=True)
    return [json.loads(line) for line in out.open()]


def compare(program, folder, tokenizer, name, kind, lines, scratch):
    wrong, tokens, total = [], 0, 0
    for begin in range(0, len(lines), AT_A_TIME):
        part = lines[begin : begin + AT_A_TIME]
        theirs = [encoding.ids for encoding in tokenizer.encode_batch(part)]
        for line, mine, other in zip(part, our_ids(program, folder, part, scratch), theirs, strict=True):
            total += 1
            tokens += len(other)
            if mine != other:
                wrong.append((line, mine, other))
    print(f"ids         {name:38} {kind:12} {total:8} lines {tokens:9} tokens {len(wrong):6} differ", flush=True)
    for line, mine, other in wrong[:3]:
        print(f"  {ascii(line)[:300]}\n    ours   {mine[:40]}\n    theirs {other[:40]}")
    return not wrong


def main():
    program, count, folders = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100000, sys.argv[3:]
    texts = {"odd": ODD_LINES, "code points": every_code_point(), "random": random_lines(count)}
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        todo = [(Path(folder).name, Path(folder)) for folder in folders] + [(name, None) for name in TOKENIZERS]
        for number, (name, folder) in enumerate(todo):
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json")) if folder else write(name, Path(scratch) / str(number))
            limits = [json.loads((folder / file).read_text()).get(key) for file, key in (("tokenizer_config.json", "model_max_length"), ("sentence_bert_config.json", "max_seq_length"))
                      if (folder / file).exists()] if folder else [512]
            tokenizer.no_padding()
            tokenizer.enable_truncation(limits[-1])
            for kind, lines in texts.items():
                good &= compare(program, folder or Path(scratch) / str(number), tokenizer, name, kind, lines, scratch)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
