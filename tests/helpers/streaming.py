"""Networks as streaming ones are written: windows over time that variables keep, in the ways converters write them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tinyengine.ir import OpKind
from tinyengine.ir.ops import Activation, ConcatAttrs, NoAttrs, Window

from tests.helpers.graphs import GraphBuilder


def new_rows(b: GraphBuilder, rows: int, channels: int) -> str:
    """An input of so many rows."""
    return b.input(1, rows, 1, channels)


def _state_like(b: GraphBuilder, x: str, rows: int) -> str:
    """A state of ``rows`` rows of ``x``, with its quantization; begins with values that differ."""
    shape = (1, rows, *b.shape(x)[2:])
    state = b.state(*shape, initial=b.rng.integers(-128, 128, shape).astype(np.int8))
    b.graph.tensor(state).quant = b.graph.tensor(x).quant
    return state


def joined(b: GraphBuilder, x: str, rows: int) -> str:
    """A window of ``rows`` rows that ends with ``x``: a state of the others joined with it; its end is kept."""
    new = b.shape(x)[1]
    state = _state_like(b, x, rows - new)
    window = b.concat([state, x], 1)
    shape = b.shape(window)
    b.keep(state, b.slice(window, (0, new, 0, 0), (1,) * 4, (1, rows - new, *shape[2:])))
    return window


def shortened(b: GraphBuilder, x: str, rows: int) -> str:
    """The same with the whole window as the state."""
    new = b.shape(x)[1]
    state = _state_like(b, x, rows)
    kept = b.slice(state, (0, new, 0, 0), (1,) * 4, (1, rows - new, *b.shape(state)[2:]))
    window = b.concat([kept, x], 1)
    b.keep(state, window)
    return window


def mixed(b: GraphBuilder, window: str, heights: tuple[int, ...], sizes: tuple[int, ...]) -> str:
    """MixConv: a depthwise convolution of another height for each part of the channels, which end together."""
    rows, channels = b.shape(window)[1], b.shape(window)[3]
    assert sum(sizes) == channels
    parts, begin, quant = [], 0, b.quant()
    for height, size in zip(heights, sizes, strict=True):
        part = b.slice(window, (0, 0, 0, begin), (1,) * 4, (1, rows, 1, size))
        if height < rows:
            part = b.slice(part, (0, rows - height, 0, 0), (1,) * 4, (1, height, 1, size))
        parts.append(b.depthwise(part, Window((height, 1)), quant=quant))
        begin += size
    return b.op(OpKind.CONCATENATION, parts, ConcatAttrs(3), quant=quant)


def wake_word(b: GraphBuilder) -> None:
    """Three new rows per run, convolution with stride 3, depthwise windows, one answer."""
    x = b.conv(joined(b, new_rows(b, 3, 10), 5), 8, Window((5, 1), (3, 1)), Activation.RELU)
    x = b.conv(b.depthwise(joined(b, x, 5), Window((5, 1))), 12, Window((1, 1)))
    x = b.conv(mixed(b, joined(b, x, 11), (7, 11), (5, 7)), 10, Window((1, 1)))
    window = joined(b, x, 6)
    y = b.dense(b.reshape(window, 1, 60), 1)
    b.output(y)


def whole_windows(b: GraphBuilder) -> None:
    """States that are the windows, several branches, the longest one in front of the classifier."""
    x = b.conv(shortened(b, new_rows(b, 1, 8), 5), 12, Window((5, 1)))
    one = b.conv(joined(b, b.conv(x, 6, Window((1, 1))), 3), 6, Window((3, 1)))
    quant = b.graph.tensor(one).quant
    two = b.conv(x, 6, Window((1, 1)), quant=quant)
    y = b.op(OpKind.CONCATENATION, [one, two], ConcatAttrs(3), quant=quant)
    b.output(b.dense(b.reshape(shortened(b, y, 20), 1, 240), 3))


def many_rows(b: GraphBuilder) -> None:
    """Two outputs per run: windows that move on by more than they keep, depthwise convolutions of several rows."""
    x = b.depthwise(joined(b, new_rows(b, 6, 5), 8), Window((4, 1), (2, 1)))  # 3 rows
    window = joined(b, x, 5)
    y = mixed(b, window, (5, 5), (2, 3))
    b.output(b.dense(b.reshape(y, 1, 5), 4))
    b.output(b.mean(window, (1, 2)))


def not_the_end(b: GraphBuilder) -> None:
    """What is kept is not the end of what is joined: nothing to shift, but right."""
    x = new_rows(b, 2, 4)
    state = _state_like(b, x, 4)
    window = b.concat([x, state], 1)
    b.keep(state, b.slice(window, (0, 1, 0, 0), (1,) * 4, (1, 4, 1, 4)))
    other = _state_like(b, x, 3)
    longer = b.concat([other, x], 1)
    b.keep(other, b.slice(longer, (0, 4, 0, 0), (1, -1, 1, 1), (1, 3, 1, 4)))
    b.output(b.depthwise(window, Window((6, 1))))
    b.output(b.depthwise(longer, Window((2, 1), (3, 1))))


STREAMING: list[Callable[[GraphBuilder], None]] = [wake_word, whole_windows, many_rows, not_the_end]


def random_windows(seed: int) -> GraphBuilder:
    """A chain of windows of random sizes, read by whatever reads windows, some also by an output."""
    b = GraphBuilder(seed, "windows")
    pick = b.rng.integers
    x = new_rows(b, int(pick(1, 5)), int(pick(1, 10)))
    for _ in range(int(pick(1, 4))):
        new, channels = b.shape(x)[1], b.shape(x)[3]
        rows = new + int(pick(1, 9))
        window = (joined, shortened)[int(pick(2))](b, x, rows)
        kernel, stride = int(pick(1, rows + 1)), int(pick(1, 3))
        reader = int(pick(4))
        if reader == 0:
            x = b.conv(window, int(pick(1, 9)), Window((kernel, 1), (stride, 1)))
        elif reader == 1 and channels > 1:
            cut = int(pick(1, channels))
            x = mixed(b, window, (kernel, rows), (cut, channels - cut))
        elif reader == 2:
            x = b.depthwise(window, Window((rows, 1)))
        else:
            x = b.op(OpKind.RESHAPE, [window], NoAttrs(), (1, 1, 1, rows * channels), b.graph.tensor(window).quant)
            x = b.conv(x, int(pick(1, 7)), Window((1, 1)))
        if pick(3) == 0:
            b.output(b.mean(window, (1, 2)))
    b.output(b.dense(b.reshape(x, 1, b.graph.tensor(x).elements), int(pick(1, 5))))
    return b
