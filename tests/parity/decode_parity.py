#!/usr/bin/env python3
"""Compares tok2midi with MidiTok's decode(), note for note, on the tokens of every MIDI file in the given folders.

    decode_parity.py [--random N] [--seed N] [--files N] TOK2MIDI FOLDER [FOLDER …]

Each file is tokenized by MidiTok, in each tokenization's default configuration with programs and without; in N random configurations (a seeded sample of --files
files each). Notes, controls (pedals among them) and pitch bends of each program, tempos, time and key signatures must be equal. What differs by intention is in
EXPLAINED; any other difference makes the exit status 1.
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

from miditok.utils import get_score_programs
from symusic import Score
from tokenizer_configs import TOKENIZATIONS, default, randomly

EXPLAINED = {
    "drums": "drums outside pitch_range are kept, MidiTok's decode() drops them",
    "bars": "numbered bars are bars, MidiTok's decode() knows only Bar_None",
    "octuple": "Octuple's tracks are decoded one by one, in MidiTok the second goes on where the first ended",
    "position": "Octuple's first note in a new note value has its position in that one, in MidiTok in the one before",
    "durations": "drums of a track of their own have the durations of program -1, in MidiTok's decode() those of program 0",
    "fails": "MidiTok's decode() fails",
    "negative": "micro-timing before the beginning becomes 0",
}


def tracks_of(score):
    """Notes, controls and pitch bends by program."""
    programs = {}
    for track in score.tracks:
        notes, controls, bends = programs.setdefault(-1 if track.is_drum else track.program, ([], [], []))
        notes.extend((max(note.time, 0), note.duration, note.pitch, note.velocity) for note in track.notes)
        controls.extend((control.time, control.number, control.value) for control in track.controls)
        bends.extend((bend.time, bend.value) for bend in track.pitch_bends)
    return {program: tuple(tuple(sorted(events)) for events in lists) for program, lists in programs.items() if any(lists)}


def changes(events):
    """Sorted by time, without what only repeats."""
    events = sorted(events)
    return [event for i, event in enumerate(events) if i == 0 or event[1:] != events[i - 1][1:]]


def globals_of(score):
    return (score.ticks_per_quarter, changes((tempo.time, tempo.mspq) for tempo in score.tempos),
            changes((signature.time, signature.numerator, signature.denominator) for signature in score.time_signatures),
            changes((signature.time, signature.key, signature.tonality) for signature in score.key_signatures))


def music_of(score):
    return tracks_of(score), globals_of(score)


def events_of(data):
    """(time, status, data bytes) of an MTrk chunk's channel events, as tok2midi writes them: without running status."""
    at, time = 0, 0
    while at < len(data):
        delta = 0
        while True:
            delta = delta << 7 | data[at] & 127
            at += 1
            if data[at - 1] < 128:
                break
        time += delta
        if data[at] == 0xFF:
            at += 3 + data[at + 2]
            continue
        size = 2 if data[at] & 0xE0 == 0xC0 else 3
        yield time, data[at], data[at + 1 : at + size]
        at += size


def controls_of_file(path):
    """By program. symusic reads no controls of a track without notes, so it cannot be asked."""
    data, programs, at = path.read_bytes(), {}, 14
    while at < len(data):
        size, program = int.from_bytes(data[at + 4 : at + 8], "big"), None
        for time, status, values in events_of(data[at + 8 : at + 8 + size]):
            if status & 0xF0 == 0xC0:
                program = -1 if status & 15 == 9 else values[0]
            elif status & 0xF0 == 0xB0:
                programs.setdefault(program, ([], []))[0].append((time, *values))
            elif status & 0xF0 == 0xE0:
                programs.setdefault(program, ([], []))[1].append((time, values[0] + 128 * values[1] - 8192))
        at += 8 + size
    return programs


def music_of_file(path):
    tracks, others = music_of(Score(path))
    notes, controls = {program: lists[0] for program, lists in tracks.items()}, controls_of_file(path)
    return {program: (notes.get(program, ()), *(tuple(sorted(events)) for events in controls.get(program, ((), ())))) for program in notes | controls}, others


def without_drums_outside(music, tokenizer):
    low, high = tokenizer.config.pitch_range
    tracks = dict(music[0])
    if -1 in tracks:
        notes, controls, bends = tracks[-1]
        tracks[-1] = (tuple(note for note in notes if low <= note[2] <= high), controls, bends)
        if not any(tracks[-1]):
            del tracks[-1]
    return tracks, music[1]


def one_by_one(tokenizer, tokens, programs):
    """Each track alone, and what holds for all from the first."""
    scores = [tokenizer.decode([sequence], programs=[programs[i]] if programs else None) for i, sequence in enumerate(tokens) if sequence.ids]
    for score in scores[1:]:
        scores[0].tracks.extend(score.tracks)
    return music_of(scores[0])


def note_values(tokenizer, tokens):
    """The denominators of the time signatures, of all tracks: the score has those of the first."""
    sequences = tokens if isinstance(tokens, list) else [tokens]
    return {token.split("/")[1] for sequence in sequences for row in tokenizer._ids_to_tokens(sequence.ids) for token in row if token.startswith("TimeSig_") and "/" in token}


def is_first_of_new_value(ours, theirs, tokenizer, tokens):
    """Whether only starts of notes differ, in Octuple with several note values."""
    without_times = lambda music: {program: (sorted(note[1:] for note in lists[0]), lists[1:]) for program, lists in music[0].items()}
    return len(note_values(tokenizer, tokens)) > 1 and without_times(ours) == without_times(theirs)


