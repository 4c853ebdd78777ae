"""Folders with tokenizers of every kind, trained here on made-up text of many scripts: the same at every run."""
import json
import random

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from charsmap import charsmap, nfkc_like
from odd_texts import ODD_LINES, WORDS

VOCABULARY = [4000]  # tokens
SCRIPTS = ["abcdefghijklmnopqrstuvwxyz", "aeiouéèüößñçåø", "абвгдежзиклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω", "אבגדהוזחטיכלמנסעפצקרשת", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
           "अआइईउऊकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह", "กขคงจฉชซญดตถทนบปผฝพฟมยรลวศสหอ", "日本語音楽世界静曲中文字符英混排春江花月夜", "あいうえおかきくけこさしすせそたちつてとなにぬねの", "가나다라마바사아자차카타파하음악조각", "🎹🎻😀🎵✨👩"]


def corpus():
    source = random.Random(7)
    lines = [line.replace("\0", "") for line in ODD_LINES]  # no token with U+0000, which the JSON reader of text2emb cannot hold
    for script in SCRIPTS:
        words = ["".join(source.choice(script) for _ in range(source.randint(1, 7))) for _ in range(300)]
        lines += [" ".join(source.choice(words) for _ in range(12)) for _ in range(200)]
    lines += [" ".join(source.choice(WORDS) for _ in range(20)) for _ in range(1500)]
    return lines


def bert(lower, **rules):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower, **rules)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=VOCABULARY[0], special_tokens=specials, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def roberta(prefix=False, mask=AddedToken("<mask>", lstrip=True, special=True, normalized=False)):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    specials = ["<s>", "<pad>", "</s>", "<unk>", mask]
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=VOCABULARY[0], special_tokens=specials, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=prefix)
    return tokenizer


def unigram(split=True, scheme="always", fallback=False, normalizer=None):
    tokenizer = Tokenizer(models.Unigram())
    precompiled = normalizers.Precompiled(charsmap(nfkc_like()))
    tokenizer.normalizer = normalizers.Sequence([precompiled, *normalizer]) if normalizer else precompiled
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]) if split else metaspace
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    extra = [f"<0x{b:02X}>" for b in range(256)] if fallback else []
    tokenizer.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=VOCABULARY[0], special_tokens=specials + extra, unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    if fallback:
        spec = json.loads(tokenizer.to_str())
        spec["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(spec))
    return tokenizer


def with_added(tokenizer):
    tokenizer.add_tokens([AddedToken("Waltz", single_word=True), AddedToken("  left", lstrip=True, normalized=False), AddedToken("[tempo]", rstrip=True, normalized=False),
                          AddedToken("ÀB", normalized=True), AddedToken("piano solo"), AddedToken("<both>", lstrip=True, rstrip=True), AddedToken("音楽", normalized=False)])
    return tokenizer


# name: (maker, tokenizer_class, model_type)
TOKENIZERS = {
    "WordPiece uncased": (lambda: bert(True), "BertTokenizer", "bert"),
    "WordPiece cased": (lambda: bert(False), "BertTokenizer", "bert"),
    "WordPiece accents kept, CJK unsplit": (lambda: bert(True, strip_accents=False, handle_chinese_chars=False), "BertTokenizer", "bert"),
    "WordPiece not cleaned": (lambda: bert(True, clean_text=False), "PreTrainedTokenizerFast", "bert"),
    "WordPiece with added tokens": (lambda: with_added(bert(True)), "PreTrainedTokenizerFast", "bert"),
    "byte-level BPE": (roberta, "RobertaTokenizer", "roberta"),
    "byte-level BPE, prefix space": (lambda: roberta(True), "RobertaTokenizer", "roberta"),
    "byte-level BPE with added tokens": (lambda: with_added(roberta()), "PreTrainedTokenizerFast", "roberta"),
    "Unigram": (unigram, "XLMRobertaTokenizer", "xlm-roberta"),
    "Unigram, Metaspace alone": (lambda: unigram(False), "XLMRobertaTokenizer", "xlm-roberta"),
    "Unigram, first, bytes": (lambda: unigram(False, "first", True), "PreTrainedTokenizerFast", "xlm-roberta"),
    "Unigram, never, blanks": (lambda: unigram(False, "never", False, [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]), "PreTrainedTokenizerFast", "xlm-roberta"),
    "Unigram with added tokens": (lambda: with_added(unigram(False, "first", False, [normalizers.Lowercase()])), "PreTrainedTokenizerFast", "xlm-roberta"),
}


def write(name, folder):
    """Writes tokenizer.json and tokenizer_config.json, and returns the tokenizer."""
    make, kind, _ = TOKENIZERS[name]
    tokenizer = make()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": kind, "model_max_length": 512}
    spec = json.loads(tokenizer.to_str())["normalizer"]
    if kind == "BertTokenizer":
        config |= {"do_lower_case": spec["lowercase"], "strip_accents": spec["strip_accents"], "tokenize_chinese_chars": spec["handle_chinese_chars"]}
    elif "Roberta" in kind:
        config |= {"add_prefix_space": "prefix" in name or kind == "XLMRobertaTokenizer", "mask_token": {"content": "<mask>", "lstrip": True, "special": True, "__type": "AddedToken"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer
