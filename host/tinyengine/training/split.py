"""The part of a network that no training changes, and the part behind it.

What lies in front of the first trained convolution gives the same features for a picture in every step. An experiment
on the host computes them once and trains the rest, the tail, on them: the same bytes as training the whole network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Operator, OpKind, Port
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme

_CONVOLUTIONS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)


@dataclass(frozen=True, eq=False)
class Split:
    """``front`` computes the int8 features that are the only input of ``tail``; constants are shared, not copied.

    ``front`` is None where nothing lies before the tail. ``convolutions``: how many the front has.
    """

    front: Graph | None
    tail: Graph
    convolutions: int

    def scheme(self, scheme: UpdateScheme) -> UpdateScheme:
        """``scheme`` of the whole network for the tail, whose convolutions are counted from its own input."""
        weights = {index - self.convolutions: ratio for index, ratio in scheme.weights.items()}
        if any(index < 0 for index in weights):
            raise ModelError(f"scheme '{scheme.name}' trains convolutions in front of the tail")
        return UpdateScheme(scheme.name, scheme.bias_last, weights)


def split(graph: Graph, bias_last: int) -> Split:
    """Cut ``graph`` as late as possible before the last ``bias_last`` convolutions, where one tensor passes.

    A residual around the cut moves it forward to the residual's beginning. ModelError for a network with several
    inputs or without a classifier.
    """
    if len(graph.inputs) != 1:
        raise ModelError(f"{graph.name} has {len(graph.inputs)} inputs: only networks with one can be split")
    layers = trainable_layers(graph)
    first = layers.convolutions[len(layers.convolutions) - bias_last].op if bias_last else layers.classifier.op
    position = graph.operators.index(first)
    while len(passing := crossing(graph, position)) != 1:
        position -= 1
    [boundary] = passing
    before, behind = graph.operators[:position], graph.operators[position:]
    tail = _part(f"{graph.name}_tail", graph, behind, Port(boundary, boundary, "int8"), graph.outputs)
    if not before:
        return Split(None, tail, 0)
    front = _part(f"{graph.name}_front", graph, before, graph.inputs[0], [Port(boundary, boundary, "int8")])
    return Split(front, tail, sum(op.kind in _CONVOLUTIONS for op in before))


def crossing(graph: Graph, position: int) -> list[str]:
    """Activations that exist before operator ``position`` and are read from it on, or are outputs; in that order."""
    made = {name for op in graph.operators[:position] for name in op.outputs} | set(graph.input_tensors())
    read = [name for op in graph.operators[position:] for name in op.inputs] + graph.output_tensors()
    return [name for name in dict.fromkeys(read) if name in made]


def _part(name: str, graph: Graph, operators: list[Operator], source: Port, outputs: Iterable[Port]) -> Graph:
    names = {source.tensor} | {n for op in operators for n in (*op.inputs, *op.outputs)}
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in names}
    return Graph(name, tensors, list(operators), [source], list(outputs))
