"""The random operators of the native tests on both simulated cores, with DSP and with portable kernels: the bytes of
the oracle every time. All networks of a core share one image and one simulation."""

from __future__ import annotations

import pytest
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import needs
from tests.helpers.batch import Batch, build_batch
from tests.helpers.cases import FAMILIES, random_cases

SEED = 42
CASES = 24  # per family and placement


def batches() -> list[Batch]:
    """Every family, once with disjoint buffers and once with outputs over inputs as far as the kernels allow."""
    made = []
    for family in FAMILIES:
        cases = random_cases(SEED, family, 2 * CASES)
        for placement, part in (("apart", cases[:CASES]), ("tight", cases[CASES:])):
            made.append(build_batch(part, f"{family}_{placement}", placement))
    return made


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_same_bytes_as_the_oracle(cpu: str, portable: bool) -> None:
    networks = batches()
    with BenchImage(networks, cpu, portable) as image:
        results = image.run([Job(i, batch.inputs) for i, batch in enumerate(networks)], exact=False)
    complaints = []
    for batch, result in zip(networks, results, strict=True):
        try:
            batch.check(result.outputs)
        except AssertionError as wrong:
            complaints.append(f"{batch.prefix}: {wrong}")
        if not result.guards_intact:
            complaints.append(f"{batch.prefix}: bytes outside the arena were overwritten")
    assert not complaints, "\n".join(complaints)
