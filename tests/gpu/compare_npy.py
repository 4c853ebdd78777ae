#!/usr/bin/env python3
"""compare_npy.py COSINE DIFFERENCE PART...: whether the rows of PART.cpu and PART.gpu, .npy files of floats, are that close over all parts; prints how close. Needs no package."""
import array
import math
import sys


def rows(path):
    with open(path, "rb") as file:
        data = file.read()
    width = int(data[10:128].split(b"shape': (")[1].split(b",")[1].split(b")")[0])
    values = array.array("f", data[128:])
    return [values[i : i + width] for i in range(0, len(values), width)]


def main():
    least, most = float(sys.argv[1]), float(sys.argv[2])
    cosine, difference, texts, good = 1.0, 0.0, 0, True
    for part in sys.argv[3:]:
        a, b = rows(f"{part}.cpu"), rows(f"{part}.gpu")
        good &= len(a) == len(b) > 0
        texts += len(a)
        for p, q in zip(a, b):
            cosine = min(cosine, math.fsum(x * y for x, y in zip(p, q)) / math.sqrt(math.fsum(x * x for x in p) * math.fsum(y * y for y in q)))
            difference = max(difference, max(abs(x - y) for x, y in zip(p, q)))
            good &= all(map(math.isfinite, q))
    good &= texts > 0 and cosine >= least and difference <= most
    print(f"{texts} texts, least cosine {cosine:.9f} (allowed {least}), largest difference {difference:.2e} (allowed {most:g}){'' if good else '  TOO FAR'}")
    sys.exit(not good)


main()
