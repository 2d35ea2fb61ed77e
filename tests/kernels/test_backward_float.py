"""The backward pass in single precision: gradients against the float64 definition, and steps under sanitizers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel
from tinyengine.native import NativeTrainer
from tinyengine.native.build import run_steps
from tinyengine.reference.backward import real
from tinyengine.reference.backward.loss import classifier_logits, loss_gradient, softmax
from tinyengine.reference.backward.step import Trainer
from tinyengine.step import Outcome, Update
from tinyengine.training.autodiff import plan_scheme
from tinyengine.training.factors import scaling
from tinyengine.training.layers import trainable_layers
from tinyengine.training.state import trained_constants

from tests.helpers.graphs import GraphBuilder
from tests.helpers.training_networks import NETWORKS, Given, compile_all, samples_for

TOLERANCE = 3e-5
"""Relative error (L2) of the gradient of a constant: below 1e-6 for most, more where terms of a sum cancel. In int16 it
is about 1e-3."""


def real_updates(compiled: CompiledModel, given: Given) -> dict[str, np.ndarray]:
    """What half a batch of two changes each trained constant by, in float64 from the loss's gradient on."""
    (x, sample, update), program = given, compiled.training
    assert program is not None
    graph, oracle = program.network, Trainer(program.network, program.scheme)
    values = oracle.forward(x)
    classifier = trainable_layers(graph).classifier
    probabilities = softmax(classifier_logits(graph, classifier, values[classifier.x.name])[: sample.classes])
    seed = np.zeros(classifier.out_channels, np.float32)
    seed[: sample.classes] = loss_gradient(probabilities, sample.label, classifier.y.scale)
    gradients = real.backward(graph, plan_scheme(graph, program.scheme), values, seed)
    updates: dict[str, np.ndarray] = {}
    for constant in trained_constants(graph, program.scheme):
        factor = scaling(constant.layer, constant.bias).astype(np.float64) * update.rate / 2
        assert (factor > 0).all(), "no dead channels"
        by_channel = gradients[constant.name]
        axis = by_channel.ndim - 1 if constant.layer.depthwise or constant.bias else 0
        shape = [-1 if i == axis else 1 for i in range(by_channel.ndim)]
        updates[constant.name] = (by_channel * factor.reshape(shape))[..., constant.channels]
    return updates


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("ratio", [0.4, 1.0])
def test_gradients_are_those_of_the_definition(build: Callable[[GraphBuilder], None], ratio: float) -> None:
    """Read from the velocities in the middle of a batch."""
    compiled = compile_all(build, ratio, velocity=True, gradients="float32")
    program = compiled.training
    assert program is not None
    trainer = NativeTrainer(compiled)
    before, reached = trainer.state, set()
    for given in samples_for(Trainer(program.network, program.scheme), 3):
        trainer.step(*given[:2], Update(given[2].rate, batch=2))
        velocity = trainer.velocity
        for name, wanted in real_updates(compiled, given).items():
            constant = next(c for c in trained_constants(program.network, program.scheme) if c.name == name)
            found = velocity[constant.first : constant.first + constant.elements].reshape(wanted.shape)
            reached |= {name} if wanted.any() else set()
            assert np.linalg.norm(found - wanted) <= TOLERANCE * np.linalg.norm(wanted), name
    assert trainer.state == before
    assert reached == {constant.name for constant in trained_constants(program.network, program.scheme)}


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
@pytest.mark.parametrize(("residual", "momentum", "batch"), [(True, 0.0, 1), (False, 0.9, 2)])
def test_steps_under_sanitizers(
    build: Callable[[GraphBuilder], None], residual: bool, momentum: float, batch: int
) -> None:
    compiled = compile_all(build, 0.4, residual=residual, velocity=batch > 1, gradients="float32")
    program = compiled.training
    assert program is not None
    trainer = NativeTrainer(compiled)
    factory = trainer.state
    samples = samples_for(Trainer(program.network, program.scheme), 4, momentum, batch)
    for given, (loss, predicted, state) in zip(samples, run_steps(compiled, len(factory), samples), strict=True):
        assert trainer.step(*given) == Outcome(loss, predicted)
        assert trainer.state == state
    assert state != factory


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_the_planner_gives_gradients_four_bytes(build: Callable[[GraphBuilder], None]) -> None:
    small, large = (compile_all(build, 1.0, gradients=kind) for kind in ("int16", "float32"))
    assert large.training is not None and small.training is not None
    assert large.training.layout.size == small.training.layout.size
    gradients = [name for name in large.graph.tensors if name.rstrip("+").endswith("/gradient")]
    assert gradients
    for name in gradients:
        size = large.graph.tensor(name).nbytes
        assert size == 4 * large.graph.tensor(name.split("/gradient")[0]).elements
        assert small.graph.tensor(name).nbytes < size
