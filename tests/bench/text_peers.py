"""The peers of text_bench.py: encoders of the same folder by other engines, each in the precisions that it offers, at its best settings."""
import logging
import sys
from pathlib import Path

import ctranslate2
import numpy
import onnxruntime
import openvino
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

LONGEST = 256


def mean_pool(states, mask):
    weights = mask[..., None].astype(numpy.float32)
    pooled = (states * weights).sum(1) / weights.sum(1)
    return pooled / numpy.linalg.norm(pooled, axis=1, keepdims=True)


class LastHiddenState(torch.nn.Module):
    """The encoder with positional arguments and a plain tensor as its result, as the exporter wants it."""

    def __init__(self, folder):
        super().__init__()
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def export_onnx(folder, scratch):
    path = Path(scratch) / "model.onnx"
    if not path.exists():
        ids = torch.ones(2, 16, dtype=torch.long)
        names = ["input_ids", "attention_mask"]
        axes = {name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]}
        model = LastHiddenState(folder).eval()
        torch.onnx.export(model, (ids, ids), str(path), input_names=names, output_names=["last_hidden_state"], dynamic_axes=axes, dynamo=False)
    return path


class SentenceTransformers:
    name, precisions = "sentence-transformers", ("f32", "bf16")

    def __init__(self, folder, precision, threads, scratch):
        self.model = SentenceTransformer(folder, device="cpu", model_kwargs={"torch_dtype": "bfloat16" if precision == "bf16" else "float32"})
        self.model.max_seq_length = min(self.model.max_seq_length, LONGEST)
        torch.set_num_threads(threads)

    def encode(self, texts):
        return self.model.encode(texts, batch_size=len(texts)).astype(numpy.float32)


class OnnxRuntime:
    name, precisions = "onnxruntime", ("f32", "int8")

    def __init__(self, folder, precision, threads, scratch):
        self.tokenizer = SentenceTransformer(folder, device="cpu").tokenizer
        path = str(self.fuse(folder, scratch) if precision == "f32" else self.quantize(folder, scratch))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @staticmethod
    def fuse(folder, scratch):
        """The fusions for BERT that the runtime offers as a separate step."""
        path, fused = export_onnx(folder, scratch), Path(scratch) / "fused.onnx"
        try:
            from onnxruntime.transformers import optimizer

            config = AutoModel.from_pretrained(folder).config
            optimizer.optimize_model(str(path), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size).save_model_to_file(str(fused))
            return fused
        except ImportError as error:
            print(f"onnxruntime: without the fusions for BERT ({error})", file=sys.stderr)
            return path

    @staticmethod
    def quantize(folder, scratch):
        from onnxruntime.quantization import QuantType, quantize_dynamic  # which does not take the fused graph

        path = Path(scratch) / "int8.onnx"
        logging.getLogger().setLevel(logging.ERROR)
        quantize_dynamic(str(export_onnx(folder, scratch)), str(path), weight_type=QuantType.QInt8, per_channel=True)
        return path

    def encode(self, texts):
        features = self.tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="np")
        inputs = {name: features[name] for name in ("input_ids", "attention_mask")}
        return mean_pool(self.session.run(None, inputs)[0], features["attention_mask"])


class CTranslate2:
    name, precisions = "CTranslate2", ("f32", "int8")  # its bf16 is for GPUs and oneDNN machines; on others it falls back to f32

    def __init__(self, folder, precision, threads, scratch):
        path = Path(scratch) / "ctranslate2"
        if not path.exists():
            ctranslate2.converters.TransformersConverter(folder).convert(str(path))
        kind = {"f32": "float32", "int8": "int8"}[precision]
        self.encoder = ctranslate2.Encoder(str(path), device="cpu", compute_type=kind, intra_threads=threads, inter_threads=1)
        self.tokenizer = SentenceTransformer(folder, device="cpu").tokenizer

    def encode(self, texts):
        features = self.tokenizer(texts, truncation=True, max_length=LONGEST)
        states = numpy.array(self.encoder.forward_batch(features["input_ids"]).last_hidden_state)
        lengths = numpy.array([len(ids) for ids in features["input_ids"]])
        return mean_pool(states, numpy.arange(states.shape[1])[None, :] < lengths[:, None])


def with_int8_weights(model):
    """Every matrix that a product takes as a constant becomes int8 times a unit for each output: what OpenVINO multiplies in int8, quantizing activations as they come."""
    from openvino import opset13 as operations

    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.input_value(1).get_node().get_type_name() != "Constant":
            continue
        weights = node.input_value(1).get_node().data.astype(numpy.float32)
        transposed = node.get_attributes()["transpose_b"]
        if weights.ndim != 2:
            continue
        if not transposed:
            weights = weights.T
        unit = numpy.abs(weights).max(1, keepdims=True) / 127
        values = operations.constant(numpy.rint(weights / unit).astype(numpy.int8))
        floats = operations.multiply(operations.convert(values, "f32"), operations.constant(unit.astype(numpy.float32)))
        product = operations.matmul(node.input_value(0), floats, False, True)
        node.output(0).replace(product.output(0))
    return model


class OpenVino:
    name, precisions = "OpenVINO", ("f32", "bf16", "int8")

    def __init__(self, folder, precision, threads, scratch):
        self.tokenizer = SentenceTransformer(folder, device="cpu").tokenizer
        model = openvino.convert_model(str(export_onnx(folder, scratch)))
        hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32" if precision == "f32" else "bf16"}
        if precision == "int8":
            model = with_int8_weights(model)
            hints["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = self.group
        self.request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()

    group = 0  # of what int8 has a unit for: a whole row, which is the closest to f32

    def encode(self, texts):
        features = self.tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="np")
        result = self.request.infer({name: features[name] for name in ("input_ids", "attention_mask")}, share_inputs=True)
        return mean_pool(result[0], features["attention_mask"])


class OpenVino128(OpenVino):
    """The fastest of the groups that int8 offers."""

    name, precisions, group = "OpenVINO/128", ("int8",), 128


PEERS = (SentenceTransformers, OnnxRuntime, CTranslate2, OpenVino, OpenVino128)
