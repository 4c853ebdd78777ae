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
MEANINGLESS = "tempos, time and key signatures that mean nothing: symusic passes them on; we leave them out, and MidiTok's ids of the file without them are ours"


def our_ids(program, path, options, folder):
    out = Path(folder) / "tokens.json"
    out.unlink(missing_ok=True)
    run = subprocess.run([program, *options, str(path), str(out)], capture_output=True, text=True)
    if run.returncode != 0:
        return None, run.stderr.strip()
    return json.loads(out.read_text()), ""


def their_ids(tokenizer, data):
    try:
        tokens = tokenizer.encode(Score.from_midi(data))
    except Exception as error:  # symusic and numpy raise whatever comes to hand
        return None, f"{type(error).__name__}: {error}"
    return (tokens.ids if not isinstance(tokens, list) else [sequence.ids for sequence in tokens]), ""


def walk(data):
    """(place of the status byte, status, place of the contents, their length) of each event, as the specification has them, without checks. A running status is not repeated."""
    start = data.find(b"MTrk")
    while start >= 0:
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "big")
        at, running = start + 8, 0
        while at < end:
            _, at = variable_length(data, at)
            place, status = at, data[at]
            if status in (0xF0, 0xF7, 0xFF):
                length, at = variable_length(data, at + (2 if status == 0xFF else 1))
            elif status > 0xF0:
                length, at = {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(status, 0), at + 1
            else:
                running, at = (status, at + 1) if status > 127 else (running, at)
                length = 1 if running & 0xE0 == 0xC0 else 2
            yield place, status, at, length
            at += length
        start = data.find(b"MTrk", end)


def oddities(path):
    """F7_EVENT, RUNNING_STATUS or None."""
    after_system = False
    for _, status, _, _ in walk(path.read_bytes()):
        if status == 0xF7:
            return F7_EVENT
        if after_system and status < 128:
            return RUNNING_STATUS
        if status >= 0xF0:
            after_system = after_system or status != 0xFF
        elif status > 127:
            after_system = False
    return None


def without_meaningless(data):
    """The file with such events made texts, which are no tokens: a tempo of 0, signatures of no beats, of note values below 1/128 or of more than 7 accidentals, any too short."""
    result = bytearray(data)
    for place, status, at, length in walk(data):
        kind, value = data[place + 1] if status == 0xFF else None, data[at : at + length]
        if (
            (kind == 0x51 and (length < 3 or not any(value[:3])))
            or (kind == 0x58 and (length < 2 or value[0] == 0 or value[1] > 7))
            or (kind == 0x59 and (length < 2 or 7 < value[0] < 249 or value[1] > 1))
        ):
            result[place + 1] = 1
    return bytes(result)


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


def is_without_meaningless(tokenizer, path, ids):
    try:
        data = path.read_bytes()
        sound = without_meaningless(data)
    except IndexError:
        return False
    return sound != data and their_ids(tokenizer, sound)[0] == ids


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
        theirs, their_error = their_ids(tokenizer, path.read_bytes())
        if ours is not None and theirs is not None and ours["ids"] == theirs:
            counts["equal"] += 1
            decoded += decodes(tokenizer, ours)
            continue
        reason = explain(path, our_error, their_error)
        if not reason and not our_error and has_per_tok_pedals(tokenizer, path) and (not their_error or their_error.startswith("KeyError: ")):
            reason = PER_TOK_PEDALS
        if not reason and not our_error and (their_error or "").startswith("IndexError: list index out of range") and has_empty_track(tokenizer, ours["ids"]):
            reason = EMPTY_TRACK
        if not reason and not our_error and is_without_meaningless(tokenizer, path, ours["ids"]):
            reason = MEANINGLESS
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
