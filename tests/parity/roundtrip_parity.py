#!/usr/bin/env python3
"""From MIDI to tokens, to MIDI, to tokens: our ids are the same again wherever MidiTok's own are (encode, decode, dump_midi, encode).

    roundtrip_parity.py [--files N] [--random N] [--seed N] MIDI2TOK TOK2MIDI FOLDER [FOLDER …]

The table counts files whose ids are the same again in MidiTok, and through our files. A file that is in the first and not in the second makes the exit status 1, unless
MidiTok's decode() of it is known to be at fault (decode_parity.py has the list).
"""
import argparse
import json
import multiprocessing
import random
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from decode_parity import loads, programs_of
from symusic import Score
from tokenizer_configs import TOKENIZATIONS, default, randomly


def ids_of(tokens):
    return tokens.ids if not isinstance(tokens, list) else [sequence.ids for sequence in tokens]


def theirs_again(tokenizer, score, song):
    """None: MidiTok cannot do it."""
    try:
        tokens, programs = tokenizer.encode(score, encode_ids=False), programs_of(tokenizer, score)
        ids = ids_of(tokens)
        if not ids:
            return None
        tokenizer.decode(ids, programs=programs).dump_midi(song)
        return ids_of(tokenizer.encode(Score(song), encode_ids=False)) == ids
    except Exception:
        return None


def ours_again(asked, path, folder):
    config, first, song, second = folder / "tokenizer.json", folder / "first.json", folder / "song.mid", folder / "second.json"
    for command in ([asked.midi2tok, "--config", config, path, first], [asked.tok2midi, "--config", config, first, song], [asked.midi2tok, "--config", config, song, second]):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return None, run.stderr.strip()
    return json.loads(first.read_text()) == json.loads(second.read_text()), "other ids"


def run_setting(job):
    asked, tokenizer, paths = job
    warnings.simplefilter("ignore")
    counts, lines = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / "tokenizer.json")
        tokenizer = type(tokenizer)(params=Path(folder) / "tokenizer.json")
        for path in paths:
            theirs = theirs_again(tokenizer, Score.from_midi(path.read_bytes()), Path(folder) / "theirs.mid")
            ours, why = ours_again(asked, path, Path(folder))
            counts.update({"files": 1, "theirs": theirs is True, "ours": ours is True, "both": theirs is True and ours is True})
            if theirs and not ours:
                lines.append(f"{path}: {why}")
    return counts, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("midi2tok")
    parser.add_argument("tok2midi")
    parser.add_argument("folders", nargs="+")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = sorted(p for folder in asked.folders for p in Path(folder).rglob("*") if p.suffix.lower() in (".mid", ".midi", ".kar") and loads(p))
    rng, failed = random.Random(asked.seed), not paths
    jobs = [(f"{name}, {'programs' if programs else 'no programs'}", (asked, default(name, programs), rng.sample(paths, min(asked.files, len(paths)))))
            for name in TOKENIZATIONS for programs in (True, False)]
    jobs += [(f"{TOKENIZATIONS[i % len(TOKENIZATIONS)]}, random {asked.seed * 1000 + i}",
              (asked, randomly(asked.seed * 1000 + i, TOKENIZATIONS[i % len(TOKENIZATIONS)]), rng.sample(paths, 6))) for i in range(asked.random)]
    print(f"{'setting':28} {'files':>6} {'MidiTok':>8} {'ours':>6} {'both':>6}")
    with multiprocessing.Pool(2) as pool:
        for (title, _), (counts, lines) in zip(jobs, pool.imap(run_setting, [job for _, job in jobs])):
            print(f"{title:28} {counts['files']:6} {counts['theirs']:8} {counts['ours']:6} {counts['both']:6}", flush=True)
            for line in lines[:5]:
                print("   ", line)
            failed = failed or bool(lines)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
