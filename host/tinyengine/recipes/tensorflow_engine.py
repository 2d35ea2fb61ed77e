"""One step of training, by TensorFlow: the engine that every installation has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tinyengine.optional import tensorflow
from tinyengine.recipes.augment import augment
from tinyengine.recipes.engine import State, decays
from tinyengine.recipes.recipe import Recipe
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network


class KerasEngine(ABC):
    """Steps of a Keras model in a traced function, whatever its loss is."""

    def __init__(self, model: Any, recipe: Recipe) -> None:
        """``model`` belongs to the engine from now on."""
        tf = tensorflow("train a network")
        self._tf, self._recipe, self._model = tf, recipe, model
        self._velocity = [tf.Variable(tf.zeros_like(w), trainable=False) for w in model.trainable_variables]
        self._average = [tf.Variable(w, trainable=False) for w in model.weights]
        self._traced = tf.function(self._step)

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, keep: float, seed: tuple[int, int]) -> float:
        tf = self._tf
        arguments = (tf.constant(rate, tf.float32), tf.constant(keep, tf.float32), tf.constant(seed, tf.int32))
        return float(self._traced(tf.constant(pixels), tf.constant(targets), *arguments))

    def state(self) -> State:
        return {name: [v.numpy() for v in variables] for name, variables in self._variables().items()}

    def restore(self, state: State) -> None:
        for name, variables in self._variables().items():
            for variable, value in zip(variables, state[name], strict=True):
                variable.assign(value)

    def _variables(self) -> dict[str, list[Any]]:
        return {"weight": self._model.weights, "average": self._average, "velocity": self._velocity}

    @abstractmethod
    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        """The pictures as the model takes them, float32, and their targets."""

    @abstractmethod
    def _loss(self, outputs: Any, targets: Any) -> Any:
        """Of the model's outputs for a batch, a number."""

    def _step(self, pixels: Any, targets: Any, rate: Any, keep: Any, seed: Any) -> Any:
        tf, recipe = self._tf, self._recipe
        x, targets = self._augmented(pixels, targets, seed)
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(self._model(x, training=True), targets)
        for variable, velocity, gradient in zip(variables, self._velocity, tape.gradient(loss, variables), strict=True):
            if decays(variable.path, variable.shape):
                gradient = gradient + recipe.weight_decay * variable
            velocity.assign(recipe.momentum * velocity + gradient)
            variable.assign_sub(rate * (gradient + recipe.momentum * velocity))
        for average, weight in zip(self._average, self._model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * tf.convert_to_tensor(weight))
        return loss


class TensorflowEngine(KerasEngine):
    """Of a classifier, and of the embedding that it learns beside."""

    def __init__(self, model: Any, network: Network, recipe: Recipe, classes: int) -> None:
        """``model`` is the Keras model whose weights it begins with; see :class:`Engine` for ``classes``."""
        self._network, self._classes = network, classes
        own = keras_model(network, softmax=False)
        own.set_weights(model.get_weights())
        super().__init__(own, recipe)

    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        return augment(pixels, targets, self._network.resolution, self._recipe.augmentation, seed)

    def _loss(self, outputs: Any, targets: Any) -> Any:
        tf, classes = self._tf, self._classes
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets[:, :classes], outputs[:, :classes]))
        if outputs.shape[1] > classes:
            difference = outputs[:, classes:] - targets[:, classes:]
            loss += self._recipe.embedding_weight * tf.reduce_mean(tf.square(difference))
        return loss
