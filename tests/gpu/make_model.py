#!/usr/bin/env python3
"""make_model.py SHAPE FOLDER: a sentence encoder with random weights, of a known shape, for tests and timings where no real one is at hand. The same on every machine,
and made without any package.

Its vocabulary is made of syllables, a word a token, so that make_texts.py makes texts of a known number of tokens. Weights are as large as keeps activations
at their size from layer to layer, so scores of attention are not all alike, as they are with the small ones that models are initialised with."""
import array
import json
import os
import random
import statistics
import struct
import sys

#        architecture, hidden, layers, heads, intermediate, most tokens
SHAPES = {
    "tiny": ("bert", 64, 2, 2, 128, 128),
    "tiny-mpnet": ("mpnet", 128, 2, 2, 256, 128),
    "tiny-wide": ("bert", 576, 3, 9, 700, 64),
    "minilm-l6": ("bert", 384, 6, 12, 1536, 256),
    "bert-base": ("bert", 768, 12, 12, 3072, 512),
    "mpnet-base": ("mpnet", 768, 12, 12, 3072, 384),
}
SPECIAL = {"bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "mpnet": ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]}


def words(count):
    """`count` different words of two to four syllables."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    n = len(syllables)
    made = []
    number = 0
    while len(made) < count:
        made.append(syllables[number % n] + syllables[number // n % n] + (syllables[number // (n * n) % n] if number >= n * n else ""))
        number += 1
    return made


class Weights:
    """Numbers of a normal distribution, by a table of its quantiles: quick, and the same everywhere."""

    def __init__(self, seed):
        self.source = random.Random(seed)
        self.quantiles = [statistics.NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)]

    def normal(self, count, deviation, mean=0.0):
        table = [mean + deviation * q for q in self.quantiles]
        return array.array("f", map(table.__getitem__, self.source.randbytes(count)))


def tensors_of(shape, vocabulary):
    """(name, dimensions, deviation, mean) of every tensor, in the order of their names in the file."""
    kind, hidden, layers, heads, wide, most = shape
    positions = most + (2 if kind == "mpnet" else 0)
    square = hidden**-0.5
    yield "embeddings.word_embeddings.weight", (vocabulary, hidden), 1, 0
    yield "embeddings.position_embeddings.weight", (positions, hidden), 0.3, 0
    if kind == "bert":
        yield "embeddings.token_type_embeddings.weight", (2, hidden), 0.3, 0
    yield "embeddings.LayerNorm.weight", (hidden,), 0.1, 1
    yield "embeddings.LayerNorm.bias", (hidden,), 0.1, 0
    if kind == "mpnet":
        yield "encoder.relative_attention_bias.weight", (32, heads), 1, 0
    attention = {"bert": ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm"),
                 "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm")}[kind]
    for layer in range(layers):
        linear = [(name, hidden, hidden) for name in attention[:4]] + [("intermediate.dense", wide, hidden), ("output.dense", hidden, wide)]
        for name, outputs, inputs in linear:
            yield f"encoder.layer.{layer}.{name}.weight", (outputs, inputs), square if inputs == hidden else wide**-0.5, 0
            yield f"encoder.layer.{layer}.{name}.bias", (outputs,), 0.1, 0
        for name in (attention[4], "output.LayerNorm"):
            yield f"encoder.layer.{layer}.{name}.weight", (hidden,), 0.1, 1
            yield f"encoder.layer.{layer}.{name}.bias", (hidden,), 0.1, 0


def write_weights(path, shape, vocabulary):
    tensors = list(tensors_of(shape, vocabulary))
    header, at = {}, 0
    for name, dimensions, _, _ in tensors:
        count = 1
        for size in dimensions:
            count *= size
        header[name] = {"dtype": "F32", "shape": list(dimensions), "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights = Weights(1)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, _, deviation, mean in tensors:
            begin, end = header[name]["data_offsets"]
            weights.normal((end - begin) // 4, deviation, mean).tofile(file)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        sys.exit(f"usage: make_model.py {'|'.join(SHAPES)} FOLDER")
    shape, folder = SHAPES[sys.argv[1]], sys.argv[2]
    kind, hidden, layers, heads, wide, most = shape
    vocabulary = SPECIAL[kind] + words(2000 if sys.argv[1].startswith("tiny") else 30522 - len(SPECIAL[kind]))

    def put(name, value):
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(value if isinstance(value, str) else json.dumps(value, indent=1))

    put("vocab.txt", "".join(word + "\n" for word in vocabulary))
    config = {"model_type": kind, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": wide, "hidden_act": "gelu",
              "vocab_size": len(vocabulary), "max_position_embeddings": most + (2 if kind == "mpnet" else 0), "layer_norm_eps": 1e-12,
              "architectures": [{"bert": "BertModel", "mpnet": "MPNetModel"}[kind]], "pad_token_id": {"bert": 0, "mpnet": 1}[kind]}
    config.update({"type_vocab_size": 2, "position_embedding_type": "absolute"} if kind == "bert" else {"relative_attention_num_buckets": 32, "bos_token_id": 0, "eos_token_id": 2})
    put("config.json", config)
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    put("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": most, **names})
    put("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                         {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                         {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    put("1_Pooling/config.json", {"word_embedding_dimension": hidden, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
                                  "pooling_mode_mean_sqrt_len_tokens": False})
    put("sentence_bert_config.json", {"max_seq_length": most, "do_lower_case": False})
    write_weights(f"{folder}/model.safetensors", shape, len(vocabulary))


main()
