#!/usr/bin/env python3
"""make_texts.py COUNT TOKENS MODEL [SEED]: texts, one a line, of words that are one token each in MODEL's vocabulary. TOKENS: of each text, special tokens included; or
"mixed": lengths from 3 to beyond the longest, most of them short, some texts twice."""
import random
import sys


def main():
    count, tokens, model = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    source = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    with open(f"{model}/vocab.txt", encoding="utf-8") as file:
        words = [word for word in map(str.strip, file) if word.isascii() and word.isalpha() and word.islower()]
    earlier = []
    for _ in range(count):
        if tokens != "mixed":
            print(" ".join(source.choices(words, k=int(tokens) - 2)))
            continue
        length = min(600, 1 + int(source.expovariate(1 / 45)))
        text = source.choice(earlier) if earlier and source.random() < 0.02 else " ".join(source.choice(words) for _ in range(length))
        earlier = (earlier + [text])[-100:]
        print(text)


main()
