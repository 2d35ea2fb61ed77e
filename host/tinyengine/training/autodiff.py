"""Which gradients a set of trained parameters needs: reverse-mode differentiation of a graph, decided at build time.

Only what lies between a trained parameter and the logits is differentiated; a gradient that leads to no trained
parameter is never computed (dead-gradient pruning). The result says, operator by operator in backward order, which
gradients it produces and what the forward pass must keep for it: inputs of layers whose weights are trained, and one
bit per output element that tells whether it was clamped.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from tinyengine.errors import UnsupportedOperatorError
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import Conv2DAttrs, MeanAttrs
from tinyengine.training.layers import TrainableLayers, trainable_layers
from tinyengine.training.scheme import UpdateScheme

_CLAMPING = (*WEIGHTED, OpKind.ADD, OpKind.MEAN)


@dataclass(frozen=True)
class BackwardStep:
    """One operator differentiated.

    ``inputs``: activations whose gradient it produces; ``parameters``: constants whose gradient it produces;
    ``masked``: clamped outputs stop the gradient, so the forward pass keeps one bit per output element;
    ``saves_input``: the gradient of its weights needs its input.
    """

    op: Operator
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    masked: bool
    saves_input: bool


@dataclass(frozen=True)
class BackwardPlan:
    """Steps in the order of execution, from the classifier, whose gradient the loss gives, towards the input."""

    logits: str
    steps: tuple[BackwardStep, ...]

    @property
    def saved_inputs(self) -> tuple[str, ...]:
        """Activations that live until their step of the backward pass."""
        return tuple(step.op.inputs[0] for step in self.steps if step.saves_input)

    def mask_bits(self, graph: Graph) -> int:
        """Elements of all outputs that need a clamp mask."""
        return sum(graph.tensor(step.op.outputs[0]).elements for step in self.steps if step.masked)


def trained_parameters(layers: TrainableLayers, scheme: UpdateScheme) -> frozenset[str]:
    """Names of the constants that ``scheme`` updates, the classifier's included."""
    first = len(layers.convolutions) - scheme.bias_last
    names = {layer.bias.name for layer in layers.convolutions[first:]}
    names |= {layers.convolutions[index].weights.name for index in scheme.weights}
    return frozenset(names | {layers.classifier.weights.name, layers.classifier.bias.name})


def plan_scheme(graph: Graph, scheme: UpdateScheme) -> BackwardPlan:
    """The backward pass that ``scheme`` needs; DataError if it does not fit, UnsupportedOperatorError as below."""
    layers = trainable_layers(graph)
    scheme.check(layers)
    return plan_backward(graph, trained_parameters(layers, scheme))


def plan_backward(graph: Graph, trained: Set[str]) -> BackwardPlan:
    """The backward pass for the gradients of the constants ``trained``.

    UnsupportedOperatorError, naming the operator and the earliest convolution that can be trained, if one without a
    gradient lies between them and the logits.
    """
    layers = trainable_layers(graph)
    logits = layers.classifier.y.name
    dependent = _dependent(graph, trained)
    wanted = {logits} & dependent
    steps: list[BackwardStep] = []
    for op in reversed(graph.operators):
        if op.outputs[0] not in wanted:
            continue
        inputs = tuple(dict.fromkeys(name for name in op.inputs if name in dependent))
        parameters = tuple(name for name in op.inputs if name in trained)
        if not differentiable(op, graph):
            raise UnsupportedOperatorError(_refusal(graph, layers, op))
        wanted.update(inputs)
        saves_input = op.kind in WEIGHTED and op.inputs[1] in trained
        masked = op.kind in _CLAMPING and op.outputs[0] != logits
        steps.append(BackwardStep(op, inputs, parameters, masked, saves_input))
    return BackwardPlan(logits, tuple(steps))


def differentiable(op: Operator, graph: Graph) -> bool:
    """Whether the backward pass knows the operator (in this form)."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    match op.kind:
        case OpKind.CONV_2D:
            return isinstance(op.attrs, Conv2DAttrs) and op.attrs.groups == 1
        case OpKind.FULLY_CONNECTED:
            return x.elements == graph.tensor(op.inputs[1]).shape[1]
        case OpKind.DEPTHWISE_CONV_2D | OpKind.AVERAGE_POOL_2D:
            return True
        case OpKind.ADD:
            return len(op.inputs) == 2 and all(graph.tensor(name).shape == y.shape for name in op.inputs)
        case OpKind.MEAN:
            return isinstance(op.attrs, MeanAttrs) and len(x.shape) == 4 and op.attrs.axes == (1, 2)
        case OpKind.RESHAPE:  # the pixels stay pixels; what later readers have given could not be added to a view
            pixels = x.hwc() == y.hwc() or (x.hwc()[:2] == (1, 1) and y.shape[-1] == x.shape[-1])
            later = graph.operators[graph.operators.index(op) + 1 :]
            return pixels and not any(x.name in other.inputs for other in later)
        case _:
            return False


def _dependent(graph: Graph, trained: Set[str]) -> set[str]:
    """Activations that change when a trained constant does."""
    dependent: set[str] = set()
    for op in graph.operators:
        if any(name in dependent or name in trained for name in op.inputs):
            dependent.update(op.outputs)
    return dependent


def _refusal(graph: Graph, layers: TrainableLayers, op: Operator) -> str:
    """The earliest convolution behind which every operator up to the logits has a gradient."""
    possible = "only the classifier can be trained (scheme last-layer)"
    for layer in layers.convolutions:
        behind = _dependent(graph, {layer.bias.name})
        path = [other for other in graph.operators if other.outputs[0] in behind]
        until = path.index(layers.classifier.op) if layers.classifier.op in path else -1
        if all(differentiable(other, graph) for other in path[: until + 1]):
            possible = f"convolution {layer.index} ('{layer.op.name}') is the earliest that can be trained"
            break
    return f"{op.kind} '{op.name}' has no gradient: {possible}"
