#!/usr/bin/env python3
"""Writes to stdout what MidiTok gives for the .mid files in FOLDER with every tokenization and with random configurations: a line a tokenizer, of midi2tok's options,
and behind a tab of each file's name and the SHA-256 of its token file. A file on which MidiTok fails is left out.

    ( . tests/fixtures/midi2tok/files.bash; write_golden_files FOLDER; write_effect_files FOLDER )
    tokenizer_golden.py FOLDER >tests/fixtures/midi2tok/tokenizations.tsv
"""
import hashlib
import inspect
import json
import random
import sys
import tempfile
from pathlib import Path

import miditok
from miditok import TokenizerConfig
from miditok.utils import get_score_programs
from symusic import Score
from tokenizer_configs import TOKENIZATIONS, default, parameters

FILES = ("effects", "coarse", "mixed", "merged", "short", "silent")
CONFIGURATIONS = 6  # of each tokenization
DEFAULTS = {k: p.default for k, p in inspect.signature(TokenizerConfig).parameters.items()}


def as_json(name, value):
    if name in ("beat_res", "beat_res_rest"):
        value = {f"{a}_{b}": resolution for (a, b), resolution in value.items()}
    return json.dumps(value, separators=(",", ":"))


def cases():
    for name in TOKENIZATIONS:
        yield default(name, True), ["--tokenizer", name]
        yield default(name, False), ["--tokenizer", name, "--no-programs"]
        for seed in range(CONFIGURATIONS):
            chosen = parameters(random.Random(f"{name} {seed}"), name)
            changed = {k: v for k, v in chosen.items() if DEFAULTS.get(k) != v}
            try:
                tokenizer = getattr(miditok, name)(TokenizerConfig(**chosen))
            except (ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError):
                continue
            yield tokenizer, ["--tokenizer", name, "--no-programs", *(f"--set={k}={as_json(k, v)}" for k, v in changed.items())]


def token_file(tokenizer, path):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        tokens = tokenizer.encode(Score(path))
        programs = get_score_programs(tokenizer.preprocess_score(Score(path))) if isinstance(tokens, list) else None
        tokenizer.save_tokens(tokens, out.name, programs)
        return Path(out.name).read_bytes()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for tokenizer, options in cases():
        hashes = []
        for name in FILES:
            try:
                content = token_file(tokenizer, Path(sys.argv[1]) / f"{name}.mid")
            except Exception:  # MidiTok fails with whatever comes to hand
                continue
            hashes.append(f"{name}={hashlib.sha256(content).hexdigest()}")
        print(*options, sep=" ", end="\t")
        print(*hashes)


if __name__ == "__main__":
    main()
