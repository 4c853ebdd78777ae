#!/usr/bin/env python3
"""peer.py MODEL TEXTS OUT: sentence-transformers at its best on this GPU: f16, SDPA, texts sorted by length (its own doing), the batch size that is best on some of the texts.
Times what text2emb is timed for: texts in a file to embeddings in a file; start-up is left out."""
import sys
import time

import numpy
import torch
from sentence_transformers import SentenceTransformer


def main():
    model = SentenceTransformer(sys.argv[1], device="cuda", model_kwargs={"dtype": torch.float16, "attn_implementation": "sdpa"})

    def speed(texts, batch):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        numpy.save(sys.argv[3], model.encode(texts, batch_size=batch, show_progress_bar=False))
        return len(texts) / (time.perf_counter() - begin)

    with open(sys.argv[2], encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in file]
    some = texts[:8192]
    model.encode(some[:2048], batch_size=256)
    speeds = {batch: speed(some, batch) for batch in (128, 256, 512, 1024)}
    best = max(speeds, key=speeds.get)
    print("  sentence-transformers, f16:", ", ".join(f"{value:.0f} texts/s in batches of {batch}" for batch, value in speeds.items()), f"(of {len(some)} texts)")
    print(f"  sentence-transformers, best: {speed(texts, best):.0f} texts/s", flush=True)


main()
