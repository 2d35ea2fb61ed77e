"""ReLU linear attention: its integers against the formula, its operator in files, converters' chains that become it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.operators import total_macs
from tinyengine.ir.ops import (
    ElementwiseAttrs,
    LinearAttentionAttrs,
    MatmulAttrs,
    MeanAttrs,
    NoAttrs,
    TransposeAttrs,
    Window,
)
from tinyengine.ir.verify import verify
from tinyengine.reference import run
from tinyengine.zoo.arch_file import load_architecture, save_architecture
from tinyengine.zoo.table import Attention, attention_macs, convolutions, find, macs, parse_blocks

from tests.helpers.graphs import GraphBuilder

EPSILON = 1.0


def attention(
    shape: tuple[int, int, int, int], heads: int, scales: tuple[float, float, float, float], zeros: tuple[int, ...]
) -> Graph:
    """A network of one operator; ``scales`` and ``zeros`` of queries, keys, values and output."""
    b = GraphBuilder(0, "attention")
    quants = [Quantization((scale,), (zero,)) for scale, zero in zip(scales, zeros, strict=True)]
    names = [b.input(*shape, quant=quant) for quant in quants[:3]]
    b.output(b.op(OpKind.LINEAR_ATTENTION, names, LinearAttentionAttrs(heads, EPSILON), shape, quants[3]))
    return b.graph


def formula(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int) -> np.ndarray:
    """In float64."""
    parts = [x.reshape(-1, heads, x.shape[3] // heads) for x in (q, k, v)]
    numerator = np.einsum("nhd,mhd,mhe->nhe", *parts)
    divisor = np.einsum("nhd,mhd->nh", *parts[:2])[..., None] + EPSILON
    return (numerator / divisor).reshape(q.shape)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    rows=st.integers(1, 12),
    heads=st.integers(1, 3),
    depth=st.sampled_from([2, 4, 6, 8, 16]),
    sparse=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
)
def test_integers_are_near_the_formula(seed: int, rows: int, heads: int, depth: int, sparse: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, rows, 7, heads * depth)
    scales = (0.02, 0.03, 0.05, 0.04)
    zeros = (-128, -128, int(rng.integers(-128, 128)), int(rng.integers(-60, 60)))
    graph = attention(shape, heads, scales, zeros)
    values = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(3)]
    for value in values[:2]:
        value[rng.random(shape) < sparse] = -128
    real = [s * (x.astype(np.float64) - z) for x, s, z in zip(values, scales, zeros, strict=False)]
    expected = np.clip(formula(*real, heads) / scales[3] + zeros[3], -128, 127)
    [found] = run(graph, values)
    # the sums of keys and values keep 16 bits of the largest: half a unit each, weighted by the query
    q, k, v = (np.int64(x.reshape(-1, heads, depth)) - z for x, z in zip(values, zeros, strict=False))
    bits = [int(np.abs(k[:, h].T @ v[:, h]).max()).bit_length() for h in range(heads)]
    halves = np.array([2.0 ** max(b - 15, 0) / 2 for b in bits])
    divisors = np.einsum("nhd,hd->nh", q, k.sum(axis=0)) + EPSILON / (scales[0] * scales[1])
    lost = (halves * q.sum(axis=2) / divisors * scales[2] / scales[3])[..., None]
    error = np.abs(found - expected).reshape(-1, heads, depth)
    assert (error <= 0.6 + lost).all()
    assert sparse == 0.95 or lost.max(initial=0) < 0.3


def test_nothing_in_common_is_no_division_by_zero() -> None:
    graph = attention((1, 2, 2, 4), 1, (0.02, 0.02, 0.05, 0.05), (-128, -128, 3, 7))
    nothing, values = np.full((1, 2, 2, 4), -128, np.int8), np.full((1, 2, 2, 4), 100, np.int8)
    [found] = run(graph, [nothing, nothing, values])
    assert (found == 7).all()


def test_a_file_keeps_the_operator() -> None:
    graph = attention((1, 3, 5, 12), 2, (0.02, 0.03, 0.05, 0.04), (-128, -128, 3, -4))
    again = parse_tflite(tflite_bytes(graph), "again")
    [before], [after] = graph.operators, again.operators
    assert (after.kind, after.attrs) == (before.kind, before.attrs)
    rng = np.random.default_rng(3)
    values = [rng.integers(-128, 128, (1, 3, 5, 12)).astype(np.int8) for _ in range(3)]
    assert np.array_equal(run(graph, values), run(again, values))
    assert total_macs(again) == 2 * 15 * 12 * (6 + 1)


@pytest.mark.parametrize(
    ("shape", "heads", "scales", "zeros", "text"),
    [
        ((1, 2, 2, 6), 2, (0.02, 0.02, 0.1, 0.1), (-128, -128, 0, 0), "heads of an odd number of channels"),
        ((1, 2, 2, 4), 1, (0.02, 0.02, 0.1, 0.1), (-128, -127, 0, 0), "queries or keys that may be negative"),
        (
            (1, 200, 200, 4),
            1,
            (0.02, 0.02, 0.1, 0.1),
            (-128, -128, 0, 0),
            "so many products that 32 bits overflow",
        ),
        ((1, 2, 2, 4), 1, (0.02, 0.02, 0.1, 0.0001), (-128, -128, 0, 0), "scales that are too different"),
    ],
)
def test_what_32_bits_do_not_hold_is_refused(
    shape: tuple[int, int, int, int], heads: int, scales: tuple[float, ...], zeros: tuple[int, ...], text: str
) -> None:
    with pytest.raises(ModelError, match=text):
        verify(attention(shape, heads, scales, zeros))  # type: ignore[arg-type]


def chain(heads: int, depth: int, negative: bool = False) -> Graph:
    """What TensorFlow's converter makes of the formula, with scales that spoil it in 8 bits."""
    b = GraphBuilder(1, "chain")
    width, pixels, zero = heads * depth, 12, -128
    sums, products = Quantization((2.0,), (-128,)), Quantization((1.5,), (-20,))
    x = b.input(1, 3, 4, 8)
    quants = [Quantization((0.0235,), (5 if negative else zero,)), Quantization((0.02,), (zero,)), b.quant()]
    projected = [b.conv(x, width, Window((1, 1))) for _ in quants]
    for name, quant in zip(projected, quants, strict=True):
        b.graph.tensor(name).quant = quant

    def heads_of(name: str, perm: tuple[int, ...]) -> str:
        split = b.op(OpKind.RESHAPE, [name], NoAttrs(), (1, pixels, heads, depth), b.graph.tensor(name).quant)
        return b.op(OpKind.TRANSPOSE, [split], TransposeAttrs(perm), quant=b.graph.tensor(name).quant)

    q, v = heads_of(projected[0], (0, 2, 1, 3)), heads_of(projected[2], (0, 2, 1, 3))
    k = heads_of(projected[1], (0, 2, 3, 1))
    total = b.op(OpKind.SUM, [k], MeanAttrs((3,), True), quant=sums)
    divisor = b.op(OpKind.BATCH_MATMUL, [q, total], MatmulAttrs(), quant=Quantization((5.0,), (-128,)))
    one = b.constant(np.array(127, np.int8), Quantization((1 / 255,), (-128,)))
    divisor = b.op(OpKind.ADD, [divisor, one], ElementwiseAttrs(), quant=b.graph.tensor(divisor).quant)
    mixed = b.op(OpKind.BATCH_MATMUL, [k, v], MatmulAttrs(), quant=products)
    mixed = b.op(OpKind.BATCH_MATMUL, [q, mixed], MatmulAttrs(), quant=Quantization((11.0,), (-40,)))
    out = Quantization((float(np.float32(0.012)),), (-33,))
    y = b.op(OpKind.DIV, [mixed, divisor], ElementwiseAttrs(), quant=out)
    y = b.op(OpKind.TRANSPOSE, [y], TransposeAttrs((0, 2, 1, 3)), quant=out)
    b.output(b.op(OpKind.RESHAPE, [y], NoAttrs(), (1, 3, 4, width), out))
    return b.graph


