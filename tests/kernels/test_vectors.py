"""The kernels for Helium against the oracle: natively (portable twins) and on the simulated Cortex-M55, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.cores import core
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Target
from tinyengine.kernels.conv_fast import PARAMS_TYPE
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import fast_cases, needs
from tests.helpers.batch import Batch, build_batch, run_native
from tests.helpers.cases import Draw, OpCase
from tests.helpers.chain_cases import random_chains
from tests.helpers.fast_cases import EXAMPLES, LARGE, SMALL, Numbers

CPU = "cortex-m55"
MODES = ("exact", "fast")
CONV_VARIANTS = {f"te_conv_vectors_{mode}" for mode in ("exact", "fast", "wide")}

STRIP_VARIANTS = {
    f"te_depthwise_strip_{kernel}_{mode}"
    for kernel in ("3", "5", "7", "3_by_2", "5_by_2", "7_by_2")
    for mode in ("fast", "wide", *(["exact"] if kernel == "3" else []))
}


def target(requant: str) -> Target:
    return Target(core(CPU).features, requant)


def point_cases(draw: Draw, count: int) -> list[OpCase]:
    """1 x 1 of few and of many channels, pixels that fill vectors and pixels that do not, sums at their ends."""
    cases = []
    for _ in range(count):
        size = (
            draw.integer(1, 4),
            draw.integer(1, 5),
            draw.one_of(8, 16, 32, draw.integer(1, 70), draw.integer(225, 290)),
        )
        numbers = draw.one_of(SMALL, LARGE, Numbers("ends", "ends"), Numbers("random", "against the weights"))
        outputs = draw.one_of(4, 8, draw.integer(4, 13))
        cases.append(fast_cases.conv(draw, size, outputs, Window((1, 1)), numbers, draw.one_of("none", "relu6")))
    return cases


def strip_cases(draw: Draw, count: int) -> list[OpCase]:
    """Depthwise 3 x 3 to 7 x 7: one to several strips, every rest of the loop over columns, any padding."""
    cases = []
    for _ in range(count):
        k, stride = draw.one_of(3, 5, 7), draw.one_of(1, 1, 2)
        same = (k // 2,) * 4
        pad = draw.one_of(same, same, (0,) * 4, tuple(draw.integer(0, k - 1) for _ in range(4)))
        size = (draw.integer(1, 20), draw.one_of(draw.integer(1, 13), draw.integer(14, 26)), 4 * draw.integer(1, 3))
        window = Window((k, k), (stride, stride), (1, 1), pad)
        if min(window.output_size(*size[:2])) < 1:
            continue
        numbers = draw.one_of(SMALL, SMALL, LARGE, Numbers("ends", "ends"), Numbers(multiplier=(0.4, 20.0)))
        case = fast_cases.depthwise(draw, size, window, numbers, draw.one_of("none", "none", "relu6"))
        if draw.integer(0, 5) == 0:  # a dead channel
            case.graph.tensor("w").data[..., 1] = 0
            case.graph.tensor("b").data[1] = draw.one_of(-(1 << 31), (1 << 31) - 1, 5000)
        cases.append(case)
    return cases


def batches(seed: int, count: int) -> list[Batch]:
    """The same cases, rounded exactly and fast, with outputs apart and over inputs as far as the kernels allow."""
    draw = Draw(np.random.default_rng(seed))
    cases = fast_cases.conv_cases(draw, count) + point_cases(draw, count) + strip_cases(draw, 2 * count)
    cases += fast_cases.add_cases(draw, count // 2) + fast_cases.direct_cases(draw, count // 2)
    cases += fast_cases.column_cases(draw, count // 2)
    return [
        build_batch(cases, f"{mode}_{placement}", placement, target=target(mode))
        for mode in MODES
        for placement in ("apart", "tight")
    ] + chains(seed, count)


def chains(seed: int, count: int) -> list[Batch]:
    """By rows."""
    return [build_batch(random_chains(seed, count), f"chains_{mode}", "tight", target=target(mode)) for mode in MODES]


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_portable_twins(seed: int) -> None:
    made = batches(seed, 12)
    for batch, outputs in zip(made, run_native(made), strict=True):
        batch.check(outputs)


def test_chains_use_the_kernels() -> None:
    code = "".join(batch.sources[name] for batch in chains(2, 24) for name in batch.sources)
    assert "te_depthwise_strips_rows" in code and "te_conv_vectors_fast" in code and "te_conv_vectors_exact" in code


def test_every_variant_is_reached() -> None:
    calls = [call for batch in batches(1, 40) for call in batch.calls]
    assert {
        str(call.params["run"]) for call in calls if "run" in call.params and call.params_type == PARAMS_TYPE
    } == CONV_VARIANTS
    strips = [call.params for call in calls if call.function == "te_depthwise_strips_s8"]
    assert {str(each["run"]) for each in strips} == STRIP_VARIANTS
    assert {each["ahead"] for each in strips} >= {0, 1, 2}
    assert any(each["slots"] > each["ahead"] + 1 for each in strips)


@pytest.mark.parametrize(
    "case, most",  # of instructions per output: the budgets in the kernels' headers, with their edges
    [
        pytest.param(("conv", (10, 10, 64), 16, Window((1, 1))), 10.2, marks=needs.simulated_core, id="4 vectors"),
        pytest.param(("conv", (10, 10, 16), 16, Window((1, 1))), 4.3, marks=needs.simulated_core, id="1 vector"),
        pytest.param(
            ("depthwise", (16, 16, 8), Window((3, 3), pad=(1, 1, 1, 1))), 6.0, marks=needs.simulated_core, id="3 x 3"
        ),
    ],
)
def test_instructions_per_output(case: tuple, most: float) -> None:
    kind, *shape = case
    made = getattr(fast_cases, kind)(Draw(np.random.default_rng(4)), *shape, Numbers())
    batch = build_batch([made], "one", target=target("fast"))
    with BenchImage([batch], CPU) as image:
        [run] = image.run([Job(0, batch.inputs)])
    batch.check(run.outputs)
    assert run.instructions / batch.expected()[0].size <= most


@pytest.mark.parametrize("cpu", [pytest.param(CPU, marks=needs.simulated_core)])
def test_same_bytes_on_the_core(cpu: str) -> None:
    made = batches(2, 24)
    with BenchImage(made, cpu) as image:
        runs = image.run([Job(i, batch.inputs) for i, batch in enumerate(made)], exact=False)
    for batch, run in zip(made, runs, strict=True):
        batch.check(run.outputs)
        assert run.guards_intact
