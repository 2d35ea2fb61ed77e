"""A training step of a language model: the device's C against the oracle, the oracle's gradients against float64."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.errors import DataError
from tinyengine.frontend.language import language_graph
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import LmGateAttrs, LmMatrixAttrs, LmNormAttrs
from tinyengine.native.build import build, run_steps
from tinyengine.native.trainer import NativeTrainer
from tinyengine.reference.backward.language import LanguageTrainer
from tinyengine.step import Sample, Update
from tinyengine.training.language import trained_numbers
from tinyengine.training.state import state_of

from tests.helpers.language import Shape, random_language

SHAPES = {
    "grouped_queries": Shape(),
    "4_bits": Shape(layers=1, group=32, tied=False, sinks=3, key_heads=1),
    "own_keys": Shape(heads=2, key_heads=2, head=12, hidden=24, group=64),
}


def compiled(shape: Shape, scheme: str = "gains", velocity: bool = False, segment: int = 9) -> CompiledModel:
    graph = language_graph(random_language(shape, 3))
    return compile_graph(graph, CompileOptions(train=scheme, segment=segment, velocity=velocity))


def oracle(model: CompiledModel) -> LanguageTrainer:
    assert model.training is not None
    return LanguageTrainer(model.training.network, model.training.scheme)


def texts(shape: Shape, lengths: tuple[int, ...]) -> list[list[int]]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, shape.tokens, length).tolist() for length in lengths]


@pytest.mark.parametrize("name", SHAPES)
def test_steps_are_the_oracles_under_sanitizers(name: str) -> None:
    shape = SHAPES[name]
    model = compiled(shape, velocity=name == "4_bits")
    assert model.training is not None
    trainer, layout = oracle(model), model.training.layout
    steps = []
    for number, tokens in enumerate(texts(shape, (10, 2, 6))):
        batch = (0.9, 2, number % 2) if model.training.velocities else ()
        steps.append((tokens, Update(2.0, 7, number, *batch)))
    found = run_steps(
        model,
        layout.size,
        [(np.array(tokens, np.uint16), Sample(len(tokens) - 1, 0), update) for tokens, update in steps],
    )
    before = state_of(trainer.graph, layout)
    for (tokens, update), (loss, predicted, state) in zip(steps, found, strict=True):
        outcome = trainer.segment(tokens, update)
        assert (outcome.loss, outcome.predicted) == (loss, predicted)
        assert state_of(trainer.graph, layout) == state
    assert found[-1][2] != before


def test_judging_changes_nothing_and_a_segment_may_be_shorter() -> None:
    model = compiled(SHAPES["grouped_queries"])
    trainer = NativeTrainer(model)
    [tokens] = texts(SHAPES["grouped_queries"], (7,))
    before = trainer.state
    judged = trainer.segment(tokens)
    assert trainer.state == before
    assert trainer.segment(tokens, Update(1.0)).loss == judged.loss == oracle(model).segment(tokens, None).loss
    assert trainer.state != before
    for wrong in (1, 11):
        with pytest.raises(DataError, match="no segment of 2 to 10"):
            trainer.segment([5] * wrong)


def test_the_factorys_network_writes_as_before() -> None:
    graph = language_graph(random_language(SHAPES["grouped_queries"], 3))
    plain = compile_graph(graph)
    assert "bias" not in plain.sources["network.c"]
    here, other = NativeTrainer(compiled(SHAPES["grouped_queries"])).model, build(plain)
    for network in (here, other):
        network.reset()
    for token in (1, 40, 299, 7):
        given = [np.array([token], np.int32)]
        np.testing.assert_array_equal(here.run(given)[0], other.run(given)[0])


# --- the oracle's gradients against the network without roundings ---


class Smooth:
    """Loss of a segment in float64, by the trained constants: the graph's numbers without a rounding."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def loss(self, tokens: list[int], constants: dict[str, np.ndarray]) -> float:
        """The sum."""
        graph, values = self.graph, {}
        data = {t.name: np.asarray(t.data, np.float64) for t in graph.constants()} | constants
        rows: list[dict[str, np.ndarray]] = []
        total = 0.0
        for token, following in pairwise(tokens):
            values = dict(data)
            at = len(rows)
            for op in graph.operators:
                x = [values.get(name) for name in op.inputs]
                out = op.outputs[0]
                match op.kind:
                    case OpKind.LM_EMBEDDING:
                        values[out] = x[1][token] * x[2][token] / 256
                    case OpKind.LM_NORM:
                        assert isinstance(op.attrs, LmNormAttrs)
                        mean = (x[0] ** 2).mean() + op.attrs.epsilon / x[0].size
                        values[out] = x[0] / math.sqrt(mean) * 2.0**op.attrs.fraction * x[1].ravel() / 2**15
                    case OpKind.LM_MATRIX:
                        values[out] = self._matrix(op.attrs, x)
                    case OpKind.LM_ROTATE:
                        angle = at * x_frequencies(graph, data)
                        heads = graph.tensor(out).shape[1]
                        groups, _, head = graph.tensor(op.inputs[3]).shape
                        y = x[0].reshape(-1, head)
                        q, k, v = np.split(y, [heads, heads + groups])
                        q, k = np.clip(q, -32768, 32767), np.clip(k, -32768, 32767)
                        q = np.clip(turned(q, angle) * x[5].reshape(q.shape) / 2**32, -32768, 32767)
                        k = np.clip(turned(k, angle) * x[6].reshape(k.shape) / 2**32, -128, 127)
                        values[out], values["key" + out], values["value" + out] = q, k, np.clip(v, -128, 127)
                    case OpKind.LM_ATTENTION:
                        name = op.inputs[0]
                        past = [*rows, values]
                        share = len(values[name]) // len(values["key" + name])
                        keys = np.stack([np.repeat(each["key" + name], share, 0) for each in past])
                        held = np.stack([np.repeat(each["value" + name], share, 0) for each in past])
                        scores = np.clip(np.einsum("hd,thd->ht", values[name], keys) / 16, -32768, 32767)
                        weights = 2.0 ** ((scores - scores.max(1, keepdims=True)) / 256)
                        weights /= weights.sum(1, keepdims=True)
                        values[out] = 16 * np.einsum("ht,thd->hd", weights, held).ravel()
                    case OpKind.LM_GATE:
                        assert isinstance(op.attrs, LmGateAttrs)
                        u, g = np.clip(x[0].ravel(), -32768, 32767).reshape(2, -1)
                        hidden = u / (1 + np.exp(-u / 1024)) * g * op.attrs.multiplier / 2**32
                        padded = graph.tensor(out).elements - hidden.size
                        values[out] = np.pad(np.clip(hidden, -2048, 2047), (0, padded))
            logits = values[graph.outputs[0].tensor].ravel() / 4096
            total += float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[following])
            rows.append(values)
        return total

    @staticmethod
    def _matrix(attrs: object, x: list[np.ndarray]) -> np.ndarray:
        assert isinstance(attrs, LmMatrixAttrs)
        weights = x[1]
        if attrs.group:
            weights = weights * np.repeat(x[3], attrs.group, 1)[:, : weights.shape[1]] / 2**16 * 4096
        else:
            weights = weights * np.where(np.arange(len(weights)) % 2, 256, 1)[:, None]
        y = weights @ x[0].ravel() * x[2] / 2**32
        return y + x[-1].ravel() if attrs.add else y