@pytest.mark.parametrize(("heads", "depth"), [(1, 4), (2, 4), (3, 2)])
def test_a_chain_of_tflites_operators_becomes_one(heads: int, depth: int) -> None:
    from tinyengine.convert.linear_attention import fuse_linear_attention

    graph = chain(heads, depth)
    fused = parse_tflite(fuse_linear_attention(tflite_bytes(graph)), "fused")
    [op] = [op for op in fused.operators if op.kind is not OpKind.CONV_2D]
    assert op.kind is OpKind.LINEAR_ATTENTION and isinstance(op.attrs, LinearAttentionAttrs)
    assert op.attrs.heads == heads and op.attrs.epsilon == pytest.approx(1.0)
    order = [fused.producer(name) for name in op.inputs]
    assert [fused.operators.index(producer) for producer in order if producer] == [0, 1, 2]
    assert fused.outputs[0].quant == graph.outputs[0].quant


def test_other_quotients_stay() -> None:
    from tinyengine.convert.linear_attention import fuse_linear_attention

    b = GraphBuilder(1, "quotient")
    x = b.input(1, 3, 4, 8)
    b.output(b.op(OpKind.DIV, [b.conv(x, 8, Window((1, 1))), b.conv(x, 8, Window((1, 1)))], ElementwiseAttrs()))
    content = tflite_bytes(b.graph)
    assert fuse_linear_attention(content) == content


