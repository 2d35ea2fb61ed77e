"""A training step as kernel calls: forward, what it keeps, loss, backward with each update right after its gradient.

In front of the first layer with a trained constant everything runs as in inference, streams included. From there on
layers run over whole tensors: the backward pass needs their masks and inputs. All calls share one arena, planned as
one sequence; inference and evaluation are the same calls with some left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType

from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Operator, OpKind, Port, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.conv_fast import MEDIUM_COLUMNS
from tinyengine.kernels.select import lower
from tinyengine.kernels.training import backward, backward_float
from tinyengine.kernels.training.backward import Kept, input_channels, mask_call, mask_tensor, save_call, saved_tensor
from tinyengine.kernels.training.layers import lower_trained
from tinyengine.memory.plan import plan
from tinyengine.memory.states import states_bytes
from tinyengine.schedule import Schedule, schedule
from tinyengine.training.accounting import SchemeCost, scheme_cost
from tinyengine.training.autodiff import BackwardPlan, BackwardStep, plan_scheme
from tinyengine.training.language import LanguageScheme
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.split import crossing
from tinyengine.training.state import StateLayout, state_layout, trained_constants, velocity_count

GRADIENTS = {"int16": backward, "float32": backward_float}
"""Number format of gradients, and the module with their tensors and kernels."""

BLOCK_BYTES = 4096
"""Sums of pixels that a pointwise gradient computes at a time, at least: more take less time, since weights are widened
once per block. Where a step leaves bytes of the arena unused, its blocks are larger."""


ATTEMPTS = 12
"""Plans that are made at most to find larger blocks."""

FRONTS = 4
"""Schedules of the front at most, until it lies with the rest where it has room."""

TRIAL_NODES = 200
"""Of branch and bound in each of these plans: greedy placement is nearly always as good."""


@dataclass(frozen=True, eq=False)
class TrainingProgram:
    """``schedule``: all calls of a step and their addresses. ``network``: what is trained; ``graph``: the same with
    gradients, masks and saved inputs as further tensors. ``velocities``: float32 numbers beside the state;
    ``gradients``: their number format, one of GRADIENTS. ``segment``: of a language model, tokens of a step."""

    network: Graph
    graph: Graph
    scheme: UpdateScheme | LanguageScheme
    layout: StateLayout
    schedule: Schedule
    residual: bool
    logits: str  # tensor of the classifier's outputs
    velocities: int = 0
    gradients: str = "int16"
    segment: int = 0

    @property
    def classes(self) -> int:
        """Outputs of the classifier; a language model tells no classes apart."""
        return 0 if self.segment else int(self.graph.tensor(self.logits).shape[-1])

    @property
    def cost(self) -> SchemeCost:
        """As ``training.accounting`` counts it; of a language model with its gradients, which outlive a token."""
        if not isinstance(self.scheme, LanguageScheme):
            return scheme_cost(trainable_layers(self.network), self.scheme)
        weights, biases = self.layout.trained_weights, self.layout.trained_biases
        kept = states_bytes(self.graph) - states_bytes(self.network)
        return SchemeCost(0, 0, 8 * kept, 0, 0, weights, biases)

    @property
    def velocity_bytes(self) -> int:
        return 4 * self.velocities

    @property
    def sram_bytes(self) -> int:
        """What training takes besides the arena: the state and its velocities."""
        return self.layout.size + self.velocity_bytes


def training_program(
    graph: Graph,
    scheme: UpdateScheme,
    target: Target,
    *,
    residual: bool = False,
    velocity: bool = False,
    gradients: str = "int16",
    rows: bool = False,
    sram: int | None = None,
) -> TrainingProgram:
    """The step for ``graph`` (optimized, with the classifier that is to be trained). ``velocity``: for momentum and
    batches; ``gradients``: one of GRADIENTS. ``rows`` and ``sram`` (for arena, state and velocities) as in
    ``schedule.schedule``; without ``sram`` the front takes no more than the rest, where it can. More ``sram`` makes a
    step faster."""
    if graph.states:
        raise ModelError(
            f"{graph.name} keeps states, which a training step does not go back through: compile it without --train"
        )
    layout = state_layout(graph, scheme, residual)
    velocities = velocity_count(graph, scheme) if velocity else 0
    if sram is not None:
        sram -= layout.size + 4 * velocities
    tail = _fastest_tail(graph, scheme, layout, target, GRADIENTS[gradients], sram)
    placed = _behind_front(graph, tail, target, rows, tail.need if sram is None else max(sram, tail.need))
    return TrainingProgram(
        graph, tail.graph, scheme, layout, placed, residual, tail.backward.logits, velocities, gradients
    )


def _behind_front(graph: Graph, tail: _Tail, target: Target, rows: bool, allowed: int) -> Schedule:
    """The tail behind the fastest front with which the arena has ``allowed`` bytes, or the least."""
    front = Graph(graph.name, graph.tensors, graph.operators[: tail.start], graph.inputs, tail.boundary)
    best: Schedule | None = None
    room = allowed
    for _ in range(FRONTS):
        chosen = schedule(front, target, rows=rows, sram=room) if tail.start else None
        calls, pushed = ([*chosen.calls, *tail.calls], chosen.pushed) if chosen else (tail.calls, False)
        inputs = [] if pushed else graph.inputs
        joint = Graph(graph.name, tail.graph.tensors, graph.operators, inputs, graph.outputs)
        found = Schedule(calls, plan(joint, calls), pushed)
        if best is None or found.plan.arena_bytes < best.plan.arena_bytes:
            best = found
        beyond = found.plan.arena_bytes - allowed
        if beyond <= 0 or chosen is None or chosen.plan.arena_bytes > room:
            break
        room = min(room, chosen.plan.arena_bytes) - beyond  # together they do not lie as well as each alone
    assert best is not None
    return best


def _fastest_tail(
    graph: Graph, scheme: UpdateScheme, layout: StateLayout, target: Target, kernels: ModuleType, sram: int | None
) -> _Tail:
    """With blocks as large as the arena allows, which is ``sram`` or what small blocks need."""
    least = BLOCK_BYTES
    base = _Tail(graph, scheme, layout, target, kernels, {}, least)
    while sram is not None and base.need > sram and least > 1024:
        least //= 2
        base = _Tail(graph, scheme, layout, target, kernels, {}, least)
    if sram is not None and base.need > sram:
        return base
    allowed = base.need if sram is None else sram
    spare = {
        _block(call): allowed - usage.bytes_used
        for call, usage in zip(base.calls, base.plan.usage, strict=True)
        if call.role in ("forward", "backward")
    }
    for _ in range(ATTEMPTS):
        tail = _Tail(graph, scheme, layout, target, kernels, spare, least)
        if tail.need <= allowed:
            return tail
        for call, usage in zip(tail.calls, tail.plan.usage, strict=True):
            beyond = max(resident.end for resident in usage.residents) - allowed
            size = spare.get(_block(call), 0)
            if size and beyond > 0:  # holes between buffers take a part
                spare[_block(call)] = max(0, size - max(beyond, 512, size // 8))
    return base


def _block(call: KernelCall) -> tuple[str, str]:
    """What identifies a call whose blocks may grow."""
    return call.role, call.op.name


class _Tail:
    """The calls behind the front, in order.

    ``start``: the operator with which they begin; ``boundary``: what the front leaves for them; ``need``: bytes of the
    arena without the front; ``graph``: the network with the tensors that they need besides. ``kernels``: of GRADIENTS.
    Blocks of pixels take ``block_bytes``, columns of forward layers half as much again; ``spare``: bytes that single
    calls (``_block``) may take beyond that.
    """

    def __init__(
        self,
        graph: Graph,
        scheme: UpdateScheme,
        layout: StateLayout,
        target: Target,
        kernels: ModuleType,
        spare: Mapping[tuple[str, str], int],
        block_bytes: int,
    ) -> None:
        self.network = graph
        self.graph = Graph(graph.name, dict(graph.tensors), graph.operators, graph.inputs, graph.outputs)
        self.layout = layout
        self.target = replace(target, optimize="time")
        self.kernels, self.spare, self.block_bytes = kernels, spare, block_bytes
        self.backward: BackwardPlan = plan_scheme(graph, scheme)
        self.steps = {step.op.name: step for step in self.backward.steps}
        self.trained = {constant.name: constant for constant in trained_constants(graph, scheme)}
        self.forward: dict[str, KernelCall] = {}
        positions = [i for i, op in enumerate(graph.operators) if any(name in self.trained for name in op.inputs)]
        self.start = positions[0]
        self.boundary = [Port(name, name, graph.tensor(name).dtype) for name in crossing(graph, self.start)]
        self.calls = [call for op in graph.operators[self.start :] for call in self._forward(op)] + self._backward()
        alone = Graph(graph.name, self.graph.tensors, [], self.boundary, graph.outputs)
        self.plan = plan(alone, self.calls, budget=TRIAL_NODES, check=False)
        self.need = self.plan.arena_bytes

    def _new(self, tensor: Tensor) -> str:
        """The name of ``tensor``, which is now one of the graph."""
        assert tensor.name not in self.graph.tensors
        self.graph.tensors[tensor.name] = tensor
        return tensor.name

    def _forward(self, op: Operator) -> list[KernelCall]:
        columns = MEDIUM_COLUMNS * self.block_bytes // BLOCK_BYTES + self.spare.get(("forward", op.name), 0)
        target = replace(self.target, column_bytes=columns)
        call = lower_trained(op, self.network, self.layout, target) or lower(op, self.network, target)
        self.forward[op.name] = call
        step = self.steps.get(op.name)
        if step is None:
            return [call]
        calls = [call]
        if step.masked:
            y = self.graph.tensor(op.outputs[0])
            calls.append(mask_call(op, self.graph, self._new(mask_tensor(_mask(op), y))))
        if step.saves_input:
            constant, x = self.trained[op.inputs[1]], self.graph.tensor(op.inputs[0])
            channels = input_channels(constant)
            if op.kind is OpKind.DEPTHWISE_CONV_2D:
                channels = channels // (constant.layer.in_channels // x.hwc()[2])
            saved = self._new(saved_tensor(_saved(op), x, len(channels)))
            calls.insert(0, save_call(op, self.graph, channels, saved))
        return calls

    def _backward(self) -> list[KernelCall]:
        layers = trainable_layers(self.graph)
        logits = self._gradient(self.backward.logits, None)
        known = {self.backward.logits: logits}
        calls = [self.kernels.loss_call(layers.classifier, self.layout, logits)]
        for step in self.backward.steps:
            calls += self._step(step, known)
        return calls

    def _step(self, step: BackwardStep, known: dict[str, str]) -> list[KernelCall]:
        op = step.op
        gradient, mask = known[op.outputs[0]], _mask(op) if step.masked else None
        calls: list[KernelCall] = []
        if step.op.kind in WEIGHTED:
            saved = _saved(op) if step.saves_input else None
            if step.inputs:
                before = known.get(op.inputs[0])
                output = self._gradient(op.inputs[0], before)
                known[op.inputs[0]] = output
            else:
                before, output = None, None
            kept = Kept(gradient, output, mask, saved, before)
            forward, block = self.forward[op.name], self.block_bytes + self.spare.get(("backward", op.name), 0)
            return [self.kernels.layer_call(step, self.graph, kept, self.layout, self.trained, forward, block)]
        for name in op.inputs:
            if name not in step.inputs:
                continue
            before = known.get(name)
            output = self._gradient(name, before)
            known[name] = output
            calls.append(self.kernels.backward_call(step, self.graph, name, Kept(gradient, output, mask, None, before)))
        return calls

    def _gradient(self, name: str, before: str | None) -> str:
        """A tensor for the gradient of ``name``, which ``before`` holds so far."""
        new = f"{name}/gradient" if before is None else f"{before}+"
        return self._new(self.kernels.gradient_tensor(new, self.graph.tensor(name)))


def _mask(op: Operator) -> str:
    return f"{op.name}/mask"


def _saved(op: Operator) -> str:
    return f"{op.name}/saved"
