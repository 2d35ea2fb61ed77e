"""One training step, whole: forward, loss, backward, update. What the generated C must reproduce byte for byte."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np

from tinyengine.ir import Graph
from tinyengine.reference.backward.integer import Gradients, backward
from tinyengine.reference.backward.loss import classifier_logits, cross_entropy, loss_gradient, softmax
from tinyengine.reference.backward.update import (
    accumulated,
    random_bits,
    update_residual,
    update_steps,
    update_stochastic,
)
from tinyengine.reference.executor import Roundings, execute
from tinyengine.step import Outcome, Sample, Update
from tinyengine.training.autodiff import plan_scheme
from tinyengine.training.factors import bias_limit, scaling
from tinyengine.training.layers import TrainableLayer, trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.state import trained_constants


@dataclass(eq=False)
class Trainer:
    """A graph in training; its constants change in place. One sample a step, SGD.

    Random bits are numbered through the layers from the input to the classifier, of each layer the biases first, and
    every constant begins at an even index. With ``residual`` every trained weight has a residual byte, and only biases
    are rounded stochastically.

    ``requant``: how layers without trained constants round in the forward pass (see ``reference.run``).
    """

    graph: Graph
    scheme: UpdateScheme
    residual: bool = False
    residuals: dict[str, np.ndarray] = field(default_factory=dict)
    velocities: dict[str, np.ndarray] = field(default_factory=dict)
    requant: Roundings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = copy.deepcopy(self.graph)
        self._layers = trainable_layers(self.graph)
        self._plan = plan_scheme(self.graph, self.scheme)
        self.constants = trained_constants(self.graph, self.scheme)
        self._exact = {layer.op.name for layer in self._layers.all if self._trained(layer)}

    def train(self, x: np.ndarray, sample: Sample, update: Update) -> np.ndarray:
        """One step on one int8 input; float32 (classes) probabilities before the step."""
        values = self.forward(x)
        classifier = self._layers.classifier
        probabilities = softmax(self._logits(values)[: sample.classes])
        gradient = np.zeros(classifier.out_channels, np.float32)
        gradient[: sample.classes] = loss_gradient(probabilities, sample.label, classifier.y.scale)
        self._update(backward(self.graph, self._plan, values, gradient), update)
        return probabilities

    def evaluate(self, x: np.ndarray, sample: Sample) -> Outcome:
        """What a step would find out, without one."""
        logits = self._logits(self.forward(x))[: sample.classes]
        return Outcome(float(cross_entropy(logits, sample.label)), int(logits.argmax()))

    def forward(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every tensor of one forward pass. Layers with trained constants always round exactly."""
        graph = self.graph
        values = {t.name: t.data.reshape(t.shape) for t in graph.constants() if t.data is not None}
        values[graph.input_tensors()[0]] = x.reshape(graph.tensor(graph.input_tensors()[0]).shape)
        for op in graph.operators:
            requant = None if op.name in self._exact else self.requant.get(op.outputs[0])
            [values[op.outputs[0]]] = execute(op, graph, [values[name] for name in op.inputs], requant)
        return values

    def _logits(self, values: dict[str, np.ndarray]) -> np.ndarray:
        return classifier_logits(self.graph, self._layers.classifier, values[self._layers.classifier.x.name])

    def _trained(self, layer: TrainableLayer) -> bool:
        names = {constant.name for constant in self.constants}
        return layer.weights.name in names or layer.bias.name in names

    def _update(self, gradients: Gradients, update: Update) -> None:
        rate_per_sample = float(np.float32(update.rate) / np.float32(update.batch))
        for constant in self.constants:
            gradient = gradients.parameters[constant.name]
            factors = scaling(constant.layer, constant.bias)
            axis = 3 if constant.layer.depthwise and not constant.bias else 0
            d = update_steps(gradient, factors, rate_per_sample, axis)[..., constant.channels]
            velocity = self.velocities.get(constant.name, np.zeros(d.shape, np.float32))
            self.velocities[constant.name] = d = accumulated(velocity, d, None if update.sample else update.momentum)
            if update.sample + 1 < update.batch:
                continue
            data = self.graph.tensor(constant.name).data
            assert data is not None
            old = data[..., constant.channels]
            if self.residual and not constant.bias:
                residuals = self.residuals.setdefault(constant.name, np.zeros(old.shape, np.int8))
                new, self.residuals[constant.name] = update_residual(old, residuals, d)
            else:
                bits = random_bits(update.seed, update.step, constant.first, d.size).reshape(d.shape)
                limit = bias_limit(self.graph, constant.layer) if constant.bias else None
                new = (
                    np.where(factors == 0, old, update_stochastic(old, d, bits, limit))
                    if constant.bias
                    else (update_stochastic(old, d, bits))
                )
            data[..., constant.channels] = new
