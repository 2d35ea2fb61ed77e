"""int16 and int32 at the border, LEAKY_RELU, QUANTIZE, PAD, SOFTMAX between them: TFLite, the oracle, C."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.compiler import compile_graph
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.ops import LeakyReluAttrs, NoAttrs, PadAttrs, SoftmaxAttrs
from tinyengine.native.build import build
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder
from tests.helpers.tflite_reference import run_builtin_ref


def symmetric(scale: float) -> Quantization:
    return Quantization((float(np.float32(scale)),), (0,))


def leaky(scale: float, out_scale: float, alpha: float) -> tuple[Graph, list[np.ndarray]]:
    """Every value of int16."""
    b = GraphBuilder()
    x = b.input(1, 256, 256, dtype="int16", quant=symmetric(scale))
    attrs = LeakyReluAttrs(float(np.float32(alpha)))
    b.output(b.op(OpKind.LEAKY_RELU, [x], attrs, quant=symmetric(out_scale), dtype="int16"))
    return b.graph, [np.arange(-(1 << 15), 1 << 15).astype(np.int16).reshape(1, 256, 256)]


def quantized(dtype: str, out: str, seed: int) -> tuple[Graph, list[np.ndarray]]:
    """Random scales, random values and the extremes."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed)
    x = b.input(1, 7, 50, dtype=dtype, quant=symmetric(rng.uniform(1e-3, 1e-1)))
    quant = b.quant() if out == "int8" else symmetric(rng.uniform(1e-4, 1e-1))
    b.output(b.op(OpKind.QUANTIZE, [x], NoAttrs(), quant=quant, dtype=out))
    limits = np.iinfo(np.int16)  # of int32 too: TFLite leaves open what overflows
    values = rng.integers(limits.min, limits.max, (1, 7, 50), endpoint=True)
    values[0, 0, :3] = limits.min, limits.max, 0
    return b.graph, [values.astype(dtype)]


def padded(shape: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> tuple[Graph, list[np.ndarray]]:
    b = GraphBuilder()
    x = b.input(*shape, dtype="int16", quant=symmetric(0.01))
    b.output(b.op(OpKind.PAD, [x], PadAttrs(pads), quant=symmetric(0.01), dtype="int16"))
    return b.graph, [np.random.default_rng(3).integers(-32768, 32768, shape).astype(np.int16)]


def softmax(depth: int, scale: float, seed: int) -> tuple[Graph, list[np.ndarray]]:
    """Rows of random values, one of equal ones, one with both extremes; into int16."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder(seed)
    x = b.input(1, 9, depth, quant=Quantization((float(np.float32(scale)),), (int(rng.integers(-128, 128)),)))
    quant = Quantization((float(np.float32(1 / 65536)),), (-32768,))
    b.output(b.op(OpKind.SOFTMAX, [x], SoftmaxAttrs(1.0), quant=quant, dtype="int16"))
    values = rng.integers(-128, 128, (1, 9, depth)).astype(np.int8)
    values[0, 0] = values[0, 0, 0]
    values[0, 1, 0], values[0, 1, -1] = -128, 127
    return b.graph, [values]


def shares() -> tuple[Graph, list[np.ndarray]]:
    """What a SOFTMAX wrote, into int32."""
    b = GraphBuilder()
    x = b.input(1, 500, dtype="int16", quant=Quantization((float(np.float32(1 / 65535)),), (-32768,)))
    b.output(b.op(OpKind.QUANTIZE, [x], NoAttrs(), quant=symmetric(2 / 65535), dtype="int32"))
    return b.graph, [np.linspace(-32768, 32767, 500).astype(np.int16).reshape(1, 500)]


CASES = {
    "shares to int32": shares(),
    **{f"softmax of {n} {scale}": softmax(n, scale, n) for n in (2, 3, 400) for scale in (0.002, 0.07, 0.4)},
    "leaky, smaller": leaky(0.01, 0.02, 0.1),
    "leaky, larger": leaky(0.02, 0.0043, 0.3),
    "leaky, falling": leaky(0.01, 0.009, -0.7),
    "leaky, steep": leaky(0.01, 0.01, 1.9),
    **{f"{x} to {y} {seed}": quantized(x, y, seed) for x, y in (("int16", "int8"), ("int16", "int16"),
       ("int16", "int32"), ("int32", "int8"), ("int32", "int16")) for seed in range(4)},
    "pad": padded((1, 3, 5, 2), ((0, 0), (1, 0), (2, 3), (0, 0))),
    "pad channels": padded((1, 3, 5, 2), ((0, 0), (0, 2), (0, 0), (1, 1))),
    "pad one axis": padded((1, 9), ((0, 0), (4, 1))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_answers_as_tflite(name: str) -> None:
    graph, inputs = CASES[name]
    model = tflite_bytes(graph)
    parsed = parse_tflite(model)
    assert [p.dtype for p in parsed.outputs] == [p.dtype for p in graph.outputs]
    assert [p.quant for p in parsed.inputs + parsed.outputs] == [p.quant for p in graph.inputs + graph.outputs]
    [wanted] = run_builtin_ref(model, inputs)
    [got] = run(parsed, inputs)
    assert got.dtype == wanted.dtype and len(np.unique(got)) > 2
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ["softmax of 3 0.07", "softmax of 400 0.4", "shares to int32", "leaky, larger",
                                  "leaky, falling", "int16 to int8 1", "int16 to int32 0",
                                  "int32 to int16 2", "pad", "pad channels"])  # fmt: skip
def test_the_code_answers_as_the_oracle(name: str) -> None:
    graph, inputs = CASES[name]
    wanted = run(graph, inputs)
    for got, array in zip(build(compile_graph(graph)).run(inputs), wanted, strict=True):
        assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)
