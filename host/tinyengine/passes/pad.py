"""PAD into the window of the operator behind it."""

from __future__ import annotations

from dataclasses import replace

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import OpKind, PadAttrs, PoolAttrs, Window, WindowAttrs
from tinyengine.ir.quantize import INT8_MIN
from tinyengine.passes.rewrite import graph_pass, same_quantization


@graph_pass
def fold_pad(graph: Graph) -> None:
    """Convolutions take over rows and columns of zeros; so does a max pool where a zero can never win.

    An average pool never does: it counts the padded pixels of a PAD but not those of its own window.
    """
    for pad in graph.operators:
        if (
            not isinstance(pad.attrs, PadAttrs)
            or pad.attrs.value is not None
            or not same_quantization(graph, pad.inputs[0], pad.outputs[0])
        ):
            continue
        pads = pad.attrs.pads
        if len(pads) != 4 or pads[0] != (0, 0) or pads[3] != (0, 0):
            continue
        for reader in graph.consumers(pad.outputs[0]):
            if not isinstance(reader.attrs, WindowAttrs):
                continue
            window = _padded_window(reader.attrs, pads)
            if window is not None and _keeps_values(reader, window, graph.tensor(pad.inputs[0])):
                reader.attrs = replace(reader.attrs, window=window)
                reader.inputs = [pad.inputs[0], *reader.inputs[1:]]


def _padded_window(attrs: WindowAttrs, pads: tuple[tuple[int, int], ...]) -> Window | None:
    top, bottom, left, right = attrs.window.pad
    if isinstance(attrs, PoolAttrs) and any(attrs.window.pad):
        return None  # padded zeros compete, the pool's own padding does not: one window cannot say both
    pad = (top + pads[1][0], bottom + pads[1][1], left + pads[2][0], right + pads[2][1])
    return replace(attrs.window, pad=pad)


def _keeps_values(op: Operator, window: Window, x: Tensor) -> bool:
    if op.kind in WEIGHTED:
        return True
    if op.kind is not OpKind.MAX_POOL_2D or x.zero_point != INT8_MIN:
        return False
    # the zero point is the smallest value, so it only wins against nothing: every window must meet a real pixel
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    vertical = _meets_picture(window.kernel[0], window.stride[0], window.pad[0], x.shape[1], rows)
    return vertical and _meets_picture(window.kernel[1], window.stride[1], window.pad[2], x.shape[2], columns)


def _meets_picture(kernel: int, stride: int, before: int, size: int, count: int) -> bool:
    starts = [i * stride - before for i in range(count)]
    return all(start < size and start + kernel > 0 for start in starts)
