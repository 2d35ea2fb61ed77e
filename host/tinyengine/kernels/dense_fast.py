"""FULLY_CONNECTED, and convolutions of a single pixel, on te_dense_fast.h."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import Conv2DAttrs
from tinyengine.ir.sums import sum_range
from tinyengine.kernels import access
from tinyengine.kernels.base import CArray, CValue, KernelCall, Target
from tinyengine.kernels.checks import require_int8
from tinyengine.kernels.conv import bias_of, channel_weights
from tinyengine.kernels.fixed import FixedRounding, words
from tinyengine.kernels.four_sums import PAIR_LIMIT, fits_halfwords, pack_quads, pair_biases, quads
from tinyengine.kernels.layer import layer_of
from tinyengine.kernels.once import once_per_graph
from tinyengine.sizes import ceil_div

HEADER = "te_dense_fast.h"
FEW_PRODUCTS = 256
"""A network whose layers all have no more is left to the generic kernel: see ``lower_dense_fast``."""


def pack_weights(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding, pairs: bool) -> np.ndarray:
    """The stream of te_dense_fast.h as uint32; ``weights`` (outputs, inputs), ``bias`` (outputs,)."""
    body = pack_quads(quads(weights.astype(np.int64)), pairs)
    missing = -len(bias) % 4
    biases = np.pad(bias.astype(np.int64), (0, missing)).reshape(-1, 4)
    if pairs:
        biases = pair_biases(biases)
    rounds = np.pad(words(*_rounding_columns(rounding)), ((0, missing), (0, 0))).reshape(len(body), -1)
    return np.concatenate([words(biases.ravel()).reshape(-1, 4), body, rounds], axis=1).ravel()


@once_per_graph
def _in_pairs(op: Operator, graph: Graph, requant: str) -> bool:
    """Whether outputs go in pairs: their sums keep 24 bits. Large multipliers are too rare for kernels of their own."""
    layer, weights = layer_of(op, graph, requant), channel_weights(op, graph)
    if layer is None or layer.rounding.wide or not fits_halfwords(quads(weights)):
        return False
    sums = sum_range(weights, layer.rounding.bias(bias_of(op, graph, len(weights))), layer.zero)
    return bool(sums.magnitude.max() < PAIR_LIMIT)


def _rounding_columns(rounding: FixedRounding) -> list[np.ndarray]:
    """Constants per output."""
    if rounding.fast:  # the formula multiplies the doubled sum: here the multiplier is doubled instead
        return [2 * rounding.m, rounding.c]
    return [rounding.m, rounding.c, rounding.e, *([rounding.l, rounding.s] if rounding.wide else [])]


def lower_dense_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """FULLY_CONNECTED, row by row; None where sums or multipliers exceed the fixed-point formulas.

    None too in networks of nothing but tiny layers, unless time is what counts: there this kernel's code, its
    constants per output and its stack are most of the memory.
    """
    x, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    if target.frugal and all(_is_tiny(other, graph) for other in graph.operators):
        return None
    call, rows = _lower(op, graph, target), x.elements // weights.shape[1]
    return call if call is None or rows == 1 else _by_rows(call, rows, *weights.shape)


ROWS = """typedef struct dense_rows_params {
    uint32_t rows;
    te_dense_fast_params dense;
} dense_rows_params;

static void dense_rows(const dense_rows_params *p, const int8_t *x, int8_t *y, void *scratch) {
    for (uint32_t i = 0; i < p->rows; i++, x += p->dense.in, y += p->dense.out)
        te_dense_fast_s8(&p->dense, x, y, scratch);
}
"""


def _by_rows(call: KernelCall, rows: int, outputs: int, inputs: int) -> KernelCall:
    """``call``, which is for a single row, once for each of ``rows``."""
    row = np.arange(rows)
    reads, writes = (row * inputs, (row + 1) * inputs), (row * outputs, (row + 1) * outputs)
    touched = access.blocks([reads], writes)
    return replace(
        call,
        function="dense_rows",
        params_type="dense_rows_params",
        pack=lambda: {"rows": rows, "dense": call.params},
        overlaps=(access.overlap(touched, 0, rows * outputs),),
        access=touched,
        macs=rows * call.macs,
        note=f"{rows} rows, {call.note}",
        code=ROWS,
    )


def _is_dense(op: Operator, graph: Graph) -> bool:
    return op.kind is OpKind.FULLY_CONNECTED and graph.tensor(op.inputs[0]).dtype == "int8"


def _is_tiny(op: Operator, graph: Graph) -> bool:
    """Whether ``op`` is a FULLY_CONNECTED of few products, or has no weights."""
    few = op.kind is OpKind.FULLY_CONNECTED and graph.tensor(op.inputs[1]).elements <= FEW_PRODUCTS
    return few or op.kind not in WEIGHTED


def lower_single_pixel(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """CONV_2D whose input and output are one pixel, without padding; None for all others."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, weights, y = (graph.tensor(name) for name in (*op.inputs[:2], op.outputs[0]))
    outputs = weights.shape[0]
    if any(op.attrs.window.pad) or weights.elements != outputs * x.elements or outputs != y.elements:
        return None
    return _lower(op, graph, target)


def _lower(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """The call on the flattened tensors."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    layer = layer_of(op, graph, target.requant)
    if layer is None:
        return None
    zero, requant, rounding = layer.zero, layer.requant, layer.rounding
    outputs = y.shape[-1]
    inputs = graph.tensor(op.inputs[1]).elements // outputs
    pairs = _in_pairs(op, graph, target.requant)
    if target.optimize == "flash":  # not two kernels
        pairs = pairs and all(
            _in_pairs(other, graph, target.requant) for other in graph.operators if _is_dense(other, graph)
        )
    variant = "fast" if rounding.fast else f"{'once' if requant.once else 'exact'}{'_wide' * rounding.wide}"
    variant += "_pairs" * pairs
    touched = access.whole(inputs, outputs)

    def pack() -> dict[str, CValue]:
        weights = channel_weights(op, graph)
        folded = rounding.bias(bias_of(op, graph, outputs) - zero * weights.sum(axis=1))
        return {
            "in": inputs,
            "out": outputs,
            "min": requant.low,
            "max": requant.high,
            "round_words": 4 * len(_rounding_columns(rounding)),
            "quads": f"te_dense_{variant}",
            "weights": CArray("weights", pack_weights(weights, folded, rounding, pairs)),
        }

    return KernelCall(
        op,
        "te_dense_fast_s8",
        HEADER,
        "te_dense_fast_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=8 * ceil_div(inputs, 4),
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=inputs * outputs,
        note=f"four outputs at a time, {variant.replace('_', ', ')}",
        requant=requant,
    )
