"""The kernels for Helium against the oracle: natively (portable twins) and on the simulated Cortex-M55, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.cores import core
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Target
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import fast_cases, needs
from tests.helpers.batch import Batch, build_batch, run_native
from tests.helpers.cases import Draw, OpCase
from tests.helpers.fast_cases import EXAMPLES, LARGE, SMALL, Numbers

CPU = "cortex-m55"
MODES = ("exact", "fast")
CONV_VARIANTS = {f"te_conv_{kind}_{mode}" for kind in ("vectors", "pixels") for mode in ("exact", "fast", "wide")}


def target(requant: str) -> Target:
    return Target(core(CPU).features, requant)


def point_cases(draw: Draw, count: int) -> list[OpCase]:
    """1 x 1 of few and of many channels, pixels that fill vectors and pixels that do not, sums at their ends."""
    cases = []
    for _ in range(count):
        size = (draw.integer(1, 4), draw.integer(1, 5), draw.one_of(8, 16, 32, draw.integer(1, 70)))
        numbers = draw.one_of(SMALL, LARGE, Numbers("ends", "ends"), Numbers("random", "against the weights"))
        outputs = draw.one_of(4, 8, draw.integer(4, 13))
        cases.append(fast_cases.conv(draw, size, outputs, Window((1, 1)), numbers, draw.one_of("none", "relu6")))
    return cases


def batches(seed: int, count: int) -> list[Batch]:
    """The same cases, rounded exactly and fast, with outputs apart and over inputs as far as the kernels allow."""
    draw = Draw(np.random.default_rng(seed))
    cases = fast_cases.conv_cases(draw, count) + point_cases(draw, count)
    return [
        build_batch(cases, f"{mode}_{placement}", placement, target=target(mode))
        for mode in MODES
        for placement in ("apart", "tight")
    ]


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_portable_twins(seed: int) -> None:
    made = batches(seed, 24)
    for batch, outputs in zip(made, run_native(made), strict=True):
        batch.check(outputs)


def test_every_variant_is_reached() -> None:
    calls = [call for batch in batches(1, 40) for call in batch.calls]
    assert {str(call.params["tiles"]) for call in calls if "tiles" in call.params} >= CONV_VARIANTS


@pytest.mark.parametrize("cpu", [pytest.param(CPU, marks=needs.simulated_core)])
def test_same_bytes_on_the_core(cpu: str) -> None:
    made = batches(2, 24)
    with BenchImage(made, cpu) as image:
        runs = image.run([Job(i, batch.inputs) for i, batch in enumerate(made)], exact=False)
    for batch, run in zip(made, runs, strict=True):
        batch.check(run.outputs)
        assert run.guards_intact
