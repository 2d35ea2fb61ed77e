"""Layer normalization: the pass finds it among a converter's operators, and one kernel gives the bytes of all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine import native
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph, OpKind
from tinyengine.passes import optimize
from tinyengine.passes.layer_norm import fuse_layer_norm
from tinyengine.reference import run

from tests.helpers.layer_norm import layer_norm, quantized, rows_of


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    shape=st.sampled_from([(1, 5, 12), (1, 7), (1, 3, 2, 9)]),
    negate=st.sampled_from("in"),
)
def test_the_pass_keeps_every_byte(seed: int, shape: tuple[int, ...], negate: str) -> None:
    graph = layer_norm(seed, shape, "island" if negate == "i" else "neg")
    fused = fuse_layer_norm(graph)
    assert [op.kind for op in fused.operators] == [OpKind.LAYER_NORM]
    for number in range(4):
        x = rows_of(graph, seed + number)
        assert np.array_equal(run(graph, x), run(fused, x))


@pytest.mark.parametrize("linear", [True, False])
def test_one_kernel_computes_the_same(linear: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not linear:  # as with scales whose sums are not linear
        monkeypatch.setattr("tinyengine.kernels.normalization.linear_constants", lambda *_: None)
    for seed, shape in enumerate([(1, 5, 12), (1, 3, 2, 9), (1, 40)]):
        graph = layer_norm(seed, shape)
        compiled = compile_graph(graph, CompileOptions(requant="exact"))
        assert [call.function for call in compiled.calls] == ["te_layer_norm_s8"]
        device = native.build(compiled)
        for number in range(20):
            x = rows_of(graph, number)
            assert np.array_equal(device.run(x)[0], run(graph, x)[0])


def _used_elsewhere(graph: Graph) -> None:
    """The variance is an output too."""
    name = next(op for op in graph.operators if op.kind is OpKind.RSQRT).outputs[0]
    graph.outputs.append(type(graph.outputs[0])(name, name, "int8", graph.tensor(name).quant))


def _finer_mean(graph: Graph) -> None:
    """The mean's scale is the larger one: beyond the kernel's formula."""
    for name in ("DEQUANTIZE", "SQUARED_DIFFERENCE"):
        op = next(op for op in graph.operators if op.kind == name)
        graph.tensor(op.inputs[-1]).quant = quantized(0.5, 0)


@pytest.mark.parametrize("change", [_used_elsewhere, _finer_mean])
def test_what_it_cannot_be_stays(change) -> None:
    graph = layer_norm(3)
    change(graph)
    assert OpKind.LAYER_NORM not in {op.kind for op in fuse_layer_norm(graph).operators}
    x = rows_of(graph, 1)
    assert all(np.array_equal(a, b) for a, b in zip(run(graph, x), run(optimize(graph), x), strict=True))
