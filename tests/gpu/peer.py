#!/usr/bin/env python3
"""peer.py MODEL TEXTS OUT: sentence-transformers at its best on this GPU: f16, SDPA, texts sorted by length (its own doing), the best of several batch sizes. Times what
text2emb is timed for: texts in a file to embeddings in a file; start-up is left out."""
import sys
import time

import numpy
import torch
from sentence_transformers import SentenceTransformer


def main():
    model = SentenceTransformer(sys.argv[1], device="cuda", model_kwargs={"dtype": torch.float16, "attn_implementation": "sdpa"})
    with open(sys.argv[2], encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in file]
    best = 0.0
    model.encode(texts[:2048], batch_size=256)
    for batch in (256, 1024):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        numpy.save(sys.argv[3], model.encode(texts, batch_size=batch, show_progress_bar=False))
        speed = len(texts) / (time.perf_counter() - begin)
        print(f"  sentence-transformers, f16, batches of {batch}: {speed:.0f} texts/s")
        best = max(best, speed)
    print(f"  sentence-transformers, best: {best:.0f} texts/s")


main()
