"""What the scheduler may choose from: every way to execute a run of operators as one stage, and what it needs.

Operators keep their order, so a stage is a half-open range of positions, and a schedule is a path of stages from 0 to
the number of operators. Which tensors wait outside a stage depends on its range only, never on the other stages; so
the bytes that a stage needs are known without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tinyengine.ir import Graph, Port
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.conv_fast import MEDIUM_COLUMNS
from tinyengine.kernels.select import lower
from tinyengine.kernels.streaming.chain import activation_bytes, layout, row_bytes, row_window
from tinyengine.kernels.streaming.flow import EarlyAddition, Flow
from tinyengine.kernels.streaming.rows import RowOp, row_op
from tinyengine.memory.lifetime import SCRATCH_ALIGN, lifetimes
from tinyengine.memory.placement import place
from tinyengine.memory.states import TENSOR_ALIGN
from tinyengine.schedule.cost import cycles
from tinyengine.sizes import round_up

BATCHES = (1, 2, 4, 8)
"""Rows that the operators of a chain make at a time: more take less time and longer rings."""

FEW_COLUMNS = 1024
"""Scratch memory for the columns of so few pixels that weights are not copied (te_conv_quads.h)."""

LAYER_COLUMNS = (MEDIUM_COLUMNS, 4096, 3072, 2048, FEW_COLUMNS)
"""Limits on the scratch memory for columns of layers, besides that of the fastest kernel and of the smallest one."""

ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48)
"""Rows that an operator may make at a time where each has a number of its own."""

MORE_ROWS = 2
"""How many of the next larger ones are tried at once."""

LONGEST_GROUP = 3
"""Operators that one row operator computes at most."""

NEVER = 1 << 30
"""Position after which nothing is read: the outputs of the network are needed until then."""


@dataclass(frozen=True, eq=False)
class Option:
    """Operators ``start`` .. ``stop`` - 1 as one stage: a layer, or, with ``ops``, a chain.

    ``need``: no arena that executes it is smaller, whatever waits beside it included; of a network with states some
    are, for next values count here even where they lie beside the arena. ``cost``: estimated cycles beyond those of the
    fastest layers.
    """

    start: int
    stop: int
    need: int
    cost: int = 0
    ops: tuple[RowOp, ...] = ()
    firsts: tuple[int, ...] = ()  # per row operator, rows of its first batch
    batch: int = 0  # rows that its operators make at a time
    call: KernelCall | None = None  # of a layer
    recomputed: int = 0  # multiply-accumulates executed again
    activations: int = 0  # what of ``need`` holds values of tensors, about


@dataclass(frozen=True, eq=False)
class _Link:
    """A row operator at its place: the position behind it, rows of its first batch, estimated extra cycles."""

    op: RowOp
    stop: int
    first: int
    cost: int


class Space:
    """All stages of ``graph``. ``pushed``: its only input arrives by rows and is never there as a whole."""

    def __init__(self, graph: Graph, target: Target, pushed: bool = False) -> None:
        self.graph = graph
        # of chains, whose batches are a few rows: no large blocks
        self.target = replace(target, column_bytes=MEDIUM_COLUMNS)
        self.pushed = pushed
        self.size = len(graph.operators)
        fast = replace(target, optimize="time") if target.optimize == "sram" else target
        self.calls: list[KernelCall] = [lower(op, graph, fast) for op in graph.operators]
        self._layer_cycles = [cycles(call.work, target) for call in self.calls]
        self.total_cycles = sum(self._layer_cycles)
        self._known: dict[int, tuple[int, list[Option]]] = {}  # position -> (limit, at least the stages below it)
        self._links_at: dict[tuple[int, str, bool, int], list[_Link]] = {}
        home = {name: name for name in graph.sources()}
        for call in self.calls:
            home.update({name: home[call.inputs[0]] if call.is_view else name for name in call.outputs})
        self._home = home
        self._born = {name: -1 for name in graph.input_tensors()}  # states wait elsewhere
        self._last_use = dict.fromkeys(home.values(), -1)
        for index, call in enumerate(self.calls):
            if not call.is_view:
                for name in call.outputs:
                    self._born.setdefault(name, index)
                for name in call.inputs:
                    self._last_use[home[name]] = index
        for name in graph.results():
            self._last_use[home[name]] = NEVER

    def options(self, start: int, limit: int) -> Iterator[Option]:
        """The stages that begin at ``start`` and need at most ``limit`` bytes."""
        known, options = self._known.get(start, (-1, []))
        if known < limit:
            options = list(self._layers(start))
            for batch in BATCHES:
                options += self._chains(start, limit, batch)
            self._known[start] = limit, options
        return (option for option in options if option.need <= limit)

    # --- layers ---

    @cached_property
    def _resting(self) -> list[dict[str, int]]:
        """Per position, the buffers (bytes, aligned) that exist before it and are still needed from it on."""
        return [
            {
                name: round_up(self.graph.tensor(name).nbytes, TENSOR_ALIGN)
                for name, born in self._born.items()
                if born < position <= self._last_use[name] and not (self.pushed and born < 0)
            }
            for position in range(self.size + 1)
        ]

    def layer(self, position: int) -> Option:
        """The fastest kernel over whole tensors."""
        call = self.calls[position]
        return Option(position, position + 1, self._layer_need(position, call), call=call)

    def _layers(self, start: int) -> Iterator[Option]:
        """The fastest kernel, and the same one, or another, with less scratch memory."""
        if self.pushed and start == 0:
            return
        yield self.layer(start)
        op, fast = self.graph.operators[start], self.calls[start]
        scratch_bytes = fast.scratch_bytes
        for limit in (*LAYER_COLUMNS, None):
            smaller = replace(self.target, optimize="time", column_bytes=limit) if limit else self.target
            small = lower(op, self.graph, smaller)
            if small.scratch_bytes < scratch_bytes:
                # never 0: of two calls that take as long, the one with more scratch memory counts as faster
                cost = max(1, cycles(small.work, self.target) - self._layer_cycles[start])
                yield Option(start, start + 1, self._layer_need(start, small), cost, call=small)
                scratch_bytes = small.scratch_bytes

    def _layer_need(self, position: int, call: KernelCall) -> int:
        resting = self._resting[position]
        if call.is_view:
            return sum(resting.values())
        near = {self._home[name] for name in (*call.inputs, *call.outputs)}
        far = sum(size for name, size in resting.items() if name not in near)
        return far + self._span(position, call)

    def _span(self, position: int, call: KernelCall) -> int:
        """Bytes that one layer needs by itself: the smallest arena for its step alone."""
        kept = [name for name in call.inputs if self._last_use[self._home[name]] > position]
        ports = {name: Port(name, name, self.graph.tensor(name).dtype) for name in (*call.inputs, *call.outputs)}
        alone = Graph("step", self.graph.tensors)
        alone.states = [replace(state, update=state.tensor) for state in self.graph.states]
        beside = {state.tensor for state in alone.states}
        alone.inputs = [ports[name] for name in dict.fromkeys(call.inputs) if name not in beside]
        alone.outputs = [ports[name] for name in dict.fromkeys([*call.outputs, *kept])]
        alive = lifetimes([call], alone)
        return place([buffer for buffer in alive.buffers if buffer.alive(0)], alive.rules).total

    # --- chains ---

    def _chains(self, start: int, limit: int, batch: int) -> Iterator[Option]:
        """Chains from ``start`` whose operators make ``batch`` rows at a time: at each end the longest group of
        operators goes on, shorter ones may end the chain."""
        links: list[_Link] = []
        flow = Flow.of([])
        position, cost = start, 0
        while position < self.size:
            ahead: tuple[_Link, Flow] | None = None
            for link in self._links(links, start, position, batch):
                try:
                    grown = flow.then(row_window(link.op, self._skip(links, link.op), link.first))
                except EarlyAddition:
                    continue
                if ahead is None:
                    ahead = link, grown
                option = self._chain([*links, link], grown, start, batch, cost + link.cost)
                if option is not None:
                    yield option
            if ahead is None:
                return
            link, flow = ahead
            links.append(link)
            cost += link.cost
            position = link.stop
            ops = [link.op for link in links]
            places = layout(ops, flow.keep, self.pushed and start == 0)
            if places.total + self.beside(start, ops[0].x) > limit:
                return  # rings only grow

    def _links(self, links: list[_Link], start: int, position: int, batch: int) -> Iterator[_Link]:
        """What may continue a chain at ``position``, the longest first."""
        x = links[-1].op.y if links else next((t.name for t in self.graph.activations(self.graph.operators[start])), "")
        for link in self._possible(position, x, bool(links) or (self.pushed and start == 0), batch):
            if link.op.skip is None or link.op.skip in self._pictures(links, link.op):
                yield link

    def _possible(self, position: int, x: str, ring: bool, batch: int) -> list[_Link]:
        """Row operators at ``position`` that read ``x``, which lies in a ring or is there as a whole; the longest
        first. What they add may come from anywhere."""
        key = (position, x, ring, batch)
        if key not in self._links_at:
            self._links_at[key] = [
                self._link(op, position, position + length, batch)
                for length in range(min(LONGEST_GROUP, self.size - position), 0, -1)
                if (op := self._row_op(position, length, x, ring, batch)) is not None
            ]
        return self._links_at[key]

    def _row_op(
        self, position: int, length: int, x: str, ring: bool, batch: int, target: Target | None = None
    ) -> RowOp | None:
        """Where the operator's input lies in a ring that nobody else reads, it may consume that."""
        group = self.graph.operators[position : position + length]
        last_uses = (self._last_use[self._home[op.outputs[0]]] for op in group[:-1])
        if any(last != position + index + 1 for index, last in enumerate(last_uses)):
            return None  # what is made inside is wanted elsewhere as well
        consume = ring and len(self.graph.consumers(x)) == 1 and x not in self.graph.results()
        return row_op(group, self.graph, target or self.target, x=x, rows=batch, consume=consume)

    def extra_cycles(self, op: RowOp, start: int) -> int:
        """About what ``op`` takes more than the layers from ``start`` on that compute the same."""
        return cycles(op.work, self.target) - sum(self._layer_cycles[start : start + len(op.ops)])

    def _link(self, op: RowOp, position: int, stop: int, batch: int) -> _Link:
        first = op.rows
        if first > 1 and stop < self.size:
            behind = next(iter(self._possible(stop, op.y, True, batch)), None)
            if behind is not None:
                first = _first_rows(op, behind.op, behind.first)
        return _Link(op, stop, first, self.extra_cycles(op, position))

    @staticmethod
    def _pictures(links: list[_Link], op: RowOp) -> list[str]:
        return [links[0].op.x, *(link.op.y for link in links)] if links else [op.x]

    def _skip(self, links: list[_Link], op: RowOp) -> int | None:
        return None if op.skip is None else self._pictures(links, op).index(op.skip)

    def beside(self, start: int, x: str) -> int:
        """Bytes that wait while a chain from ``start`` over ``x`` runs."""
        return sum(size for name, size in self._resting[start].items() if name != self._home.get(x))

    def _chain(self, links: list[_Link], flow: Flow, start: int, batch: int, cost: int) -> Option | None:
        """The option for a finished chain; None if one of its pictures is wanted behind it."""
        ops, stop = [link.op for link in links], links[-1].stop
        pushed = self.pushed and start == 0
        inner = [op.y for op in ops[:-1]] + ([ops[0].x] if pushed else [])
        if any(self._last_use[self._home[name]] >= stop for name in inner):
            return None
        need, activations = self.chain_need(start, ops, flow)
        firsts = tuple(link.first for link in links)
        return Option(start, stop, need, cost, tuple(ops), firsts, batch, activations=activations)

    def chain_need(self, start: int, ops: Sequence[RowOp], flow: Flow) -> tuple[int, int]:
        """Bytes that a chain from ``start`` needs with what waits beside it, and those of them that hold values."""
        pushed = self.pushed and start == 0
        x, y = ops[0].x, ops[-1].y
        span = y_bytes = self.aligned_bytes(y)
        if not pushed:
            home = self._home[x]
            x_bytes = self.aligned_bytes(home)
            span += x_bytes
            if self._last_use[home] < start + sum(len(op.ops) for op in ops):
                distance = flow.distance(row_bytes(ops[0].in_shape), row_bytes(ops[-1].out_shape))
                span = max(y_bytes, min(span, x_bytes + round_up(distance, TENSOR_ALIGN)))
        outside = self.beside(start, x) + span
        total = layout(ops, flow.keep, pushed).total
        return outside + round_up(total, SCRATCH_ALIGN), outside + activation_bytes(ops, flow.keep, pushed)

    def changes(self, option: Option) -> Iterator[Option]:
        """The chain ``option`` with one operator that makes other batches of rows, or takes other scratch memory. None
        for layers and chains with patches."""
        position = option.start
        fast = replace(self.target, optimize="time")
        targets = (self.target, fast, replace(fast, column_bytes=FEW_COLUMNS))
        for index, op in enumerate(() if option.recomputed else option.ops):
            ring = index > 0 or (self.pushed and option.start == 0)
            larger = [rows for rows in ROWS if op.rows < rows <= max(op.rows + 1, op.out_shape[0])]
            for rows in (op.rows, *larger[:MORE_ROWS], *(rows for rows in ROWS if rows < op.rows)):
                for target in targets:
                    other = self._row_op(position, len(op.ops), op.x, ring, rows, target)
                    if other is not None and (other.rows, other.scratch_bytes) != (op.rows, op.scratch_bytes):
                        changed = self._with(option, index, other)
                        if changed is not None:
                            yield changed
            position += len(op.ops)

    def _with(self, option: Option, index: int, op: RowOp) -> Option | None:
        """The chain ``option`` with ``op`` as its operator ``index``; None if it then adds rows before they come."""
        ops = [*option.ops[:index], op, *option.ops[index + 1 :]]
        firsts = [*option.firsts[:index], op.rows, *option.firsts[index + 1 :]]
        for i in range(min(index, len(ops) - 2), -1, -1):
            firsts[i] = _first_rows(ops[i], ops[i + 1], firsts[i + 1])
        pictures = [ops[0].x, *(each.y for each in ops)]
        skips = [None if each.skip is None else pictures.index(each.skip) for each in ops]
        try:
            flow = Flow.of([row_window(*each) for each in zip(ops, skips, firsts, strict=True)])
        except EarlyAddition:
            return None
        need, activations = self.chain_need(option.start, ops, flow)
        cost = option.cost + cycles(op.work, self.target) - cycles(option.ops[index].work, self.target)
        batch = max(each.rows for each in ops)
        return replace(
            option, need=need, cost=cost, ops=tuple(ops), firsts=tuple(firsts), batch=batch, activations=activations
        )

    # --- for chains with patches (schedule/patched.py) ---

    def alone(self, position: int) -> str | None:
        """The only buffer that is needed from ``position`` on; None if there are more."""
        if self.pushed and position == 0:
            return self.graph.input_tensors()[0]
        names = list(self._resting[position])
        return names[0] if len(names) == 1 else None

    def narrow(self, position: int) -> bool:
        """Whether a chain with patches may be cut here: one buffer is alone, and what follows begins with more bytes,
        or nothing follows."""
        name = self.alone(position)
        if name is None or position == self.size:
            return name is not None
        return position == 0 or self.aligned_bytes(self.graph.operators[position].outputs[0]) > self.aligned_bytes(name)

    def aligned_bytes(self, name: str) -> int:
        return round_up(self.graph.tensor(name).nbytes, TENSOR_ALIGN)

    def runs(self, position: int, ring: bool, batch: int) -> Iterator[list[_Link]]:
        """Row operators from ``position``, where one buffer is alone, to the next narrow position, and to those before
        it where one buffer is alone; always the longest groups."""
        links: list[_Link] = []
        x = self.alone(position)
        following = iter(self._possible(position, x, ring, batch)) if x else iter(())
        pictures: set[str | None] = {None, x}
        while (link := next((each for each in following if each.op.skip in pictures), None)) is not None:
            links.append(link)
            pictures.add(link.op.y)
            if self.alone(link.stop) == link.op.y:
                yield list(links)
            if link.stop == self.size or self.narrow(link.stop) or link.op.accumulates:
                return
            following = iter(self._possible(link.stop, link.op.y, True, batch))


def _first_rows(op: RowOp, behind: RowOp, first: int) -> int:
    """Rows of the first batch of ``op``, such that its batches end where those of the operator behind it begin, whose
    first batch has ``first`` rows."""
    window = row_window(behind, None, first)
    return min((int(window.need[0]) - 1) % op.rows + 1, op.out_h)
