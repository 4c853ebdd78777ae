#!/usr/bin/env python3
"""Compares embeddings in reduced precision with sentence-transformers' in f32: precision_parity.py PROGRAM TEXTS FOLDER ...

TEXTS texts in 12 languages (multilingual_texts.py) and a quarter as many in English, for every instruction set of this machine. bf16: no cosine below 0.9999; int8: none below 0.99, and
0.998 on average; otherwise the exit status is 1. Beside them: Spearman correlation of all similarities, and the share of the ten nearest neighbours in common.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from sentence_transformers import SentenceTransformer

sys.path.append(str(Path(__file__).parent.parent / "bench"))
from multilingual_texts import multilingual_texts
from odd_texts import english_texts
from text_bench import fidelity, units

SETS, LEAST, MEAN = ("amx", "avx512_paired", "avx512", "avx2"), {"bf16": 0.9999, "int8": 0.99}, {"bf16": 0.9999, "int8": 0.998}


def embed(program, folder, precision, instructions, texts):
    """The embeddings, or None where this machine lacks the instructions."""
    with tempfile.TemporaryDirectory() as scratch:
        lines, out = Path(scratch, "texts.txt"), Path(scratch, "out.npy")
        lines.write_text("\n".join(texts) + "\n")
        command = [program, "--model", folder, "--precision", precision, lines, out]
        run = subprocess.run(command, env=os.environ | {"KERNELS": instructions}, stderr=subprocess.PIPE, text=True)
        if "no instructions" in run.stderr or "not an instruction set of this machine" in run.stderr:
            return None
        if run.returncode:
            sys.exit(f"{folder}, {precision}: {run.stderr.strip()}")
        return numpy.load(out)


def main():
    program, count, folders, worse = sys.argv[1], int(sys.argv[2]), sys.argv[3:], 0
    for folder in folders:
        model = SentenceTransformer(folder, device="cpu")
        texts = [line for line in multilingual_texts(count) + english_texts(count // 4, model.tokenizer) if not set(line) & set("\r\n\0")]
        reference = model.encode(texts, batch_size=32)
        print(f"{folder}, {len(texts)} texts          cosine: least, mean; Spearman; top 10")
        for precision in LEAST:
            for instructions in SETS:
                embeddings = embed(program, folder, precision, instructions, texts)
                if embeddings is None:
                    print(f"  {precision}, {instructions:14} skipped: not on this machine")
                    continue
                cosine = (units(reference) * units(embeddings)).sum(1)
                bad = not (cosine.min() >= LEAST[precision] and cosine.mean() >= MEAN[precision])
                worse |= bad
                print(f"  {precision}, {instructions:14} {fidelity(reference, embeddings)}{'  TOO FAR' if bad else ''}", flush=True)
    sys.exit(int(worse))


if __name__ == "__main__":
    main()
