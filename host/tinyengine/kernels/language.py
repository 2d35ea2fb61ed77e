"""Language models on te_lm.h."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.language import gate_table, norm_root, sine_table, softmax_table
from tinyengine.ir.ops import LmGateAttrs, LmMatrixAttrs, LmNormAttrs, RingAttrs
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Packer, Target, lowering
from tinyengine.kernels.lm_packing import (
    InputBound,
    gemv_function,
    norm_bound,
    pack_w4,
    pack_w8,
    peak_bound,
    stream_words,
    why_any,
)

HEADER = "te_lm.h"
MOST_CHANNELS = 64
"""Of a head whose scores have a fast loop, in te_lm_kernels.c."""

_MATRICES: WeakKeyDictionary[Graph, dict[tuple[str, str], CArray]] = WeakKeyDictionary()
"""Packed matrices of 8 bits by the names of their weights and multipliers: an embedding may share a classifier's."""


def _call(
    op: Operator,
    graph: Graph,
    name: str,
    pack: Packer,
    *,
    kind: str = "",
    header: str = HEADER,
    scratch: int = 0,
    in_place: tuple[tuple[int, int], ...] = (),
    macs: int = 0,
    note: str = "",
    hint: Callable[[], str] = str,
) -> KernelCall:
    """te_lm_<name> with the parameters of te_lm_<kind>; ``in_place``: (output, input) that may share their bytes."""
    inputs = [x for x in op.inputs if not graph.tensor(x).is_constant]
    rules: list[Overlap | None] = [None] * (len(inputs) * len(op.outputs))
    for output, position in in_place:
        rules[output * len(inputs) + position] = Overlap(0, exact=True)
    return KernelCall(
        op,
        f"te_lm_{name}",
        header,
        f"te_lm_{kind or name}_params",
        pack,
        inputs=inputs,
        outputs=list(op.outputs),
        scratch_bytes=scratch,
        overlaps=tuple(rules),
        macs=macs,
        note=note,
        hint=hint,
    )


def _data(graph: Graph, op: Operator, position: int) -> np.ndarray:
    data = graph.tensor(op.inputs[position]).data
    assert data is not None
    return data


@cache
def _table(name: str) -> CArray:
    """One array of a kind serves all networks and layers."""
    if name == "exponentials":
        return params.array(name, softmax_table(), "uint16")
    return params.array(name, gate_table() if name == "sigmoid" else sine_table(), "int16")


def _matrix_w8(graph: Graph, weights: str, multipliers: str) -> CArray:
    known = _MATRICES.setdefault(graph, {})
    if (weights, multipliers) not in known:
        values, factors = graph.tensor(weights).data, graph.tensor(multipliers).data
        assert values is not None
        assert factors is not None
        known[weights, multipliers] = CArray("matrix", pack_w8(values, factors))
    return known[weights, multipliers]


def _ring(attrs: RingAttrs) -> dict[str, CValue]:
    """te_lm_ring."""
    fields: dict[str, CValue] = {"window": attrs.window, "sinks": attrs.sinks}
    return fields | {"kept": attrs.kept} if attrs.kept else fields


