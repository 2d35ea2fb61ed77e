"""Training on this computer: repeatable, the same by the fast kernels, and for fewer classes than outputs."""

from __future__ import annotations

import numpy as np
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.data.samples import Samples
from tinyengine.finetune.session import TuneOptions, evaluate, train
from tinyengine.native import NativeTrainer
from tinyengine.step import Sample

from tests.helpers.trainable import SCHEME, network, pictures


def test_fast_kernels_and_equal_seeds_leave_the_same_bytes() -> None:
    compiled = compile_graph(network(), CompileOptions(train=SCHEME))
    inputs, labels = np.stack(pictures(6, 2)), np.arange(6) % 4
    states = []
    for fast, seed in ((False, 3), (True, 3), (True, 4)):
        trainer = NativeTrainer(compiled, fast=fast)
        trainer.reset()
        steps = list(train(trainer, [inputs, inputs[..., ::-1, :]], labels, TuneOptions(4, 2, 0.05, seed=seed)))
        assert [step.number for step in steps] == list(range(1, 13))
        states.append(trainer.state)
    assert states[0] == states[1] != states[2]


def test_outputs_beyond_the_classes_take_no_part() -> None:
    trainer = NativeTrainer(compile_graph(network(), CompileOptions(train=SCHEME, prefix="few")))
    inputs, labels = np.stack(pictures(8, 5)), np.arange(8) % 2
    assert len(list(train(trainer, [inputs], labels, TuneOptions(2, 3, 0.05)))) == 24
    predicted = [trainer.evaluate(x, Sample(0, 2)).predicted for x in inputs]
    assert set(predicted) <= {0, 1}
    judged = evaluate(trainer, Samples(inputs, labels, ("a", "b")), 2)
    assert judged.accuracy == np.mean(np.array(predicted) == labels)
