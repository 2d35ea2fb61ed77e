"""Training on this computer: repeatable, the same by the fast kernels, and for fewer classes than outputs."""

from __future__ import annotations

import numpy as np
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.finetune.native_fit import Recipe, accuracy, fit
from tinyengine.native import NativeTrainer

from tests.helpers.trainable import SCHEME, network, pictures


def test_fast_kernels_and_equal_seeds_leave_the_same_bytes() -> None:
    compiled = compile_graph(network(), CompileOptions(train=SCHEME))
    inputs, labels = np.stack(pictures(6, 2)), np.arange(6) % 4
    states = []
    for fast, seed in ((False, 3), (True, 3), (True, 4)):
        trainer = NativeTrainer(compiled, fast=fast)
        trainer.reset()
        fit(trainer, [inputs, inputs[..., ::-1, :]], labels, Recipe(0.05, 2, seed))
        states.append(trainer.state)
    assert states[0] == states[1] != states[2]


def test_outputs_beyond_the_classes_take_no_part() -> None:
    trainer = NativeTrainer(compile_graph(network(), CompileOptions(train=SCHEME, prefix="few")))
    inputs, labels = np.stack(pictures(8, 5)), np.arange(8) % 2
    fit(trainer, [inputs], labels, Recipe(0.05, 3), classes=2)
    predicted = [trainer.evaluate(x, classes=2).predicted for x in inputs]
    assert set(predicted) <= {0, 1}
    assert accuracy(trainer, inputs, labels, 2) == np.mean(np.array(predicted) == labels)