@lowering(OpKind.LM_EMBEDDING)
def lower_embedding(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Rows of the classifier's matrix, where it has the same weights."""
    _, table, multipliers = op.inputs
    classifier = next((each for each in graph.consumers(table) if each.kind == OpKind.LM_MATRIX), None)
    tokens, width = graph.tensor(table).shape

    def pack() -> dict[str, CValue]:
        return {
            "table": _matrix_w8(graph, table, classifier.inputs[2] if classifier else multipliers),
            "multipliers": CArray("multipliers", _data(graph, op, 2)),
            "tokens": tokens,
            "width": width,
        }

    return _call(op, graph, "embedding", pack, note="the classifier's rows" if classifier else "")


@lowering(OpKind.LM_POSITION)
def lower_position(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, RingAttrs)
    attrs = op.attrs

    def pack() -> dict[str, CValue]:
        found = _data(graph, op, 1)
        frequencies = CArray("frequencies", found)
        return {"ring": _ring(attrs), "pairs": found.size, "frequencies": frequencies, "sines": _table("sines")}

    return _call(op, graph, "position", pack, in_place=((1, 0),))


@lowering(OpKind.LM_NORM)
def lower_norm(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, LmNormAttrs)
    attrs = op.attrs
    width = graph.tensor(op.inputs[0]).elements

    def pack() -> dict[str, CValue]:
        root, shift = norm_root(width, attrs.fraction)
        gains = CArray("gains", _data(graph, op, 1))
        return {"width": width, "epsilon": attrs.epsilon, "root": root, "shift": shift, "gains": gains}

    return _call(op, graph, "norm", pack, header="te_lm_kernels.h")


def _input_bound(op: Operator, graph: Graph) -> InputBound:
    """What the vector that a matrix is multiplied with never exceeds."""
    producer, width = graph.producer(op.inputs[0]), graph.tensor(op.inputs[0]).elements
    if producer is not None and isinstance(producer.attrs, LmNormAttrs):
        return norm_bound(width, producer.attrs.fraction)
    bounded = producer is not None and producer.kind in (OpKind.LM_ATTENTION, OpKind.LM_GATE)
    return peak_bound(width, 1 << 11 if bounded else 1 << 15)


@lowering(OpKind.LM_MATRIX)
def lower_matrix(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Both inner loops read a vector of int16; that of 4 bits reads it with sums of its groups between."""
    assert isinstance(op.attrs, LmMatrixAttrs)
    group, add = op.attrs.group, op.attrs.add
    rows, columns = graph.tensor(op.inputs[1]).shape
    biased = add and graph.tensor(op.inputs[-1]).is_constant

    @cache
    def chosen() -> tuple[str, int]:
        scales = _data(graph, op, 3) if group else None
        bound = _input_bound(op, graph)
        return gemv_function(4 if group else 8, columns, group, add, _data(graph, op, 1), bound, scales)

    def pack() -> dict[str, CValue]:
        if group:
            weights = CArray("matrix", pack_w4(_data(graph, op, 1), _data(graph, op, 2), _data(graph, op, 3), group))
        else:
            weights = _matrix_w8(graph, op.inputs[1], op.inputs[2])
        function, part = chosen()
        matrix: dict[str, CValue] = {"weights": weights, "rows": function, "quads": rows // 4, "k": columns}
        matrix["group"] = part
        return {"matrix": matrix, "bias": CArray("bias", _data(graph, op, -1).ravel())} if biased else matrix

    def hint() -> str:
        return why_any(columns, group) if "_any_" in chosen()[0] else ""

    return _call(
        op,
        graph,
        "matrix" + ("_bias" if biased else "_add" if add else "") + ("_w4" if group else ""),
        pack,
        kind="matrix_bias" if biased else "matrix",
        scratch=4 * stream_words(columns, group) if group else 0,
        in_place=((0, 1),) if add and not biased else (),
        macs=rows * columns,
        note=f"4 bits, groups of {group}" if group else "8 bits",
        hint=hint,
    )


def _heads(graph: Graph, attrs: RingAttrs, queries: str, keys: str) -> dict[str, CValue]:
    """How rotation and attention are told of their heads. ``queries``: (variants, heads, channels); ``keys``: the ring,
    (heads of keys, window, channels)."""
    groups, _, head = graph.tensor(keys).shape
    return {"ring": _ring(attrs), "heads": graph.tensor(queries).shape[1], "key_heads": groups, "head": head}


@lowering(OpKind.LM_ROTATE)
def lower_rotate(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, RingAttrs)
    attrs = op.attrs

    def pack() -> dict[str, CValue]:
        return _heads(graph, attrs, op.outputs[0], op.inputs[3]) | {
            "query_multipliers": CArray("query_multipliers", _data(graph, op, 5)),
            "key_multipliers": CArray("key_multipliers", _data(graph, op, 6)),
        }

    if attrs.kept:
        return _call(op, graph, "rotate_keeping", pack, kind="rotate", in_place=((1, 3), (2, 4)))
    return _call(op, graph, "rotate", pack, in_place=((1, 3), (2, 4)))


@lowering(OpKind.LM_ATTENTION)
def lower_attention(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Key head by key head, with two of the query heads that read it."""
    assert isinstance(op.attrs, RingAttrs)
    attrs = op.attrs
    _, heads, head = graph.tensor(op.inputs[0]).shape

    def pack() -> dict[str, CValue]:
        return _heads(graph, attrs, op.inputs[0], op.inputs[1]) | {"exponentials": _table("exponentials")}

    def hint() -> str:
        each = heads // graph.tensor(op.inputs[1]).shape[0]
        if each % 2:
            return f"{each} query heads read a key head; an even number would be fast"
        if head % 8 or head > MOST_CHANNELS:
            return f"heads have {head} channels; a multiple of 8 up to {MOST_CHANNELS} would be fast"
        return ""

    scratch = 4 * attrs.window + 8 * head
    return _call(
        op,
        graph,
        "attention_counting" if attrs.kept else "attention",
        pack,
        kind="attention",
        scratch=scratch,
        in_place=((1, 4),) if attrs.kept else (),
        macs=2 * attrs.window * heads * head,
        hint=hint,
    )


@lowering(OpKind.LM_GATE)
def lower_gate(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, LmGateAttrs)
    multiplier = op.attrs.multiplier
    width, padded = graph.tensor(op.inputs[0]).elements // 2, graph.tensor(op.outputs[0]).elements

    def pack() -> dict[str, CValue]:
        return {"width": width, "padded": padded, "multiplier": multiplier, "sigmoid": _table("sigmoid")}

    return _call(op, graph, "gate", pack, header="te_lm_kernels.h")
