"""What the scheduler may choose from: every way to execute a run of operators as one stage, and what it needs.

Operators keep their order, so a stage is a half-open range of positions, and a schedule is a path of stages from 0 to
the number of operators. Which tensors wait outside a stage depends on its range only, never on the other stages; so
the bytes that a stage needs are known without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tinyengine.ir import Graph, Port
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.chain import layout, row_bytes, row_window
from tinyengine.kernels.flow import Flow
from tinyengine.kernels.rows import RowOp, row_op
from tinyengine.kernels.select import lower
from tinyengine.memory.lifetime import SCRATCH_ALIGN, TENSOR_ALIGN, Step, lifetimes
from tinyengine.memory.placement import place
from tinyengine.schedule.cost import extra_instructions

LONGEST_GROUP = 3
"""Operators that one row operator computes at most."""

NEVER = 1 << 30
"""Position after which nothing is read: the outputs of the network are needed until then."""


@dataclass(frozen=True, eq=False)
class Option:
    """Operators ``start`` .. ``stop`` - 1 as one stage: a layer, or, with ``ops``, a chain.

    ``need``: no arena that executes it is smaller, whatever waits beside it included. ``cost``: estimated instructions
    beyond those of the layers.
    """

    start: int
    stop: int
    need: int
    cost: int = 0
    ops: tuple[RowOp, ...] = ()


class Space:
    """All stages of ``graph``. ``pushed``: its only input arrives by rows and is never there as a whole."""

    def __init__(self, graph: Graph, target: Target, pushed: bool = False) -> None:
        self.graph = graph
        self.target = target
        self.pushed = pushed
        self.size = len(graph.operators)
        self.calls: list[KernelCall] = [lower(op, graph, target) for op in graph.operators]
        self._known: dict[int, tuple[int, list[Option]]] = {}  # position -> (limit, at least the stages below it)
        self._row_ops: dict[tuple[int, int, str, bool], RowOp | None] = {}
        home = {name: name for name in graph.input_tensors()}
        for call in self.calls:
            home[call.output] = home[call.inputs[0]] if call.is_view else call.output
        self._home = home
        self._born = {name: -1 for name in graph.input_tensors()}
        self._last_use = dict.fromkeys(home.values(), -1)
        for index, call in enumerate(self.calls):
            self._born.setdefault(home[call.output], index)
            if not call.is_view:
                for name in call.inputs:
                    self._last_use[home[name]] = index
        for name in graph.output_tensors():
            self._last_use[home[name]] = NEVER

    def options(self, start: int, limit: int) -> Iterator[Option]:
        """The stages that begin at ``start`` and need at most ``limit`` bytes."""
        known, options = self._known.get(start, (-1, []))
        if known < limit:
            options = list(self._layers(start)) + list(self._chains(start, limit))
            self._known[start] = limit, options
        return (option for option in options if option.need <= limit)

    # --- layers ---

    @cached_property
    def _resting(self) -> list[dict[str, int]]:
        """Per position, the buffers (bytes, aligned) that exist before it and are still needed from it on."""
        return [
            {
                name: _aligned(self.graph.tensor(name).nbytes, TENSOR_ALIGN)
                for name, born in self._born.items()
                if born < position <= self._last_use[name] and not (self.pushed and born < 0)
            }
            for position in range(self.size + 1)
        ]

    def _layers(self, start: int) -> Iterator[Option]:
        if not (self.pushed and start == 0):
            yield Option(start, start + 1, self._layer_need(start))

    def _layer_need(self, position: int) -> int:
        call = self.calls[position]
        resting = self._resting[position]
        if call.is_view:
            return sum(resting.values())
        near = {self._home[name] for name in (*call.inputs, call.output)}
        far = sum(size for name, size in resting.items() if name not in near)
        return far + self._span(position)

    def _span(self, position: int) -> int:
        """Bytes that one layer needs by itself: the smallest arena for its step alone."""
        call = self.calls[position]
        kept = [name for name in call.inputs if self._last_use[self._home[name]] > position]
        ports = {name: Port(name, name, "int8") for name in (*call.inputs, call.output)}
        alone = Graph("step", self.graph.tensors)
        alone.inputs = [ports[name] for name in dict.fromkeys(call.inputs)]
        alone.outputs = [ports[name] for name in dict.fromkeys([call.output, *kept])]
        alive = lifetimes([Step(call.name, call)], alone)
        return place([buffer for buffer in alive.buffers if buffer.alive(0)], alive.rules).total

    # --- chains ---

    def _chains(self, start: int, limit: int) -> Iterator[Option]:
        """Chains from ``start``: at each end the longest group of operators goes on, shorter ones may end the chain."""
        ops: list[RowOp] = []
        flow = Flow.of([])
        position, cost = start, 0
        while position < self.size:
            groups = [op for op in self._groups(ops, start, position) if op is not None]
            ahead: tuple[RowOp, Flow] | None = None
            for op in groups:
                grown = flow.then(row_window(op, self._skip(ops, op)))
                stop = position + len(op.ops)
                extra = cost + extra_instructions(op, self.graph, self.target)
                if ahead is None:
                    ahead = op, grown
                option = self._chain([*ops, op], grown, start, stop, extra)
                if option is not None:
                    yield option
            if ahead is None:
                return
            op, flow = ahead
            ops.append(op)
            cost += extra_instructions(op, self.graph, self.target)
            position += len(op.ops)
            places = layout(ops, flow.keep, self.pushed and start == 0)
            if places.total + self._beside(start, ops[0].x) > limit:
                return  # rings only grow

    def _groups(self, ops: list[RowOp], start: int, position: int) -> Iterator[RowOp | None]:
        """Row operators that continue the chain at ``position``, the longest first."""
        arrives = ops[-1].y if ops else None
        for length in range(min(LONGEST_GROUP, self.size - position), 0, -1):
            group = self.graph.operators[position : position + length]
            if any(
                self._last_use[self._home[op.outputs[0]]] != position + index + 1 for index, op in enumerate(group[:-1])
            ):
                continue  # what is made inside of it is wanted elsewhere as well
            x = arrives or next((t.name for t in self.graph.activations(group[0])), "")
            op = self._row_op(position, length, x, bool(ops) or (self.pushed and start == 0))
            if op is not None and op.x == x and (op.skip is None or self._has(ops, op)):
                yield op

    def _row_op(self, position: int, length: int, x: str, ring: bool) -> RowOp | None:
        """The row operator; where its input lies in a ring that nobody else reads, it may consume that."""
        consume = ring and len(self.graph.consumers(x)) == 1 and x not in self.graph.output_tensors()
        key = (position, length, x, consume)
        if key not in self._row_ops:
            group = self.graph.operators[position : position + length]
            self._row_ops[key] = row_op(group, self.graph, self.target, x=x, consume=consume)
        return self._row_ops[key]

    @staticmethod
    def _pictures(ops: list[RowOp], op: RowOp) -> list[str]:
        return [ops[0].x, *(each.y for each in ops)] if ops else [op.x]

    def _has(self, ops: list[RowOp], op: RowOp) -> bool:
        return op.skip in self._pictures(ops, op)

    def _skip(self, ops: list[RowOp], op: RowOp) -> int | None:
        return None if op.skip is None else self._pictures(ops, op).index(op.skip)

    def _beside(self, start: int, x: str) -> int:
        """Bytes that wait while a chain from ``start`` over ``x`` runs."""
        return sum(size for name, size in self._resting[start].items() if name != self._home.get(x))

    def _chain(self, ops: list[RowOp], flow: Flow, start: int, stop: int, cost: int) -> Option | None:
        """The option for a finished chain; None if one of its pictures is wanted behind it."""
        pushed = self.pushed and start == 0
        inner = [op.y for op in ops[:-1]] + ([ops[0].x] if pushed else [])
        if any(self._last_use[self._home[name]] >= stop for name in inner):
            return None
        x, y = ops[0].x, ops[-1].y
        places = layout(ops, flow.keep, pushed)
        y_bytes = _aligned(self.graph.tensor(y).nbytes, TENSOR_ALIGN)
        span = y_bytes
        if not pushed:
            home = self._home[x]
            x_bytes = _aligned(self.graph.tensor(home).nbytes, TENSOR_ALIGN)
            span += x_bytes
            if self._last_use[home] < stop:
                distance = flow.distance(row_bytes(ops[0].in_shape), row_bytes(ops[-1].out_shape))
                span = max(y_bytes, min(span, x_bytes + _aligned(distance, TENSOR_ALIGN)))
        need = self._beside(start, x) + span + _aligned(places.total, SCRATCH_ALIGN)
        return Option(start, stop, need, cost, tuple(ops))


def _aligned(size: int, grain: int) -> int:
    return -(-size // grain) * grain
