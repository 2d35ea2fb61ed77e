"""Fast kernels of language models on simulated cores: the oracle's bytes at the ends of their ranges, for shapes that
each of them may meet, and how many instructions they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend.language import PLAIN, LanguageModel, PackedMatrix, language_graph
from tinyengine.ir import Graph, Operator, OpKind, Port, Tensor
from tinyengine.ir.ops import Attrs, LmGateAttrs, LmMatrixAttrs, LmNormAttrs
from tinyengine.ir.verify import verify
from tinyengine.measure.target_runner import BenchImage, Job, RunResult
from tinyengine.native.build import run_in_a_row
from tinyengine.reference import Session

from tests.helpers import needs
from tests.helpers.language import Shape, gentle, random_language, random_tokens

Inputs = list[list[np.ndarray]]


def compiled(graph: Graph, prefix: str) -> CompiledModel:
    return compile_graph(graph, CompileOptions(prefix=prefix))


def on_core(models: list[CompiledModel], runs: list[Inputs], cpu: str) -> list[RunResult]:
    jobs = [Job(k, x, reset=not step) for k, inputs in enumerate(runs) for step, x in enumerate(inputs)]
    with BenchImage(models, cpu) as image:
        return image.run(jobs, exact=False)


def oracle(models: list[CompiledModel], runs: list[Inputs]) -> list[np.ndarray]:
    found = []
    for model, inputs in zip(models, runs, strict=True):
        session = Session(model.graph)
        found += [session.run(x)[0] for x in inputs]
    return found


def check(models: list[CompiledModel], runs: list[Inputs], cpu: str) -> None:
    names = [model.prefix for model, inputs in zip(models, runs, strict=True) for _ in inputs]
    for name, got, right in zip(names, on_core(models, runs, cpu), oracle(models, runs), strict=True):
        assert got.guards_intact, name
        np.testing.assert_array_equal(got.outputs[0], right, name)


def kernels_of(model: CompiledModel) -> Counter[str]:
    """Inner loops of matrices."""
    text = "".join(model.sources.values())
    return Counter(word for word in text.replace(",", " ").split() if word.startswith("te_lm_gemv"))


# --- whole models ---


def largest(model: LanguageModel, odd: int, four: int) -> LanguageModel:
    """All weights at an end of their range: of 8 bits +-127, in odd rows +-``odd``; of 4 bits +-``four``."""

    def extreme(matrix: PackedMatrix) -> PackedMatrix:
        size = np.full(matrix.values.shape, four if matrix.group else 127)
        if not matrix.group:
            size[1::2] = odd
        return replace(matrix, values=np.where(matrix.values < 0, -size, size).astype(np.int8))

    parts = ("attention", "output", "feed", "down")
    layers = tuple(replace(layer, **{name: extreme(getattr(layer, name)) for name in parts}) for layer in model.layers)
    return replace(model, layers=layers)


WIDE = Shape(heads=8, key_heads=4, hidden=100, layers=1, window=8, tokens=260)
EXTREMES = [
    (WIDE, 60, 0, {"te_lm_gemv_w8_64", "te_lm_gemv_add_w8_64", "te_lm_gemv_add_parts_w8"}),
    (WIDE, 127, 0, {"te_lm_gemv_w8_64", "te_lm_gemv_add_parts_w8"}),
    (replace(WIDE, heads=9, key_heads=3), 50, 0, {"te_lm_gemv_w8", "te_lm_gemv_add_w8", "te_lm_gemv_add_parts_w8"}),
    (replace(WIDE, group=32, hidden=52), 0, 7, {"te_lm_gemv_w4_32", "te_lm_gemv_add_w4_32", "te_lm_gemv_w8_64"}),
    (replace(WIDE, group=64, hidden=84), 0, 3, {"te_lm_gemv_w4_64", "te_lm_gemv_add_w4_64", "te_lm_gemv_w8_64"}),
    (replace(WIDE, group=64), 0, 7, {"te_lm_gemv_w4_64", "te_lm_gemv_add_any_w4", "te_lm_gemv_w8_64"}),
]


@needs.thorough_cores
def test_the_largest_weights(cpu: str) -> None:
    models, runs = [], []
    for index, (shape, odd, four, used) in enumerate(EXTREMES):
        model = largest(random_language(shape, index), odd, four)
        models.append(compiled(language_graph(model), f"extreme_{index}"))
        assert set(kernels_of(models[-1])) == used
        runs.append(random_tokens(shape, 4, index))
    check(models, runs, cpu)


def random_shapes(count: int) -> list[Shape]:
    """Heads of every size and number that attention treats in its own way; rests of columns behind whole passes."""
    rng, shapes = np.random.default_rng(7), []
    for index in range(count):
        head = (8, 16, 24, 64, 72, 12)[index % 6]
        key_heads = 2 if head * 2 % 8 else 1
        each = (2, 3, 1, 4, 2, 2)[index % 6]
        window = int(rng.choice([8, 16]))
        shapes.append(
            Shape(
                heads=key_heads * each,
                key_heads=key_heads,
                head=head,
                hidden=2 * int(rng.integers(1, 80)),
                layers=1,
                window=window,
                sinks=int(rng.choice([0, 1, 3])),
                tokens=260,
                group=int(rng.choice([0, 32, 64])),
            )
        )
    return shapes


@needs.thorough_cores
def test_every_kind_of_head_across_the_rings_wrap(cpu: str) -> None:
    shapes = random_shapes(6)
    models = [compiled(language_graph(random_language(s, k)), f"lm_{k}") for k, s in enumerate(shapes)]
    check(models, [random_tokens(s, s.window + 5, k) for k, s in enumerate(shapes)], cpu)


# --- single operators ---


def single(kind: OpKind, x: np.ndarray, attrs: Attrs, constants: list[np.ndarray], output: tuple[int, str]) -> Graph:
    """x int32 or int16 (1, n) in, output (1, n) of a type."""
    graph = Graph("single")
    values = {"x": x, **{f"c{k}": each for k, each in enumerate(constants)}}
    for name, each in values.items():
        quant = PLAIN if each.dtype == np.int8 else None
        graph.tensors[name] = Tensor(name, each.shape, str(each.dtype), quant, None if name == "x" else each)
    graph.tensors["y"] = Tensor("y", (1, output[0]), output[1])
    graph.operators.append(Operator(kind, "op", [*values], ["y"], attrs))
    graph.inputs.append(Port("x", "x", str(x.dtype)))
    graph.outputs.append(Port("y", "y", output[1]))
    return graph


def norm_graph(width: int, fraction: int, epsilon: int, seed: int = 0) -> Graph:
    gains = np.random.default_rng(seed).choice([-32768, 32767, 1234, -20000], width).astype(np.int16)
    x = np.zeros((1, width), np.int32)
    return single(OpKind.LM_NORM, x, LmNormAttrs(epsilon, fraction), [gains], (width, "int16"))


def norm_inputs(width: int) -> Inputs:
    rng = np.random.default_rng(width)
    whole = np.iinfo(np.int32)
    rows = [rng.integers(-(1 << bits), 1 << bits, width) for bits in (1, 5, 11, 13, 14, 20, 29, 30, 31)]
    rows += [np.full(width, value) for value in (0, 1, -1, whole.min, whole.max, 1 << 29, -(1 << 30), 1 << 30)]
    rows.append(np.where(np.arange(width) == 3, (1 << 29) - 1, 0))
    return [[row.astype(np.int32)[None]] for row in rows]


GATE = [(36, 100_000), (40, (1 << 31) - 1), (36, 1)]


def gate_graph(width: int, multiplier: int) -> Graph:
    x = np.zeros((1, 2 * width), np.int32)
    return single(OpKind.LM_GATE, x, LmGateAttrs(multiplier), [], (-(-width // 8) * 8, "int16"))


def gate_inputs(width: int) -> Inputs:
    rng = np.random.default_rng(width)
    ends = [-(1 << 31), -32769, -32768, -8193, -8192, -64, -1, 0, 1, 63, 8191, 8192, 32767, 32768, (1 << 31) - 1]
    rows = [rng.choice(ends, 2 * width) for _ in range(8)] + [rng.integers(-12000, 12000, 2 * width) for _ in range(8)]
    return [[row.astype(np.int32)[None]] for row in rows]


@pytest.mark.parametrize("where", ["host", *(pytest.param(c, marks=needs.simulated_core) for c in ("cortex-m4",))])
def test_norms_and_gates_at_all_magnitudes(where: str) -> None:
    graphs = [norm_graph(64, 10, 2684), norm_graph(8, 12, 0), norm_graph(24, 3, 1 << 30), norm_graph(256, 10, 10000)]
    runs = [norm_inputs(graph.tensor("x").elements) for graph in graphs]
    for width, multiplier in GATE:
        graphs.append(gate_graph(width, multiplier))
        runs.append(gate_inputs(width))
    for graph in graphs:
        verify(graph)
    models = [compiled(graph, f"single_{k}") for k, graph in enumerate(graphs)]
    if where != "host":
        check(models, runs, where)
        return
    answers = [got for found in run_in_a_row(models, runs) for [got] in found]
    for got, right in zip(answers, oracle(models, runs), strict=True):
        np.testing.assert_array_equal(got, right)


def test_a_norm_that_could_leave_16_bits_is_refused() -> None:
    verify(norm_graph(1016, 10, 0))
    with pytest.raises(ModelError):
        verify(norm_graph(1024, 10, 0))


def test_inputs_of_unknown_size_are_left_to_the_portable_kernel() -> None:
    weights = np.full((4, 8), 127, np.int8)
    factors = np.array([1 << 20, 1 << 12] * 2, np.int32)
    x = np.full((1, 8), -32768, np.int16)
    model = compiled(single(OpKind.LM_MATRIX, x, LmMatrixAttrs(), [weights, factors], (4, "int32")), "any")
    assert set(kernels_of(model)) == {"te_lm_gemv_any_w8"}
    [[[got]]] = run_in_a_row([model], [[[x]]])
    np.testing.assert_array_equal(got, Session(model.graph).run([x])[0])


PARTS = [(31, 8, 24), (15, 16, 40), (10, 24, 176), (7, 32, 72), (6, 40, 80), (5, 48, 184), (4, 56, 136)]
"""Weights of this size need parts of so many columns, of as many columns as rows have."""


@needs.thorough_cores
def test_parts_of_every_size_at_the_ends_of_their_ranges(cpu: str) -> None:
    rng, models, runs = np.random.default_rng(5), [], []
    for size, part, columns in PARTS:
        weights = rng.choice([-size, size], (8, columns)).astype(np.int8)
        factors = np.array([1 << 24, 1 << 16] * 4, np.int32)
        graph = single(
            OpKind.LM_MATRIX, np.zeros((1, columns), np.int16), LmMatrixAttrs(), [weights, factors], (8, "int32")
        )
        models.append(compiled(graph, f"part_{part}"))
        assert set(kernels_of(models[-1])) == {"te_lm_gemv_parts_w8"} and models[-1].calls[0].params["group"] == part
        ends = [np.where(row * sign > 0, 32767, -32768) for row in weights[:4] for sign in (1, -1)]
        runs.append([[x.astype(np.int16)[None]] for x in [*ends, rng.integers(-(1 << 15), 1 << 15, columns)]])
    check(models, runs, cpu)


# --- instructions ---

STORIES = Shape(heads=8, key_heads=4, head=8, hidden=172, layers=1, window=128, tokens=512)
"""A layer of stories260K, and its classifier."""

LIMITS = {  # instructions with the ring full, a few per cent above what they are
    0: {"LM_MATRIX": 72_600, "LM_ATTENTION": 27_600, "LM_NORM": 2_450, "LM_GATE": 3_260, "LM_ROTATE": 2_150},
    32: {"LM_MATRIX": 84_800, "LM_ATTENTION": 27_600, "LM_NORM": 2_450, "LM_GATE": 3_260, "LM_ROTATE": 2_150},
    64: {"LM_MATRIX": 82_500, "LM_ATTENTION": 27_600, "LM_NORM": 2_450, "LM_GATE": 3_260, "LM_ROTATE": 2_150},
}


@needs.thorough_cores
def test_instructions_of_a_layer(cpu: str) -> None:
    shapes = {group: replace(STORIES, group=group) for group in LIMITS}
    models = [compiled(language_graph(gentle(random_language(s, 1))), f"layer_{group}") for group, s in shapes.items()]
    jobs = []
    for index, shape in enumerate(shapes.values()):
        tokens = random_tokens(shape, shape.window + 9, index)
        jobs += [Job(index, x, reset=not n, profile=n == len(tokens) - 1) for n, x in enumerate(tokens)]
    with BenchImage(models, cpu) as image:
        results = image.run(jobs)
    for limits, result in zip(LIMITS.values(), (r for r in results if r.layers), strict=True):
        found: Counter[str] = Counter()
        for layer in result.layers:
            found[layer.op] += layer.instructions
        beyond = {op: (found[op], most) for op, most in limits.items() if not 0.93 * most < found[op] <= most}
        assert not beyond
