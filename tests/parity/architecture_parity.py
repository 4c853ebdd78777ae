#!/usr/bin/env python3
"""Compares text2emb's embeddings with those of sentence-transformers in f32 for every architecture, with random weights: architecture_parity.py PROGRAM [TEXTS [NAME or FOLDER ...]]

TEXTS (200) texts in 12 scripts (multilingual_texts.py). The cosine must be at least 0.999999 for each. A difference makes the exit status 1. With --golden FOLDER instead, small folders and
their results are written there, for the test suite.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel

import tokenizer_folders
from multilingual_texts import multilingual_texts

SMALL = dict(hidden_size=96, num_hidden_layers=3, num_attention_heads=4, intermediate_size=200)
KINDS = {  # name: (tokenizer, configuration, model, its settings, what is done to the folder)
    "BERT": ("WordPiece uncased", BertConfig, BertModel, SMALL, {}),
    "BERT cased, f16": ("WordPiece cased", BertConfig, BertModel, SMALL, {"type": torch.float16}),
    "DistilBERT": ("WordPiece uncased", DistilBertConfig, DistilBertModel, dict(dim=96, n_layers=2, n_heads=3, hidden_dim=200), {}),
    "MPNet": ("WordPiece uncased", MPNetConfig, MPNetModel, SMALL | dict(max_position_embeddings=514), {}),
    "RoBERTa, bf16": ("byte-level BPE", RobertaConfig, RobertaModel, SMALL | dict(max_position_embeddings=514), {"type": torch.bfloat16}),
    "XLM-R, in parts": ("Unigram", XLMRobertaConfig, XLMRobertaModel, SMALL | dict(max_position_embeddings=514), {"parts": True}),
    "BERT, all poolings": ("WordPiece uncased", BertConfig, BertModel, SMALL, {"pooling": ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]}),
    "RoBERTa, Dense, Normalize": ("byte-level BPE", RobertaConfig, RobertaModel, SMALL | dict(max_position_embeddings=300), {"pooling": "mean", "dense": [(96, 50, "torch.nn.modules.activation.Tanh"), (50, 70, "torch.nn.modules.linear.Identity")], "normalize": True}),
    "BERT, prompt left out": ("WordPiece uncased", BertConfig, BertModel, SMALL, {"pooling": ["cls", "mean", "weightedmean", "lasttoken", "max"], "prompt": "Represent the Music caption: ", "include": False}),
    "XLM-R, prompt, lower case": ("Unigram", XLMRobertaConfig, XLMRobertaModel, SMALL | dict(max_position_embeddings=200), {"pooling": "cls", "prompt": "query: ", "lower": True, "normalize": True}),
    "bert-base": ("WordPiece uncased", BertConfig, BertModel, {}, {}),
}


def randomized(model):
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():  # what is initialized to 0 or 1 would hide a mistake
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def change_weights(folder, todo):
    weights = load_file(folder / "model.safetensors")
    if "type" in todo:
        weights = {name: tensor.to(todo["type"]).contiguous() for name, tensor in weights.items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dtype": "float32"}))
    if "parts" in todo:
        names = sorted(weights)
        files = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
        for i, file in enumerate(files):
            save_file({name: weights[name] for name in names[i::2]}, folder / file, metadata={"format": "pt"})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {name: files[i % 2] for i, name in enumerate(names)}}))
        (folder / "model.safetensors").unlink()


def add_modules(folder, todo, width):
    if "pooling" not in todo:
        return
    base = "sentence_transformers.models."
    modules = [{"idx": 0, "name": "0", "path": "", "type": base + "Transformer"}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": base + "Pooling"}]
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"embedding_dimension": width, "pooling_mode": todo["pooling"], "include_prompt": todo.get("include", True)}))
    for number, (inputs, outputs, activation) in enumerate(todo.get("dense", [])):
        path = folder / f"{number + 2}_Dense"
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"in_features": inputs, "out_features": outputs, "bias": True, "activation_function": activation}))
        generator = torch.Generator().manual_seed(number)
        save_file({"linear.weight": torch.randn(outputs, inputs, generator=generator) * 0.1, "linear.bias": torch.randn(outputs, generator=generator)}, path / "model.safetensors")
        modules.append({"idx": number + 2, "name": str(number + 2), "path": path.name, "type": base + "Dense"})
    if todo.get("normalize"):
        modules.append({"idx": len(modules), "name": str(len(modules)), "path": f"{len(modules)}_Normalize", "type": base + "Normalize"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128, "do_lower_case": todo.get("lower", False)}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"music": todo["prompt"]}, "default_prompt_name": "music"} if "prompt" in todo else {}))


def make_folder(name, folder):
    tokenizer, config, model, settings, todo = KINDS[name]
    torch.manual_seed(3)
    vocabulary = tokenizer_folders.write(tokenizer, folder).get_vocab_size()
    special = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2) if "Roberta" in config.__name__ or "MPNet" in config.__name__ else {}
    made = randomized(model(config(**settings, vocab_size=vocabulary, **special)))
    made.save_pretrained(folder)
    change_weights(folder, todo)
    add_modules(folder, todo, settings.get("hidden_size", settings.get("dim", 768)))


def our_embeddings(program, folder, lines, scratch, *options):
    source, out = Path(scratch) / "texts.txt", Path(scratch) / "embeddings.npy"
    source.write_bytes("".join(line + "\n" for line in lines).encode())
    subprocess.run([program, "--model", folder, *options, source, out], check=True)
    return numpy.load(out)


GOLDEN = {  # folder: (tokenizer, configuration, model, its settings, what is done to it)
    "distilbert": ("WordPiece uncased", DistilBertConfig, DistilBertModel, dict(dim=32, n_layers=2, n_heads=2, hidden_dim=50, max_position_embeddings=60), {"type": torch.float16}),
    "mpnet": ("WordPiece cased", MPNetConfig, MPNetModel, SMALL | dict(hidden_size=32, num_attention_heads=2, intermediate_size=50, max_position_embeddings=200), {"type": torch.float16}),
    "roberta": ("byte-level BPE", RobertaConfig, RobertaModel, SMALL | dict(hidden_size=32, intermediate_size=50, max_position_embeddings=140),
                {"type": torch.bfloat16, "pooling": ["mean", "max"], "dense": [(64, 24, "torch.nn.modules.activation.Tanh")], "normalize": True}),
    "xlm-roberta": ("Unigram", XLMRobertaConfig, XLMRobertaModel, SMALL | dict(hidden_size=32, intermediate_size=50, max_position_embeddings=140),
                    {"parts": True, "type": torch.float16, "pooling": ["cls", "weightedmean"], "prompt": "query: ", "include": False, "lower": True}),
}


def golden(folder):
    tokenizer_folders.VOCABULARY[0] = 700
    folder.mkdir(parents=True, exist_ok=True)
    texts = multilingual_texts(40)
    (folder / "texts.txt").write_bytes("".join(text + "\n" for text in texts).encode())
    for name, kind in GOLDEN.items():
        KINDS[name] = kind
        shutil.rmtree(folder / name, ignore_errors=True)
        make_folder(name, folder / name)
        model = SentenceTransformer(str(folder / name), device="cpu", model_kwargs={"dtype": "float32"}).float()
        numpy.save(folder / f"{name}.npy", model.encode(texts, batch_size=1).astype(numpy.float32))
        ids = model.tokenizer([model.prompts.get(model.default_prompt_name, "") + text for text in texts], truncation=True, max_length=model.max_seq_length)
        (folder / f"{name}.ids").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in ids["input_ids"]))


def main():
    if sys.argv[1] == "--golden":
        return golden(Path(sys.argv[2]))
    program, count, names = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200, sys.argv[3:] or list(KINDS)
    texts, good = multilingual_texts(count), True
    with tempfile.TemporaryDirectory() as scratch:
        for number, name in enumerate(names):
            folder = Path(name) if name not in KINDS else Path(scratch) / str(number)
            if name in KINDS:
                make_folder(name, folder)
            some = texts[: count // 10] if name == "bert-base" else texts
            model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": "float32"}).float()
            theirs = model.encode(some, batch_size=8).astype(float)
            mine = our_embeddings(program, folder, some, scratch).astype(float)
            cosine = (mine * theirs).sum(1) / numpy.linalg.norm(mine, axis=1) / numpy.linalg.norm(theirs, axis=1)
            ok = mine.shape == theirs.shape and cosine.min() >= 0.999999
            good &= bool(ok)
            print(f"embeddings  {name:38} {len(some):8} texts  least cosine {cosine.min():.9f}{'' if ok else '  TOO FAR'}", flush=True)
            if name in KINDS:
                shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
