"""Estimates of time: instructions that a row operator takes beyond the layers that compute the same."""

from __future__ import annotations

from tinyengine.ir import Graph, OpKind
from tinyengine.kernels.base import KernelCall
from tinyengine.kernels.streaming.chain import recomputed_macs
from tinyengine.kernels.streaming.rows import RowOp
from tinyengine.sizes import ceil_div

CALL = 150
"""Instructions to start a batch: the controller, its addresses, a kernel's prologue."""

WIDEN = 0.75
"""Instructions per weight and block of pixels: a convolution widens its weights once per block."""

GATHER = 2.0
"""Instructions per value that a depthwise convolution fetches for its window."""

CHANNEL = 200
"""Instructions per batch and channel of a depthwise convolution: its taps, its rounding, its loop."""


def extra_instructions(op: RowOp, graph: Graph) -> int:
    """About what ``op`` costs more than its layers, each of which widens its weights once per block and fetches every
    value once."""
    return int(_batches(op, graph, 1))


def _batches(op: RowOp, graph: Graph, free: int) -> float:
    """About what the batches of ``op`` cost more than the multiply-accumulates; ``free`` of them widen weights and
    prepare channels for nothing."""
    batches = ceil_div(op.out_h, op.rows)
    extra = float(CALL * batches)
    for operator in op.ops:
        if operator.kind is OpKind.CONV_2D:
            extra += WIDEN * (batches - free) * graph.tensor(operator.inputs[1]).elements
        elif operator.kind is OpKind.DEPTHWISE_CONV_2D:
            _, width, channels = op.in_shape
            extra += CHANNEL * channels * (batches - free)
            extra += GATHER * width * channels * max(0, batches * op.window_rows - op.in_h)
    return extra


def smaller_blocks(fast: KernelCall, small: KernelCall, graph: Graph) -> int:
    """About what the layer ``small`` costs more than ``fast``, which widens its weights for more pixels at once; never
    0, so that of two calls with the same result the one with more scratch memory counts as faster."""
    if small.blocks <= fast.blocks:
        return 1
    return 1 + int(WIDEN * (small.blocks - fast.blocks) * graph.tensor(fast.op.inputs[1]).elements)


MAC = 2.5
"""Instructions per multiply-accumulate that is executed again, loads and rounding included."""

COPY = 30
"""Instructions per pixel that goes into a strip or comes out of it."""


def patch_instructions(op: RowOp, first: int, graph: Graph) -> int:
    """About what the patch ``op`` costs more than its layers: its chain starts anew in each strip, each of its batches
    of columns widens weights, and the strips overlap. ``first``: rows of its first batch."""
    strips = 1 + ceil_div(op.out_h - min(first, op.out_h), op.rows)
    copied = COPY * (op.window_rows * op.in_shape[1] + op.rows * op.out_shape[1])
    per_strip = copied + sum(_batches(row_op, graph, 0) for row_op in op.inside)
    return int(strips * per_strip + MAC * recomputed_macs(op, first))
