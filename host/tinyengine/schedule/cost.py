"""Estimates of time: instructions that a row operator takes beyond the layers that compute the same."""

from __future__ import annotations

from tinyengine.ir import Graph, OpKind
from tinyengine.kernels.base import KernelCall, Target
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


def extra_instructions(op: RowOp, graph: Graph, target: Target) -> int:
    """About what ``op`` costs more than its layers, each of which widens its weights once per block and fetches every
    value once."""
    batches = ceil_div(op.out_h, op.rows)
    extra = float(CALL * batches)
    for operator in op.ops:
        if operator.kind is OpKind.CONV_2D:
            extra += WIDEN * (batches - 1) * graph.tensor(operator.inputs[1]).elements
        elif operator.kind is OpKind.DEPTHWISE_CONV_2D:
            _, width, channels = op.in_shape
            extra += CHANNEL * channels * (batches - 1)
            extra += GATHER * width * channels * max(0, batches * op.window_rows - op.in_h)
    return int(extra)


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
    per_strip = float(COPY * op.window_rows * op.in_shape[1] + COPY * op.rows * op.out_shape[1])
    for row_op in op.inside:
        batches = ceil_div(row_op.out_h, row_op.rows)
        per_strip += CALL * batches
        for operator in row_op.ops:
            if operator.kind is OpKind.CONV_2D:
                per_strip += WIDEN * batches * graph.tensor(operator.inputs[1]).elements
            elif operator.kind is OpKind.DEPTHWISE_CONV_2D:
                _, rows, channels = row_op.in_shape
                per_strip += CHANNEL * channels * batches
                per_strip += GATHER * rows * channels * max(0, batches * row_op.window_rows - row_op.in_h)
    return int(strips * per_strip + MAC * recomputed_macs(op, first))
