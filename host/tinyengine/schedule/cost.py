"""Estimates of time: instructions that a row operator takes beyond the layers that compute the same."""

from __future__ import annotations

from tinyengine.ir import Graph, OpKind
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.rows import RowOp

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
    batches = -(-op.out_h // op.rows)
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
    """About what the convolution ``small`` costs more than ``fast``, which widens its weights for more pixels at once;
    never 0, so that of two calls with the same result the one with more scratch memory counts as faster."""
    if fast.op.kind is not OpKind.CONV_2D:
        return 1
    pixels = graph.tensor(fast.output).elements // graph.tensor(fast.output).shape[3]
    blocks = [-(-pixels // int(str(call.params.get("block", pixels)))) for call in (fast, small)]
    return 1 + int(WIDEN * max(0, blocks[1] - blocks[0]) * graph.tensor(fast.op.inputs[1]).elements)
