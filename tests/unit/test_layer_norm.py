"""Layer normalization: the pass finds it among a converter's operators, and one kernel gives the bytes of all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine import native
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.ops import ElementwiseAttrs, MeanAttrs, NoAttrs
from tinyengine.passes import optimize
from tinyengine.passes.layer_norm import fuse_layer_norm
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder


def _quant(scale: float, zero: int) -> Quantization:
    return Quantization((float(np.float32(scale)),), (zero,))


def network(seed: int, shape: tuple[int, ...] = (1, 5, 12), negate: str = "island") -> Graph:
    """What TensorFlow's converter makes of LayerNormalization. ``negate``: how the mean changes its sign."""
    b = GraphBuilder(seed, "normalized")
    rng = b.rng
    scale = rng.uniform(0.02, 0.05)
    x = b.input(*shape, quant=_quant(scale, int(rng.integers(-20, 20))))
    last = len(shape) - 1
    ones = (*shape[:-1], 1)
    mean = b.op(OpKind.MEAN, [x], MeanAttrs((last,), True), ones, _quant(scale * rng.uniform(0.1, 0.9), 3))
    less = _quant(b.graph.tensor(mean).scale, -4)
    if negate == "island":
        real = b.op(OpKind.DEQUANTIZE, [mean], NoAttrs(), dtype="float32")
        negative = b.op(OpKind.NEG, [real], NoAttrs(), dtype="float32")
        negative = b.op(OpKind.QUANTIZE, [negative], NoAttrs(), quant=less)
    else:
        negative = b.op(OpKind.NEG, [mean], NoAttrs(), quant=less)
    squares = b.op(OpKind.SQUARED_DIFFERENCE, [x, mean], NoAttrs(), quant=_quant(scale * scale * 60, -128))
    variance = b.op(OpKind.MEAN, [squares], MeanAttrs((last,), True), ones, _quant(scale * scale * 25, -128))
    epsilon = b.constant(np.array(127, np.int8), _quant(4e-8, -128))
    added = b.op(OpKind.ADD, [variance, epsilon], ElementwiseAttrs(), quant=b.graph.tensor(variance).quant)
    root = b.op(OpKind.RSQRT, [added], NoAttrs(), quant=_quant(0.12 / scale / 255, -128))
    gain = b.constant(rng.integers(-20, 128, (1,) * last + shape[-1:]).astype(np.int8), _quant(0.008, -128))
    factor = b.op(OpKind.MUL, [root, gain], ElementwiseAttrs(), shape, _quant(0.2 / scale / 255, -128))
    moved = b.op(OpKind.MUL, [negative, factor], ElementwiseAttrs(), shape, _quant(0.008, 5))
    offsets = rng.integers(-128, 128, (1,) * last + shape[-1:]).astype(np.int8)
    shifts = b.constant(offsets, _quant(0.004, 9))
    offset = b.op(OpKind.ADD, [moved, shifts], ElementwiseAttrs(), shape, _quant(0.009, -8))
    scaled = b.op(OpKind.MUL, [x, factor], ElementwiseAttrs(), shape, _quant(0.03, -7))
    b.output(b.op(OpKind.ADD, [scaled, offset], ElementwiseAttrs(), shape, _quant(0.031, -6)))
    return b.graph


def values(graph: Graph, seed: int) -> list[np.ndarray]:
    """Rows of different means and deviations, and constant ones."""
    rng = np.random.default_rng(seed)
    shape = graph.tensor(graph.input_tensors()[0]).shape
    rows = (*shape[:-1], 1)
    x = rng.normal(0, 1, shape) * rng.choice([0, 5, 40, 90], rows) + rng.normal(0, 40, rows)
    return [np.clip(np.round(x), -128, 127).astype(np.int8)]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    shape=st.sampled_from([(1, 5, 12), (1, 7), (1, 3, 2, 9)]),
    negate=st.sampled_from("in"),
)
def test_the_pass_keeps_every_byte(seed: int, shape: tuple[int, ...], negate: str) -> None:
    graph = network(seed, shape, "island" if negate == "i" else "neg")
    fused = fuse_layer_norm(graph)
    assert [op.kind for op in fused.operators] == [OpKind.LAYER_NORM]
    for number in range(4):
        x = values(graph, seed + number)
        assert np.array_equal(run(graph, x), run(fused, x))


def test_one_kernel_computes_the_same() -> None:
    for seed, shape in enumerate([(1, 5, 12), (1, 3, 2, 9), (1, 40)]):
        graph = network(seed, shape)
        compiled = compile_graph(graph, CompileOptions(requant="exact"))
        assert [call.function for call in compiled.calls] == ["te_layer_norm_s8"]
        device = native.build(compiled)
        for number in range(20):
            x = values(graph, number)
            assert np.array_equal(device.run(x)[0], run(graph, x)[0])


def _used_elsewhere(graph: Graph) -> None:
    """The variance is an output too."""
    name = next(op for op in graph.operators if op.kind is OpKind.RSQRT).outputs[0]
    graph.outputs.append(type(graph.outputs[0])(name, name, "int8", graph.tensor(name).quant))


def _finer_mean(graph: Graph) -> None:
    """The mean's scale is the larger one: beyond the kernel's formula."""
    for name in ("DEQUANTIZE", "SQUARED_DIFFERENCE"):
        op = next(op for op in graph.operators if op.kind == name)
        graph.tensor(op.inputs[-1]).quant = _quant(0.5, 0)


@pytest.mark.parametrize("change", [_used_elsewhere, _finer_mean])
def test_what_it_cannot_be_stays(change) -> None:
    graph = network(3)
    change(graph)
    assert OpKind.LAYER_NORM not in {op.kind for op in fuse_layer_norm(graph).operators}
    x = values(graph, 1)
    assert all(np.array_equal(a, b) for a, b in zip(run(graph, x), run(optimize(graph), x), strict=True))
