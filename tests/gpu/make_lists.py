#!/usr/bin/env python3
"""make_lists.py PLAN TEXTS FOLDER: the texts of a file as shard lists in FOLDER, made by the program PLAN; prints the shards' names."""
import json
import os
import shutil
import subprocess
import sys
import tempfile


def main():
    plan, texts, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        with open(texts, encoding="utf-8") as file, open(f"{work}/pairs.json", "w", encoding="utf-8") as pairs:
            json.dump([{"midi_file": f"{i}.mid", "text_description": line.rstrip("\n")} for i, line in enumerate(file)], pairs)
        # A program that answers --signature will do for the signatures; the lists do not depend on them.
        with open(f"{work}/signs", "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\necho 0123456789abcdef0123456789abcdef\n")
        os.chmod(f"{work}/signs", 0o755)
        signs = f"{work}/signs"
        subprocess.run([plan, "--tok", signs, "--emb", signs, "--piece", signs, "--depends", signs, "--batch-size", "32", "--look", f"{work}/pairs.json", f"{work}/work"],
                       check=True, stderr=subprocess.DEVNULL)
        for name in sorted(os.listdir(f"{work}/work/plan")):
            if name.endswith(".text"):
                shutil.copy(f"{work}/work/plan/{name}", folder)
                print(name[: -len(".text")])


main()
