"""C of random whole networks against the oracle, run after run: sanitized on the host, and on both simulated cores."""

from __future__ import annotations

import pytest

from tests.helpers import needs
from tests.helpers.whole_check import Compiled, against_oracle, compiled, on_core, under_sanitizers
from tests.helpers.whole_graphs import ANY, FLOAT, INT8

SEEDS = range(7000, 7012)


@pytest.fixture(scope="module")
def networks() -> list[Compiled]:
    complaints: list[str] = []
    made = [
        each for seed in SEEDS for each in compiled(seed, 2 + seed % 6, (ANY, FLOAT, INT8)[seed % 3], complaints.append)
    ]
    assert not complaints, "\n".join(complaints)
    assert len(made) > len(SEEDS) and any(len(each.inputs) > 1 for each in made)
    return made


def test_portable_c_under_sanitizers(networks: list[Compiled]) -> None:
    wrong = against_oracle(networks, under_sanitizers(networks))
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_simulated_cores(networks: list[Compiled], cpu: str, portable: bool) -> None:
    networks = networks[::2]  # a core compiles slowly: one way of each
    wrong = against_oracle(networks, on_core(networks, cpu, portable))
    assert not wrong, "\n".join(wrong)
