#!/usr/bin/env python3
"""Times midi2tok beside MidiTok and symusic, on one core, over the MIDI files in the given folders: reading, tokenizing and writing.

    midi_bench.py PROGRAMS TEST_PROGRAMS ROUNDS FOLDER [FOLDER …]

Needs miditok and symusic. What is measured is processor time (user and system) of the same files in the same run: MidiTok reads a file, tokenizes and saves its
token file; symusic reads it alone; midi2tok writes a shard; event_walk is a bare pass over the events in C. Everything is repeated ROUNDS
times (MidiTok, which takes long, once), and the median counts. Files with five tracks or more are a row of their own.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))
from symusic import Score
from tokenizer_configs import TOKENIZATIONS, default


def readable(paths):
    """Those that symusic reads, and how many tracks with notes each has."""
    tracks = {}
    for path in paths:
        try:
            tracks[path] = sum(track.note_num() > 0 for track in Score(path).tracks)
        except Exception:  # symusic raises whatever comes to hand
            continue
    return {path: count for path, count in tracks.items() if count > 0}


def processor_time(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime


def shard_lists(programs, paths, folder):
    pairs = Path(folder) / "pairs.jsonl"
    pairs.write_text("".join(f'{{"midi_file":"{path.resolve()}","text":"t"}}\n' for path in paths))
    programs = programs.resolve()
    subprocess.run([programs / "plan", "--tok", programs / "midi2tok", "--emb", programs / "midi2tok", "--piece", programs / "midi2tok", "--batch-size",
                    "1000", pairs, Path(folder) / "work"], check=True, stdout=subprocess.DEVNULL)
    return sorted((Path(folder) / "work" / "plan").glob("*.midi"))


def ours(programs, lists, tokenizer, out, rounds):
    command = lambda shard: [programs / "midi2tok", "--tokenizer", tokenizer, shard, out]
    return statistics.median(sum(processor_time(command(shard)) for shard in lists) for _ in range(rounds))


def symusic_time(paths, rounds):
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for path in paths:
            Score(path)
        times.append(time.process_time() - start)
    return statistics.median(times)


def miditok_times(tokenizer, paths, out):
    times = {}
    for path in paths:
        start = time.process_time()
        try:
            tokenizer.save_tokens(tokenizer.encode(path), out)
        except Exception:  # where MidiTok fails, see midi_parity.py
            continue
        times[path] = time.process_time() - start
    return times


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    programs, tests, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    found = [p for folder in sys.argv[4:] for p in sorted(Path(folder).rglob("*")) if p.suffix.lower() in (".mid", ".midi")]
    tracks = readable(found)
    sets = {"all": list(tracks), "5 tracks or more": [path for path, count in tracks.items() if count >= 5]}
    theirs = {}
    print(f"{'files':18} {'tokenizer':12} {'MidiTok/s':>10} {'symusic/s':>10} {'midi2tok/s':>11} {'x MidiTok':>10} {'x symusic':>10} {'of the walk':>12}")
    for name, paths in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            lists, list_file, out = shard_lists(programs, paths, folder), Path(folder) / "files", Path(folder) / "out.tok"
            list_file.write_text("".join(f"{path.resolve()}\n" for path in paths))
            walk = statistics.median(processor_time([tests / "event_walk", list_file]) for _ in range(rounds))
            loading = symusic_time(paths, rounds)
            for tokenizer in TOKENIZATIONS:
                if tokenizer not in theirs:
                    theirs[tokenizer] = miditok_times(default(tokenizer, True), sets["all"], Path(folder) / "tokens.json")
                taken = [theirs[tokenizer][path] for path in paths if path in theirs[tokenizer]]
                mine = len(paths) / ours(programs, lists, tokenizer, out, rounds)
                miditok, symusic = len(taken) / sum(taken), len(paths) / loading
                print(f"{name:18} {tokenizer:12} {miditok:10.1f} {symusic:10.0f} {mine:11.0f} {mine / miditok:10.0f} {mine / symusic:10.2f}"
                      f" {mine / (len(paths) / walk):11.0%}", flush=True)


if __name__ == "__main__":
    main()
