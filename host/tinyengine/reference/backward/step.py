"""One training step, whole: forward, loss, backward, update. What the generated C must reproduce byte for byte."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np

from tinyengine.ir import Graph
from tinyengine.reference.backward.integer import Gradients, backward
from tinyengine.reference.backward.loss import classifier_logits, loss_gradient, softmax
from tinyengine.reference.backward.update import (
    accumulated,
    random_bits,
    scaling,
    update_residual,
    update_steps,
    update_stochastic,
)
from tinyengine.reference.executor import run
from tinyengine.training.autodiff import plan_scheme
from tinyengine.training.layers import TrainableLayer, trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.selection import selected_channels


@dataclass(frozen=True, eq=False)
class TrainedConstant:
    """A constant that is updated.

    ``channels``: the input channels of the weights that change (all of them for a bias), ``first``: the index of the
    first of its elements in the stream of random bits; elements count in C order over the part that changes.
    """

    layer: TrainableLayer
    name: str
    bias: bool
    channels: np.ndarray
    first: int
    scaling: np.ndarray

    @property
    def axis(self) -> int:
        """The axis of the output channels."""
        return 0 if self.bias or not self.layer.depthwise else 3


@dataclass(eq=False)
class Trainer:
    """A graph in training; its constants change in place. One sample a step, SGD.

    Random bits are numbered through the layers from the input to the classifier, of each layer the biases first, and
    every constant begins at an even index. With ``residual`` every trained weight has a residual byte, and only biases
    are rounded stochastically.

    ``accumulate`` n: constants change with every n-th step, by the mean of its last n gradients. ``momentum``: see
    ``update.accumulated``; either costs a float32 per trained constant.
    """

    graph: Graph
    scheme: UpdateScheme
    seed: int = 0
    residual: bool = False
    step: int = 0
    residuals: dict[str, np.ndarray] = field(default_factory=dict)
    momentum: float = 0.0
    accumulate: int = 1
    velocities: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = copy.deepcopy(self.graph)
        self._layers = trainable_layers(self.graph)
        self._plan = plan_scheme(self.graph, self.scheme)
        self.constants = self._constants()

    def train(self, x: np.ndarray, label: int, rate: float) -> np.ndarray:
        """One step on one int8 input; float32 (K) probabilities before the step."""
        values = run(self.graph, [x], keep_all=True)
        classifier = self._layers.classifier
        probabilities = softmax(classifier_logits(self.graph, classifier, values[classifier.x.name]))
        seed = loss_gradient(probabilities, label, classifier.y.scale)
        self._update(backward(self.graph, self._plan, values, seed), rate)
        self.step += 1
        return probabilities

    def predict(self, x: np.ndarray) -> int:
        """The class with the largest logit."""
        values = run(self.graph, [x], keep_all=True)
        classifier = self._layers.classifier
        return int(classifier_logits(self.graph, classifier, values[classifier.x.name]).argmax())

    def _constants(self) -> list[TrainedConstant]:
        trained = {name for step in self._plan.steps for name in step.parameters}
        result: list[TrainedConstant] = []
        first = 0
        for layer in self._layers.all:
            for tensor in (layer.bias, layer.weights):
                if tensor.name not in trained:
                    continue
                bias = tensor is layer.bias
                count = layer.in_channels if layer.index is None else self.scheme.channels(layer.index, self._layers)
                channels = np.arange(layer.out_channels) if bias else selected_channels(layer, count)
                result.append(TrainedConstant(layer, tensor.name, bias, channels, first, scaling(layer, bias)))
                elements = tensor.elements // tensor.shape[-1] * len(channels)
                first += elements + elements % 2
        return result

    def _update(self, gradients: Gradients, rate: float) -> None:
        rate_per_sample = float(np.float32(rate) / np.float32(self.accumulate))
        for constant in self.constants:
            gradient = gradients.parameters[constant.name]
            d = update_steps(gradient, constant.scaling, rate_per_sample, constant.axis)[..., constant.channels]
            if self.momentum or self.accumulate > 1:
                velocity = self.velocities.get(constant.name, np.zeros(d.shape, np.float32))
                d = accumulated(velocity, d, self.momentum if self.step % self.accumulate == 0 else None)
                self.velocities[constant.name] = d
                if (self.step + 1) % self.accumulate:
                    continue
            data = self.graph.tensor(constant.name).data
            assert data is not None
            old = data[..., constant.channels]
            if self.residual and not constant.bias:
                residuals = self.residuals.setdefault(constant.name, np.zeros(old.shape, np.int8))
                new, self.residuals[constant.name] = update_residual(old, residuals, d)
            else:
                bits = random_bits(self.seed, self.step, constant.first, d.size).reshape(d.shape)
                new = update_stochastic(old, d, bits)
            data[..., constant.channels] = new
