"""Texts in 12 languages' scripts, with emoji, combining marks, text from right to left, CJK, digits, URLs and very long words: all made here, the same at every run."""
import random

SENTENCES = [
    "A slow waltz for solo piano, in the manner of Chopin's late mazurkas; it lasts 3:45.", "Ein langsamer Walzer für Klavier – ruhig, wehmütig, größtenteils in Moll.",
    "Une valse lente pour piano seul, à la façon d'une rêverie d'été; l'œuvre dure 2 min 30.", "Un vals lento para piano: ¿melancólico o sereno? ¡Qué maravilla, señor!",
    "Медленный вальс для фортепиано, ёмкий и тихий; длится около 4 минут.", "Ένα αργό βαλς για πιάνο, ήρεμο και μελαγχολικό σε ρε ελάσσονα.",
    "ואלס איטי לפסנתר, שָׁקֵט ומהורהר, בסולם לה מינור.", "فالس بطيء للبيانو، هادئٌ وحزين، مدته ٣ دقائق.", "पियानो के लिए धीमा वाल्ट्ज, शांत और उदास, क्षण भर का संगीत।",
    "วอลทซ์ช้าสำหรับเปียโน สงบและเศร้า น้ำเสียงก็นุ่ม", "静かなピアノのためのゆっくりとしたワルツ。テンポは90くらいです。", "缓慢的钢琴圆舞曲，安静而忧伤，《春江花月夜》的风格。", "피아노를 위한 느린 왈츠, 조용하고 슬픈 곡입니다.",
]
PARTS = ["🎹🎻", "👩‍👩‍👧‍👦", "🇩🇪", "1️⃣", "e\u0301a\u0300o\u0302", "q\u0307\u0323", "https://example.invalid/a/b?c=d&e=%20f#g", "user@example.invalid", "1,234.56", "３．１４", "12:30", "C♯m7♭5", "½", "ﬁne",
         "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "x" * 130, "\u200b", "\u00a0", "«…»", "don't", "###", "<s>", "</s>", "[MASK]", "İstanbul", "ẞ", "\t", "  "]


def multilingual_texts(count):
    source, texts = random.Random(12), []
    while len(texts) < count:
        words = []
        for _ in range(source.choice([1, 1, 2, 3, 6])):
            sentence = source.choice(SENTENCES)
            cut = sentence.split(" ") if " " in sentence else list(sentence)
            begin = source.randrange(len(cut))
            words.append((" " if " " in sentence else "").join(cut[begin : begin + source.randint(1, 20)]))
            if source.random() < 0.5:
                words.append(source.choice(PARTS))
        text = source.choice([" ", " ", ""]).join(words)
        if text.strip(" \t\u200b\u00a0"):
            texts.append(text)
    return texts
