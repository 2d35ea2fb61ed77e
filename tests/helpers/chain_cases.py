"""Random chains of row operators: small networks, grouped as a scheduler might group them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from tinyengine.ir import Activation, Graph, Operator, OpKind, Quantization
from tinyengine.ir.operators.unary import TABLES
from tinyengine.ir.ops import (
    Attrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    MeanAttrs,
    PoolAttrs,
    Window,
)
from tinyengine.ir.verify import verify
from tinyengine.kernels.base import KernelCall, Lowering, Target
from tinyengine.kernels.streaming.chain import chain_call
from tinyengine.kernels.streaming.patch import Patches
from tinyengine.kernels.streaming.rows import RowOp, row_op

from tests.helpers.cases import Draw, OpCase, table_output
from tests.helpers.graphs import GraphBuilder

STANDARD_DEVIATION = 74.0  # of uniform int8


@dataclass(frozen=True)
class Group:
    """Operators that become one row operator, and how it is asked for."""

    ops: tuple[Operator, ...]
    x: str
    rows: int
    consume: bool
    columns: int = 0  # of a patch: how many it makes at a time
    apart: tuple[Group, ...] = ()  # of a patch: its operators without it


@dataclass(frozen=True, eq=False)
class ChainCase(OpCase):
    """A network, of which all operators form one chain."""

    groups: list[Group] = field(default_factory=list)

    def __str__(self) -> str:
        steps = []
        for group in self.groups:
            kinds = "+".join(op.kind for op in group.ops)
            shapes = [self.graph.tensor(name).hwc() for name in (group.x, group.ops[-1].outputs[0])]
            windows = [op.attrs.window for op in group.ops if hasattr(op.attrs, "window")]
            steps.append(
                f"{kinds} {shapes} {windows} by {group.rows}{' in place' if group.consume else ''}"
                + (f" as patch, {group.columns} columns at a time" if group.columns else "")
            )
        return "; ".join(steps)

    def call(self, operators: list[Operator], graph: Graph, target: Target, lower: Lowering) -> KernelCall:
        """The chain."""
        place = {op.name: index for index, op in enumerate(self.graph.operators)}
        names: dict[str, str] = {}
        for old, new in zip(self.graph.operators, operators, strict=True):
            names |= dict(zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True))
        made: list[RowOp] = []
        waiting = [*self.groups]
        while waiting:
            group = waiting.pop(0)
            ops = [operators[place[op.name]] for op in group.ops]
            if group.columns:
                op = Patches(graph, target).patch(ops, names[group.x], group.rows, group.columns)
                if op is None and any(op.kind is OpKind.ADD for op in ops):
                    waiting[:0] = group.apart  # what is added does not fit into its strip
                    continue
            else:
                op = row_op(ops, graph, target, x=names[group.x], rows=group.rows, consume=group.consume)
                if op is None and len(group.ops) > 1 and group.ops[0].kind is OpKind.DEPTHWISE_CONV_2D:
                    waiting[:0] = one_by_one(group)  # its depthwise convolution has another kernel
                    continue
            assert op is not None, f"no row operator for {[op.kind for op in ops]}: {self}"
            made.append(op)
        return chain_call(made, graph)


def one_by_one(group: Group) -> list[Group]:
    """Its operators as groups of their own."""
    pictures = [group.x, *(op.outputs[0] for op in group.ops)]
    return [replace(group, ops=(op,), x=x, consume=False) for op, x in zip(group.ops, pictures, strict=False)]


class ChainBuilder:
    """A network that grows at its end."""

    def __init__(self, draw: Draw, size: tuple[int, int, int]) -> None:
        self.draw = draw
        self.network = GraphBuilder(name="chain")
        self.graph = self.network.graph
        self.groups: list[Group] = []
        self.end = self.network.input(1, *size, quant=Quantization((0.25,), (draw.zero(),)), name="x")
        self.value = draw.rng.integers(-128, 128, (1, *size), np.int8)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.graph.tensor(self.end).hwc()

    def op(
        self, kind: OpKind, inputs: list[str], shape: tuple[int, ...], quant: Quantization, attrs: Attrs
    ) -> Operator:
        """An operator at the end; its output is the new end."""
        self.end = self.network.op(kind, inputs, attrs, shape, quant)
        return self.graph.operators[-1]

    def weighted(self, kind: OpKind, weights: np.ndarray, axis: int, shape: tuple[int, ...], attrs: Attrs) -> Operator:
        """A convolution whose outputs spread over int8; now and then with multipliers that need the wide kernels."""
        draw, x = self.draw, self.graph.tensor(self.end)
        channels = weights.shape[axis]
        spread = STANDARD_DEVIATION * max(1.0, float(weights.std())) * np.sqrt(weights.size / channels)
        multiplier = (8000.0 if draw.integer(0, 15) == 0 else 40.0) / spread
        in_scale, out_scale = x.scale, 0.25
        scales = tuple(
            float(np.float32(multiplier * draw.scale(0.7, 1.4) * out_scale / in_scale)) for _ in range(channels)
        )
        constants = [self.network.constant(weights, Quantization(scales, (0,) * channels, axis))]
        bias = draw.rng.normal(0, spread, channels).astype(np.int32)
        bias_quant = Quantization(tuple(in_scale * s for s in scales), (0,) * channels, 0)
        constants.append(self.network.constant(bias, bias_quant))
        out = Quantization((out_scale,), (draw.one_of(-128, 0, draw.integer(-128, 127)),))
        return self.op(kind, [self.end, *constants], shape, out, attrs)

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """Over all of int8, or so small that multipliers become large."""
        size = self.draw.one_of(128, 128, 2)
        return self.draw.rng.integers(-size, size, shape, np.int8)

    def conv(self, outputs: int, window: Window) -> Operator:
        weights = self.weights((outputs, *window.kernel, self.shape[2]))
        shape = (1, *window.output_size(*self.shape[:2]), outputs)
        return self.weighted(OpKind.CONV_2D, weights, 0, shape, Conv2DAttrs(window, self.clamp()))

    def depthwise(self, window: Window) -> Operator:
        channels = self.shape[2]
        weights = self.weights((1, *window.kernel, channels))
        shape = (1, *window.output_size(*self.shape[:2]), channels)
        attrs = DepthwiseConv2DAttrs(window, 1, self.clamp())
        return self.weighted(OpKind.DEPTHWISE_CONV_2D, weights, 3, shape, attrs)

    def clamp(self) -> Activation:
        return self.draw.one_of(Activation.NONE, Activation.NONE, Activation.RELU, Activation.RELU6)

    def group(self, ops: list[Operator], x: str) -> None:
        """Close a row operator; ``consume`` only inside the chain, and where nobody adds its input again."""
        self.groups.append(
            Group(tuple(ops), x, self.draw.one_of(1, 1, 2, 3), bool(self.groups) and self.draw.one_of(True, False))
        )

    def window(self, kernels: tuple[int, ...], strides: tuple[int, ...], pooling: bool = False) -> Window:
        """SAME-like, VALID or any padding below the kernel, with at least one output."""
        draw = self.draw
        while True:
            k, stride = draw.one_of(*kernels), draw.one_of(*strides)
            same = ((k - 1) // 2, k // 2, (k - 1) // 2, k // 2)
            odd = tuple(draw.integer(0, k - 1) for _ in range(4))
            pad = draw.one_of(same, same, (0,) * 4, odd)
            window = Window((k, k), (stride, stride), (1, 1), pad)
            rows, columns = window.output_size(*self.shape[:2])
            reached = not pooling or (
                (rows - 1) * stride - pad[0] < self.shape[0] and (columns - 1) * stride - pad[2] < self.shape[1]
            )
            if rows > 0 and columns > 0 and reached:
                return window

    def finish(self) -> ChainCase:
        self.network.output(self.end)
        verify(self.graph)
        return ChainCase(self.graph, [self.value], self.groups)


Step = Callable[[ChainBuilder], None]


def stem(b: ChainBuilder) -> None:
    """A convolution with a window."""
    x = b.end
    b.group([b.conv(b.draw.integer(2, 9), b.window((2, 3, 5), (1, 2, 3)))], x)


def pointwise(b: ChainBuilder) -> None:
    x = b.end
    b.group([b.conv(b.draw.one_of(2, 8, 16, 17, b.draw.integer(2, 24)), Window((1, 1)))], x)


def depthwise(b: ChainBuilder) -> None:
    x = b.end
    b.group([b.depthwise(b.window((3, 5, 7, 2, 4), (1, 1, 2)))], x)


def block(b: ChainBuilder) -> None:
    """An inverted residual block, with the addition where shapes allow."""
    source, channels = b.end, b.shape[2]
    x = source
    if b.draw.integer(0, 4):
        b.group([b.conv(b.draw.integer(2, 30), Window((1, 1)))], x)
        x = b.end
    before = b.shape
    k = b.draw.one_of(3, 5, 7)
    same = Window((k, k), (1, 1), (1, 1), (k // 2,) * 4)
    window = b.draw.one_of(same, b.window((3, 5, 7), (1, 2)))
    ops = [b.depthwise(window)]
    add = channels > 1 and b.shape == before and b.draw.integer(0, 3) > 0 and x != source
    ops.append(b.conv(channels if add else b.draw.integer(2, 20), Window((1, 1))))
    if add:
        a = b.graph.tensor(b.end)
        scale = float(np.float32(a.scale * b.draw.scale(1.0, 2.0)))
        out = Quantization((scale,), (b.draw.integer(-20, 20),))
        inputs = b.draw.one_of([source, b.end], [b.end, source])
        if b.draw.integer(0, 3):
            ops.append(b.op(OpKind.ADD, inputs, a.shape, out, ElementwiseAttrs(b.clamp())))
            b.group(ops, x)
        else:
            b.group(ops, x)
            x = b.end
            b.group([b.op(OpKind.ADD, inputs, a.shape, out, ElementwiseAttrs(b.clamp()))], x)
    else:
        b.group(ops, x)


def pool(b: ChainBuilder) -> None:
    x, tensor = b.end, b.graph.tensor(b.end)
    kind = b.draw.one_of(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
    window = b.window((2, 3, 4), (1, 2), pooling=True)
    shape = (1, *window.output_size(*b.shape[:2]), b.shape[2])
    assert tensor.quant is not None
    b.group([b.op(kind, [x], shape, tensor.quant, PoolAttrs(window, b.clamp()))], x)


def table(b: ChainBuilder) -> None:
    x, tensor = b.end, b.graph.tensor(b.end)
    kind = b.draw.one_of(*TABLES)
    assert tensor.quant is not None
    b.group([b.op(kind, [x], tensor.shape, *table_output(b.draw, kind, tensor.quant))], x)


def average(b: ChainBuilder) -> None:
    """To a single pixel: AVERAGE_POOL_2D, MEAN, or a MEAN over rows and one over columns."""
    x, tensor = b.end, b.graph.tensor(b.end)
    height, width, channels = b.shape
    assert tensor.quant is not None
    out = Quantization((float(np.float32(tensor.scale * b.draw.scale(0.3, 1.0))),), (b.draw.integer(-60, 60),))
    way = b.draw.integer(0, 4)
    if way == 0:
        window = Window((height, width), (1, 1))
        b.group([b.op(OpKind.AVERAGE_POOL_2D, [x], (1, 1, 1, channels), tensor.quant, PoolAttrs(window))], x)
    elif way <= 2:
        shape = (1, 1, 1, channels) if way == 1 else (1, channels)
        b.group([b.op(OpKind.MEAN, [x], shape, out, MeanAttrs((1, 2), way == 1))], x)
    else:
        first, keep = (1, 2)[way - 3], b.draw.one_of(True, False)
        kept = (width, height)[way - 3]
        middle = (
            (1, 1, kept, channels) if keep and first == 1 else (1, kept, 1, channels) if keep else (1, kept, channels)
        )
        second = 2 if keep and first == 1 else 1
        ops = [b.op(OpKind.MEAN, [x], middle, out, MeanAttrs((first,), keep))]
        shape = (1, 1, 1, channels) if keep else (1, channels)
        ops.append(b.op(OpKind.MEAN, [b.end], shape, out, MeanAttrs((second,), keep)))
        b.group(ops, x)


def patch(b: ChainBuilder) -> None:
    """One to three of the steps above as one operator."""
    x, before = b.end, len(b.groups)
    for _ in range(b.draw.integer(1, 3)):
        b.draw.one_of(stem, pointwise, depthwise, block, block, table)(b)
    ops = tuple(op for group in b.groups[before:] for op in group.ops)
    apart = tuple(b.groups[before:])
    b.groups[before:] = [Group(ops, x, b.draw.one_of(1, 2, 3, 5), False, b.draw.one_of(1, 1, 2, 3), apart)]


STEPS: tuple[Step, ...] = (stem, pointwise, depthwise, block, block, block, pool, table, patch, patch, patch)


def random_chain(draw: Draw) -> ChainCase:
    """One to four steps on a small picture, which may have a single row or column; some end in one pixel."""
    side = draw.one_of((1, 5), (2, 9), (6, 15))
    builder = ChainBuilder(draw, (draw.integer(*side), draw.integer(*side), draw.integer(1, 9)))
    for _ in range(draw.integer(1, 4)):
        draw.one_of(*STEPS)(builder)
    if draw.integer(0, 2) == 0:
        average(builder)
    return builder.finish()


def random_chains(seed: int, count: int) -> list[ChainCase]:
    rng = np.random.default_rng([seed, 77])
    return [random_chain(Draw(rng)) for _ in range(count)]