def x_frequencies(graph: Graph, data: dict[str, np.ndarray]) -> np.ndarray:
    [op] = [op for op in graph.operators if op.kind is OpKind.LM_POSITION]
    return data[op.inputs[1]] / 2**32 * 2 * math.pi


def turned(x: np.ndarray, angle: np.ndarray) -> np.ndarray:
    a, b, c, s = x[:, 0::2], x[:, 1::2], np.cos(angle) * 2**14, np.sin(angle) * 2**14
    return np.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_the_network_without_roundings(name: str) -> None:
    """By differences, for each trained constant along its gradient; of a model whose heads look at several tokens and
    whose gates are small, so that roundings do not lead it elsewhere."""
    shape = SHAPES[name]
    random = random_language(shape, 3)
    layers = tuple(
        replace(layer, query_multipliers=layer.query_multipliers // 16, gate_multiplier=layer.gate_multiplier // 4)
        for layer in random.layers
    )
    model = compile_graph(language_graph(replace(random, layers=layers)), CompileOptions(train="gains", segment=9))
    trainer = oracle(model)
    graph = copy.deepcopy(trainer.graph)
    [tokens] = texts(shape, (7,))
    found = trainer.gradients(trainer._forward(tokens[:-1]), tokens[1:])
    smooth = Smooth(graph)
    for numbers in trained_numbers(graph, trainer.scheme):
        data = np.asarray(graph.tensor(numbers.tensor).data, np.float64)
        gradient = found[numbers.tensor].astype(np.float64)
        direction = gradient / np.linalg.norm(gradient)
        step = 4.0 * direction.reshape(data.shape)
        up, down = (smooth.loss(tokens, {numbers.tensor: data + sign * step}) for sign in (1, -1))
        wanted = (up - down) / 2 / 4.0 * numbers.scaling
        assert abs(wanted - gradient @ direction) < 0.05 * abs(wanted), numbers.tensor
