"""TRANSPOSE: pushed towards the outputs until it cancels, becomes a view, or disappears into weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.ops import (
    ConcatAttrs,
    MeanAttrs,
    NoAttrs,
    OpKind,
    PadAttrs,
    TransposeAttrs,
)
from tinyengine.passes.rewrite import add_tensor, graph_pass, insert_after, replace_reads, same_quantization

Perm = tuple[int, ...]


@graph_pass
def sink_transposes(graph: Graph) -> None:
    """Exchange a TRANSPOSE with the operator behind it, so that pairs of them meet and cancel.

    Sums over axes, functions of single elements and paddings do not care in which order the axes lie, so each
    exchange keeps every bit. In particular the TRANSPOSE before the two one-axis MEANs of a PyTorch export passes
    both of them (with the rounding between them kept) and ends as a transposition of single rows: a view.
    """
    index = 0
    while index < len(graph.operators):
        op = graph.operators[index]
        if op.kind is OpKind.TRANSPOSE:
            _compose(graph, op)
        elif op.kind is OpKind.MEAN:
            _pass_mean(graph, op)
        elif op.kind is OpKind.PAD or (len(op.inputs) == 1 and DEFINITIONS[op.kind].elementwise):
            _pass_unary(graph, op)
        elif op.kind is OpKind.CONCATENATION or DEFINITIONS[op.kind].elementwise:
            _pass_many(graph, op)
        index += 1


@graph_pass
def transposes_to_views(graph: Graph) -> None:
    """A TRANSPOSE that only moves axes of size 1 leaves the bytes where they are: RESHAPE."""
    for op in graph.operators:
        if isinstance(op.attrs, TransposeAttrs) and _moves_only_ones(graph.tensor(op.inputs[0]), op.attrs.perm):
            op.kind, op.attrs = OpKind.RESHAPE, NoAttrs()


@graph_pass
def fold_transpose_into_dense(graph: Graph) -> None:
    """FULLY_CONNECTED behind a TRANSPOSE (flattened or not): permute the columns of the weights instead."""
    for op in graph.operators:
        if op.kind is not OpKind.FULLY_CONNECTED:
            continue
        source = graph.producer(op.inputs[0])
        while source is not None and source.kind is OpKind.RESHAPE:
            source = graph.producer(source.inputs[0])
        if source is None or not isinstance(source.attrs, TransposeAttrs):
            continue
        if graph.tensor(op.inputs[0]).elements != graph.tensor(op.inputs[1]).shape[1]:
            continue  # of several rows, each has inputs of its own
        if not same_quantization(graph, source.inputs[0], op.inputs[0]):
            continue
        op.inputs = [source.inputs[0], _permuted_columns(graph, op.inputs[1], source), op.inputs[2]]


def _permuted_columns(graph: Graph, name: str, transpose: Operator) -> str:
    """A copy of the weights ``name`` for the transpose's input instead of its output."""
    assert isinstance(transpose.attrs, TransposeAttrs)
    weights = graph.tensor(name)
    assert weights.data is not None
    shape = graph.tensor(transpose.outputs[0]).shape
    back = [1 + axis for axis in inverse(transpose.attrs.perm)]
    data = weights.data.reshape(-1, *shape).transpose(0, *back).reshape(weights.shape)
    copy = replace(weights, name=f"{name}_permuted", data=np.ascontiguousarray(data))
    return add_tensor(graph, copy)


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes ``perm``."""
    return tuple(perm.index(axis) for axis in range(len(perm)))


def _moves_only_ones(x: Tensor, perm: Perm) -> bool:
    moved = [axis for axis in perm if x.shape[axis] != 1]
    return moved == sorted(moved)


def _transpose_before(graph: Graph, tensor: str) -> tuple[str, Perm] | None:
    """(input, permutation) of the TRANSPOSE that writes ``tensor``, if it keeps the quantization exactly."""
    producer = graph.producer(tensor)
    if producer is None or not isinstance(producer.attrs, TransposeAttrs):
        return None
    if not same_quantization(graph, producer.inputs[0], tensor):
        return None
    return producer.inputs[0], producer.attrs.perm


def _compose(graph: Graph, op: Operator) -> None:
    """Two in a row are one; an identity is none."""
    assert isinstance(op.attrs, TransposeAttrs)
    before = _transpose_before(graph, op.inputs[0])
    if before is not None:
        source, perm = before
        op.inputs = [source]
        op.attrs = TransposeAttrs(tuple(perm[axis] for axis in op.attrs.perm))
    if op.attrs.perm == tuple(range(len(op.attrs.perm))) and same_quantization(graph, op.inputs[0], op.outputs[0]):
        replace_reads(graph, op.outputs[0], op.inputs[0])


def _emit(graph: Graph, op: Operator, perm: Perm) -> None:
    """Let ``op`` write an untransposed tensor, and a new TRANSPOSE by ``perm`` write what ``op`` used to."""
    output = graph.tensor(op.outputs[0])
    shape = tuple(output.shape[axis] for axis in inverse(perm))
    before = add_tensor(graph, Tensor(f"{output.name}_untransposed", shape, output.dtype, output.quant))
    new = Operator(OpKind.TRANSPOSE, f"{op.name}_transpose", [before], [output.name], TransposeAttrs(perm))
    op.outputs = [before]
    insert_after(graph, op, new)


def _pass_unary(graph: Graph, op: Operator) -> None:
    before = _transpose_before(graph, op.inputs[0])
    if before is None:
        return
    source, perm = before
    op.inputs = [source]
    if isinstance(op.attrs, PadAttrs):
        op.attrs = replace(op.attrs, pads=tuple(op.attrs.pads[axis] for axis in inverse(perm)))
    _emit(graph, op, perm)


def _pass_mean(graph: Graph, op: Operator) -> None:
    assert isinstance(op.attrs, MeanAttrs)
    before = _transpose_before(graph, op.inputs[0])
    if before is None:
        return
    source, perm = before
    reduced = tuple(sorted(perm[axis] for axis in op.attrs.axes))
    rest = perm
    if not op.attrs.keep_dims:
        left = [axis for axis in range(len(perm)) if axis not in reduced]
        rest = tuple(left.index(axis) for axis in perm if axis not in reduced)
    op.inputs, op.attrs = [source], MeanAttrs(reduced, op.attrs.keep_dims)
    _emit(graph, op, rest)


def _pass_many(graph: Graph, op: Operator) -> None:
    """All inputs transposed alike (constants are turned back at compile time)."""
    sources = [None if graph.tensor(name).is_constant else _transpose_before(graph, name) for name in op.inputs]
    perms = {source[1] for source in sources if source is not None}
    rank = len(graph.tensor(op.outputs[0]).shape)
    if len(perms) != 1:
        return
    perm = perms.pop()
    for name, source in zip(op.inputs, sources, strict=True):
        tensor = graph.tensor(name)
        if (source is None and not tensor.is_constant) or (source is not None and len(tensor.shape) != rank):
            return
    op.inputs = [
        source[0] if source is not None else _turned_back(graph, name, perm)
        for name, source in zip(op.inputs, sources, strict=True)
    ]
    if isinstance(op.attrs, ConcatAttrs):
        op.attrs = replace(op.attrs, axis=perm[op.attrs.axis])
    _emit(graph, op, perm)


def _turned_back(graph: Graph, name: str, perm: Perm) -> str:
    """A constant as it must lie beside an input that is no longer transposed by ``perm``."""
    constant = graph.tensor(name)
    assert constant.data is not None
    data = constant.data.reshape((1,) * (len(perm) - len(constant.shape)) + constant.shape)
    data = np.ascontiguousarray(data.transpose(inverse(perm)))
    return add_tensor(graph, Tensor(f"{name}_turned", data.shape, constant.dtype, constant.quant, data))
