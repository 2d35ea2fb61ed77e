"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN, on te_pool.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import MeanAttrs, PoolAttrs
from tinyengine.ir.requant import mean_params, pool_range
from tinyengine.kernels import access, params
from tinyengine.kernels.axes import dense_strides
from tinyengine.kernels.base import Access, CValue, KernelCall, Target, lowering
from tinyengine.kernels.checks import require_image, require_int8, unsupported
from tinyengine.kernels.loops.legacy import lower_half_up
from tinyengine.kernels.loops.operators import lower_sum

HEADER = "te_pool.h"
FUNCTIONS = {OpKind.AVERAGE_POOL_2D: "te_average_pool_s8", OpKind.MAX_POOL_2D: "te_max_pool_s8"}


def require_pixels(op: Operator, graph: Graph) -> None:
    """A pool of one picture, without dilation, whose windows all meet pixels."""
    assert isinstance(op.attrs, PoolAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    require_image(op, graph, x, y)
    if window.dilation != (1, 1):
        raise unsupported(op, graph, "is dilated", "use a plain window")
    for axis in (0, 1):
        lo, hi = access.under_window(
            window.kernel[axis], window.stride[axis], 1, window.pad[2 * axis], x.shape[1 + axis], y.shape[1 + axis]
        )
        if (hi <= lo).any():
            raise unsupported(op, graph, "has windows that lie in the padding alone", "use a padding below the kernel")


@lowering(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
def lower_pool(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any window that always covers a pixel of the picture."""
    assert isinstance(op.attrs, PoolAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    require_int8(op, graph, x, y)
    require_pixels(op, graph)
    if op.attrs.half_up:
        return lower_half_up(op, graph)
    low, high = pool_range(graph, op)
    touched = access.window_access(x, y, window, channelwise=True)
    return KernelCall(
        op,
        FUNCTIONS[op.kind],
        HEADER,
        "te_pool_params",
        lambda: {"in": params.hwc(x), "out": params.hwc(y), "window": params.window(window), "min": low, "max": high},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
    )


@lowering(OpKind.MEAN)
def lower_mean(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Two runs of kept and two of averaged axes at most; a generated loop for more."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    p = mean_params(graph, op)
    kept, reduced = _runs(op, x.shape)
    if len(kept) > 2 or len(reduced) > 2:
        return lower_sum(op, graph, target)
    touched = _mean_access(kept, reduced)
    return KernelCall(
        op,
        "te_mean_s8",
        HEADER,
        "te_mean_params",
        lambda: {
            "shape": {**_pairs("keep", kept), **_pairs("reduce", reduced)},
            "in_zero": p.zero,
            "out_zero": p.requant.zero,
            "multiplier": int(p.requant.multiplier[0]),
            "shift": int(p.requant.shift[0]),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
    )


Run = tuple[int, int]  # size, stride


def _runs(op: Operator, shape: tuple[int, ...]) -> tuple[list[Run], list[Run]]:
    """Kept and averaged axes, neighbours merged, outermost first, at least two of each (filled up with size 1)."""
    assert isinstance(op.attrs, MeanAttrs)
    runs: list[tuple[bool, int, int]] = []
    for axis, (size, stride) in enumerate(zip(shape, dense_strides(shape), strict=True)):
        averaged = axis in op.attrs.axes
        if size == 1:
            continue
        if runs and runs[-1][0] == averaged:
            runs[-1] = (averaged, runs[-1][1] * size, stride)
        else:
            runs.append((averaged, size, stride))
    kept = [(size, stride) for averaged, size, stride in runs if not averaged]
    reduced = [(size, stride) for averaged, size, stride in runs if averaged]
    return [(1, 0)] * (2 - len(kept)) + kept, [(1, 0)] * (2 - len(reduced)) + reduced


def _pairs(name: str, runs: list[Run]) -> dict[str, CValue]:
    return {name: [size for size, _ in runs], f"{name}_stride": [stride for _, stride in runs]}


def _mean_access(kept: list[Run], reduced: list[Run]) -> Access:
    """One block per output: it is written when its inputs have been read."""
    (n0, s0), (n1, s1) = kept
    start = (np.arange(n0)[:, None] * s0 + np.arange(n1)[None, :] * s1).ravel()
    reach = sum((size - 1) * stride for size, stride in reduced) + 1
    outputs = np.arange(n0 * n1)
    return access.blocks([(start, start + reach)], (outputs, outputs + 1))
