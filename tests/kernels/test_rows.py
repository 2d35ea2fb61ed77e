"""Chains of row operators against the oracle: random small networks, computed row by row in rings of the least rows."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Target
from tinyengine.kernels.streaming.rows import row_op
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import needs
from tests.helpers.batch import build_batch, run_native
from tests.helpers.chain_cases import random_chains
from tests.helpers.graphs import GraphBuilder

EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CHAINS = 60
ROW_FUNCTIONS = {
    f"te_{name}_rows"
    for name in (
        "conv",
        "depthwise",
        "depthwise_direct",
        "depthwise_project",
        "add",
        "lut",
        "average_pool",
        "max_pool",
        "mean",
        "average",
        "patch",
    )
}


@EXAMPLES
@example(seed=132)  # a layer whose kernel always rounds exactly, in a chain, --requant fast
@given(seed=st.integers(0, 2**32 - 1))
def test_portable_chains(seed: int) -> None:
    """Scratch memory and rings are fenced by the address sanitizer; outputs lie over inputs as far as chains allow."""
    batches = [
        build_batch(random_chains(seed, CHAINS), "apart", "apart"),
        build_batch(random_chains(seed, CHAINS), "tight", "tight"),
        build_batch(random_chains(seed, CHAINS), "fast", "tight", target=Target(requant="fast")),
    ]
    for batch, outputs in zip(batches, run_native(batches), strict=True):
        batch.check(outputs)


def test_only_a_row_that_fits_takes_the_place_of_another() -> None:
    """A depthwise convolution makes its rows in the ring of its input, unless padding makes them wider."""
    for pad, takes in (((2, 2, 2, 2), True), ((2, 2, 3, 4), False)):
        b = GraphBuilder(3)
        x = b.input(1, 4, 4, 8)
        b.output(b.conv(b.depthwise(x, Window((5, 5), pad=pad)), 8, Window((1, 1))))
        op = row_op(b.graph.operators, b.graph, Target(), consume=True)
        assert op is not None and op.consumes == takes


def test_every_row_operator_is_tested() -> None:
    batch = build_batch(random_chains(1, CHAINS), "all")
    assert {item["run"] for call in batch.calls for item in call.params["ops"].items} == ROW_FUNCTIONS


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_chains_on_target(cpu: str, portable: bool) -> None:
    batches = [
        build_batch(random_chains(1, CHAINS), "chains", "tight"),
        build_batch(random_chains(2, CHAINS), "chains_fast", "tight", target=Target(requant="fast")),
    ]
    with BenchImage(batches, cpu, portable) as image:
        results = image.run([Job(i, batch.inputs) for i, batch in enumerate(batches)], exact=False)
    for batch, result in zip(batches, results, strict=True):
        batch.check(result.outputs)
        assert result.guards_intact, batch.prefix
