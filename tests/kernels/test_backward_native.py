"""Generated training steps of random networks against the oracle, byte for byte, under sanitizers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tinyengine.native.build import run_steps
from tinyengine.reference.backward.step import Trainer
from tinyengine.step import Outcome
from tinyengine.training.state import state_of

from tests.helpers.graphs import GraphBuilder
from tests.helpers.training_networks import NETWORKS, compile_all, samples_for


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    ("ratio", "residual", "momentum", "batch"),
    [(0.4, True, 0.0, 1), (1.0, False, 0.0, 1), (0.4, False, 0.9, 2), (1.0, True, 0.6, 3), (0.4, False, 0.0, 2)],
)
def test_steps_equal_the_oracle(
    build: Callable[[GraphBuilder], None], ratio: float, residual: bool, momentum: float, batch: int
) -> None:
    velocity = momentum > 0 or batch > 1
    compiled = compile_all(build, ratio, residual=residual, velocity=velocity)
    assert compiled.training is not None
    program, layout = compiled.training, compiled.training.layout
    oracle = Trainer(program.network, program.scheme, residual)
    samples = samples_for(oracle, 7 if velocity else 4, momentum, batch)
    for given, (loss, predicted, state) in zip(samples, run_steps(compiled, layout.size, samples), strict=True):
        assert Outcome(loss, predicted) == oracle.evaluate(*given[:2])
        oracle.train(*given)
        wanted = state_of(oracle.graph, layout, oracle.residuals)
        differing = [part.tensor for part in layout.parts if (part.read(state) != part.read(wanted)).any()]
        assert not differing, (given[2].step, differing)
    assert state_of(oracle.graph, layout) != state_of(program.network, layout)
