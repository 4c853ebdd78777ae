#!/usr/bin/env python3
"""Compares our reader with symusic on mutated files: both accept or refuse, and where both accept, tracks, notes, pedals and pitch bends are equal.

    mutated.py MIDI_DUMP COUNT SEED FOLDER [FOLDER …]

MIDI_DUMP is tests/midi_dump, built. COUNT files are made from those in the folders, by SEED; symusic reads them in a process of its own, which may die.
Where we differ from symusic on purpose (WE_REFUSE, THEY_REFUSE, and what `walk` finds) our reading must be that of spec_reader.py, the plain reader written
from the specification. Any other difference is an error: the file is kept in build/mutated, and the exit status is 1.
"""
import multiprocessing
import random
import sys
from collections import Counter
from pathlib import Path

import spec_reader
from reader_peers import Reader, same, their_tracks

# Why we differ on purpose. Told by our message, by symusic's, or by what an independent walk over the events finds (`walk`).
WE_REFUSE = {
    "variable-length quantity has more than 4 bytes": "a quantity of more than 4 bytes: symusic reads on at its fifth",
    "the time is beyond": "times beyond 2^31 ticks: symusic lets them wrap around",
    "the division is 0": "division 0: symusic accepts it",
    "the format is not": "formats above 2: symusic accepts them",
}
THEY_REFUSE = {
    "File header is not MThd": "RIFF RMID wrapper: symusic does not open it",
    "The first chunk length is not 6": "longer header: symusic refuses it",
    "Division type is not ticks per quarter": "SMPTE division: symusic refuses it",
    "Unexpected EOF while reading chunk header": "fewer tracks than announced, something else behind the last: symusic refuses it",
}
F7_EVENT = "F7 event: symusic reads it as one byte, the specification gives it a length"
RUNNING_STATUS = "running status after a system event: symusic takes it for another of that event"
LYRIC_BYTES = "a lyric that is no UTF-8: symusic strips it, perhaps to nothing"


def variable_length(data, at):
    value = data[at] & 127
    while data[at] > 127:
        at += 1
        value = value << 7 | data[at] & 127
    return value, at + 1


def walk(data):
    """The oddities that an independent walk over the events finds, as far as it comes."""
    found = set()
    at = data.find(b"MThd")
    at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            try:
                walk_track(data[: min(end, len(data))], at + 8, found)
            except IndexError:
                pass
        at = end
    return found


def walk_track(data, at, found):
    running = after_system = 0
    while at < len(data):
        _, at = variable_length(data, at)
        if at == len(data) and after_system:
            found.add(RUNNING_STATUS)  # it takes the byte behind the end, a 0, for data
        status = data[at]
        if status == 0xF7:
            found.add(F7_EVENT)
        if status in (0xF0, 0xF7, 0xFF):
            after_system |= status != 0xFF
            kind, at = (data[at + 1], at + 2) if status == 0xFF else (None, at + 1)
            length, at = variable_length(data, at)
            if kind == 0x2F:
                return
            if kind == 5 and not data[at : at + length].isascii():
                found.add(LYRIC_BYTES)
            at += length
            continue
        if status > 0xF0:
            after_system = 1
            at += {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(status, 1)
            continue
        if status > 127:
            running, after_system, at = status, 0, at + 1
        elif after_system:
            found.add(RUNNING_STATUS)
        at += 1 if running & 0xE0 == 0xC0 else 2


# ---- making files ----

VALUES = [0, 1, 0x2F, 0x3F, 0x40, 0x51, 0x58, 0x7F, 0x80, 0x81, 0x90, 0xB0, 0xC0, 0xE0, 0xF0, 0xF7, 0xFF]
EVENTS = [
    b"\x00\x90\x3c\x40", b"\x10\x80\x3c\x00", b"\x00\xb0\x40\x7f", b"\x10\xb0\x40\x00", b"\x00\xe3\x00\x50", b"\x00\xc5\x21", b"\x00\xf0\x02\x01\xf7",
    b"\x00\xff\x51\x03\x05\x00\x00", b"\x00\xff\x58\x04\x03\x02\x18\x08", b"\x00\xff\x05\x02la", b"\x00\xff\x2f\x00", b"\x83\x60\x3c\x40",
    b"\x00\xf7\x01\x90", b"\x00\xf8", b"\x00\xd0\x11", b"\x00\xa0\x3c\x10",
]  # fmt: skip


def place(rng, data):
    """Mostly inside a track, and then mostly near its beginning, where the odd things stand."""
    start = data.find(b"MTrk")
    if start < 0 or rng.random() < 0.1:
        return rng.randrange(len(data))
    starts = []
    while start >= 0 and len(starts) < 64:
        starts.append(start)
        start = data.find(b"MTrk", start + 4)
    first = rng.choice(starts) + (4 if rng.random() < 0.1 else 8)
    return min(len(data) - 1, first + int(rng.random() ** 3 * (len(data) - first)))


def repair_lengths(data):
    """Lets every track end where the next begins."""
    at = data.find(b"MTrk")
    while at >= 0:
        end = data.find(b"MTrk", at + 8)
        stop = end if end >= 0 else len(data)
        if stop - at >= 8:
            data[at + 4 : at + 8] = (stop - at - 8).to_bytes(4, "big")
        at = end


def event_starts(data, at, most=400):
    """Where the first events of the track whose contents begin at `at` begin, delta times included."""
    starts, running = [], 0
    while at < len(data) and len(starts) < most:
        starts.append(at)
        _, at = variable_length(data, at)
        status = data[at]
        if status in (0xF0, 0xF7, 0xFF):
            length, at = variable_length(data, at + (2 if status == 0xFF else 1))
            at += length
            continue
        if status > 127:
            running, at = status, at + 1
        at += 1 if running & 0xE0 == 0xC0 else 2
    return starts


def change_events(rng, data):
    """Deletes, repeats, inserts and changes whole events, so that the file stays readable most times."""
    tracks, at = [], data.find(b"MTrk")
    while at >= 0:
        tracks.append(at + 8)
        at = data.find(b"MTrk", at + 8)
    for _ in range(rng.choice((1, 2, 4, 8))):
        try:
            starts = event_starts(data, rng.choice(tracks))
            place = rng.randrange(len(starts) - 1)
        except (IndexError, ValueError):
            return
        start, end = starts[place], starts[place + 1]
        kind = rng.randrange(6)
        if kind == 0:
            del data[start:end]
        elif kind == 1:
            data[start:start] = data[start:end]
        elif kind <= 3:
            data[start:start] = rng.choice(EVENTS)
        elif kind == 4:
            data[start:start] = bytes([0x80 | rng.randrange(128)])
        else:
            data[end - 1] = rng.randrange(128)


def mutate(rng, original):
    data = bytearray(original)
    if rng.random() < 0.5:
        change_events(rng, data)
        repair_lengths(data)
        if rng.random() < 0.7:
            return bytes(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at, kind = place(rng, data), rng.randrange(9)
        if kind <= 2:
            data[at] = rng.choice(VALUES) if kind else rng.randrange(256)
        elif kind == 3:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            del data[at : at + rng.choice((1, 1, 2, 3, 4, 100))]
        elif kind == 5:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 1, 2, 4))))
        elif kind <= 7:
            data[at:at] = rng.choice(EVENTS)
        elif rng.random() < 0.3:
            del data[at:]
        if len(data) < 2:
            return bytes(data)
    if rng.random() < 0.6:
        repair_lengths(data)
    return bytes(data)


