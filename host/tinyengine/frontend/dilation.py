"""Dilated convolutions as TensorFlow writes them: SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND.

The first deals the pixels out to pictures of a batch, so that neighbours of one picture are a dilation apart; the last
puts them together. Between them stands what treats all pixels alike. Both leave here, before anything is translated:
the convolution is dilated, and what is padded and cropped becomes one PAD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.frontend.raw import RawModel, RawOperator, RawTensor

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
VIEWS = ("EXPAND_DIMS", "SQUEEZE", "RESHAPE")
ALIKE = ("RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH", "HARD_SWISH", "QUANTIZE", "ADD", "MUL", "SUB", "PRELU")
"""Operators that treat every element of a batch alike; their second input, if any, is a constant."""
VALID = 1


@dataclass
class _Rewrite:
    """Tensors (which grow) and the operators that take the place of others."""

    tensors: list[RawTensor]
    instead: dict[int, list[RawOperator]]

    def reshaped(self, index: int, shape: tuple[int, ...]) -> None:
        self.tensors[index] = replace(self.tensors[index], shape=shape, signature=shape)

    def constant(self, values: np.ndarray) -> int:
        index, data = len(self.tensors), np.ascontiguousarray(values, "<i4")
        raw = data.reshape(-1).view(np.uint8)
        self.tensors.append(
            RawTensor(index, f"dilation_{index}", data.shape, data.shape, "INT32", raw, (), (), 0, False)
        )
        return index

    def like(self, index: int, shape: tuple[int, ...]) -> int:
        """A new tensor of the type and quantization of another one."""
        new = len(self.tensors)
        x = self.tensors[index]
        self.tensors.append(replace(x, index=new, name=f"{x.name}_padded", shape=shape, signature=shape))
        return new


def fold_dilation(raw: RawModel) -> RawModel:
    """``raw`` without the pairs that surround convolutions; what is no such pair stays."""
    if not any(op.kind == "SPACE_TO_BATCH_ND" for op in raw.operators):
        return raw
    rewrite = _Rewrite(list(raw.tensors), {})
    for op in raw.operators:
        if op.kind == "SPACE_TO_BATCH_ND" and _is_sound(raw, op) and (chain := _chain(raw, op)):
            _fold(rewrite, raw, chain)
    operators = [new for op in raw.operators for new in rewrite.instead.get(op.index, [op])]
    return replace(raw, tensors=rewrite.tensors, operators=operators)


def _chain(raw: RawModel, first: RawOperator) -> list[RawOperator]:
    """From ``first`` to its BATCH_TO_SPACE_ND, around one convolution; empty if there is none."""
    chain = [first]
    while chain[-1].kind != "BATCH_TO_SPACE_ND":
        if chain[-1].outputs[0] in raw.outputs:
            return []
        readers = [op for op in raw.operators if chain[-1].outputs[0] in op.inputs]
        if len(readers) != 1 or not _may_follow(raw, readers[0], chain):
            return []
        chain += readers
    return chain if sum(op.kind in CONVOLUTIONS for op in chain) == 1 else []


def _is_sound(raw: RawModel, op: RawOperator) -> bool:
    """Whether all that is looked at here exists; whoever translates ``op`` says what is wrong with it."""
    least = 2 if op.kind in CONVOLUTIONS else 1
    inputs = op.inputs[:least] if op.kind in CONVOLUTIONS else op.inputs  # a convolution's biases are not looked at
    there = all(0 <= index < len(raw.tensors) for index in (*inputs, *op.outputs))
    return there and len(op.outputs) == 1 and len(inputs) >= least


def _may_follow(raw: RawModel, op: RawOperator, chain: list[RawOperator]) -> bool:
    x = chain[-1].outputs[0]
    if not _is_sound(raw, op) or op.inputs[0] != x or len(chain) > 8:
        return False
    if op.kind in CONVOLUTIONS:
        options = op.options
        plain = all(options[name] == 1 for name in ("StrideH", "StrideW", "DilationHFactor", "DilationWFactor"))
        return plain and options["Padding"] == VALID
    if op.kind in ALIKE:
        return all(raw.tensors[i].data.size and len(raw.tensors[i].shape) < 2 for i in op.inputs[1:])
    return op.kind in VIEWS or op.kind == "BATCH_TO_SPACE_ND"


def _constant(raw: RawModel, op: RawOperator, position: int) -> np.ndarray | None:
    """A small list of int32; None if it is no constant."""
    if position >= len(op.inputs) or not 0 <= op.inputs[position] < len(raw.tensors):
        return None
    tensor = raw.tensors[op.inputs[position]]
    if tensor.dtype != "INT32" or not 0 < tensor.data.size <= 64 or tensor.data.size % 4:
        return None
    return tensor.data.view("<i4").astype(np.int64)


def _fold(rewrite: _Rewrite, raw: RawModel, chain: list[RawOperator]) -> None:
    """Replace the operators of ``chain``; nothing happens where its shapes make no sense."""
    first, last = chain[0], chain[-1]
    block, paddings, crops = _constant(raw, first, 1), _constant(raw, first, 2), _constant(raw, last, 2)
    x = raw.tensors[first.inputs[0]]
    again = _constant(raw, last, 1)
    if block is None or again is None or paddings is None or crops is None or not np.array_equal(block, again):
        return
    spatial = len(block)
    if len(x.shape) < spatial + 1 or len(paddings) != 2 * spatial or len(crops) != 2 * spatial or min(block) < 1:
        return
    pads = (paddings - crops).reshape(spatial, 2)
    if (pads < 0).any() or (crops < 0).any() or len(x.shape) > 4:
        return
    current, shape, padded = x.index, x.shape, False
    axes = [*range(1, spatial + 1)]
    shapes: dict[int, tuple[int, ...]] = {}
    instead: dict[int, list[RawOperator]] = {first.index: []}
    for op in chain[1:-1]:
        inputs, options, kind, before = (current, *op.inputs[1:]), op.options, op.kind, []
        if op.kind in VIEWS:
            moved = _one_axis(raw.tensors[op.inputs[0]].shape, raw.tensors[op.outputs[0]].shape)
            if moved is None or (moved[0] in axes and not moved[1]):
                return
            at, inserted = moved
            shape = (*shape[:at], 1, *shape[at:]) if inserted else (*shape[:at], *shape[at + 1 :])
            axes = [axis + (1 if inserted else -1) if axis >= at else axis for axis in axes]
            kind, inputs, options = "RESHAPE", (current,), {"NewShape": shape}
        elif op.kind in CONVOLUTIONS:
            weights, y = raw.tensors[op.inputs[1]], raw.tensors[op.outputs[0]]
            if not len(shape) == len(weights.shape) == len(y.shape) == 4 or not set(axes) <= {1, 2}:
                return
            around, factors = np.zeros((4, 2), np.int64), [1, 1]
            for axis, factor, pad in zip(axes, block.tolist(), pads, strict=True):
                around[axis], factors[axis - 1] = pad, factor
            shape = tuple(int(n) for n in np.add(shape, around.sum(axis=1)))
            inner = rewrite.like(current, shape)
            padding = (current, rewrite.constant(around))
            before = [replace(first, kind="PAD", inputs=padding, outputs=(inner,))]
            sizes = [n - (k - 1) * d for n, k, d in zip(shape[1:3], weights.shape[1:3], factors, strict=True)]
            shape, padded = (1, *sizes, y.shape[-1]), True
            inputs = (inner, *op.inputs[1:])
            options = {**op.options, "DilationHFactor": factors[0], "DilationWFactor": factors[1]}
        elif not padded:  # it would see the padding too
            return
        current = op.outputs[0]
        shapes[current] = shape
        instead[op.index] = [*before, replace(op, kind=kind, inputs=inputs, options=options)]
    if shape != raw.tensors[last.outputs[0]].shape:
        return
    for index, new in shapes.items():
        rewrite.reshaped(index, new)
    instead[last.index] = [replace(last, kind="RESHAPE", inputs=(current,), options={"NewShape": shape})]
    rewrite.instead.update(instead)


def _one_axis(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, bool] | None:
    """Where an axis of size 1 has been inserted (True) or dropped (False) behind the batch."""
    for short, long, inserted in ((before, after, True), (after, before, False)):
        for position in _ones(long):
            if (*long[:position], *long[position + 1 :]) == short:
                return position, inserted
    return None


def _ones(shape: tuple[int, ...]) -> Iterator[int]:
    return (i for i, n in enumerate(shape) if n == 1 and i > 0)
