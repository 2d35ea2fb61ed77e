"""What any schedule fed by rows must hold: a minimum cut.

When the first rows of a picture have arrived and the next ones have not, everything that the rest of the run needs of
them lies in memory. So every way from one of their pixels to the result passes a value that is held, whatever has been
computed by then, and however often: the values held are a vertex cut. Nothing below the smallest cut is possible, be it
by layers, rows, patches or tiles. What is held are values of pictures, a byte each; those of one pixel count together,
because what needs one channel of a cut picture needs all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.kernels.streaming.patch import window_of

PICTURES = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.ADD)
"""Operators from one picture to the next; the bound ends with the first one that is none of them."""

ENDLESS = 1 << 28


def least_held(graph: Graph, rows: int) -> int:
    """Bytes that must be held when ``rows`` rows of the only input have arrived: no cut is smaller.

    Only while the last of the pictures (see PICTURES) has no pixel yet, or is the result: else sums of it might do.
    """
    [image] = graph.input_tensors()
    pictures: dict[str, np.ndarray] = {}  # pixels' numbers
    arrives: dict[str, np.ndarray] = {}  # per pixel, the last input row that it depends on
    ways: list[tuple[np.ndarray, np.ndarray]] = []
    total = 0

    def picture(name: str) -> np.ndarray:
        nonlocal total
        height, width, _ = graph.tensor(name).hwc()
        pictures[name] = np.arange(total, total + height * width).reshape(height, width)
        total += height * width
        return pictures[name]

    arrives[image] = np.zeros_like(picture(image)) + np.arange(len(pictures[image]))[:, None]
    for op in graph.operators:
        if op.kind not in PICTURES:
            break
        y = picture(op.outputs[0])
        latest = np.zeros_like(y)
        for x in graph.activations(op):
            for source, target in _reads(op, pictures[x.name].shape, y.shape):
                ways.append((pictures[x.name][source], y[target]))
                latest[target] = np.maximum(latest[target], arrives[x.name][source])
        arrives[op.outputs[0]] = latest

    there = np.concatenate([arrives[name].ravel() for name in pictures]) < rows
    channels = np.repeat([graph.tensor(name).hwc()[2] for name in pictures], [p.size for p in pictures.values()])
    x, y = (np.concatenate([way[side].ravel() for way in ways]) for side in (0, 1))
    x, y = x[there[x]], y[there[x]]
    start, end = 2 * total, 2 * total + 1  # pixel i is the edge from 2 i to 2 i + 1
    held = np.flatnonzero(there)
    ends = (pictures[image], list(pictures.values())[-1])
    first, last = (pixels[there[pixels]] for pixels in (each.ravel() for each in ends))
    edges = [
        (2 * held, 2 * held + 1, channels[held]),
        (2 * x + 1, np.where(there[y], 2 * y, end), ENDLESS),
        (np.full_like(first, start), 2 * first, ENDLESS),
        (2 * last + 1, np.full_like(last, end), ENDLESS),
    ]
    capacities = np.concatenate([np.broadcast_to(each[2], len(each[0])) for each in edges]).astype(np.int32)
    places = tuple(np.concatenate([each[side] for each in edges]).astype(np.int32) for side in (0, 1))
    network = coo_array((capacities, places), shape=(2 * total + 2, 2 * total + 2)).tocsr()
    network.data = np.minimum(network.data, ENDLESS).astype(np.int32)  # an operator that reads a pixel twice
    return int(maximum_flow(network, start, end).flow_value)


def _reads(
    op: Operator, x: tuple[int, ...], y: tuple[int, ...]
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]:
    """For each place in the window, (rows, columns) of input pixels and of the output pixels that read them."""
    window = window_of(op)
    for place in np.ndindex(*window.kernel):
        axes = []
        for axis in (0, 1):
            out = np.arange(y[axis])
            read = out * window.stride[axis] - window.pad[2 * axis] + place[axis] * window.dilation[axis]
            inside = (read >= 0) & (read < x[axis])
            axes.append((read[inside], out[inside]))
        yield np.ix_(axes[0][0], axes[1][0]), np.ix_(axes[0][1], axes[1][1])
