#!/usr/bin/env python3
"""Writes the golden files of tests/tok2midi.bats to OUT, all from one small piece made here.

    decode_golden.py tests/fixtures/tok2midi

song.mid; for each line of settings.txt (a name and tok2midi's options) NAME.json, MidiTok's tokens of the piece, and NAME.txt, the music that MidiTok's decode() makes
of them; for each trained model trained-NAME.tokenizer.json besides.
"""
import json
import random
import sys
import warnings
from pathlib import Path

import miditok
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track
from tokenizer_configs import NEEDED, TOKENIZATIONS, default

RICH = {"use_rests": True, "use_tempos": True, "use_sustain_pedals": True, "use_pitch_bends": True, "use_chords": True, "use_key_signatures": True}
SPECIAL = {
    "rich": ("REMI", RICH | {"use_programs": True}),
    "rich-tracks": ("TSD", RICH | {"use_pitch_intervals": True, "num_velocities": 8}),
    "pedal-durations": ("MIDILike", RICH | {"use_programs": True, "sustain_pedal_duration": True, "use_chords": False}),
    "changes": ("REMI", {"use_programs": True, "program_changes": True, "use_velocities": False, "beat_res": {(0, 1): 12, (1, 2): 4, (2, 4): 2, (4, 8): 1}}),
    "no-durations": ("TSD", {"use_programs": True, "use_note_duration_programs": list(range(0, 48)), "one_token_stream_for_programs": False}),
    "controls": ("TSD", {"use_control_changes": True, "control_change_numbers": [7, 64]}),
    "positions": ("PerTok", NEEDED["PerTok"] | {"use_programs": True, "use_microtiming": False, "use_position_toks": True}),
    "long-notes": ("MIDILike", {"use_programs": True, "max_duration": (2, 0, 4)}),
    "octuple-tempos": ("Octuple", {"use_programs": True, "use_tempos": True, "use_time_signatures": True, "time_signature_range": {4: [3, 4]}}),
}
TRAINED = {
    "trained-bpe": ("TSD", "BPE", {"encode_ids_split": "bar", "use_programs": True, "programs": [-1, 0, 8, 48]}),
    "trained-unigram": ("REMI", "Unigram", {"encode_ids_split": "beat"}),
    "trained-wordpiece": ("MIDILike", "WordPiece", {"encode_ids_split": "bar"}),
    "trained-mmm": ("MMM", "BPE", {"base_tokenizer": "TSD", "encode_ids_split": "bar", "programs": [-1, 0, 8, 48]}),
}
SMALL = {"pitch_range": (35, 72), "num_velocities": 4, "beat_res": {(0, 4): 4}, "drums_pitch_range": (35, 45), "use_note_duration_programs": [-1, 0, 8, 48]}


def piece():
    rng = random.Random(5)
    score = Score(96)
    score.time_signatures = [TimeSignature(0, 4, 4), TimeSignature(768, 6, 8), TimeSignature(1344, 3, 4)]
    score.tempos = [Tempo(0, 100), Tempo(768, 132.5)]
    score.key_signatures = [KeySignature(0, -3, 1), KeySignature(768, 2, 0)]
    piano, strings, drums = Track(program=0, name="Piano"), Track(program=48, name="Strings"), Track(program=8, is_drum=True, name="Drums")
    for bar in range(6):
        for pitch in rng.sample(range(48, 73), 4):
            piano.notes.append(Note(bar * 288 + rng.randrange(12) * 24, rng.choice((24, 48, 96, 200)), pitch, rng.randrange(20, 128)))
        for pitch in (55, 59, 62):
            strings.notes.append(Note(bar * 288, 280, pitch, 70))
        for beat in range(4):
            drums.notes.append(Note(bar * 288 + beat * 72, 12, rng.choice((35, 38, 42)), 100))
    piano.pedals = [Pedal(96, 200), Pedal(500, 90)]
    piano.controls = [ControlChange(0, 7, 100), *(ControlChange(time, 64, value) for time, value in ((96, 127), (296, 0), (500, 127), (590, 0)))]
    strings.pitch_bends = [PitchBend(48, 2000), PitchBend(144, -8192), PitchBend(300, 0)]
    score.tracks = [piano, strings, drums]
    return score