# ---- symusic, apart ----


def answer(pipe):
    while True:
        try:
            pipe.send(their_tracks(pipe.recv()))
        except EOFError:
            return
        except Exception as error:  # symusic raises whatever comes to hand
            pipe.send(f"{type(error).__name__}: {error}")


class Symusic:
    def __init__(self):
        self.start()

    def start(self):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=answer, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def read(self, data):
        """Tracks, an error's text, or None: it died or does not end."""
        try:
            self.pipe.send(data)
            if self.pipe.poll(20):
                return self.pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        self.process.kill()
        self.process.join()
        self.start()
        return None


# ---- comparing ----


def as_specified(data, ours):
    """Whether our reading is that of the plain reader."""
    try:
        plain = [track for track in spec_reader.read(data).tracks if track[2]]
    except spec_reader.Invalid:
        return isinstance(ours, str)
    if isinstance(ours, str):
        return False
    return [(drum, program, notes.tolist()) for drum, program, notes, *_ in ours if len(notes)] == [
        (channel == 9, program, [list(note) for note in notes]) for channel, program, notes in plain
    ]


def judge(data, ours, theirs):
    """(what it is, whether it is an error)"""
    what, is_error = compare(data, ours, theirs)
    if what not in EXPECTED and not is_error and not as_specified(data, ours):
        return f"UNEXPLAINED: not as specified, though {what}", True
    return what, is_error


EXPECTED = BOTH_REFUSE, BOTH_ACCEPT = "refused by both", "accepted by both, equal"


def compare(data, ours, theirs):
    refused, their_error = isinstance(ours, str), isinstance(theirs, str)
    if theirs is None:
        return "symusic died of it, or did not end", False
    if refused and their_error:
        return BOTH_REFUSE, False
    if not refused and not their_error and same(ours, theirs):
        return BOTH_ACCEPT, False
    for text, known in ((ours if refused else "", WE_REFUSE), (theirs if their_error else "", THEY_REFUSE)):
        for part, reason in known.items():
            if part in text:
                return reason, False
    oddities = walk(data)
    for reason in (F7_EVENT, RUNNING_STATUS, LYRIC_BYTES):
        if reason in oddities:
            return reason, False
    return f"UNEXPLAINED: ours {ours[:60] if refused else 'accepted'}; symusic: {theirs[:80] if their_error else 'accepted'}", True


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    program, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    paths = sorted(p for folder in sys.argv[4:] for p in Path(folder).rglob("*") if p.suffix.lower() in (".mid", ".midi", ".rmi", ".kar"))
    originals = [data for data in (p.read_bytes() for p in paths) if 14 < len(data) < 40000]
    if not originals:
        sys.exit("mutated.py: no MIDI files")
    rng, reader, symusic, counts = random.Random(seed), Reader(program), Symusic(), Counter()
    kept = Path("build/mutated")
    for number in range(count):
        data = mutate(rng, rng.choice(originals))
        try:
            ours = reader.read(data)
        except Reader.Refused as refusal:
            ours = str(refusal)
        what, is_error = judge(data, ours, symusic.read(data))
        counts[what] += 1
        if is_error and counts[what] <= 5:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / f"{seed}-{number}.mid").write_bytes(data)
            counts[what + f" (build/mutated/{seed}-{number}.mid)"] += 0
    for what, times in counts.most_common():
        print(f"{times:8}  {what}")
    unexplained = sum(times for what, times in counts.items() if what.startswith("UNEXPLAINED"))
    print(f"{count} files, {counts[BOTH_ACCEPT]} accepted by both and equal, {unexplained} unexplained differences")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
