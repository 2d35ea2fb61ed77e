"""Portable C against the NumPy oracle: every operator, random shapes, disjoint and overlapped to the declared limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.select import lower, lower_generic

from tests.helpers import needs
from tests.helpers.batch import Batch, Lower, build_batch, run_native
from tests.helpers.cases import FAMILIES, random_cases

CASES = 24
WINDOWED = ["conv2d", "depthwise", "pool", "resize"]
PRODUCTS = [
    "conv2d",
    "pointwise",
    "depthwise",
    "fully_connected",
    "grouped",
    "transpose_conv",
    "batch_matmul",
    "softmax",
    "int16_products",
]  # where other kernels than the generic may be chosen
SEEDS = st.integers(0, 2**32 - 1)
# A seed has no smaller relative, so nothing is shrunk: the message names the case.
EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check_both_placements(seed: int, family: str, lowering: Lower, align: int, compiler: str | None = None) -> None:
    """The same operators with disjoint buffers and with outputs over inputs, in one sanitized program."""
    cases = random_cases(seed, family, CASES)
    batches = [build_batch(cases, placement, placement, lowering, align=align) for placement in ("apart", "tight")]
    for batch in batches:
        for call in batch.calls:
            check_declaration(batch, call)
    for batch, outputs in zip(batches, run_native(batches, compiler=compiler), strict=True):
        batch.check(outputs)


def check_declaration(batch: Batch, call: KernelCall) -> None:
    """A call's overlap rules follow from its declared accesses, which stay inside its tensors and fill the output."""
    if call.is_view:
        return
    assert call.access is not None
    sizes = [batch.graph.tensor(name).nbytes for name in call.inputs]
    for (lo, hi), size in zip(call.access.reads, sizes, strict=True):
        assert (lo >= 0).all() and (hi >= lo).all() and (hi <= size).all(), call.op.name
    written = np.zeros(batch.graph.tensor(call.output).nbytes, bool)
    for lo, hi in zip(*call.access.writes[0], strict=True):
        written[lo:hi] = True
    assert written.all(), call.op.name
    assert len(call.overlaps) == len(call.inputs)
    for index, overlap in enumerate(call.overlaps):
        if overlap is not None and not overlap.exact:
            assert overlap.distance >= call.access.distance(index), call.op.name


@pytest.mark.parametrize("family", FAMILIES)
@EXAMPLES
@given(seed=SEEDS)
def test_generic_kernels(family: str, seed: int) -> None:
    check_both_placements(seed, family, lower_generic, align=1)


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("family", PRODUCTS)
@EXAMPLES
@given(seed=SEEDS)
def test_selected_kernels(family: str, seed: int) -> None:
    """What the compiler really chooses; the memory planner aligns to 4."""
    check_both_placements(seed, family, lower, align=4)


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("family", WINDOWED)
@EXAMPLES
@given(seed=SEEDS)
def test_rules_by_rows(family: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large outputs are described row by row: another, coarser rule for the same kernels."""
    with monkeypatch.context() as patch:
        patch.setattr(access, "MAX_PIXELS", 0)
        check_both_placements(seed, family, lower_generic, align=1)


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("family", FAMILIES)
def test_with_clang(family: str) -> None:
    needs.require_clang()
    check_both_placements(7, family, lower_generic, align=1, compiler="clang")


@pytest.mark.slow
def test_too_generous_a_rule_is_noticed() -> None:
    """The tight placement has teeth: elementwise kernels one byte too far ahead give wrong bytes."""

    def generous(op, graph, target: Target) -> KernelCall:
        call = lower_generic(op, graph, target)
        call.overlaps = tuple(o and type(o)(o.distance - 1) for o in call.overlaps)
        return call

    batch = build_batch(random_cases(1, "lut", CASES), "generous", "tight", generous, align=1)
    [outputs] = run_native([batch], sanitize=False)
    with pytest.raises(AssertionError, match="values, the first at"):
        batch.check(outputs)
