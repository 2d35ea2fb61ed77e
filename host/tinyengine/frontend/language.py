"""Quantized language models (.lm): what the file holds, and the graph of one token that it becomes.

The file is NumPy's .npz: the arrays below by their names, and ``about``, JSON in UTF-8 with the numbers that are not
arrays. ``tinyengine lm convert`` writes it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.files import network_bytes
from tinyengine.ir import Graph, Operator, OpKind, Port, Quantization, State, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.ops import Attrs, LmGateAttrs, LmMatrixAttrs, LmNormAttrs, NoAttrs, RingAttrs
from tinyengine.ir.tokenizer import FIRST_PIECE, LONGEST_PIECE, MAX_TOKENS, Tokenizer
from tinyengine.ir.verify import verify

SUFFIX = ".lm"
VERSION, WITH_BIAS = 1, 2
PLAIN = Quantization((1.0,), (0,))
"""Of int8 numbers whose scale is part of a multiplier."""
NO_ATTRS = NoAttrs()
BIAS, GAINS = "bias", "gains"
"""Constants of the graph that are trained on a device: these, and the gains of its layers."""


@dataclass(frozen=True, eq=False)
class PackedMatrix:
    """Weights (N,K) int8 and multipliers (N,) int32; with a ``group``, of 4 bits and scales (N, groups) int16."""

    values: np.ndarray
    multipliers: np.ndarray
    group: int = 0
    scales: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """D width, F hidden width, K width of all keys. ``attention``: rows of queries, keys, values; ``feed``: of what
    goes through the gate, and of what it is multiplied with."""

    attention_gains: np.ndarray  # int16 (D,)
    attention: PackedMatrix  # (D + 2K, D)
    query_multipliers: np.ndarray  # int32 (D,)
    key_multipliers: np.ndarray  # int32 (K,)
    output: PackedMatrix  # (D, D)
    feed_gains: np.ndarray  # int16 (D,)
    feed: PackedMatrix  # (2F, D)
    gate_multiplier: int
    down: PackedMatrix  # (D, F filled up to a multiple of 8)


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """``table`` (V,D) int8 and ``table_multipliers`` (V,) int32: the embedding. ``window``, ``sinks``, ``kept``: as
    RingAttrs has them. A head has D / ``heads`` channels; layers may have fewer heads."""

    heads: int
    key_heads: int
    window: int
    sinks: int
    epsilon: int  # LmNormAttrs
    frequencies: np.ndarray  # uint32 (d/2,)
    table: np.ndarray
    table_multipliers: np.ndarray
    layers: tuple[PackedLayer, ...]
    gains: np.ndarray  # int16 (D,)
    classifier: PackedMatrix
    tokenizer: Tokenizer
    note: dict[str, object] = field(default_factory=dict)  # how it was converted
    bias: np.ndarray | None = None  # int32 (V,), 12 fraction bits: what training has added to the logits
    kept: int = 0

    @property
    def tied(self) -> bool:
        """Whether the classifier's weights are the embedding's."""
        return not self.classifier.group and np.array_equal(self.classifier.values, self.table)


# --- the file ---


def save_language(model: LanguageModel) -> bytes:
    """The file of ``model``; the same model gives the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    version = VERSION if model.bias is None else WITH_BIAS
    numbers: dict[str, object] = {"version": version, "layers": len(model.layers), "tied": model.tied}
    for name in ("heads", "key_heads", "window", "sinks", "epsilon", "note"):
        numbers[name] = getattr(model, name)
    if model.kept:
        numbers["kept"] = model.kept
    for name in ("frequencies", "table", "table_multipliers", "gains"):
        arrays[name] = getattr(model, name)
    if model.bias is not None:
        arrays["bias"] = model.bias
    groups: dict[str, int] = {}

    def put(name: str, matrix: PackedMatrix, values: bool = True) -> None:
        if values:
            arrays[f"{name}.values"] = matrix.values
        arrays[f"{name}.multipliers"] = matrix.multipliers
        if matrix.scales is not None:
            arrays[f"{name}.scales"], groups[name] = matrix.scales, matrix.group

    put("classifier", model.classifier, not model.tied)
    for index, layer in enumerate(model.layers):
        for name in ("attention_gains", "query_multipliers", "key_multipliers", "feed_gains"):
            arrays[f"{index}.{name}"] = getattr(layer, name)
        for name in ("attention", "output", "feed", "down"):
            put(f"{index}.{name}", getattr(layer, name))
    numbers["gate_multipliers"] = [layer.gate_multiplier for layer in model.layers]
    numbers["groups"] = groups
    pieces = model.tokenizer.pieces
    arrays["pieces"] = np.frombuffer(b"".join(pieces), np.uint8)
    arrays["piece_sizes"] = np.array([len(piece) for piece in pieces], np.uint16)
    arrays["piece_scores"] = np.array(model.tokenizer.scores, np.float32)
    arrays["about"] = np.frombuffer(json.dumps(numbers, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_language(path: Path) -> LanguageModel:
    """The model in the file ``path``. ModelError, one sentence, if there is none."""
    data = network_bytes(path)
    try:
        if not zipfile.is_zipfile(io.BytesIO(data)):  # which NumPy would take for pickled objects
            raise ValueError("no archive of arrays")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _parse(arrays)
    except (ValueError, RecursionError, LookupError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is no language model ({error}): write it with tinyengine lm convert") from error


def _parse(arrays: Mapping[str, np.ndarray]) -> LanguageModel:
    numbers = json.loads(arrays["about"].tobytes())
    if numbers["version"] not in (VERSION, WITH_BIAS):
        raise ValueError(f"version {numbers['version']}")
    groups = numbers["groups"]

    def matrix(name: str, values: np.ndarray | None = None) -> PackedMatrix:
        held = arrays[f"{name}.values"] if values is None else values
        return PackedMatrix(held, arrays[f"{name}.multipliers"], groups.get(name, 0), arrays.get(f"{name}.scales"))

    layers = []
    for index in range(numbers["layers"]):
        layers.append(
            PackedLayer(
                arrays[f"{index}.attention_gains"],
                matrix(f"{index}.attention"),
                arrays[f"{index}.query_multipliers"],
                arrays[f"{index}.key_multipliers"],
                matrix(f"{index}.output"),
                arrays[f"{index}.feed_gains"],
                matrix(f"{index}.feed"),
                int(numbers["gate_multipliers"][index]),
                matrix(f"{index}.down"),
            )
        )
    ends = np.cumsum(arrays["piece_sizes"].astype(np.int64))
    text = arrays["pieces"].tobytes()
    pieces = tuple(text[end - size : end] for end, size in zip(ends, arrays["piece_sizes"], strict=True))
    if len(pieces) != len(arrays["table"]) or len(arrays["piece_scores"]) != len(pieces):
        raise ValueError(f"{len(pieces)} pieces of text for {len(arrays['table'])} tokens")
    if len(pieces) <= FIRST_PIECE or max(map(len, pieces)) > LONGEST_PIECE or len(pieces) > MAX_TOKENS:
        raise ValueError(f"a vocabulary of {len(pieces)} pieces, the longest of {max(map(len, pieces))} bytes")
    table = arrays["table"]
    return LanguageModel(
        heads=int(numbers["heads"]),
        key_heads=int(numbers["key_heads"]),
        window=int(numbers["window"]),
        sinks=int(numbers["sinks"]),
        epsilon=int(numbers["epsilon"]),
        frequencies=arrays["frequencies"],
        table=table,
        table_multipliers=arrays["table_multipliers"],
        layers=tuple(layers),
        gains=arrays["gains"],
        classifier=matrix("classifier", table if numbers["tied"] else None),
        tokenizer=Tokenizer(pieces, tuple(arrays["piece_scores"].tolist())),
        note=numbers["note"],
        bias=arrays["bias"] if numbers["version"] == WITH_BIAS else None,
        kept=int(numbers.get("kept", 0)),
    )


def with_constants(model: LanguageModel, graph: Graph) -> LanguageModel:
    """``model`` with the gains and the bias of ``graph``, which was made of it and then trained."""

    def data(name: str) -> np.ndarray:
        found = graph.tensor(name).data
        assert found is not None
        return found.ravel()

    layers = tuple(
        replace(
            layer,
            attention_gains=data(f"layers.{index}.attention.gains"),
            feed_gains=data(f"layers.{index}.feed.gains"),
        )
        for index, layer in enumerate(model.layers)
    )
    return replace(model, layers=layers, gains=data(GAINS), bias=data(BIAS))


# --- the graph ---


class _Builder:
    """Operators one after the other; every method returns the name of the tensor that it adds."""

    def __init__(self, name: str) -> None:
        self.graph = Graph(name)

    def constant(self, name: str, data: np.ndarray) -> str:
        quant = PLAIN if data.dtype == np.int8 else None
        self.graph.tensors[name] = Tensor(name, data.shape, data.dtype.name, quant, np.ascontiguousarray(data))
        return name

    def add(self, name: str, kind: OpKind, inputs: list[str], *dtypes: str, attrs: Attrs = NO_ATTRS) -> list[str]:
        """An operator with an output of each of ``dtypes``."""
        tensors = [self.graph.tensor(x) for x in inputs]
        shapes = DEFINITIONS[kind].infer(attrs, tensors, [()] * len(dtypes))
        outputs = [name if not index else f"{name}.{index}" for index in range(len(dtypes))]
        for output, shape, dtype in zip(outputs, shapes, dtypes, strict=True):
            self.graph.tensors[output] = Tensor(output, shape, dtype, PLAIN if dtype == "int8" else None)
        self.graph.operators.append(Operator(kind, name, inputs, outputs, attrs))
        return outputs

    def state(self, name: str, shape: tuple[int, ...], dtype: str) -> str:
        self.graph.tensors[name] = Tensor(name, shape, dtype, PLAIN if dtype == "int8" else None)
        self.graph.states.append(State(name, name, np.zeros(shape, dtype)))
        return name

    def keep(self, state: str, update: str) -> None:
        kept = [
            State(each.tensor, update, each.initial) if each.tensor == state else each for each in self.graph.states
        ]
        self.graph.states = kept

    def matrix(self, name: str, matrix: PackedMatrix, x: str, added: str = "", weights: str = "") -> str:
        """``weights``: a constant that holds them already."""
        inputs = [x, weights or self.constant(f"{name}.weights", matrix.values)]
        inputs.append(self.constant(f"{name}.multipliers", matrix.multipliers))
        if matrix.scales is not None:
            inputs.append(self.constant(f"{name}.scales", matrix.scales))
        inputs += [added] if added else []
        attrs = LmMatrixAttrs(matrix.group, bool(added))
        return self.add(name, OpKind.LM_MATRIX, inputs, "int32", attrs=attrs)[0]


def language_graph(model: LanguageModel, name: str = "language") -> Graph:
    """One token: in ``token`` int32 (1,), out ``logits`` int32 (1,V) with 12 fraction bits.

    States: the position, and of each layer the keys and values of the window. ModelError if the model's parts
    contradict each other.
    """
    try:
        graph = _graph(model, name)
    except ValueError as error:  # shapes that do not go together
        raise ModelError(f"{name} is no language model ({error}): write it with tinyengine lm convert") from error
    verify(graph)
    return graph


def _graph(model: LanguageModel, name: str) -> Graph:
    b = _Builder(name)
    b.graph.tokenizer = model.tokenizer
    width = model.table.shape[1]
    head = width // model.heads
    ring, norm = RingAttrs(model.window, model.sinks, model.kept), LmNormAttrs(model.epsilon)
    b.graph.tensors["token"] = Tensor("token", (1,), "int32")
    b.graph.inputs.append(Port("token", "token", "int32"))
    position = b.state("position", (1,), "int32")
    frequencies = b.constant("frequencies", model.frequencies)
    angles, following = b.add("angles", OpKind.LM_POSITION, [position, frequencies], "int16", "int32", attrs=ring)
    b.keep(position, following)

    table = b.constant("table", model.table)
    [x] = b.add(
        "embedding",
        OpKind.LM_EMBEDDING,
        ["token", table, b.constant("table.multipliers", model.table_multipliers)],
        "int32",
    )
    for index, layer in enumerate(model.layers):
        at = f"layers.{index}."
        if layer.query_multipliers.size * model.key_heads != layer.key_multipliers.size * model.heads:
            raise ValueError(f"layer {index} has other heads than {model.heads} on {model.key_heads}, or parts of them")
        groups = layer.key_multipliers.size // head
        keys = b.state(at + "keys", (groups, model.window, head), "int8")
        values = b.state(at + "values", (groups, model.window // 2, head // 2, 2, 2), "int8")
        received = [b.state(at + "received", (model.window,), "int32")] if model.kept else []
        gains = b.constant(at + "attention.gains", layer.attention_gains)
        [h] = b.add(at + "attention.norm", OpKind.LM_NORM, [x, gains], "int16", attrs=norm)
        y = b.matrix(at + "attention.in", layer.attention, h)
        multipliers = [
            b.constant(at + "queries.multipliers", layer.query_multipliers),
            b.constant(at + "keys.multipliers", layer.key_multipliers),
        ]
        rotated = [y, angles, position, keys, values, *multipliers, *received]
        queries, *rings = b.add(at + "rotate", OpKind.LM_ROTATE, rotated, "int16", "int8", "int8", attrs=ring)
        b.keep(keys, rings[0])
        b.keep(values, rings[1])
        attended = [queries, *rings, position, *received]
        dtypes = ["int16", *("int32" for _ in received)]
        seen, *counts = b.add(at + "attention", OpKind.LM_ATTENTION, attended, *dtypes, attrs=ring)
        for state, update in zip(received, counts, strict=True):
            b.keep(state, update)
        x = b.matrix(at + "attention.out", layer.output, seen, x)
        gains = b.constant(at + "feed.gains", layer.feed_gains)
        [h] = b.add(at + "feed.norm", OpKind.LM_NORM, [x, gains], "int16", attrs=norm)
        y = b.matrix(at + "feed.in", layer.feed, h)
        [h] = b.add(at + "feed.gate", OpKind.LM_GATE, [y], "int16", attrs=LmGateAttrs(layer.gate_multiplier))
        x = b.matrix(at + "feed.out", layer.down, h, x)

    [h] = b.add("norm", OpKind.LM_NORM, [x, b.constant(GAINS, model.gains)], "int16", attrs=norm)
    bias = b.constant(BIAS, model.bias.reshape(1, -1)) if model.bias is not None else ""
    logits = b.matrix("logits", model.classifier, h, bias, table if model.tied else "")
    b.graph.outputs.append(Port(logits, "logits", "int32"))
    return b.graph
