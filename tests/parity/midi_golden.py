#!/usr/bin/env python3
"""Writes what MidiTok makes of each .mid in FOLDER to OUT: NAME.json with programs, NAME.tracks.json without.

    ( . tests/fixtures/midi2tok/files.bash; write_golden_files FOLDER ) && midi_golden.py FOLDER tests/fixtures/midi2tok
"""
import sys
from pathlib import Path

from miditok import REMI, TokenizerConfig
from miditok.utils import get_score_programs
from symusic import Score


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for path in sorted(Path(sys.argv[1]).glob("*.mid")):
        score = Score(path)
        with_programs, plain = REMI(TokenizerConfig(use_programs=True)), REMI(TokenizerConfig())
        with_programs.save_tokens(with_programs.encode(score), Path(sys.argv[2]) / f"{path.stem}.json")
        # The programs of the tracks that keep a note, so that they stand beside the lists of ids.
        programs = get_score_programs(plain.preprocess_score(score))
        plain.save_tokens(plain.encode(score), Path(sys.argv[2]) / f"{path.stem}.tracks.json", programs)


if __name__ == "__main__":
    main()
