"""Random whole networks: graph, file and passes against TFLite's reference kernels, states included.

tests/fuzz/graphs.py runs them by the thousand, and their C.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.frontend.tflite import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import OpKind, Quantization
from tinyengine.ir.ops import NoAttrs
from tinyengine.passes import optimize

from tests.helpers.graphs import GraphBuilder
from tests.helpers.tflite_reference import require_tensorflow
from tests.helpers.whole_check import against_tflite, against_tflite_in_uint8
from tests.helpers.whole_graphs import ANY, FLOAT, INT8, OLD, WRITABLE, Theme, random_graph

SEEDS = st.integers(0, 1 << 30)
STEPS = st.integers(1, 8)
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("theme", [WRITABLE, INT8], ids=["writable", "int8"])
@EXAMPLES
@given(seed=SEEDS, steps=STEPS)
def test_networks_are_bit_identical_to_tflite(theme: Theme, seed: int, steps: int) -> None:
    require_tensorflow()
    assert not against_tflite(*random_graph(seed, steps, theme))


@EXAMPLES
@given(seed=SEEDS, steps=STEPS, zero=st.sampled_from([0, 61, 120, 127, 128, 157, 255]))
def test_networks_of_uint8_are_too(seed: int, steps: int, zero: int) -> None:
    require_tensorflow()
    assert not against_tflite_in_uint8(*random_graph(seed, steps, OLD), zero)


def test_a_network_of_nothing_but_its_border_keeps_it() -> None:
    """A QUANTIZE at the border belongs to whoever gives the input, unless the network has nothing else."""
    b = GraphBuilder(1, "border")
    x = b.input(1, 3, 4, 2)
    b.output(b.op(OpKind.QUANTIZE, [x], NoAttrs(), (1, 3, 4, 2), Quantization((0.03,), (5,))))
    graph = parse_tflite(tflite_bytes(b.graph))
    assert [op.kind for op in optimize(graph).operators] == [OpKind.QUANTIZE]
    assert compile_graph(graph).plan.arena_bytes > 0


def test_all_kinds_of_operators_occur() -> None:
    """But for rare ones, those of the signal library, of which only some have random cases, language models', and what
    passes and conversions make of several."""
    found = set()
    for seed in range(150):
        for theme in (ANY, FLOAT):
            found |= {op.kind for op in random_graph(seed, 6, theme)[0].operators}
    rare = {OpKind.DYNAMIC_UPDATE_SLICE, OpKind.SQUARE, OpKind.SVDF, OpKind.TABLE}
    rare |= {OpKind.LAYER_NORM, OpKind.LINEAR_ATTENTION}
    rare |= {kind for kind in OpKind if kind.name.startswith(("SIGNAL", "DETECTION", "LM_"))}
    assert set(OpKind) - found <= rare, f"missing: {sorted(set(OpKind) - found - rare)}"
