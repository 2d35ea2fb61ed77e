"""Hand-made graphs for tests of the host side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, Operator, OpKind, Port, Quantization, State, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    Attrs,
    ConcatAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    MeanAttrs,
    NoAttrs,
    PadAttrs,
    PoolAttrs,
    ResizeAttrs,
    SoftmaxAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
    Window,
)
from tinyengine.ir.ports import dequantize_array, requantize_array

Shape = tuple[int, ...]


class GraphBuilder:
    """Builds a graph operator by operator; every method returns the name of the tensor it makes.

    Scales, zero points and constants come from a seeded generator, scaled so that outputs use their range.
    """

    def __init__(self, seed: int = 0, name: str = "net") -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = Graph(name)

    # --- tensors ---

    def quant(self, dtype: str = "int8", low: float = 0.01, high: float = 0.2) -> Quantization:
        """A random per-tensor quantization; scales are exact float32 values as in a file. int16 is symmetric."""
        if dtype == "int16":
            return Quantization((float(np.float32(self.rng.uniform(low, high) / 256)),), (0,))
        zero = int(self.rng.choice([-128, 127, 0, int(self.rng.integers(-128, 128))]))
        return Quantization((float(np.float32(self.rng.uniform(low, high))),), (zero,))

    def tensor(
        self,
        shape: Shape,
        dtype: str = "int8",
        quant: Quantization | None = None,
        name: str | None = None,
        data: np.ndarray | None = None,
    ) -> str:
        """With ``data`` it is a constant; ``name`` is made up where it is not given."""
        name = name or f"t{len(self.graph.tensors)}"
        if quant is None and dtype != "float32":
            quant = self.quant(dtype)
        self.graph.tensors[name] = Tensor(name, shape, dtype, quant, data)
        return name

    def constant(self, data: np.ndarray, quant: Quantization | None = None, name: str | None = None) -> str:
        return self.tensor(data.shape, data.dtype.name, quant, name, data)

    def random_constant(self, *shape: int) -> str:
        """Random int8 activations known at compile time."""
        quant = self.quant()
        return self.constant(self.rng.integers(-128, 128, shape).astype(np.int8), quant)

    def input(
        self, *shape: int, dtype: str = "int8", quant: Quantization | None = None, name: str | None = None
    ) -> str:
        name = self.tensor(shape, dtype, quant, name)
        tensor = self.graph.tensor(name)
        self.graph.inputs.append(Port(name, name, dtype, tensor.quant))
        return name

    def state(self, *shape: int, initial: int | np.ndarray = 0) -> str:
        """A state that stays what it is until :meth:`keep` gives it a next value."""
        name = self.tensor(shape)
        values = np.broadcast_to(np.asarray(initial, np.int8), shape).copy()
        self.graph.states.append(State(name, name, values))
        return name

    def keep(self, state: str, update: str) -> None:
        """What the next run finds in ``state``."""
        self.graph.states = [replace(s, update=update) if s.tensor == state else s for s in self.graph.states]

    def output(self, name: str) -> str:
        tensor = self.graph.tensor(name)
        self.graph.outputs.append(Port(name, name, tensor.dtype, tensor.quant))
        return name

    def shape(self, name: str) -> Shape:
        return self.graph.tensor(name).shape

    def dtype(self, name: str) -> str:
        return self.graph.tensor(name).dtype

    def op(
        self,
        kind: OpKind,
        inputs: list[str],
        attrs: Attrs,
        shape: Shape | None = None,
        quant: Quantization | None = None,
        dtype: str = "int8",
        name: str | None = None,
    ) -> str:
        """Append an operator; the shape is inferred unless given. ``name``: of its output."""
        op = Operator(kind, f"{kind.lower()}_{len(self.graph.operators)}", inputs, [""], attrs)
        tensors = [self.graph.tensor(x) for x in inputs]
        [inferred] = DEFINITIONS[kind].infer(attrs, tensors, [(0,) if shape is None else shape])
        name = self.tensor(inferred, dtype, quant, name)
        op.outputs = [name]
        self.graph.operators.append(op)
        return name

    # --- operators ---

    def _weights(
        self, x: str, shape: Shape, axis: int, per_channel: bool, taps: int, sums: str | None = None
    ) -> tuple[list[str], Quantization]:
        """(weights, bias) and an output quantization that the sums will fill. ``sums``: type of the biases."""
        channels = shape[axis]
        scales = self.rng.uniform(0.002, 0.02, channels if per_channel else 1).astype(np.float32)
        zeros = (0,) * len(scales)
        weights, bias = f"w{len(self.graph.tensors)}", f"b{len(self.graph.tensors)}"
        quant = Quantization(tuple(scales.tolist()), zeros, axis if per_channel and channels > 1 else None)
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        x_scale = np.float32(self.graph.tensor(x).scale)
        bias_scales = Quantization(tuple((scales * x_scale).tolist()), zeros, 0 if quant.per_channel else None)
        wide = self.dtype(x) == "int16"
        biases = self.rng.integers(-3000, 3000, channels) * (256 if wide else 1)
        self.constant(data, quant, weights)
        self.constant(biases.astype(sums or ("int64" if wide else "int32")), bias_scales, bias)
        typical = float(scales.mean()) * 73 * float(x_scale) * 73 * taps**0.5
        zero = 0 if wide else int(self.rng.integers(-128, 128))
        return [weights, bias], Quantization((float(np.float32(typical / 50)),), (zero,))

    def conv(
        self,
        x: str,
        channels: int,
        window: Window,
        activation: Activation = Activation.NONE,
        per_channel: bool = True,
        quant: Quantization | None = None,
        groups: int = 1,
        sums: str | None = None,
    ) -> str:
        depth = self.shape(x)[3] // groups
        shape = (channels, *window.kernel, depth)
        taps = window.kernel[0] * window.kernel[1] * depth
        constants, typical = self._weights(x, shape, 0, per_channel, taps, sums)
        attrs = Conv2DAttrs(window, activation, groups)
        return self.op(OpKind.CONV_2D, [x, *constants], attrs, quant=quant or typical, dtype=self.dtype(x))

    def depthwise(
        self,
        x: str,
        window: Window,
        multiplier: int = 1,
        activation: Activation = Activation.NONE,
        per_channel: bool = True,
        quant: Quantization | None = None,
    ) -> str:
        shape = (1, *window.kernel, self.shape(x)[3] * multiplier)
        constants, typical = self._weights(x, shape, 3, per_channel, window.kernel[0] * window.kernel[1])
        attrs = DepthwiseConv2DAttrs(window, multiplier, activation)
        return self.op(OpKind.DEPTHWISE_CONV_2D, [x, *constants], attrs, quant=quant or typical, dtype=self.dtype(x))

    def dense(
        self,
        x: str,
        outputs: int,
        activation: Activation = Activation.NONE,
        per_channel: bool = False,
        sums: str | None = None,
    ) -> str:
        inputs = self.graph.tensor(x).elements
        constants, quant = self._weights(x, (outputs, inputs), 0, per_channel, inputs, sums)
        attrs = FullyConnectedAttrs(activation)
        return self.op(OpKind.FULLY_CONNECTED, [x, *constants], attrs, quant=quant, dtype=self.dtype(x))

    def binary(self, kind: OpKind, a: str, b: str, activation: Activation = Activation.NONE) -> str:
        sa, sb = self.graph.tensor(a).scale, self.graph.tensor(b).scale
        dtype = self.dtype(a)
        scale = sa * sb * (60 if dtype == "int8" else 15000) if kind is OpKind.MUL else (sa + sb) * 0.8
        scale = float(np.float32(scale * self.rng.uniform(0.6, 1.5)))
        quant = Quantization((scale,), self.quant(dtype).zero_point)
        return self.op(kind, [a, b], ElementwiseAttrs(activation), quant=quant, dtype=dtype)

    def pool(self, kind: OpKind, x: str, window: Window, activation: Activation = Activation.NONE) -> str:
        quant = self.graph.tensor(x).quant
        return self.op(kind, [x], PoolAttrs(window, activation), quant=quant, dtype=self.dtype(x))

    def mean(self, x: str, axes: tuple[int, ...], keep: bool = False, same: bool = False) -> str:
        quant = self.graph.tensor(x).quant if same else self.quant(self.dtype(x))
        return self.op(OpKind.MEAN, [x], MeanAttrs(axes, keep), quant=quant, dtype=self.dtype(x))

    def pad(self, x: str, pads: tuple[tuple[int, int], ...]) -> str:
        quant = self.graph.tensor(x).quant
        return self.op(OpKind.PAD, [x], PadAttrs(pads), quant=quant, dtype=self.dtype(x))

    def transpose(self, x: str, *perm: int) -> str:
        quant = self.graph.tensor(x).quant
        return self.op(OpKind.TRANSPOSE, [x], TransposeAttrs(perm), quant=quant, dtype=self.dtype(x))

    def reshape(self, x: str, *shape: int) -> str:
        return self.op(OpKind.RESHAPE, [x], NoAttrs(), shape, self.graph.tensor(x).quant, self.dtype(x))

    def concat(self, xs: list[str], axis: int) -> str:
        quant = self.graph.tensor(xs[0]).quant
        return self.op(OpKind.CONCATENATION, xs, ConcatAttrs(axis), quant=quant, dtype=self.dtype(xs[0]))

    def resize(self, x: str, height: int, width: int, align: bool = False, half: bool = False) -> str:
        shape = (1, height, width, self.shape(x)[3])
        quant = self.graph.tensor(x).quant
        return self.op(OpKind.RESIZE_NEAREST_NEIGHBOR, [x], ResizeAttrs(align, half), shape, quant)

    def slice(self, x: str, begin: Shape, stride: Shape, count: Shape, shape: Shape | None = None) -> str:
        attrs = StridedSliceAttrs(begin, stride, count)
        return self.op(OpKind.STRIDED_SLICE, [x], attrs, shape, self.graph.tensor(x).quant)

    def softmax(self, x: str, beta: float = 1.0) -> str:
        return self.op(OpKind.SOFTMAX, [x], SoftmaxAttrs(beta), quant=self._unit(x), dtype=self.dtype(x))

    def logistic(self, x: str) -> str:
        return self.op(OpKind.LOGISTIC, [x], NoAttrs(), quant=self._unit(x), dtype=self.dtype(x))

    def tanh(self, x: str) -> str:
        """Of int16."""
        return self.op(OpKind.TANH, [x], NoAttrs(), quant=self._unit(x), dtype=self.dtype(x))

    def _unit(self, x: str) -> Quantization:
        """What holds numbers from 0 to 1, of int16 from -1."""
        return Quantization((1 / 32768,), (0,)) if self.dtype(x) == "int16" else Quantization((1 / 256,), (-128,))

    def hard_swish(self, x: str) -> str:
        scale = self.graph.tensor(x).scale * float(self.rng.uniform(0.6, 1.2))
        quant = Quantization((float(np.float32(scale)),), self.quant().zero_point)
        return self.op(OpKind.HARD_SWISH, [x], NoAttrs(), quant=quant)

    def relu(self, x: str, activation: Activation = Activation.RELU, same: bool = False) -> str:
        quant = self.graph.tensor(x).quant if same else self.quant(self.dtype(x))
        return self.op(OpKind.RELU, [x], ActivationAttrs(activation), quant=quant, dtype=self.dtype(x))

    def quantize(self, x: str, dtype: str = "int8", quant: Quantization | None = None) -> str:
        return self.op(OpKind.QUANTIZE, [x], NoAttrs(), quant=quant or self.quant(dtype), dtype=dtype)

    def dequantize(self, x: str) -> str:
        return self.op(OpKind.DEQUANTIZE, [x], NoAttrs(), dtype="float32")


def random_inputs(graph: Graph, seed: int) -> list[np.ndarray]:
    """One array per input of the dtype of its tensor, over the whole range."""
    rng = np.random.default_rng(seed)
    arrays = []
    for name in graph.input_tensors():
        tensor = graph.tensor(name)
        if tensor.dtype == "float32":
            arrays.append(rng.normal(0, 4, tensor.shape).astype(np.float32))
        else:
            info = np.iinfo(tensor.dtype)
            arrays.append(rng.integers(info.min, info.max + 1, tensor.shape).astype(tensor.dtype))
    return arrays


def block_network(seed: int = 3, side: int = 12) -> Graph:
    """Stem, one inverted residual block, one that halves the picture."""
    b = GraphBuilder(seed, "blocks")
    same = Window((3, 3), pad=(1, 1, 1, 1))
    x = b.conv(b.input(1, 2 * side, 2 * side, 3), 8, Window((3, 3), (2, 2), pad=(0, 1, 0, 1)))
    y = b.conv(b.depthwise(b.conv(x, 32, Window((1, 1))), same), 8, Window((1, 1)))
    x = b.binary(OpKind.ADD, y, x)
    b.output(
        b.conv(b.depthwise(b.conv(x, 24, Window((1, 1))), Window((3, 3), (2, 2), pad=(0, 1, 0, 1))), 12, Window((1, 1)))
    )
    return b.graph


def small_graph(name: str = "small", label: str = "x") -> Graph:
    """x -> 3x3 convolution -> + x -> reshape, 6x5x4."""
    rng = np.random.default_rng(1)
    quant = Quantization((0.05,), (3,))
    shape = (1, 6, 5, 4)
    graph = Graph(name)
    for tensor in (
        Tensor(label, shape, quant=quant),
        Tensor("w", (4, 3, 3, 4), quant=Quantization((0.01,) * 4, (0,) * 4, axis=0)),
        Tensor("b", (4,), "int32", Quantization((0.0005,) * 4, (0,) * 4, axis=0)),
        Tensor("c", shape, quant=Quantization((0.1,), (-7,))),
        Tensor("sum", shape, quant=Quantization((0.12,), (0,))),
        Tensor("flat", (1, 120), quant=Quantization((0.12,), (0,))),
    ):
        graph.tensors[tensor.name] = tensor
    graph.tensor("w").data = rng.integers(-127, 128, (4, 3, 3, 4)).astype(np.int8)
    graph.tensor("b").data = rng.integers(-500, 500, 4).astype(np.int32)
    window = Window((3, 3), pad=(1, 1, 1, 1))
    graph.operators = [
        Operator(OpKind.CONV_2D, f"conv of {label}", [label, "w", "b"], ["c"], Conv2DAttrs(window)),
        Operator(OpKind.ADD, "add", ["c", label], ["sum"], ElementwiseAttrs()),
        Operator(OpKind.RESHAPE, "flatten", ["sum"], ["flat"], NoAttrs()),
    ]
    graph.inputs = [Port(label, label, "int8", quant)]
    graph.outputs = [Port("flat", "flat", "int8", graph.tensor("flat").quant)]
    return graph


def to_outside(graph: Graph, port: Port, values: np.ndarray) -> np.ndarray:
    """Values of an output's tensor as its port shows them."""
    tensor = graph.tensor(port.tensor)
    if port.dtype == tensor.dtype:
        return values
    assert tensor.quant is not None
    if port.dtype == "float32":
        return dequantize_array(values, tensor.quant)
    assert port.quant is not None
    return requantize_array(values, tensor.quant, port.quant, port.dtype)
