"""Language models, token by token: the oracle's logits from generated C, sanitized on the host and on cores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.frontend.language import language_graph, save_language
from tinyengine.ir.language import NORM_BITS
from tinyengine.kernels.lm_packing import fits_w4, norm_bound
from tinyengine.language.rounding import round_groups
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.native.build import run_in_a_row
from tinyengine.reference import Session

from tests.helpers import needs
from tests.helpers.command_line import run
from tests.helpers.language import Shape, gentle, random_language, random_tokens

SHAPES = [
    Shape(layers=1, window=8),
    Shape(heads=8, key_heads=4, layers=1, window=8, sinks=1, group=32),
    Shape(heads=3, key_heads=1, head=16, layers=1, sinks=5, hidden=36, group=64, tied=False, tokens=268),
    Shape(heads=6, key_heads=2, head=8, layers=1, sinks=5, kept=4, hidden=36, tokens=260),
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
        sinks=(sinks := draw(st.integers(0, window - 1))),
        kept=draw(st.integers(0, sinks)),
        tokens=4 * draw(st.integers(65, 80)),
        group=draw(st.sampled_from([0, 32, 64])),
        tied=draw(st.booleans()),
    )


@settings(max_examples=5, deadline=None)
@given(shape=shapes(), seed=st.integers(0, 99))
def test_any_model_gives_the_oracles_logits_on_the_host(shape: Shape, seed: int) -> None:
    model = compile_graph(language_graph(random_language(shape, seed)))
    inputs = random_tokens(shape, 4 * shape.window + 5, seed)
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


@pytest.mark.parametrize(
    ("cpu", "low", "high"),
    [
        pytest.param(*case, marks=needs.cycles)
        for case in (("cortex-m4", 1.2, 1.7), ("cortex-m33", 1.1, 1.8), ("cortex-m7", 0.8, 1.3))
    ],
)
def test_cycles_of_a_token_with_the_ring_full(cpu: str, low: float, high: float) -> None:
    """The estimate times what the count counts: the last of the tokens in a row."""
    report = bench(compile_graph(language_graph(random_language(Shape(window=8))), CompileOptions(cpu)), cycles=True)
    assert report.cycles is not None and report.cycles.low <= report.cycles.estimate <= report.cycles.high
    assert low < report.cycles.estimate / report.instructions < high
    counts = {layer.name: layer.cycles.estimate for layer in report.per_layer if layer.cycles}
    assert sum(counts.values()) == report.cycles.estimate and len(counts) == len(report.per_layer)


SLOW = [
    (
        Shape(layers=3, group=32),
        "layers.0.feed.out and 2 more: plain C, for rows of 24 weights are shorter than a group of 32; ",
    ),
    (
        Shape(layers=1, head=12, heads=4, key_heads=2),
        "layers.0.attention: plain C, for heads have 12 channels; a multiple of 8",
    ),
    (
        Shape(layers=1, heads=4, key_heads=4),
        "layers.0.attention: plain C, for 1 query heads read a key head; an even number",
    ),
]


@pytest.mark.parametrize(("shape", "words"), SLOW)
def test_what_runs_in_plain_c_is_named(tmp_path: Path, shape: Shape, words: str) -> None:
    path = tmp_path / "slow.lm"
    path.write_bytes(save_language(random_language(shape)))
    [hint] = compile_model(path).hints
    assert hint.startswith(words)
    board = "--board", "sim_stm32f405"
    for command in ("compile", "plan", "bench") if shape.group else ("plan",):
        assert json.loads(run(command, path, *board, "--json").stdout)["hints"] == [hint]
        assert " ".join(hint.split()) in " ".join(run(command, path, *board).stdout.split())


def test_what_is_fast_needs_no_hint() -> None:
    for group in (0, 32, 64):
        shape = Shape(heads=8, key_heads=4, hidden=172, group=group)
        assert not compile_graph(language_graph(gentle(random_language(shape)))).hints


def test_wide_models_of_four_bits_are_fast() -> None:
    """Trained or random, their sums fit: rounding halves the scales of rows whose sums might not."""
    for width in (192, 320):
        weights = np.random.default_rng(width).normal(size=(8, width))
        matrix = round_groups(weights, 32)
        assert fits_w4(matrix.values, matrix.shares, 32, norm_bound(width, NORM_BITS))


def test_a_layer_may_have_fewer_heads() -> None:
    """As lm convert --prune-heads leaves them: matrices, rings and attention follow."""
    shape = Shape(heads=8, key_heads=4, layers=2, window=8)
    whole = random_language(shape)
    layer = whole.layers[1]
    queries, keys = slice(0, 48), slice(0, 24)
    rows = np.r_[queries, 64:88, 96:120]
    attention = replace(
        layer.attention, values=layer.attention.values[rows], multipliers=layer.attention.multipliers[rows]
    )
    fewer = replace(
        layer,
        attention=attention,
        query_multipliers=layer.query_multipliers[queries],
        key_multipliers=layer.key_multipliers[keys],
        output=replace(layer.output, values=np.ascontiguousarray(layer.output.values[:, queries])),
    )
    model = compile_graph(language_graph(replace(whole, layers=(whole.layers[0], fewer))))
    assert model.states_bytes == 2 * 8 * 8 * (4 + 3) + 4
    inputs = random_tokens(shape, 20)
    [answers] = run_in_a_row([model], [inputs])
    for [got], right in zip(answers, wanted(model, inputs), strict=True):
        np.testing.assert_array_equal(got, right)


def test_ten_thousand_tokens_in_one_go() -> None:
    """The ring goes round 1250 times: what is written then is what a start at the same slot would write."""
    shape = Shape(layers=1, window=8)
    inputs = random_tokens(shape, 10_000, 3)
    models = [compiled(shape), compile_graph(language_graph(random_language(shape, 0)), CompileOptions(prefix="again"))]
    whole, tail = run_in_a_row(models, [inputs, inputs[-32:]])
    same = [np.array_equal(a, b) for [a], [b] in zip(whole[-32:], tail, strict=True)]
    assert not any(same[:7]) and all(same[7:])


@pytest.mark.parametrize("kept", [0, 3])
@pytest.mark.parametrize("cpu", [pytest.param("cortex-m4", marks=needs.simulated_core)])
def test_memory_and_instructions_stay_the_same_ring_after_ring(cpu: str, kept: int) -> None:
    shape = Shape(layers=1, window=16, sinks=kept, kept=kept)
    turn, model = shape.window - kept, compile_graph(language_graph(random_language(shape)), CompileOptions(cpu))
    jobs = [Job(0, x, reset=not n) for n, x in enumerate(random_tokens(shape, 16 + 6 * turn))]
    with BenchImage([model], cpu) as image:
        runs = image.run(jobs)[16:]
    assert len({(run.arena_used, run.stack_used) for run in runs}) == 1
    counts = np.array([run.instructions for run in runs], float).reshape(6, turn)
    assert np.abs(counts / counts.mean() - 1).max() < 0.03
    assert np.abs(counts.mean(1) / counts.mean() - 1).max() < 0.003
