"""A second reader of Standard MIDI Files, written from the specification (RP-001, and the MIDI 1.0 message table) and kept plain: no speed, no reuse.

read(data) gives a File, or raises Invalid. Where the specification leaves a choice, or real files do otherwise, the choice is marked CHOICE.
"""
from dataclasses import dataclass, field


class Invalid(Exception):
    pass


@dataclass
class File:
    format: int = 0
    division: int = 0
    chunks: int = 0  # of type MTrk
    tracks: list = field(default_factory=list)  # (channel, program, [(start, duration, pitch, velocity)]), chunk by chunk
    tempos: list = field(default_factory=list)  # (time, microseconds per quarter)
    time_signatures: list = field(default_factory=list)  # (time, numerator, denominator)
    key_signatures: list = field(default_factory=list)  # (time, sharps, minor)
    texts: list = field(default_factory=list)  # (meta type, bytes)


def number(data):
    return int.from_bytes(data, "big")


def quantity(data, at, end):
    """A variable-length quantity: 7 bits a byte, the highest bit set in all but the last; "the largest number which is allowed is 0FFFFFFF"."""
    value = 0
    for i in range(4):
        if at + i >= end:
            raise Invalid("a quantity is cut off")
        value = value << 7 | data[at + i] & 0x7F
        if data[at + i] < 0x80:
            return value, at + i + 1
    raise Invalid("a quantity of more than 4 bytes")


def data_bytes(data, at, count, end):
    if at + count > end:
        raise Invalid("an event is cut off")
    return data[at : at + count]


def message_length(status):
    """Data bytes of a message, by MIDI 1.0."""
    if status < 0xF0:
        return 1 if status >> 4 in (0xC, 0xD) else 2
    if status in (0xF4, 0xF5, 0xF9, 0xFD):
        raise Invalid("an undefined status byte")  # CHOICE: its length is unknown, so nothing behind it can be trusted
    return {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(status, 0)  # CHOICE: no MIDI events of a file, but their lengths are known, so they are stepped over


def check_data(kind, message):
    # CHOICE, as in symusic: not of pressure, and of a pitch bend only what would leave its range
    if kind in (0x8, 0x9, 0xB, 0xC) and max(message) > 127 or kind == 0xE and message[1] > 127:
        raise Invalid("a data byte above 127")


def read_events(data, at, end):
    """[(time, status, data)] of a track; for meta events the data begin with the type. <event> = <MIDI event> | <sysex event> | <meta-event>."""
    time, running, events = 0, None, []
    while at < end:
        delta, at = quantity(data, at, end)
        time += delta
        if time > 2**31 - 1:
            raise Invalid("a time beyond 2^31 ticks")  # CHOICE: a limit of ours
        if at >= end:
            raise Invalid("an event is cut off")
        status = data[at]
        if status == 0xFF:
            kind = data_bytes(data, at + 1, 1, end)
            length, at = quantity(data, at + 2, end)
            events.append((time, status, kind + data_bytes(data, at, length, end)))
            at += length
            if kind == b"\x2f":
                break  # "exact ending point": what follows belongs to no track
        elif status in (0xF0, 0xF7):  # F0 <length> <bytes>, F7 <length> <bytes>
            length, at = quantity(data, at + 1, end)
            data_bytes(data, at, length, end)
            at += length
        else:
            if status > 0xF0:
                at += 1
                length = message_length(status)
                data_bytes(data, at, length, end)
                at += length
                continue
            if status >= 0x80:
                running, at = status, at + 1
            elif running is None:
                raise Invalid("a data byte where an event must begin")
            # CHOICE: "sysex events and meta-events cancel any running status"; real files go on with it, so it is kept
            message = data_bytes(data, at, message_length(running), end)
            check_data(running >> 4, message)
            events.append((time, running, message))
            at += len(message)
    return events


def read_track(file, events):
    channels = {}  # (channel, program) → notes
    program, sounding = [0] * 16, {}
    for time, status, message in events:
        kind, channel = status >> 4, status & 15
        if status == 0xFF:
            meta(file, time, message[0], message[1:])
            if message[0] == 5:  # CHOICE, as in symusic: a lyric makes a track of the last channel
                channels.setdefault((15, program[15]), [])
        elif kind == 0x9 and message[1] > 0:
            note = [time, None, *message]
            channels.setdefault((channel, program[channel]), []).append(note)
            sounding.setdefault((channel, message[0]), []).append(note)
        elif kind in (0x8, 0x9):
            queue = sounding.get((channel, message[0]))
            if queue:
                note = queue.pop(0)  # CHOICE, as in symusic: the one that has sounded longest
                note[1] = time - note[0]
        elif kind == 0xC:
            program[channel] = message[0]
    for (channel, number), notes in sorted(channels.items()):
        file.tracks.append((channel, number, [tuple(note) for note in notes if note[1] is not None]))


def meta(file, time, kind, data):
    if kind == 0x51 and len(data) >= 3 and number(data[:3]) > 0:
        file.tempos.append((time, number(data[:3])))
    elif kind == 0x58 and len(data) >= 2 and data[0] > 0 and data[1] < 8:
        file.time_signatures.append((time, data[0], 1 << data[1]))
    elif kind == 0x59 and len(data) >= 2 and data[1] < 2 and (data[0] ^ 128) - 128 in range(-7, 8):
        file.key_signatures.append((time, (data[0] ^ 128) - 128, data[1]))
    elif 1 <= kind <= 7 and data:
        file.texts.append((kind, data))


def unwrap(data):
    """The data chunk of a RIFF RMID file."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise Invalid("RMID without data")


def read(data):
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = unwrap(data)
    if len(data) < 14 or data[:4] != b"MThd":
        raise Invalid("no header")
    length = number(data[4:8])
    if length < 6 or 8 + length > len(data):  # "more than 6 bytes are to be allowed for"
        raise Invalid("a header of a wrong length")
    file = File(format=number(data[8:10]), division=number(data[12:14]))
    tracks = number(data[10:12])
    if file.format > 2:
        raise Invalid("a format above 2")
    if file.division == 0:
        raise Invalid("division 0")
    if file.division >= 0x8000 and (256 - (file.division >> 8) not in (24, 25, 29, 30) or file.division & 255 == 0):
        raise Invalid("an SMPTE division that is none")
    at = 8 + length
    while file.chunks < tracks and at < len(data):
        if len(data) - at < 8:
            if data[at : at + 4] == b"MTrk"[: len(data) - at]:
                raise Invalid("a track's header is cut off")
            break
        length = number(data[at + 4 : at + 8])
        if at + 8 + length > len(data):
            raise Invalid("a chunk is cut off")
        if data[at : at + 4] == b"MTrk":  # "your programs should expect alien chunks and treat them as if they weren't there"
            read_track(file, read_events(data, at + 8, at + 8 + length))
            file.chunks += 1
        at += 8 + length
    return file
