#!/usr/bin/env python3
"""Makes tests/fixtures/conformance.tsv, what every file of a corpus must give, with the reader that is written from the specification (spec_reader.py).

    conformance_table.py FOLDER [FOLDER …] > tests/fixtures/conformance.tsv

tests/conformance.bats holds our reader against the table; it was looked through by hand for what each file says of itself.
"""
import sys
from pathlib import Path

from spec_reader import Invalid, read

COLUMNS = ("file", "verdict", "format", "chunks", "notes", "first_notes", "last_end", "instruments", "tempos", "time_signatures", "key_signatures", "texts")


def row(path):
    name = f"{path.parent.name}/{path.name}"
    try:
        file = read(path.read_bytes())
    except Invalid as fault:
        return [name, f"refused: {fault}"] + ["-"] * (len(COLUMNS) - 2)
    notes = [note for _, _, notes in file.tracks for note in notes]
    return [
        name,
        "accepted",
        file.format,
        file.chunks,
        len(notes),
        " ".join(f"{start}+{duration}:{pitch}" for start, duration, pitch, _ in notes[:8]) or "-",
        max((start + duration for start, duration, _, _ in notes), default=0),
        len({(channel == 9, channel != 9 and program) for channel, program, notes in file.tracks if notes}),
        len(file.tempos),
        len(file.time_signatures),
        len(file.key_signatures),
        len(file.texts),
    ]


def main():
    print("\t".join(COLUMNS))
    for folder in sys.argv[1:]:
        for path in sorted(Path(folder).iterdir()):
            print("\t".join(map(str, row(path))))


if __name__ == "__main__":
    main()
