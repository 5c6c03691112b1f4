"""A BERT embedder's safetensors in onnxruntime: texts a second, and the vector of a text to hold against another engine.

The graph is written here with the onnx package, in two forms, and each is measured: with standard operators only, which
the runtime fuses by its own rules, and with the runtime's fused attention, activation and norms. Every text of a batch
has the same length, so that neither padding nor a mask costs anything.
"""

import argparse
import json
import statistics
import struct
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

RUNS = 3
OPSET = 20
FUSED = "com.microsoft"


def weights(file):
    """The tensors of a safetensors file in f32."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if entry["dtype"] == "F32"
    }


class Graph:
    """Operators in the order they run."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def constant(self, name, values):
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator, *inputs, domain="", output=None, **attributes):
        self.count += 1
        output = output or f"{operator}{self.count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def linear(self, x, tensors, name):
        weight = self.constant(f"{name}.weight.t", tensors[f"{name}.weight"].T)
        bias = self.constant(f"{name}.bias", tensors[f"{name}.bias"])
        return self.add("Add", self.add("MatMul", x, weight), bias)


def model(config, tensors, fused):
    """The serialised graph: ids of shape (batch, tokens) to unit vectors of shape (batch, hidden)."""
    graph = Graph()
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    dimension, epsilon = hidden // heads, config["layer_norm_eps"]

    def norm(x, name, residual=None):
        scale = graph.constant(f"{name}.weight", tensors[f"{name}.weight"])
        shift = graph.constant(f"{name}.bias", tensors[f"{name}.bias"])
        if residual and fused:
            return graph.add("SkipLayerNormalization", x, residual, scale, shift, domain=FUSED, epsilon=epsilon)
        x = graph.add("Add", x, residual) if residual else x
        return graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def attend(x, name):
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        if fused:
            weight = np.concatenate([tensors[f"{part}.weight"].T for part in parts], axis=1)
            bias = np.concatenate([tensors[f"{part}.bias"] for part in parts])
            inputs = [x, graph.constant(f"{name}.weight", weight), graph.constant(f"{name}.bias", bias)]
            return graph.add("Attention", *inputs, domain=FUSED, num_heads=heads)
        split = graph.constant("split", np.array([0, 0, heads, dimension], np.int64))
        join = graph.constant("join", np.array([0, 0, hidden], np.int64))
        rows = [graph.add("Reshape", graph.linear(x, tensors, part), split) for part in parts]
        query, value = (graph.add("Transpose", rows[index], perm=[0, 2, 1, 3]) for index in (0, 2))
        key = graph.add("Transpose", rows[1], perm=[0, 2, 3, 1])
        scale = graph.constant("scale", np.array(dimension**0.5, np.float32))
        scores = graph.add("Softmax", graph.add("Div", graph.add("MatMul", query, key), scale), axis=-1)
        return graph.add("Reshape", graph.add("Transpose", graph.add("MatMul", scores, value), perm=[0, 2, 1, 3]), join)

    def activate(x):
        return graph.add("Gelu", x, domain=FUSED) if fused else graph.add("Gelu", x)

    # All tokens are of the first type: its embedding goes into those of the positions.
    places = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    begin, one = (graph.constant(name, np.array([number], np.int64)) for name, number in (("begin", 0), ("one", 1)))
    length = graph.add("Shape", "ids", start=1, end=2)
    position = graph.add("Slice", graph.constant("positions", places), begin, length, begin, one)
    words = graph.constant("words", tensors["embeddings.word_embeddings.weight"])
    x = norm(graph.add("Add", graph.add("Gather", words, "ids"), position), "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        attended = graph.linear(attend(x, f"{name}.attention.self"), tensors, f"{name}.attention.output.dense")
        x = norm(attended, f"{name}.attention.output.LayerNorm", residual=x)
        inner = activate(graph.linear(x, tensors, f"{name}.intermediate.dense"))
        x = norm(graph.linear(inner, tensors, f"{name}.output.dense"), f"{name}.output.LayerNorm", residual=x)
    mean = graph.add("ReduceMean", x, graph.constant("tokens", np.array([1], np.int64)), keepdims=0)
    graph.add("LpNormalization", mean, output="vectors", axis=-1, p=2)

    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", hidden])
    body = helper.make_graph(graph.nodes, "bert", [ids], [vectors], initializer=list(graph.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=9).SerializeToString()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--threads", type=int, required=True)
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--tokens", type=int, action="append", required=True)
    arguments.add_argument("--text", type=Path, required=True)
    arguments = arguments.parse_args()

    config = json.loads((arguments.model / "config.json").read_text())
    tensors = weights(arguments.model / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    text = " ".join(arguments.text.read_text().split())
    begin, *middle, end = tokenizer.encode(text).ids
    around = lambda ids: [begin, *ids, end]
    limit = json.loads((arguments.model / "sentence_bert_config.json").read_text())["max_seq_length"]
    whole = np.array([around(middle[: limit - 2])], np.int64)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    figures = {"onnxruntime": onnxruntime.__version__, "sentences_per_s": {}}
    for form in ("standard", "fused"):
        graph = model(config, tensors, form == "fused")
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for tokens in arguments.tokens:
            taken = [np.take(middle, range(13 * row, 13 * row + tokens - 2), mode="wrap") for row in range(arguments.batch)]
            ids = np.array([around(row) for row in taken], np.int64)
            session.run(None, {"ids": ids})
            seconds = []
            for _ in range(RUNS):
                started = time.perf_counter()
                session.run(None, {"ids": ids})
                seconds.append(time.perf_counter() - started)
            rate = arguments.batch / statistics.median(seconds)
            figures["sentences_per_s"].setdefault(str(tokens), {})[form] = rate
        (vector,) = session.run(None, {"ids": whole})[0]
        figures.setdefault("vectors", {})[form] = [float(number) for number in vector]
    print(json.dumps(figures))


main()
