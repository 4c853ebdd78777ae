"""Texts for the comparison with the peers: all made here, the same at every run."""
import random

WORDS = """a slow gentle piano piece in minor with warm strings and soft drums that builds to bright brass fanfares over a walking bass line the tempo swings like
waltz electronic synthesizer arpeggios carry simple melody counterpoint syncopated rhythm melancholic upbeat energetic calm ambient texture guitar riff chorus
verse bridge modulating fugue baroque organ choir legato staccato pizzicato crescendo it starts quietly then grows louder before fading away recorded live unplugged
harpsichord marimba vibraphone timpani glockenspiel bossa nova ragtime polyrhythmic dissonant pentatonic mixolydian 4/4 3/4 120 bpm C# Bb F-sharp don't it's
well-tempered (solo) "finale" 1987 mid-tempo; allegro, andante: largo! rubato? misterioso… internationalization Kontrabassklarinette qwertyuiop""".split()

ODD_LINES = [
    "Café crème à la Čapek, naïve Ångström, Zürich, São Paulo, Đà Nẵng, Łódź, İstanbul ıI, ẞß, ŒœÆæ",
    "e\u0301a\u0300n\u0303 combining; a\u0323\u0307 ordered a\u0307\u0323; \u0344\u0345; q\u0307\u0323\u0334",
    "音楽は世界の共通語です。これは静かなピアノ曲。 中文字符和English混排，《春江花月夜》。",
    "한국어 음악 조각 \u1100\u1161\u11a8 각 조성", "\u3400\u4dbf\u4e00\u9fff\uf900\ufaff\U00020000\U0002a6df\U0002b820\U0002b920\U0002f800\U0002fa1f 々〇",
    "🎹🎻 happy 😀 👩‍👩‍👧‍👦 family 🇩🇪 flag 1️⃣ keycap ❤️ ✨", "♪♫♬ 𝄞 𝅘𝅥𝅮 \U0001d15e\U0001d165 ♯♭♮",
    "control\x01\x02char\x7facters\x00 tab\there \x0b\x0c\x1c\x1d vertical \x85 next \u2028 line \u2029 paragraph \ufeff bom \ufffd replacement",
    "zero\u200bwidth\u200cjoin\u200der soft\u00adhyphen word\u2060joiner \u202aLRE\u202c \u2066LRI\u2069 no\u00a0break thin\u2009space ideographic\u3000space",
    "Привет, мир! Лёд и йод. Ѐѝ", "Ελληνικά ΆΈΉ ΐ ΰ ΣΊΣΥΦΟΣ ᾳ ᾼ ;", "שָׁלוֹם עולם", "السَّلامُ عليكم ١٢٣ ـــ", "हिन्दी संगीत क्षत्रिय ड़ ढ़", "ไทย เพลง ก็ น้ำ", "বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം",
    "ﬁne ﬂute ﬀ Ǆ ǅ ǆ ½ ² ™ Ⅷ ⓐ ㎏ ｆｕｌｌｗｉｄｔｈ ｶﾀｶﾅ K Å Ω",
    "[SEP] in the [CLS]text[MASK] and [PAD][UNK] [sep] [ SEP ] [[SEP]] [MASK", "##ing ## # a##b [unused5]",
    "x" * 100, "x" * 101, "a" + "é" * 99, "a" + "é" * 100, "e\u0301" * 100, "word " + "antidisestablishmentarianism" * 5 + " word", "中" * 300, "!" * 300, "ab" * 5000,
    "don't can't it's o'clock 'quoted' “curly” ‘single’ «guillemets» — – - ‐ ‑ … · • ° © ® € £ ¥ ¢ $ § ¶ ^ ` ~ | \\ /", "a.b,c;d:e!f?g(h)i[j]k{l}m<n>o@p#q%r&s*t+u=v_w",
    "1234567890 1,234.56 3.14e-10 0x1F 12:30:45 2024-01-31", "http://example.invalid/a/b?c=d&e=f#g user@example.invalid C:\\path\\file.mid",
    "", " ", "\t", "\u200b", "\u3000", "\x00", ".", "a", "A", "é", "中", "😀", "[SEP]", "\u0301", "\u0301a", "a \u0301b", "\U0010ffff", "\ue000 private", "\u0378 unassigned",
    "\u302e\u302f\u0301a\u302f\u302e\u0300", "\u1715\u1734 \u1b44\u1baa \U0001d16d\U0001d165", "\U00011938 \U00016ff0\U0001193d", "tail space   ", "   head space", "MiXeD CaSe WoRdS",
    "\u01c5\u1fbc\u0130\u1e9e\u2126\u212a\ua7cb\ua7dc\u1c89\U00010d50\U00016ea0\U0001e900",
]


def english_texts(count, tokenizer):
    """Texts of 1 to 254 words and signs, so that, with the special tokens, every length up to 256 tokens is met."""
    source = random.Random(20)
    texts = []
    while len(texts) < count:
        words = [source.choice(WORDS) for _ in range(1 + len(texts) * 254 // count)]
        if source.random() < 0.5:
            words[0] = words[0].capitalize()
        text = " ".join(words)
        while len(tokenizer(text)["input_ids"]) > 256:
            words.pop()
            text = " ".join(words)
        texts.append(text)
    source.shuffle(texts)
    return texts


def every_code_point():
    return [f"x{chr(c)}y {chr(c)} a\u0345{chr(c)}\u0302e" for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c != 0x0A and c != 0x0D]


MARKS = [*range(0x300, 0x370), 0x302E, 0x302F, 0x1D165, 0x1D16D, 0x1715, 0x1734, 0x16FF0, 0x11938, 0x93C, 0x94D, 0x5B0, 0x64B, 0x1B44]
BLANKS = [0x20, 0x09, 0xA0, 0x3000, 0x00, 0xFFFD, 0x200B, 0x85, 0x2028]
TOKENS = ["[SEP]", "[CLS]x", "a[MASK]b", "[PAD", "[UNK][UNK]", "[mask]", "##ing"]


def random_line(source):
    parts = []
    for _ in range(source.randrange(40)):
        kind = source.random()
        if kind < 0.35:
            c = source.randrange(0x20, 0x7F)
        elif kind < 0.45:
            c = source.choice(BLANKS)
        elif kind < 0.6:
            c = source.randrange(0x80, 0x600)
        elif kind < 0.7:
            c = source.choice(MARKS)
        else:
            c = source.randrange(0x600, 0x10000) if kind < 0.9 else source.randrange(0x10000, 0x110000)
        parts.append(" " if 0xD800 <= c < 0xE000 else chr(c))
    if source.random() < 0.05:
        parts.insert(source.randrange(len(parts) + 1), source.choice(TOKENS))
    if source.random() < 0.02:
        parts.append("a" * source.randrange(90, 120))
    return "".join(parts)


def random_lines(count):
    source = random.Random(21)
    return [random_line(source) for _ in range(count)]
