"""Precompiled character maps as SentencePiece's models hold them: a Darts double array over UTF-8 keys, then the replacements, each ended by a zero byte."""
import unicodedata


def charsmap(replacements):
    """{key: replacement} to the bytes of a precompiled_charsmap."""
    blob, places = bytearray(), {}
    for text in sorted(set(replacements.values())):
        places[text] = len(blob)
        blob += text.encode() + b"\0"
    root = {}
    for key, text in replacements.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = places[text]
    units, used, first_free = [0] * 512, {0}, 1
    todo = [(root, 0)]
    while todo:
        node, at = todo.pop()
        labels = [label for label in node if label]
        base = first_free
        while True:  # the place of label l is base ^ l, that of the value base itself
            offset = at ^ base
            if base not in used and all(base ^ label not in used for label in labels) and offset < 1 << 21:
                break
            base += 1
        while len(units) <= base | 0xFF:
            units += [0] * 256
        used.add(base)
        used.update(base ^ label for label in labels)
        while first_free in used:
            first_free += 1
        if 0 in node:
            units[at] |= 1 << 8
            units[base] = 1 << 31 | node[0]
        units[at] |= offset << 10
        for label in labels:
            units[base ^ label] |= label
            todo.append((node[label], base ^ label))
    trie = b"".join(unit.to_bytes(4, "little") for unit in units)
    return len(trie).to_bytes(4, "little") + trie + bytes(blob)


def nfkc_like(limit=0x3000):
    """A map like nmt_nfkc: what NFKC changes below `limit`, compositions of letter and mark, controls dropped, blanks to spaces."""
    found = {}
    for c in range(1, limit):
        text = unicodedata.normalize("NFKC", chr(c))
        if text != chr(c):
            found[chr(c)] = text
        parts = unicodedata.normalize("NFD", chr(c))
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == chr(c):
            found[parts] = chr(c)
    for c in [*range(1, 9), *range(0xE, 0x20), 0x7F, 0xAD, 0x200B, 0x200E, 0x200F]:
        found[chr(c)] = ""
    for c in [9, 10, 13, 0xA0, *range(0x2000, 0x200B), 0x2028, 0x3000]:
        found[chr(c)] = " "
    for c in range(0xFF01, 0xFFDD):
        text = unicodedata.normalize("NFKC", chr(c))
        if text != chr(c):
            found[chr(c)] = text
    return found
