"""Generated training steps against the oracle, byte for byte, over several steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.errors import BudgetError, DataError, UnsupportedOperatorError
from tinyengine.ir import OpKind
from tinyengine.ir.ops import Window
from tinyengine.native import NativeTrainer
from tinyengine.passes import optimize
from tinyengine.reference import run
from tinyengine.reference.backward.step import Trainer
from tinyengine.report.figures import network_figures
from tinyengine.step import Sample, Update
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.state import apply_state, state_of

from tests.helpers.graphs import GraphBuilder
from tests.helpers.trainable import SCHEME, network, pictures


def compiled_and_oracle(options: CompileOptions) -> tuple[CompiledModel, Trainer]:
    compiled = compile_graph(network(), options)
    assert compiled.training is not None
    scheme, roundings = compiled.training.scheme, compiled.roundings
    trainer = Trainer(optimize(network()), scheme, residual=options.residual, requant=roundings)
    return compiled, trainer


def assert_equal_steps(compiled: CompiledModel, oracle: Trainer, steps: int = 4) -> None:
    assert compiled.training is not None
    layout, native = compiled.training.layout, NativeTrainer(compiled)
    assert native.state == state_of(oracle.graph, layout)
    for index, x in enumerate(pictures(steps, 3)):
        sample, update = Sample(index % 3, 4 - index % 2), Update(0.05, 5, index)
        expected, judged = oracle.evaluate(x, sample), native.evaluate(x, sample)
        oracle.train(x, sample, update)
        assert native.step(x, sample, update) == judged == expected
        now, wanted = native.state, state_of(oracle.graph, layout, oracle.residuals)
        differing = [part.tensor for part in layout.parts if (part.read(now) != part.read(wanted)).any()]
        assert not differing, (index, differing)
    [x] = pictures(1, 9)
    np.testing.assert_array_equal(native.run(x)[0], run_oracle(oracle, x))
    native.reset()
    assert native.state == state_of(compiled.training.graph, layout)


def run_oracle(oracle: Trainer, x: np.ndarray) -> np.ndarray:
    return oracle.forward(x)[oracle.graph.output_tensors()[0]]


@pytest.mark.slow(but=3)
@pytest.mark.parametrize("scheme", ["last-layer", "bias-only", "last-12", SCHEME], ids=str)
@pytest.mark.parametrize("residual", [False, True], ids=["stochastic", "residual"])
def test_steps_equal_the_oracle(scheme: str | UpdateScheme, residual: bool) -> None:
    options = CompileOptions(train=scheme, residual=residual)
    assert_equal_steps(*compiled_and_oracle(options))


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("options", [{"input": "rows"}, {"requant": "fast"}, {"optimize": "sram"}], ids=str)
def test_other_ways_to_compile_give_the_same(options: dict[str, str]) -> None:
    assert_equal_steps(*compiled_and_oracle(replace(CompileOptions(train=SCHEME), **options)))


def test_a_state_is_the_network_and_the_network_the_state() -> None:
    compiled, oracle = compiled_and_oracle(CompileOptions(train=SCHEME))
    assert compiled.training is not None
    layout, native = compiled.training.layout, NativeTrainer(compiled)
    for index, x in enumerate(pictures(3, 4)):
        native.step(x, Sample(index % 4, 4), Update(0.1, step=index))
    trained = apply_state(optimize(network()), layout, native.state)
    assert state_of(trained, layout) == native.state != state_of(oracle.graph, layout)
    [x] = pictures(1, 8)
    np.testing.assert_array_equal(native.run(x)[0], run(trained, [x])[0])
    other = NativeTrainer(compile_graph(network(), CompileOptions(train=SCHEME, prefix="other")))
    other.state = native.state
    np.testing.assert_array_equal(native.run(x)[0], other.run(x)[0])
    with pytest.raises(DataError, match="bytes"):
        native.state = b""


def test_states_fit_whatever_computes_them() -> None:
    plain, *others = (
        compile_graph(network(), CompileOptions(train=SCHEME, **options))
        for options in ({}, {"velocity": True}, {"gradients": "float32"})
    )
    for other in others:
        assert other.training is not None and plain.training is not None
        assert (other.layout_hash, other.trained_bytes) == (plain.layout_hash, plain.trained_bytes)
        assert other.sram_bytes > plain.sram_bytes
    [velocity, _] = others
    sram = network_figures(velocity)["sram_bytes"]
    assert sram["velocities"] == velocity.velocity_bytes > 0
    assert sram["total"] == sram["arena"] + sram["weights"] + sram["velocities"] == velocity.sram_bytes


def test_momentum_needs_velocities_and_order() -> None:
    [x] = pictures(1, 0)
    plain = NativeTrainer(compile_graph(network(), CompileOptions(train="last-1")))
    for place in ({"momentum": 0.5}, {"batch": 2}):
        with pytest.raises(DataError, match="velocity"):
            plain.step(x, Sample(0, 4), Update(0.1, **place))
    trainer = NativeTrainer(compile_graph(network(), CompileOptions(train="last-1", velocity=True)))
    with pytest.raises(DataError, match="sample 2 does not exist in a batch of 2"):
        trainer.step(x, Sample(0, 4), Update(0.1, batch=2, sample=2))
    before = trainer.state
    trainer.step(x, Sample(0, 4), Update(0.1, batch=2))
    assert trainer.velocity.any() and trainer.state == before
    trainer.state = before
    assert not trainer.velocity.any(), "those of another state mean nothing"


def test_a_new_head_is_compiled_in() -> None:
    compiled = compile_graph(network(), CompileOptions(train="last-layer", classes=7))
    assert NativeTrainer(compiled).classes == 7
    assert network_figures(compiled)["classes"] == 7
    with pytest.raises(DataError, match="label 7"):
        NativeTrainer(compiled).step(pictures(1, 0)[0], Sample(7, 7), Update(0.1))


def test_refusals() -> None:
    with pytest.raises(DataError, match="no update scheme 'nonsense'"):
        compile_graph(network(), CompileOptions(train="nonsense"))
    with pytest.raises(BudgetError, match="to be trained"):
        compile_graph(network(), CompileOptions(train="bias-only", sram=2000))


def test_layers_without_a_gradient_are_named() -> None:
    b = GraphBuilder(1, "pooled")
    x = b.pool(OpKind.MAX_POOL_2D, b.conv(b.input(1, 8, 8, 2), 4, Window((1, 1))), Window((2, 2), (2, 2)))
    b.output(b.dense(b.conv(x, 4, Window((4, 4))), 3))
    with pytest.raises(UnsupportedOperatorError, match=r"MAX_POOL_2D .* has no gradient"):
        compile_graph(b.graph, CompileOptions(train="bias-only"))
