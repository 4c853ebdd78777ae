"""What symusic reads of a MIDI file, and what our reader does (tests/midi_dump.c), in one form that can be compared."""
import struct
import subprocess

import numpy as np
from symusic import Score


def columns(array, names):
    """[n, len(names)] int32."""
    fields = array.numpy() if len(array) else {name: [] for name in names}
    return np.stack([np.asarray(fields[name], dtype=np.int64).astype(np.int32) for name in names], axis=1) if len(array) else np.zeros((0, len(names)), np.int32)


def their_tracks(data):
    """[(is drum, program, notes, pedals, bends)] with notes [n, 4]: time, duration, pitch, velocity; pedals [p, 2]; pitch bends [b, 2]."""
    return [
        (
            track.is_drum,
            track.program,
            columns(track.notes, ("time", "duration", "pitch", "velocity")),
            columns(track.pedals, ("time", "duration")),
            columns(track.pitch_bends, ("time", "value")),
        )
        for track in Score.from_midi(data).tracks
    ]


class Reader:
    """Our reader, a process that answers file after file. read(data) gives the same as their_tracks, or raises Refused."""

    class Refused(Exception):
        pass

    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, *options, "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def exactly(self, count):
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise RuntimeError("the reader died")
        return data

    def read(self, data):
        self.process.stdin.write(struct.pack("=I", len(data)) + data)
        self.process.stdin.flush()
        (count,) = struct.unpack("=I", self.exactly(4))
        if count >> 31:
            raise Reader.Refused(self.exactly(count & 0x7FFFFFFF).decode())
        numbers = np.frombuffer(self.exactly(count), np.int32)
        tempos, signatures, tracks, self.damaged = numbers[1:5]
        at, result = 5 + 2 * tempos + 3 * signatures, []
        for _ in range(tracks):
            channel, program, *counts = numbers[at : at + 5]
            at += 5
            parts = []
            for rows, width in zip(counts, (4, 2, 2)):
                parts.append(numbers[at : at + rows * width].reshape(rows, width))
                at += rows * width
            result.append((bool(channel == 9), int(program), *parts))
        assert at == len(numbers)
        return result


def same(ours, theirs):
    return len(ours) == len(theirs) and all(
        a[:2] == b[:2] and all(np.array_equal(x, y) for x, y in zip(a[2:], b[2:])) for a, b in zip(ours, theirs)
    )