def test_keys_that_may_be_negative_are_no_relu_attention() -> None:
    from tinyengine.convert.linear_attention import fuse_linear_attention

    with pytest.raises(ModelError, match="put a RELU behind both"):
        fuse_linear_attention(tflite_bytes(chain(2, 4, negative=True)))


def test_attention_in_the_table() -> None:
    assert parse_blocks("e1c8k3 a2d16")[1:] == (Attention(2, 16),)
    network = find("efficientvit-tiny")
    sizes = {layer.name: layer for layer in convolutions(network)}
    assert sizes["block5_query"].out_channels == 16 and sizes["block8_project"].in_channels == 32
    assert attention_macs(network) == 2 * 100 * 16 * 17 + 3 * 2 * 25 * 32 * 17
    assert abs(macs(network) / macs(find("person-tiny")) - 1) < 0.02


def test_an_architecture_file_keeps_attention(tmp_path: Path) -> None:
    path = tmp_path / "arch.json"
    save_architecture(find("efficientvit-tiny"), path, {})
    assert load_architecture(path).blocks == find("efficientvit-tiny").blocks


def test_both_engines_compute_the_same_attention() -> None:
    pytest.importorskip("tensorflow")
    torch = pytest.importorskip("torch")
    import keras
    from tinyengine.recipes.torch_network import linear_attention as _attention
    from tinyengine.zoo.build import linear_attention

    rng = np.random.default_rng(0)
    values = [rng.random((2, 3, 5, 12)).astype(np.float32) for _ in range(3)]
    inputs = [keras.Input((3, 5, 12)) for _ in values]
    ours = keras.Model(inputs, linear_attention(*inputs, 3))(values).numpy()
    theirs = _attention(*[torch.tensor(value).permute(0, 3, 1, 2) for value in values], 3).permute(0, 2, 3, 1).numpy()
    assert np.allclose(ours, theirs, atol=1e-5)
    assert np.allclose(ours[:1], formula(*[value[:1] for value in values], 3), atol=1e-5)


def test_int8_files_do_not_tell_queries_from_keys(tmp_path: Path) -> None:
    from tinyengine.recipes.start import begin

    path = tmp_path / "network.tflite"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"queries .* keys: start with the run's best\.npz"):
        begin(None, find("efficientvit-tiny"), path, np.zeros((1, 80, 80, 3), np.uint8))
