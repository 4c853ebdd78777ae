"""What Python makes of every code point: writes texts (JSON strings, a line each) and, beside them, their cleaned forms.

usage: clean_text.py TEXTS CLEANED
Characters that this Python's Unicode version does not know are left out: a newer one may call them letters.
"""
import json
import re
import sys
import unicodedata


def cleaned(text):
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"[^\w\s.,!?-]", "", text).lower()


with open(sys.argv[1], "w", encoding="utf-8") as texts, open(sys.argv[2], "w", encoding="utf-8") as results:
    for code_point in range(0x110000):
        c = chr(code_point)
        if unicodedata.category(c) in ("Cs", "Cn"):
            continue
        # alone, before, after and on both sides of a sigma, and between spaces
        for text in (c, f"{c}Σ", f"xΣ{c} {c}", f"x{c}Σ{c}Y"):
            print(json.dumps(text, ensure_ascii=False), file=texts)
            print(json.dumps(cleaned(text), ensure_ascii=False), file=results)
