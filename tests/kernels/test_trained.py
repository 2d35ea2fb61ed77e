"""Forward kernels of layers with trained constants against the oracle, natively and on both simulated cores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import fast_cases, needs
from tests.helpers.batch import Batch, run_native
from tests.helpers.cases import Draw, OpCase
from tests.helpers.fast_cases import EXAMPLES, Numbers
from tests.helpers.trained_cases import trained_batch, with_dead_channels

CONV, DEPTHWISE = "te_conv_trained_fast_s8", "te_depthwise_trained_fast_s8"
GENERIC = {"te_conv2d_s8", "te_conv2d_trained_s8", "te_depthwise_s8", "te_depthwise_trained_s8"}
LARGE_BIASES = [Numbers(bias=1 << bits, multiplier=(0.00001, 0.001)) for bits in (18, 19, 20, 29)]


def cases_of(family: str, seed: int, count: int = 40) -> list[OpCase]:
    """Convolutions or depthwise ones, some with biases up to where they saturate, some with a dead channel."""
    draw = Draw(np.random.default_rng([seed, len(family)]))
    if family == "conv":
        cases = fast_cases.conv_cases(draw, count)
        cases += [fast_cases.conv(draw, (4, 4, k), 8, Window((1, 1)), fast_cases.SMALL) for k in (4, 8, 12, 16, 40)]
        cases += [fast_cases.conv(draw, (3, 5, 12), n, Window((1, 1)), LARGE_BIASES[-1]) for n in (2, 5, 24)]
        return with_dead_channels(draw, cases)
    cases = fast_cases.depthwise_cases(draw, count)
    for size in ((4, 4, 6), (8, 8, 5), (5, 9, 3), (6, 15, 4)):
        for numbers in LARGE_BIASES:
            kernel = draw.one_of(3, 5, 7)
            window = Window((kernel, kernel), (1, 1), (1, 1), (kernel // 2,) * 4)
            cases.append(fast_cases.depthwise(draw, size, window, replace(numbers, x="against the weights")))
    return with_dead_channels(draw, cases)


def batches_of(family: str, seed: int, count: int = 40) -> list[Batch]:
    cases = cases_of(family, seed, count)
    return [trained_batch(cases, f"{family}_{placement}", placement) for placement in ("apart", "tight")]


def limit_batch() -> Batch:
    """Biases that fill the fields of the polynomial products, and one more, which only the device can see."""
    return trained_batch(fast_cases.limit_cases(Draw(np.random.default_rng(7))), "limits")


@pytest.mark.parametrize("family", ["conv", "depthwise"])
@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_same_bytes_as_the_oracle(family: str, seed: int) -> None:
    batches = batches_of(family, seed)
    for batch, outputs in zip(batches, run_native(batches), strict=True):
        batch.check(outputs)


def test_full_fields() -> None:
    batch = limit_batch()
    assert sum(call.function == DEPTHWISE for call in batch.calls) > len(batch.calls) // 2
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_small_blocks() -> None:
    """Columns of few pixels: constants are put together again for each block."""
    batch = trained_batch(cases_of("conv", 3), "small", "tight", Target(optimize="sram"))
    [outputs] = run_native([batch])
    batch.check(outputs)


def ways(calls: list[KernelCall]) -> set[tuple[object, ...]]:
    """What differs between calls of the fast kernels, by what decides it."""
    found: set[tuple[object, ...]] = set()
    for call in calls:
        if call.function == CONV:
            conv = call.params["conv"]
            kind = "whole" if call.params["whole"] else "places" if call.params["count"] else "biases"
            found |= {(kind, "exact" in str(conv["tiles"])), ("doubled", call.params["doubled"])}
            found |= {("dead", call.params["live"] != "NULL"), ("odd", conv["out"]["c"] % 2)}
        elif call.function == DEPTHWISE:
            depthwise = call.params["depthwise"]
            kind = "biases" if "count" not in call.params else "whole" if depthwise["packed"] == "NULL" else "places"
            found.add((f"depthwise {kind}", "map" in depthwise))
    return found


def test_every_way_is_tested() -> None:
    calls = [call for family in ("conv", "depthwise") for batch in batches_of(family, 5) for call in batch.calls]
    expected = {(kind, exact) for kind in ("whole", "places", "biases") for exact in (False, True)}
    expected |= {("doubled", n) for n in (0, 1)} | {("odd", n) for n in (0, 1)}
    expected |= {("dead", found) for found in (False, True)} | {("depthwise biases", False)}
    expected |= {(f"depthwise {kind}", True) for kind in ("biases", "places", "whole")}
    assert not expected - ways(calls)
    assert {call.function for call in calls} >= {CONV, DEPTHWISE, "te_depthwise_trained_s8"}


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_kernels_on_target(cpu: str, portable: bool) -> None:
    batches = [*batches_of("conv", 5), *batches_of("depthwise", 5), limit_batch()]
    with BenchImage(batches, cpu, portable) as image:
        results = image.run([Job(i, batch.inputs) for i, batch in enumerate(batches)], exact=False)
    for batch, result in zip(batches, results, strict=True):
        batch.check(result.outputs)
        assert result.guards_intact, batch.prefix
