#!/usr/bin/env python3
"""Times midi2tok beside MidiTok and symusic, on one core, over the MIDI files in the given folders: reading, tokenizing and writing.

    midi_bench.py PROGRAMS TEST_PROGRAMS ROUNDS FOLDER [FOLDER …]

Needs miditok and symusic. What is measured is processor time, user and system, of the same files in the same run: MidiTok reads a file, tokenizes and saves its token file;
symusic reads it alone; midi2tok reads, tokenizes and writes a shard, its start included; event_walk is a bare pass over the events in C. Everything is repeated ROUNDS
times and the median counts; MidiTok, which takes long, runs once, over BENCH_FILES of the files (40, every n-th; 0: all), and midi2tok's time is scaled by
notes to the same files. The last column is the share of midi2tok's time that the system takes: page faults, reading and writing files.
Files with five tracks or more are a row of their own.
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
    """Those that symusic reads and that have notes: how many tracks with notes, and notes, each has."""
    found = {}
    for path in paths:
        try:
            counts = [track.note_num() for track in Score(path).tracks if track.note_num() > 0]
        except Exception:  # symusic raises whatever comes to hand
            continue
        if counts:
            found[path] = (len(counts), sum(counts))
    return found


def processor_times(command):
    """User and system seconds of a program."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "LOG_LEVEL": "critical"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command} failed")
    return usage.ru_utime, usage.ru_stime


def median_times(commands, rounds, out=None):
    """Of all commands together, one after another: processor seconds, and the system's share of them. They write `out` anew, as a dataset's shards are written."""
    sums = []
    for _ in range(rounds):
        times = []
        for command in commands:
            if out:
                out.unlink(missing_ok=True)
            times.append(processor_times(command))
        user, system = sum(user for user, _ in times), sum(system for _, system in times)
        sums.append((user + system, system / (user + system)))
    return tuple(statistics.median(column) for column in zip(*sums))


def median_time(work, rounds=1):
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def shard_lists(programs, paths, folder):
    pairs = Path(folder) / "pairs.jsonl"
    pairs.write_text("".join(f'{{"midi_file":"{path.resolve()}","text":"t"}}\n' for path in paths))
    programs = programs.resolve()
    subprocess.run([programs / "plan", "--tok", programs / "midi2tok", "--emb", programs / "midi2tok", "--piece", programs / "midi2tok", "--batch-size",
                    "1000", pairs, Path(folder) / "work"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sorted((Path(folder) / "work" / "plan").glob("*.midi"))


def tokenize_all(tokenizer, paths, out):
    for path in paths:
        try:
            tokenizer.save_tokens(tokenizer.encode(path), out)
        except Exception:  # where MidiTok fails, see midi_parity.py
            continue


def bench(name, paths, notes, programs, tests, rounds, most):
    with tempfile.TemporaryDirectory() as folder:
        lists, list_file, out = shard_lists(programs, paths, folder), Path(folder) / "files", Path(folder) / "out.tok"
        list_file.write_text("".join(f"{path.resolve()}\n" for path in paths))
        some = paths[:: max(1, len(paths) // most)] if most else paths
        share = sum(notes[path] for path in some) / sum(notes[path] for path in paths)
        walk, _ = median_times([[tests / "event_walk", list_file]], rounds)
        symusic = len(paths) / median_time(lambda: [Score(path) for path in paths], rounds)
        for tokenization in TOKENIZATIONS:
            tokenizer = default(tokenization, True)
            theirs = median_time(lambda: tokenize_all(tokenizer, some, Path(folder) / "tokens.json")) / share
            ours, system = median_times([[programs / "midi2tok", "--tokenizer", tokenization, shard, out] for shard in lists], rounds, out)
            print(f"{name:18} {tokenization:12} {len(paths) / theirs:10.1f} {symusic:10.0f} {len(paths) / ours:11.0f} {theirs / ours:10.0f}"
                  f" {len(paths) / ours / symusic:10.2f} {walk / ours:12.0%} {system:10.0%}", flush=True)


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    programs, tests, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    found = readable(p for folder in sys.argv[4:] for p in sorted(Path(folder).rglob("*")) if p.suffix.lower() in (".mid", ".midi"))
    notes, most = {path: count for path, (_, count) in found.items()}, int(os.environ.get("BENCH_FILES", 40))
    print(f"{'files':18} {'tokenizer':12} {'MidiTok/s':>10} {'symusic/s':>10} {'midi2tok/s':>11} {'x MidiTok':>10} {'x symusic':>10} {'of the walk':>12} {'system':>10}")
    bench("all", list(found), notes, programs, tests, rounds, most)
    bench("5 tracks or more", [path for path, (tracks, _) in found.items() if tracks >= 5], notes, programs, tests, rounds, most)


if __name__ == "__main__":
    main()
