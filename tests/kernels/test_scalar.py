"""Kernels for cores without DSP extension against the oracle: natively and on simulated cores; and what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.cores import ANY, REGISTERS, core
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Target
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import fast_cases, needs
from tests.helpers.batch import Batch, build_batch, run_native
from tests.helpers.cases import Draw
from tests.helpers.fast_cases import Numbers

SCALAR = Target(ANY)
KERNELS = {f"te_{name}_scalar_s8" for name in ("conv", "conv_pairs", "pointwise", "depthwise", "dense")}


def batches(target: Target = SCALAR) -> list[Batch]:
    """Counts around the unrolled loops, windows in the padding, strides, odd maps, sums at their ends."""
    draw = Draw(np.random.default_rng(21))
    lengths = [*range(1, 13), 31, 64, 65]
    cases = [fast_cases.dense(draw, k, n, fast_cases.SMALL) for k in lengths for n in (1, 4, 7)]
    for k in lengths:
        cases.append(fast_cases.conv(draw, (2, 3, k), 6, Window((1, 1), draw.one_of((1, 1), (2, 2))), fast_cases.SMALL))
    cases += fast_cases.conv_cases(draw, 30) + fast_cases.depthwise_cases(draw, 30)
    extreme = fast_cases.extreme_cases(Draw(np.random.default_rng(3)))
    extreme += [fast_cases.dense(draw, 33, 8, Numbers("ends", "ends", 1 << 28, (1e-9, 1e-7))) for _ in range(4)]
    return [
        build_batch(cases, "scalar", "tight", target=target),
        build_batch(extreme, "extreme", target=target),
    ]


def test_every_kernel_equals_the_oracle() -> None:
    found = set()
    for target in (SCALAR, Target(REGISTERS)):
        made = batches(target)
        found |= {call.function for batch in made for call in batch.calls}
        for batch, outputs in zip(made, run_native(made), strict=True):
            batch.check(outputs)
    assert found >= KERNELS


@pytest.mark.parametrize("cpu", needs.run(("cortex-m3", "cortex-m0plus", "rv32imc")))
def test_assembly_equals_the_oracle(cpu: str) -> None:
    made = batches(Target(core(cpu).features))
    with BenchImage(made, cpu) as image:
        runs = image.run([Job(i, batch.inputs) for i, batch in enumerate(made)], exact=False)
    for batch, run in zip(made, runs, strict=True):
        batch.check(run.outputs)
        assert run.guards_intact


def test_little_sram_takes_no_column() -> None:
    draw = Draw(np.random.default_rng(2))
    cases = [fast_cases.conv(draw, (5, 5, 8), 8, Window((k, k)), fast_cases.SMALL) for k in (1, 3)]
    calls = build_batch(cases, "sram", target=Target(ANY, optimize="sram")).calls
    assert [call.function for call in calls] == ["te_pointwise_scalar_s8", "te_conv2d_s8"]
    assert not any(call.scratch_bytes for call in calls)
    calls = build_batch(cases, "flash", target=Target(ANY, optimize="flash")).calls
    assert {call.function for call in calls} == {"te_conv2d_s8"}  # with less constants


@pytest.mark.parametrize(
    ("cpu", "caps"),
    [
        pytest.param("cortex-m3", (2.9, 6.7), marks=needs.simulated_core),
        pytest.param("cortex-m0plus", (4.5, 15.0), marks=needs.simulated_core),
        pytest.param("rv32imc", (3.7, 8.6), marks=needs.run(["rv32imc"])[0].marks),
    ],
)
def test_what_they_cost(cpu: str, caps: tuple[float, float]) -> None:
    """The budgets of te_scalar.h, with what belongs to a pixel: 64 inputs and outputs, and 3x3."""
    draw = Draw(np.random.default_rng(1))
    pointwise = fast_cases.conv(draw, (6, 6, 64), 64, Window((1, 1)), fast_cases.SMALL)
    same = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    depthwise = fast_cases.depthwise(draw, (8, 8, 32), same, fast_cases.SMALL)
    for case, cap in zip((pointwise, depthwise), caps, strict=True):
        compiled = compile_graph(case.graph, CompileOptions(cpu=cpu))
        assert bench(compiled).instructions <= cap * compiled.macs
