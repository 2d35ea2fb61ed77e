"""Trainings whose result is not kept, for the scripts that compare architectures."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tinyengine.data.samples import Arrays
from tinyengine.optional import tensorflow
from tinyengine.progress import Progress, silent
from tinyengine.recipes.evaluate import keras_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import Training
from tinyengine.zoo.table import Network


@dataclass(slots=True)
class Trained:
    """What the float network answers after its training."""

    probabilities: np.ndarray  # (N, K) of the validation pictures
    parameters: int
    seconds: float  # of processor time, for the training


def train(
    network: Network,
    recipe: Recipe,
    data: Arrays,
    validation: Arrays,
    backend: str,
    progress: Progress = silent,
) -> Trained:
    """Train ``network`` on one core and let it answer; ``validation`` has its resolution."""
    before = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        training = Training(network, recipe, data, Path(folder), backend=backend)
        training.run(None, lambda what, done, total, figures="": progress(done, total))
    seconds = time.process_time() - before
    logits = keras_outputs(training.model, validation.values)
    probabilities = tensorflow("judge a network").nn.softmax(logits).numpy()
    return Trained(probabilities, sum(int(np.prod(w.shape)) for w in training.model.trainable_weights), seconds)
