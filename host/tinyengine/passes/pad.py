"""PAD, and edges that are repeated, into the window of the operator behind them."""

from __future__ import annotations

from dataclasses import replace

from tinyengine.ir.floating import LARGEST
from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import GatherAttrs, OpKind, PadAttrs, Window, WindowAttrs
from tinyengine.ir.quantize import INT8_MIN
from tinyengine.passes.rewrite import graph_pass, same_quantization

Pads = tuple[tuple[int, int], ...]


@graph_pass
def fold_pad(graph: Graph) -> None:
    """Convolutions take over rows and columns of zeros; so does a max pool where what is padded can never win.

    An average pool never does: it counts the padded pixels of a PAD but not those of its own window.
    """
    for pad in reversed(graph.operators):  # of two in a row the second first
        x = graph.tensor(pad.inputs[0])
        pads = _pads(pad, x)
        if not pads or not same_quantization(graph, pad.inputs[0], pad.outputs[0]):
            continue
        if len(pads) != 4 or pads[0] != (0, 0) or pads[3] != (0, 0):
            continue
        for reader in graph.consumers(pad.outputs[0]):
            if not isinstance(reader.attrs, WindowAttrs):
                continue
            window = _padded_window(reader.attrs, pads)
            if _keeps_values(reader, window, pad, x):
                reader.attrs = replace(reader.attrs, window=window)
                reader.inputs = [pad.inputs[0], *reader.inputs[1:]]


def _pads(op: Operator, x: Tensor) -> Pads:
    """What a PAD, or a GATHER that repeats the edges of a picture, puts around its input; empty for others."""
    if isinstance(op.attrs, PadAttrs):
        return op.attrs.pads
    if not isinstance(op.attrs, GatherAttrs):
        return ()
    pads = []
    for size, index in zip(x.shape, op.attrs.indices, strict=True):
        taken = tuple(range(size)) if index is None else index
        before, after = taken.count(0) - 1, taken.count(size - 1) - 1
        if size == 1 or taken != (*([0] * before), *range(size), *([size - 1] * after)):
            before, after = 0, 0
            if taken != tuple(range(size)):
                return ()
        pads.append((before, after))
    return tuple(pads)


def _padded_window(attrs: WindowAttrs, pads: Pads) -> Window:
    top, bottom, left, right = attrs.window.pad
    pad = (top + pads[1][0], bottom + pads[1][1], left + pads[2][0], right + pads[2][1])
    return replace(attrs.window, pad=pad)


def _keeps_values(op: Operator, window: Window, pad: Operator, x: Tensor) -> bool:
    if op.kind in WEIGHTED:
        return isinstance(pad.attrs, PadAttrs) and pad.attrs.value is None
    if op.kind is not OpKind.MAX_POOL_2D or not _never_wins(pad, x):
        return False
    # it only wins against nothing: every window must meet a real pixel
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    vertical = _meets_picture(window.kernel[0], window.stride[0], window.pad[0], x.shape[1], rows)
    return vertical and _meets_picture(window.kernel[1], window.stride[1], window.pad[2], x.shape[2], columns)


def _never_wins(pad: Operator, x: Tensor) -> bool:
    """Whether no pixel is smaller; or the edges come again, which windows that reach beyond them have in any case."""
    if not isinstance(pad.attrs, PadAttrs):
        return True
    if x.dtype == "float32":
        return pad.attrs.value is not None and pad.attrs.value <= -LARGEST
    return (x.zero_point if pad.attrs.value is None else pad.attrs.value) == INT8_MIN


def _meets_picture(kernel: int, stride: int, before: int, size: int, count: int) -> bool:
    starts = [i * stride - before for i in range(count)]
    return all(start < size and start + kernel > 0 for start in starts)
