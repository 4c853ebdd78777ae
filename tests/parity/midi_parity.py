#!/usr/bin/env python3
"""Compares midi2tok with MidiTok, token for token, on every MIDI file in the given folders.

    midi_parity.py PROGRAM FOLDER [FOLDER …]

Needs miditok and symusic. Each file is tokenized with every tokenization, with programs and without (MidiTok's TokenizerConfig(use_programs=True) and
TokenizerConfig()); then with PARITY_CONFIGS random configurations (200), seeded by PARITY_SEED (0) and on, each on PARITY_FILES of the files (24; 0: all).
What the two read differently, and why, is in WE_REFUSE, PEERS_REFUSE and MIDITOK_FAILS; any other difference makes the exit status 1. Nothing is kept on disk.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import miditok
from symusic import Score
from tokenizer_configs import TOKENIZATIONS, default, randomly

# Reasons for which we differ from symusic or MidiTok on purpose: a part of midi2tok's message, or of the peers', and what it is.
WE_REFUSE = {
    "the division is 0": "a quarter note of no ticks: most tokenizers of MidiTok divide by it, PerTok does not",
    "variable-length quantity has more than 4 bytes": "a delta time of 5 bytes: symusic reads four of them",
    "the time is beyond": "times beyond 2^31 ticks: symusic lets them wrap around",
    "an event's length reaches beyond its track": "an F7 event that does not end: symusic reads F7 as one byte",
}
PEERS_REFUSE = {
    "File header is not MThd": "RIFF RMID wrapper: symusic does not open it",
    "The first chunk length is not 6": "longer header: symusic refuses it",
    "Division type is not ticks per quarter": "SMPTE division: symusic refuses it",
    "Unexpected EOF while reading chunk header": "fewer tracks than announced, something else at the end: symusic refuses it",
}
# Where MidiTok fails on its own configuration or a file's contents, and midi2tok does what was meant.
MIDITOK_FAILS = {
    "KeyError: 'Pedal": "pedals without programs: MidiTok looks for the track's program, but has Pedal_0 alone; we write that",
    "UnboundLocalError: cannot access local variable 'event'": "trailing bars where no track's program is among those asked for: MidiTok looks for a last event",
    "IndexError: pyvec::index out of range": "MuMIDI without tempos, of a file that sets none: MidiTok asks for the first one all the same",
}
EMPTY_TRACK = "a track none of whose notes is in the pitch range, in MMM: MidiTok looks for its last event; we write the track with none"
PER_TOK_PEDALS = "PerTok's pedals with durations: MidiTok takes ticks of PerTok for steps of beat_res, fails or finds another duration; we write the nearest"
# What symusic reads in another way than the specification says, without refusing it.
F7_EVENT = "F7 event: symusic reads it as one byte, the specification gives it a length"
SHUFFLED = "more than 24 tempos or signatures, different ones at one time: symusic's sort shuffles them, the file's order counts"
RUNNING_STATUS = "running status after a system event: symusic takes it for another of that event"


def our_ids(program, path, options, folder):
    out = Path(folder) / "tokens.json"
    out.unlink(missing_ok=True)
    run = subprocess.run([program, *options, str(path), str(out)], capture_output=True, text=True)
    if run.returncode != 0:
        return None, run.stderr.strip()
    return json.loads(out.read_text()), ""


def their_ids(tokenizer, path):
    try:
        tokens = tokenizer.encode(Score.from_midi(path.read_bytes()))
    except Exception as error:  # symusic and numpy raise whatever comes to hand
        return None, f"{type(error).__name__}: {error}"
    return (tokens.ids if not isinstance(tokens, list) else [sequence.ids for sequence in tokens]), ""


def oddities(path):
    """F7_EVENT, RUNNING_STATUS or None: a walk over the events as the specification has them, without checks."""
    data = path.read_bytes()
    start = data.find(b"MTrk")
    while start >= 0:
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
        at, running, after_system = start + 8, 0, False
        while at < end:
            _, at = variable_length(data, at)
            if data[at] == 0xF7:
                return F7_EVENT
            if data[at] in (0xF0, 0xFF):
                after_system = after_system or data[at] == 0xF0
                length, at = variable_length(data, at + (1 if data[at] == 0xF0 else 2))
                at += length
                continue
            if data[at] > 0xF0:
                after_system = True
                at += {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(data[at], 1)
                continue
            if data[at] > 127:
                running, after_system = data[at], False
                at += 1
            elif after_system:
                return RUNNING_STATUS
            at += 1 if running & 0xE0 == 0xC0 else 2
        start = data.find(b"MTrk", end)
    return None


def is_shuffled(path):
    """Whether symusic had more than 24 global events of a kind to sort, of which different ones stand at one time."""
    score = Score.from_midi(path.read_bytes())
    for events, value in ((score.tempos, lambda e: e.mspq), (score.time_signatures, lambda e: (e.numerator, e.denominator)),
                          (score.key_signatures, lambda e: (e.key, e.tonality))):
        if len(events) > 24 and len({e.time for e in events}) < len({(e.time, value(e)) for e in events}):
            return True
    return False


def has_per_tok_pedals(tokenizer, path):
    config = tokenizer.config
    return (type(tokenizer) is miditok.PerTok and config.use_sustain_pedals and config.sustain_pedal_duration
            and any(track.pedals for track in Score.from_midi(path.read_bytes()).tracks))


def has_empty_track(tokenizer, ids):
    """In MMM: the token that ends a track stands right behind the one that begins it."""
    if type(tokenizer) is not miditok.MMM:
        return False
    begin, end = tokenizer.vocab["Track_Start"], tokenizer.vocab["Track_End"]
    sequences = ids if ids and isinstance(ids[0], list) else [ids]
    return any(pair == (begin, end) for sequence in sequences for pair in zip(sequence, sequence[1:]))


def variable_length(data, at):
    value = data[at] & 127
    while data[at] > 127:
        at += 1
        value = value << 7 | data[at] & 127
    return value, at + 1


def explain(path, our_error, their_error):
    if our_error and their_error:
        return "refused by both"
    for error, known in ((our_error, WE_REFUSE), (their_error, PEERS_REFUSE), (their_error, MIDITOK_FAILS)):
        for part, reason in known.items():
            if error and part in error:
                return reason
    if not our_error and not their_error and is_shuffled(path):
        return SHUFFLED
    try:
        return oddities(path)
    except IndexError:
        return None


def decodes(tokenizer, tokens):
    """MidiTok makes a score of our token file again; of REMI with as many notes as there are Velocity tokens."""
    programs = [tuple(program) for program in tokens.get("programs", [])] or None
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(tokens, file)
        file.flush()
        try:
            sequences = tokenizer.load_tokens(file.name)
            notes = None
            if type(tokenizer) is miditok.REMI and tokenizer.config.use_velocities:
                velocities = set(tokenizer.token_ids_of_type("Velocity"))
                tracks = sequences if isinstance(sequences, list) else [sequences]
                notes = sum(id in velocities for track in tracks for id in track.ids)
            score = tokenizer.decode(sequences, programs=programs)
        except Exception:  # on its own ids just the same
            return False
        return notes is None or score.note_num() == notes


def compare(program, paths, tokenizer, options, folder):
    """How many files are equal and how many are not for which reason, how many of the equal ones MidiTok decodes again, and what is unexplained."""
    counts, decoded, unexplained = Counter(), 0, []
    for path in paths:
        ours, our_error = our_ids(program, path, options, folder)
        theirs, their_error = their_ids(tokenizer, path)
        if ours is not None and theirs is not None and ours["ids"] == theirs:
            counts["equal"] += 1
            decoded += decodes(tokenizer, ours)
            continue
        reason = explain(path, our_error, their_error)
        if not reason and not our_error and has_per_tok_pedals(tokenizer, path) and (not their_error or their_error.startswith("KeyError: ")):
            reason = PER_TOK_PEDALS
        if not reason and not our_error and (their_error or "").startswith("IndexError: list index out of range") and has_empty_track(tokenizer, ours["ids"]):
            reason = EMPTY_TRACK
        counts[reason or "UNEXPLAINED"] += 1
        if not reason:
            unexplained.append(f"{path}: ours: {our_error or 'ids'}; MidiTok: {their_error or 'other ids'}")
    return counts, decoded, unexplained


def report(name, settings, files, counts, decoded, unexplained):
    others = "; ".join(f"{count} {reason}" for reason, count in sorted(counts.items()) if reason != "equal")
    print(f"{name:44} {settings:22} {files:6} {counts['equal']:6} {decoded:8}  {others}", flush=True)
    for line in unexplained:
        print("   ", line)


def compare_defaults(program, name, paths, folder):
    failed = not paths
    for tokenization in TOKENIZATIONS:
        for programs in (True, False):
            options = ["--tokenizer", tokenization, *([] if programs else ["--no-programs"])]
            counts, decoded, unexplained = compare(program, paths, default(tokenization, programs), options, folder)
            report(name, f"{tokenization} {'programs' if programs else 'no programs'}", len(paths), counts, decoded, unexplained)
            # What MidiTok makes of files with a few notes out of its range it may not decode; of its own plain REMI all must go back.
            failed = failed or bool(unexplained) or (tokenization == "REMI" and decoded != counts["equal"])
    return failed


def compare_random(program, paths, folder):
    configurations, seed, files = (int(os.environ.get(f"PARITY_{name}", value)) for name, value in (("CONFIGS", 200), ("SEED", 0), ("FILES", 24)))
    sums = {name: [Counter(), 0, 0, 0] for name in TOKENIZATIONS}
    failed = False
    for number in range(seed, seed + configurations):
        tokenizer, config = randomly(number), Path(folder) / "tokenizer.json"
        name = type(tokenizer).__name__
        tokenizer.save(config)
        tokenizer = getattr(miditok, name)(params=config)  # in the order of what is saved
        chosen = random.Random(number).sample(paths, min(files or len(paths), len(paths)))
        counts, decoded, unexplained = compare(program, chosen, tokenizer, ["--config", str(config)], folder)
        total = sums[name]
        total[0].update(counts)
        total[1] += decoded
        total[2] += len(chosen)
        total[3] += 1
        if unexplained:
            failed = True
            print(f"configuration {number}, {name}: {json.dumps(json.loads(config.read_text())['config'])}")
            for line in unexplained:
                print("   ", line)
    for name, (counts, decoded, total, number) in sums.items():
        report(f"random configurations, seeds {seed} to {seed + configurations - 1}", f"{name}, {number} of them", total, counts, decoded, [])
    return failed


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, failed, sound = sys.argv[1], False, []
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'folder':44} {'settings':22} {'files':>6} {'equal':>6} {'decoded':>8}  others")
        for name in sys.argv[2:]:
            paths = sorted(p for p in Path(name).rglob("*") if p.suffix.lower() in (".mid", ".midi", ".rmi", ".kar"))
            failed = compare_defaults(program, name, paths, folder) or failed
            if not name.endswith(("conformance", "broken")):
                sound += paths
        failed = compare_random(program, sound, folder) or failed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
