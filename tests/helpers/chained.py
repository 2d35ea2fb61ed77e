"""Small networks that chains of row operators can compute, and schedules through them chosen by lot."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Activation, Window
from tinyengine.schedule.patched import Patched
from tinyengine.schedule.space import NEVER, Option, Space
from tinyengine.sizes import ceil_div

from tests.helpers.graphs import GraphBuilder


def window(kernel: int, stride: int, height: int, width: int, same: bool) -> Window:
    """A square window, padded as TFLite does for SAME, or not at all."""

    def pads(size: int) -> tuple[int, int]:
        total = max((ceil_div(size, stride) - 1) * stride + kernel - size, 0) if same else 0
        return total // 2, total - total // 2

    return Window((kernel, kernel), (stride, stride), pad=(*pads(height), *pads(width)))


def random_network(seed: int, blocks: int = 3) -> Graph:
    """A stem, inverted residual blocks of all kinds, sometimes a second output or a squeeze-and-excitation, a head.

    Heights and widths differ and are mostly odd; kernels 3, 5, 7, strides 1, 2, 3, SAME and VALID.
    """
    b = GraphBuilder(seed, f"chained_{seed}")
    rng = b.rng
    height, width = (int(v) for v in rng.integers(9, 22, 2))

    def reach(x: str, kernel: int) -> int:
        """A kernel that the picture has room for."""
        return min(kernel, *(size - (size + 1) % 2 for size in b.shape(x)[1:3]))

    def near(x: str, kernel: int, stride: int, same: bool) -> Window:
        return window(reach(x, kernel), stride, *b.shape(x)[1:3], same)

    x = b.input(1, height, width, int(rng.choice([1, 3, 4])))
    if rng.random() < 0.8:
        x = b.conv(x, int(rng.integers(4, 9)), near(x, 3, int(rng.integers(1, 3)), bool(rng.integers(0, 2))))
    for _ in range(blocks):
        start, channels = x, b.shape(x)[3]
        stride = int(rng.choice([1, 1, 1, 2, 3]))
        if rng.random() < 0.8:
            x = b.conv(x, channels * int(rng.integers(2, 5)), Window((1, 1)), Activation.RELU6)
        kernel, same = int(rng.choice([3, 5, 7])), bool(rng.integers(0, 4))
        x = b.depthwise(x, near(x, kernel, stride, same), activation=Activation.RELU)
        if rng.random() < 0.15:
            gate = b.logistic(b.conv(b.mean(x, (1, 2), keep=True), b.shape(x)[3], Window((1, 1))))
            x = b.binary(OpKind.MUL, x, gate)
        if rng.random() < 0.2:
            x = b.hard_swish(x)
        residual = b.shape(x)[1:3] == b.shape(start)[1:3] and rng.random() < 0.8
        x = b.conv(x, channels if residual else int(rng.integers(4, 12)), Window((1, 1)))
        if residual:
            x = b.binary(OpKind.ADD, *((x, start) if rng.random() < 0.7 else (start, x)))
        if rng.random() < 0.1:
            b.output(x)
    head = rng.random()
    if head < 0.3:
        x = b.pool(OpKind.AVERAGE_POOL_2D if head < 0.15 else OpKind.MAX_POOL_2D, x, near(x, 3, 2, True))
    if head < 0.7:
        x = b.dense(b.mean(x, (1, 2)), 5)
    b.output(x)
    return b.graph


def random_path(space: Space, rng: np.random.Generator, patches: bool = False) -> list[Option]:
    """Stages from the first operator to the last, each chosen by lot: chains more often than layers, and with
    ``patches`` those with patches as often as those without."""
    position, path = 0, []
    patched = Patched(space, NEVER)
    while position < space.size:
        options = list(space.options(position, NEVER))
        chains = [option for option in options if option.ops]
        chosen = chains if chains and rng.random() < 0.9 else options
        again = [o for o in patched.options(position, NEVER, NEVER) if o.recomputed] if patches else []
        chosen = again if again and rng.random() < 0.5 else chosen
        path.append(chosen[int(rng.integers(len(chosen)))])
        position = path[-1].stop
    return path