def explain(name, tokenizer, ours, theirs, tokens, programs):
    if "REMI" in (name, tokenizer.config.additional_params.get("base_tokenizer")) and tokenizer.config.additional_params.get("max_bar_embedding") is not None:
        return "bars"
    if without_drums_outside(ours, tokenizer) == theirs or (tokenizer.config.use_rests and without_drums_outside(ours, tokenizer) != ours):
        return "drums"  # (a rest begins where the last note ended, so it moves with them)
    if name == "Octuple" and isinstance(tokens, list) and len(tokens) > 1:
        alone = one_by_one(tokenizer, tokens, programs)
        if ours == alone or is_first_of_new_value(ours, alone, tokenizer, tokens):
            return "octuple"
    if name == "Octuple" and is_first_of_new_value(ours, theirs, tokenizer, tokens):
        return "position"
    durations = tokenizer.config.use_note_duration_programs
    if programs and any(drum and (-1 in durations) != (program in durations) for program, drum in programs):
        return "durations"
    return None


def programs_of(tokenizer, score):
    """Of the tracks that have a sequence of their own."""
    return None if tokenizer.one_token_stream else get_score_programs(tokenizer.preprocess_score(score)) or None


def compare(program, name, tokenizer, path, folder):
    """The outcome, and a line on it if it is not explained."""
    score = Score.from_midi(path.read_bytes())
    try:
        tokens, programs = tokenizer.encode(score, encode_ids=False), programs_of(tokenizer, score)
    except Exception as error:
        return "not encoded", ""
    if not (tokens if isinstance(tokens, list) else tokens.ids):
        return "no tokens", ""
    tokenizer.save_tokens(tokens, folder / "tokens.json", programs)
    out = folder / "song.mid"
    out.unlink(missing_ok=True)
    run = subprocess.run([program, "--config", folder / "tokenizer.json", folder / "tokens.json", out], capture_output=True, text=True)
    if run.returncode != 0:
        return "UNEXPLAINED", run.stderr.strip()
    ours = music_of_file(out)
    plain = tokens if isinstance(tokens, list) else [tokens]
    ids = [sequence.ids for sequence in plain]
    try:
        theirs = music_of(tokenizer.decode(ids if not tokenizer.one_token_stream else ids[0], programs=programs))
    except Exception as error:  # whatever comes to hand
        return "fails", f"{type(error).__name__}: {error}"
    if ours == theirs:
        return "equal", ""
    again = [tokenizer._convert_sequence_to_tokseq(ids if not tokenizer.one_token_stream else ids[0])]
    reason = explain(name, tokenizer, ours, theirs, again[0], programs)
    return (reason, "") if reason else ("UNEXPLAINED", difference(ours, theirs))


def difference(ours, theirs):
    for label, a, b in (("globals", ours[1], theirs[1]), ("programs", sorted(ours[0]), sorted(theirs[0]))):
        if a != b:
            return f"{label}: {str(a)[:300]} | {str(b)[:300]}"
    for program, lists in ours[0].items():
        for label, a, b in zip(("notes", "controls", "bends"), lists, theirs[0][program]):
            if a != b:
                only_a, only_b = Counter(a) - Counter(b), Counter(b) - Counter(a)
                return f"program {program}: {label}: {len(a)}, {len(b)}; only ours {sorted(only_a)[:4]}, only theirs {sorted(only_b)[:4]}"
    return "?"


def run_setting(job):
    program, name, tokenizer, paths = job
    warnings.simplefilter("ignore")
    counts, lines = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / "tokenizer.json")
        tokenizer = type(tokenizer)(params=Path(folder) / "tokenizer.json")  # where programs collide in a Python set, the file gives another order
        for path in paths:
            outcome, line = compare(program, name, tokenizer, path, Path(folder))
            counts[outcome] += 1
            if outcome == "UNEXPLAINED":
                lines.append(f"{path}: {line}")
    return counts, lines


def loads(path):
    try:
        Score.from_midi(path.read_bytes())
        return True
    except Exception:
        return False


def report(title, counts, lines):
    others = "; ".join(f"{count} {EXPLAINED.get(reason, reason)}" for reason, count in sorted(counts.items()) if reason != "equal")
    print(f"{title:28} {sum(counts.values()):6} {counts['equal']:6}  {others}", flush=True)
    for line in lines[:5]:
        print("   ", line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=6)
    parser.add_argument("--default-files", type=int, default=0)
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+")
    asked = parser.parse_args()
    paths = sorted(p for folder in asked.folders for p in Path(folder).rglob("*") if p.suffix.lower() in (".mid", ".midi", ".kar") and loads(p))
    rng, failed, by_name = random.Random(asked.seed), not paths, {}
    few = rng.sample(paths, asked.default_files) if asked.default_files else paths
    jobs = [(f"{name}, {'programs' if programs else 'no programs'}", asked.program, name, default(name, programs), few)
            for name in TOKENIZATIONS for programs in (True, False)]
    for i in range(asked.random):
        name = TOKENIZATIONS[i % len(TOKENIZATIONS)]
        jobs.append((f"{name}, random", asked.program, name, randomly(asked.seed * 1000 + i, name), rng.sample(paths, min(asked.files, len(paths)))))
    print(f"{'setting':28} {'files':>6} {'equal':>6}  others")
    with multiprocessing.Pool(2) as pool:
        for i, (job, (counts, lines)) in enumerate(zip(jobs, pool.imap(run_setting, [job[1:] for job in jobs]))):
            failed = failed or bool(lines)
            if not job[0].endswith("random"):
                report(job[0], counts, lines)
                continue
            total, all_lines = by_name.setdefault(job[0], (Counter(), []))
            total.update(counts)
            all_lines.extend(f"configuration {asked.seed * 1000 + i - 2 * len(TOKENIZATIONS)}: {line}" for line in lines)
    for title, (counts, lines) in by_name.items():
        report(title, counts, lines)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
