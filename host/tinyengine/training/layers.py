"""What can be trained in a network: its convolutions, counted from the input, and its classifier."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs

_CONVOLUTIONS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)
_AFTER_CLASSIFIER = (OpKind.SOFTMAX, OpKind.LOGISTIC, OpKind.RESHAPE, OpKind.DEQUANTIZE, OpKind.QUANTIZE)


@dataclass(frozen=True)
class TrainableLayer:
    """An operator with weights; ``index`` counts the convolutions from the input, None for the classifier."""

    index: int | None
    op: Operator
    x: Tensor
    weights: Tensor
    bias: Tensor
    y: Tensor

    @property
    def depthwise(self) -> bool:
        return self.op.kind is OpKind.DEPTHWISE_CONV_2D

    @property
    def in_channels(self) -> int:
        return self.weights.shape[-1]

    @property
    def out_channels(self) -> int:
        return self.bias.elements

    @property
    def signature(self) -> str:
        """What tells layers of different networks apart, whatever the resolution."""
        match self.op.attrs:
            case Conv2DAttrs(window=window) | DepthwiseConv2DAttrs(window=window):
                kernel, stride = window.kernel, window.stride
            case _:
                kernel, stride = (1, 1), (1, 1)
        numbers = (self.depthwise, *kernel, *stride, self.in_channels, self.out_channels)
        return " ".join(str(int(number)) for number in numbers)


@dataclass(frozen=True)
class TrainableLayers:
    """All of a network's layers with weights."""

    convolutions: tuple[TrainableLayer, ...]
    classifier: TrainableLayer

    @property
    def all(self) -> tuple[TrainableLayer, ...]:
        return (*self.convolutions, self.classifier)

    @property
    def signature(self) -> str:
        """16 hexadecimal digits that tell networks apart by their convolutions, whatever the resolution."""
        text = "\n".join(layer.signature for layer in self.convolutions)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def trainable_layers(graph: Graph) -> TrainableLayers:
    """The convolutions of ``graph`` in execution order, and the classifier: the dense layer that its output shows.

    A 1x1 convolution over a single pixel counts as dense. Call it on the graph as imported: convolutions are counted
    there. ModelError if the network does not end in one classifier.
    """
    weighted = [op for op in graph.operators if op.kind in (*_CONVOLUTIONS, OpKind.FULLY_CONNECTED)]
    for dtype in (graph.tensor(op.inputs[0]).dtype for op in weighted):
        if dtype != "int8":
            raise ModelError(f"{graph.name} computes in {dtype}: only int8 networks are trained, so convert it first")
    last = _classifier(graph)
    if any(op.kind is OpKind.FULLY_CONNECTED and op is not last for op in weighted):
        raise ModelError(
            f"{graph.name} has fully connected layers before its classifier '{last.name}': only networks of "
            "convolutions with one classifier at the end can be trained"
        )
    convolutions = [op for op in weighted if op is not last]
    return TrainableLayers(
        tuple(_layer(graph, op, index) for index, op in enumerate(convolutions)), _layer(graph, last, None)
    )


def _classifier(graph: Graph) -> Operator:
    if len(graph.outputs) != 1:
        raise ModelError(f"{graph.name} has {len(graph.outputs)} outputs: a network that is trained has one classifier")
    op = graph.producer(graph.output_tensors()[0])
    while op is not None and op.kind in _AFTER_CLASSIFIER:
        op = graph.producer(op.inputs[0])
    if op is not None and op.kind is OpKind.FULLY_CONNECTED:
        return op
    if op is not None and op.kind is OpKind.CONV_2D and graph.tensor(op.inputs[0]).hwc()[:2] == (1, 1):
        return op
    last = f"ends in {op.kind} '{op.name}'" if op is not None else "has no layers"
    raise ModelError(f"{graph.name} {last}: a network that is trained ends in a fully connected classifier")


def _layer(graph: Graph, op: Operator, index: int | None) -> TrainableLayer:
    x, weights, bias = (graph.tensor(name) for name in op.inputs)
    return TrainableLayer(index, op, x, weights, bias, graph.tensor(op.outputs[0]))
