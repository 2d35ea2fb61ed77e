"""A language model's training step as kernel calls: those of a token, then the way back over the whole segment.

What outlives a token, kept activations and gradients, are further states of the graph: they lie beside the rings of
keys and values. A step begins with a reset.
"""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, State, Tensor
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.training.language import (
    Gradients,
    block_call,
    keep_call,
    loss_call,
    lower_language,
    update_call,
)
from tinyengine.memory.plan import plan
from tinyengine.schedule.search import Schedule
from tinyengine.schedule.training import TrainingProgram
from tinyengine.training.language import (
    LanguageScheme,
    check_segment,
    find_blocks,
    language_layout,
    numbers_count,
    trained_numbers,
)
from tinyengine.training.state import StateLayout


def language_program(
    graph: Graph, scheme: LanguageScheme, target: Target, segment: int, velocity: bool = False
) -> TrainingProgram:
    """The step for ``graph`` (optimized, with a bias) over segments of at most ``segment`` tokens. ``velocity``: for
    momentum and batches. DataError where the window is shorter."""
    check_segment(graph, segment)
    layout = language_layout(graph, scheme)
    step = _Step(graph, scheme, layout, target, segment)
    calls = step.calls()
    return TrainingProgram(
        graph,
        step.graph,
        scheme,
        layout,
        Schedule(calls, plan(step.graph, calls), False),
        False,
        step.parts.classifier.outputs[0],
        numbers_count(tuple(step.numbers.values())) if velocity else 0,
        "float32",
        segment,
    )


class _Step:
    """The calls in order, and ``graph`` with the states that they need besides."""

    def __init__(self, graph: Graph, scheme: LanguageScheme, layout: StateLayout, target: Target, segment: int) -> None:
        self.graph = Graph(
            graph.name,
            dict(graph.tensors),
            graph.operators,
            graph.inputs,
            graph.outputs,
            list(graph.states),
            graph.tokenizer,
        )
        self.segment = segment
        self.parts = find_blocks(graph)
        self.position = self.parts.position.inputs[0]
        self.trained = self.parts.blocks[len(self.parts.blocks) - scheme.blocks :]
        self.numbers = {each.tensor: each for each in trained_numbers(graph, scheme)}
        self.layout = layout
        self.forward = {op.name: lower_language(op, graph, layout, target) for op in graph.operators}

    def calls(self) -> list[KernelCall]:
        width = self.graph.tensor(self.parts.x).elements
        firsts = {block.attention_norm.name: block for block in self.trained}
        middles = {block.feed_norm.name: block for block in self.trained}
        calls: list[KernelCall] = []
        for op in self.graph.operators:
            if op.name in firsts:
                calls.append(self._keep(op, firsts[op.name].x))
            if op.name in middles:
                calls.append(self._keep(op, middles[op.name].middle))
            calls.append(self.forward[op.name])
        count = numbers_count(tuple(self.numbers.values()))
        sums = self._state("sums", (count,), "float32")
        passed = Gradients(sums, self._state("gradient", (self.segment, width), "float32"))
        behind = Gradients(self._next(passed.sums), self._next(passed.gradient))
        shared = self.segment, self.graph, self.forward, self.numbers
        calls.append(loss_call(self.parts, self.position, passed, behind, *shared))
        for block in reversed(self.trained):
            kept = _kept(block.x) + "+", _kept(block.middle) + "+"
            calls.append(block_call(block, self.parts, self.position, kept, behind, *shared))
        return [*calls, update_call(self.parts, behind.sums, self.layout, self.numbers)]

    def _keep(self, op: Operator, x: str) -> KernelCall:
        width = self.graph.tensor(x).elements
        kept = self._state(_kept(x), (self.segment, width), "int32")
        following = self._next(kept)
        return keep_call(op, self.position, x, kept, following, self.segment, self.graph)

    def _state(self, name: str, shape: tuple[int, ...], dtype: str) -> str:
        assert name not in self.graph.tensors
        self.graph.tensors[name] = Tensor(name, shape, dtype)
        self.graph.states.append(State(name, name, np.zeros(shape, dtype)))
        return name

    def _next(self, name: str) -> str:
        """The tensor that a state becomes."""
        old, new = self.graph.tensor(name), name + "+"
        self.graph.tensors[new] = Tensor(new, old.shape, old.dtype)
        self.graph.states = [
            State(name, new, state.initial) if state.tensor == name else state for state in self.graph.states
        ]
        return new


def _kept(x: str) -> str:
    return f"{x}/kept"
