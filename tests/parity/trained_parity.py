#!/usr/bin/env python3
"""Compares midi2tok and tok2midi with MidiTok where a model has been trained: BPE, Unigram, WordPiece, with words of bars, of beats, and without.

    trained_parity.py [--train N] [--every N] MIDI2TOK TOK2MIDI FOLDER [FOLDER …]

Each setting's model is trained by MidiTok on the same N files. Then the ids of every file (or each N-th) must be those of MidiTok's encode(), and our decoded file must
hold the notes of MidiTok's decode(). Any difference without a known reason (midi_parity.py) makes the exit status 1.
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import miditok
from decode_parity import difference, loads, music_of, music_of_file
from midi_parity import explain
from symusic import Score
from tokenizer_configs import NEEDED

SETTINGS = [
    ("REMI", "BPE", "bar", {"use_programs": True}),
    ("REMI", "Unigram", "bar", {"use_tempos": True, "use_rests": True}),
    ("REMI", "WordPiece", "beat", {"use_programs": True, "use_sustain_pedals": True, "use_pitch_bends": True}),
    ("TSD", "WordPiece", "beat", {}),
    ("TSD", "Unigram", "no", {"use_programs": True}),
    ("TSD", "BPE", "bar", {"use_sustain_pedals": True, "use_control_changes": True, "control_change_numbers": [1, 7, 10, 11]}),
    ("MIDILike", "BPE", "bar", {"use_programs": True}),
    ("MIDILike", "Unigram", "beat", {"use_sustain_pedals": True}),
    ("MIDILike", "BPE", "no", {"use_programs": True}),
    ("Structured", "BPE", "bar", {"use_programs": True}),
    ("MMM", "BPE", "bar", {"base_tokenizer": "TSD"}),
    ("MMM", "WordPiece", "beat", {"base_tokenizer": "REMI", "use_tempos": True}),
    ("PerTok", "BPE", "bar", {"use_programs": True}),
]


def encodes(tokenizer, path):
    try:
        return bool(tokenizer.encode(Score(path)))
    except Exception:  # a token that the vocabulary does not have
        return False


def train(name, model, split, extra, paths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = getattr(miditok, name)(miditok.TokenizerConfig(encode_ids_split=split, **(NEEDED.get(name, {}) | extra)))
        tokenizer.train(vocab_size=len(tokenizer) + 800, model=model, files_paths=[path for path in paths if encodes(tokenizer, path)])
    return tokenizer


def compare(asked, tokenizer, path, folder):
    ours, song = folder / "tokens.json", folder / "song.mid"
    try:
        tokens = tokenizer.encode(Score.from_midi(path.read_bytes()))
    except Exception as error:
        return "not encoded", ""
    run = subprocess.run([asked.midi2tok, "--config", folder / "tokenizer.json", path, ours], capture_output=True, text=True)
    if run.returncode != 0:
        return "UNEXPLAINED", run.stderr.strip()
    found, ids = json.loads(ours.read_text()), tokens.ids if not isinstance(tokens, list) else [sequence.ids for sequence in tokens]
    if found["ids"] != ids:
        reason = explain(path, None, None)
        return (reason, "") if reason else ("UNEXPLAINED", "other ids")
    if set([found["ids_encoded"]] if isinstance(found["ids_encoded"], bool) else found["ids_encoded"]) - {True}:
        return "UNEXPLAINED", "ids_encoded is not true"
    song.unlink(missing_ok=True)
    run = subprocess.run([asked.tok2midi, "--config", folder / "tokenizer.json", ours, song], capture_output=True, text=True)
    if run.returncode != 0:
        return "UNEXPLAINED", run.stderr.strip()
    try:
        # Without the tokens that encode() leaves beside the encoded ids: MMM's decode() would take places of the one for places of the other.
        again = [miditok.TokSequence(ids=list(sequence), are_ids_encoded=True) for sequence in ([ids] if tokenizer.one_token_stream else ids)]
        programs = [tuple(program) for program in found.get("programs", [])] or None
        theirs = music_of(tokenizer.decode(again[0] if tokenizer.one_token_stream else again, programs=programs))
    except Exception as error:
        return "MidiTok's decode() fails", ""
    found = music_of_file(song)
    return ("equal", "") if found == theirs else ("UNEXPLAINED", difference(found, theirs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=12)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", help="settings of this tokenization alone")
    parser.add_argument("midi2tok")
    parser.add_argument("tok2midi")
    parser.add_argument("folders", nargs="+")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = sorted(p for folder in asked.folders for p in Path(folder).rglob("*") if p.suffix.lower() in (".mid", ".midi", ".kar") and loads(p))
    taught, failed = random.Random(1).sample(paths, asked.train), False
    print(f"{'setting':30} {'files':>6} {'equal':>6}  others")
    for name, model, split, extra in (setting for setting in SETTINGS if asked.only in (None, setting[0])):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer, counts, lines = train(name, model, split, extra, taught), Counter(), []
            tokenizer.save(Path(folder) / "tokenizer.json")
            for path in paths[:: asked.every]:
                outcome, line = compare(asked, tokenizer, path, Path(folder))
                counts[outcome] += 1
                if outcome == "UNEXPLAINED":
                    lines.append(f"{path}: {line}")
        others = "; ".join(f"{count} {reason}" for reason, count in sorted(counts.items()) if reason != "equal")
        print(f"{name + ', ' + model + ', ' + split:30} {sum(counts.values()):6} {counts['equal']:6}  {others}", flush=True)
        for line in lines[:5]:
            print("   ", line)
        failed = failed or bool(lines)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
