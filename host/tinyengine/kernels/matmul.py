"""BATCH_MATMUL of two activations, and LINEAR_ATTENTION, on te_matmul.h."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.operators import macs
from tinyengine.ir.operators.attention import linear_attention_params
from tinyengine.ir.operators.elementwise import matmul_requant
from tinyengine.ir.ops import LinearAttentionAttrs, MatmulAttrs
from tinyengine.ir.sums import SumRange
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, ScratchPart, Target, lowering
from tinyengine.kernels.checks import unsupported
from tinyengine.kernels.fixed import fixed_rounding
from tinyengine.kernels.loops.matmul import first_elements, steps
from tinyengine.sizes import ceil_div, round_up

HEADER = "te_matmul.h"
WORD = 4
PACKED_BYTES = {"time": 16 << 10, "sram": 1 << 10, "flash": 4 << 10}
"""Scratch memory for columns; with less, rows are packed more than once."""


def line_bytes(depth: int) -> int:
    """Of one packed line: int16, in groups of four."""
    return 8 * ceil_div(depth, 4)


def lower_matmul_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """Two rows times two columns at a time, both packed as int16; None for a single column, for constant operands, and
    where sums or the multiplier exceed the fixed-point formula."""
    assert isinstance(op.attrs, MatmulAttrs)
    operands, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    rows, columns = y.shape[-2:]
    depth = prod(operands[0].shape[-2:]) // rows
    if columns < 2 or any(tensor.is_constant for tensor in operands):
        return None
    requant = matmul_requant(graph, op)
    most = np.array([depth * _largest(operands[0]) * _largest(operands[1])])
    rounding = fixed_rounding(requant, SumRange(-most, most))
    if rounding is None or rounding.wide:
        return None
    block = min(columns, max(2, PACKED_BYTES[target.optimize] // line_bytes(depth) // 2 * 2))

    def side(tensor: Tensor, along: bool) -> dict[str, CValue]:
        line, step = steps(tensor, along)
        first = params.array(f"first_{'b' if tensor is operands[1] else 'a'}", first_elements(tensor, y), "int32")
        return {"first": first, "line": line, "step": step, "zero": tensor.zero_point}

    def pack() -> dict[str, CValue]:
        assert isinstance(op.attrs, MatmulAttrs)
        return {
            "a": side(operands[0], not op.attrs.adj_x),
            "b": side(operands[1], op.attrs.adj_y),
            "batch": prod(y.shape[:-2]),
            "rows": rows,
            "columns": columns,
            "depth": depth,
            "block": block,
            "m": int(rounding.m[0]),
            "c": int(rounding.c[0]),
            "e": int(rounding.e[0]),
        }

    start = np.array([0])
    return KernelCall(
        op,
        "te_matmul_s8",
        HEADER,
        "te_matmul_params",
        pack,
        inputs=[tensor.name for tensor in operands],
        outputs=[y.name],
        scratch_bytes=(2 + round_up(block, 2)) * line_bytes(depth),
        overlaps=(None, None),
        access=access.blocks(
            [(start, np.array([tensor.nbytes])) for tensor in operands], (start, np.array([y.nbytes]))
        ),
        macs=macs(op, graph),
        note="two rows, two columns at a time",
    )


def _largest(tensor: Tensor) -> int:
    """Magnitude of a value less the zero point."""
    return max(127 - tensor.zero_point, 128 + tensor.zero_point)


@lowering(OpKind.LINEAR_ATTENTION)
def lower_linear_attention(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Head by head; sums of keys and values in scratch memory."""
    assert isinstance(op.attrs, LinearAttentionAttrs)
    operands, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    if any(tensor.is_constant for tensor in operands):
        raise unsupported(op, graph, "has a constant operand", "feed it as an input of the network")
    p = linear_attention_params(graph, op)
    heads = op.attrs.heads
    depth = y.shape[-1] // heads
    pixels = y.elements // y.shape[-1]
    sizes = [
        (depth + 4) * line_bytes(pixels),
        depth * depth * WORD + (depth + 2) * line_bytes(depth),
        3 * depth * WORD,
    ]
    names = ("keys and values as int16", "their products", "sums of a pixel")
    start, end = np.array([0]), np.array([y.nbytes])
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return KernelCall(
        op,
        "te_linear_attention_s8",
        HEADER,
        "te_linear_attention_params",
        lambda: {
            "pixels": pixels,
            "heads": heads,
            "depth": depth,
            "value_zero": p.value_zero,
            "zero": p.zero,
            "epsilon": p.epsilon,
            "multiplier": p.multiplier,
            "shift": p.shift,
        },
        inputs=[tensor.name for tensor in operands],
        outputs=[y.name],
        scratch_bytes=starts[-1],
        scratch_parts=tuple(ScratchPart(*part) for part in zip(starts, sizes, names, strict=False)),
        overlaps=(None, None, None),
        access=access.blocks([(start, end)] * len(operands), (start, end)),
        macs=macs(op, graph),
        note=f"{heads} heads of {depth}",
    )