def lines_of(score):
    """As tests/tok2midi.bats makes them of midi_dump's text: sorted, by program (d: drums), without repeated tempos and time signatures."""
    lines, last = [f"division {score.ticks_per_quarter}"], {}
    changes = [(t.time, "tempo", str(t.mspq)) for t in score.tempos] + [(t.time, "time-signature", f"{t.numerator}/{t.denominator}") for t in score.time_signatures]
    for time, kind, value in sorted(changes):
        if last.get(kind) != value:
            lines.append(f"{kind} {time} {value}")
        last[kind] = value
    for track in score.tracks:
        program = "d" if track.is_drum else track.program
        lines += [f"{program} note {max(n.time, 0)} {n.duration} {n.pitch} {n.velocity}" for n in track.notes]
        lines += [f"{program} pedal {time} {duration}" for time, duration in pedals_of(track)] + [f"{program} bend {b.time} {b.value}" for b in track.pitch_bends]
    return "".join(line + "\n" for line in sorted(lines))


def pedals_of(track):
    """From the controls, which is what a file holds."""
    down = None
    for control in track.controls:
        if control.number == 64 and (control.value >= 64) != (down is not None):
            if down is not None:
                yield down, control.time - down
            down = control.time if down is None else None


def option(value):
    return json.dumps({"_".join(map(str, key)) if isinstance(key, tuple) else str(key): res for key, res in value.items()} if isinstance(value, dict) else value, separators=(",", ":"))


def options_of(name, parameters):
    """tok2midi's: the defaults are with programs."""
    fields = [f"--set {field}={option(value)}" for field, value in parameters.items() if field != "use_programs"]
    return " ".join([f"--tokenizer {name}", *([] if parameters.get("use_programs") else ["--no-programs"]), *fields])


def write(out, name, tokenizer, score):
    tokens = tokenizer.encode(score)
    programs = None if tokenizer.one_token_stream else miditok.utils.get_score_programs(tokenizer.preprocess_score(score))
    tokenizer.save_tokens(tokens, out / f"{name}.json", programs)
    plain = tokens if isinstance(tokens, list) else [tokens]
    again = [miditok.TokSequence(ids=list(sequence.ids), are_ids_encoded=tokenizer.is_trained) for sequence in plain]
    (out / f"{name}.txt").write_text(lines_of(tokenizer.decode(again[0] if tokenizer.one_token_stream else again, programs=programs)))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    out, settings = Path(sys.argv[1]), []
    out.mkdir(parents=True, exist_ok=True)
    piece().dump_midi(out / "song.mid")
    score = Score(out / "song.mid")
    for name in TOKENIZATIONS:
        for programs in (True, False):
            title = name if programs else f"{name}-tracks"
            if name == "Octuple":
                continue  # MidiTok decodes later tracks, and the first note of a new note value, wrongly: token_decoder.h
            write(out, title, default(name, programs), score)
            settings.append(f"{title} --tokenizer {name}{'' if programs else ' --no-programs'}")
    for title, (name, parameters) in SPECIAL.items():
        write(out, title, getattr(miditok, name)(miditok.TokenizerConfig(**parameters)), score)
        settings.append(f"{title} {options_of(name, parameters)}")
    for title, (name, model, parameters) in TRAINED.items():
        tokenizer = getattr(miditok, name)(miditok.TokenizerConfig(**(SMALL | {"programs": [-1, 0, 8, 48]} | parameters)))
        tokenizer.train(vocab_size=len(tokenizer) + 60, model=model, files_paths=[out / "song.mid"])
        (out / f"{title}.tokenizer.json").write_text(json.dumps(tokenizer.to_dict(), separators=(",", ":")))
        write(out, title, tokenizer, score)
        settings.append(f"{title} --config {title}.tokenizer.json")
    (out / "settings.txt").write_text("".join(line + "\n" for line in settings))


if __name__ == "__main__":
    main()
