"""Language models, token by token: the oracle's logits from generated C, sanitized on the host and on cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.frontend.language import language_graph, save_language
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.native.build import run_in_a_row
from tinyengine.reference import Session

from tests.helpers import needs
from tests.helpers.language import Shape, random_language, random_tokens

SHAPES = [
    Shape(layers=1, window=8),
    Shape(heads=8, key_heads=4, layers=1, window=8, sinks=1, group=32),
    Shape(heads=3, key_heads=1, head=16, layers=1, sinks=5, hidden=36, group=64, tied=False, tokens=268),
]


def compiled(shape: Shape, index: int = 0) -> CompiledModel:
    return compile_graph(language_graph(random_language(shape, index)), CompileOptions(prefix=f"lm_{index}"))


def wanted(model: CompiledModel, inputs: list[list[np.ndarray]]) -> list[np.ndarray]:
    session = Session(model.graph)
    return [session.run(values)[0] for values in inputs]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    key_heads, window = draw(st.integers(1, 3)), 8 * draw(st.integers(1, 3))
    head = draw(st.sampled_from([4, 8, 12, 16]))
    heads = key_heads * draw(st.integers(1, 4))
    if heads * head % 8:
        heads, key_heads = 2 * heads, 2 * key_heads
    return Shape(
        heads=heads,
        key_heads=key_heads,
        head=head,
        hidden=2 * draw(st.integers(1, 40)),
        layers=draw(st.integers(1, 2)),
        window=window,
        sinks=draw(st.integers(0, window - 1)),
        tokens=4 * draw(st.integers(65, 80)),
        group=draw(st.sampled_from([0, 32, 64])),
        tied=draw(st.booleans()),
    )


@settings(max_examples=5, deadline=None)
@given(shape=shapes(), seed=st.integers(0, 99))
def test_any_model_gives_the_oracles_logits_on_the_host(shape: Shape, seed: int) -> None:
    model = compile_graph(language_graph(random_language(shape, seed)))
    inputs = random_tokens(shape, 2 * shape.window + 5, seed)
    [answers] = run_in_a_row([model], [inputs])
    for step, ([got], right) in enumerate(zip(answers, wanted(model, inputs), strict=True)):
        np.testing.assert_array_equal(got, right, f"token {step} of {shape}")


@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_cores_give_the_oracles_logits_across_the_rings_wrap(cpu: str, portable: bool) -> None:
    models = [compiled(shape, index) for index, shape in enumerate(SHAPES)]
    runs = [random_tokens(shape, 2 * shape.window + 6, index) for index, shape in enumerate(SHAPES)]
    jobs = [
        Job(index, values, reset=step == 0) for index, inputs in enumerate(runs) for step, values in enumerate(inputs)
    ]
    with BenchImage(models, cpu, portable) as image:
        results = image.run(jobs, exact=False)
    expected = [array for model, inputs in zip(models, runs, strict=True) for array in wanted(model, inputs)]
    for job, result, right in zip(jobs, results, expected, strict=True):
        assert result.guards_intact
        np.testing.assert_array_equal(result.outputs[0], right, f"model {job.model}")


def test_bench_counts_a_token_with_the_ring_full(tmp_path: Path) -> None:
    shape = Shape(window=8)
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(random_language(shape)))
    report = bench(compile_model(path), path, check=20)
    assert report.check is not None and not report.check.mismatched and report.check.outputs == 20 * shape.tokens
    figures = report.to_json()
    assert (figures["context"], figures["instructions_per_token"]) == (8, report.instructions)
    assert sum(layer.instructions for layer in report.per_layer) + report.residue == report.instructions
    assert report.states_bytes == 2 * 2 * 2 * 8 * 8 + 4
    assert report.sram_bytes["total"] == report.arena_bytes + report.states_bytes + report.stack_bytes
    assert not report.wrong
