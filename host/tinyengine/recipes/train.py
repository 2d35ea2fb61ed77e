"""The training loop: distillation on augmented pictures, cosine schedule, weight averaging, checkpoints.

A run lives in a folder: ``checkpoint.npz`` (everything needed to continue, replaced atomically), ``log.jsonl`` (one
line per epoch) and ``best.npz`` (the averaged weights that did best on the validation pictures; a long run of a small
network ends best, so this usually equals the last epoch). Given the same data, seed and thread count, a run that was
interrupted and continued takes the same steps as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.samples import Arrays
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow
from tinyengine.progress import Activity, Say, silent
from tinyengine.recipes.engine import Engine
from tinyengine.recipes.evaluate import keras_outputs, score
from tinyengine.recipes.online_teacher import OnlineTeacher, known_part
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.run_folder import learning_rate, write_npz
from tinyengine.recipes.start import MEASURED_ANEW, begin, measure_normalization, some_pictures
from tinyengine.recipes.tensorflow_engine import TensorflowEngine
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network, convolutions

#: what computes the steps; the first is the default
BACKENDS = ("tensorflow", "pytorch")


@dataclass(slots=True)
class Status:
    """Where the run is: what is shown after some steps, and logged at the end of an epoch with ``accuracy``."""

    step: int
    steps: int
    epoch: int
    loss: float
    rate: float
    pictures_per_second: float
    accuracy: float | None = None


class Training:
    """One run: construct it, call :meth:`run`, take :attr:`model`, which holds the averaged weights.

    Of a classifier; methods that begin with an underscore are what another task does in another way.
    """

    figure = "accuracy"
    form = "network"

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        data: Arrays,
        folder: Path,
        start: Path | None = None,
        backend: str = BACKENDS[0],
        threads: int = 1,
        teachers: Sequence[Path] = (),
    ) -> None:
        """``start``: weights to begin with (``recipes.start``), random ones by default; DataError or ModelError where
        they are of another architecture. A classifier for other classes begins with random weights all the same.
        ``backend``: one of BACKENDS; ToolError where its package is missing. ``teachers``: networks that answer for
        each picture as a step shows it, instead of the answers in the data (``recipes.online_teacher``)."""
        tensorflow("train a network").keras.utils.set_random_seed(recipe.seed)
        self.network, self.recipe, self.data, self.folder = network, recipe, data, folder
        self._check(backend, start, teachers)
        self._teacher = OnlineTeacher(teachers, data.classes) if teachers else None
        self.targets = self._make_targets()
        if len(data) < recipe.batch:
            raise DataError(f"{len(data)} pictures are fewer than one batch of {recipe.batch}: use a smaller --batch")
        self.steps_per_epoch = len(data) // recipe.batch
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch)) if recipe.epochs else 0
        if not self.steps and start is None:
            raise DataError("no passes train nothing, so there must be weights to begin with: name them with --start")
        self.model = self._make_model()
        self._start = b"" if start is None else self._begin(start)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self._engine = self._make_engine(backend, threads)
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, validation: Any, activity: Activity = silent, say: Say = silent, save_every: float = 120.0) -> None:
        """Train from the current step to the end, measured on ``validation`` (Arrays, or None).

        A checkpoint is written every ``save_every`` seconds.

        A run of no steps measures the normalization anew, for a resolution that the weights were not trained at.
        """
        saved = time.monotonic()
        batch = self.recipe.batch
        order = self._order(self.step // self.steps_per_epoch)
        loss_sum, loss_count, started, since = 0.0, 0, time.monotonic(), self.step
        try:
            while self.step < self.steps:
                epoch, within = divmod(self.step, self.steps_per_epoch)
                if within == 0:
                    order = self._order(epoch)
                chosen = np.sort(order[within * batch : (within + 1) * batch])
                rate = learning_rate(self.recipe, self.step, self.steps)
                # the average starts short, so that it does not remember the random start
                keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
                seed = (self.recipe.seed, self.step)
                loss_sum += self._engine.step(self.data.values[chosen], self.targets[chosen], rate, keep, seed)
                loss_count += 1
                self.step += 1
                end_of_epoch = within + 1 == self.steps_per_epoch or self.step == self.steps
                if self.step % 20 == 0 or end_of_epoch:
                    speed = (self.step - since) * batch / (time.monotonic() - started)
                    status = Status(self.step, self.steps, epoch, loss_sum / loss_count, rate, speed)
                    figures = f"epoch {epoch + 1}  loss {status.loss:.3f}  {speed:.0f} pictures/s"
                    if end_of_epoch:
                        self._end_epoch(status, validation)
                        if status.accuracy is not None:
                            say(f"epoch {epoch + 1}: loss {status.loss:.4f}, {self.figure} {status.accuracy:.2f} %")
                        loss_sum, loss_count, started, since = 0.0, 0, time.monotonic(), self.step
                    activity("training", self.step, self.steps, figures)
                if time.monotonic() - saved > save_every:
                    self.save()
                    saved = time.monotonic()
        finally:
            # also when the user interrupts: nothing but the step under way is lost
            self.save()
        self._use_average()
        if not self.steps:
            self._settle()

    def save(self) -> None:
        """Write the checkpoint; a reader sees the old or the new one, never half of one."""
        arrays: dict[str, Any] = {"step": self.step, "fingerprint": self.fingerprint(), "form": self.form}
        arrays["classes"] = self.model.weights[-1].shape[-1]  # a classifier's other outputs are the embedding's
        arrays["history"] = json.dumps(self.history)
        for prefix, variables in self._engine.state().items():
            arrays.update({f"{prefix}{k}": v for k, v in enumerate(variables)})
        write_npz(self.folder / "checkpoint.npz", arrays)

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False if there is none, DataError if it is of another run."""
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["fingerprint"]) != self.fingerprint():
                raise DataError(
                    f"{path} belongs to a run with another architecture, data or settings: "
                    "name another --run folder, or repeat the settings it was started with"
                )
            shapes = self._engine.state()
            self._engine.restore(
                {name: [arrays[f"{name}{k}"] for k in range(len(values))] for name, values in shapes.items()}
            )
            self.step = int(arrays["step"])
            self.history = json.loads(str(arrays["history"]))
        return True

    def fingerprint(self) -> str:
        """Identifies architecture, settings, data and the weights it began with."""
        digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.targets).tobytes())
        digest.update(np.ascontiguousarray(self.data.values[:: max(1, len(self.data) // 64)]).tobytes())
        digest.update(self._start)
        if self._teacher is not None:
            digest.update(self._teacher.digest)
        return digest.hexdigest()

    def _check(self, backend: str, start: Path | None, teachers: Sequence[Path]) -> None:
        blocks, freeze = len(self.network.blocks), self.recipe.freeze
        for option, wanted in (("--teacher", teachers), ("--freeze", freeze)):
            if wanted and backend != "pytorch":
                raise DataError(f"--backend {backend} knows no {option}: add --backend pytorch")
        if freeze and start is None:
            raise DataError("random weights are nothing to --freeze: name those to begin with by --start")
        if freeze > blocks:
            raise DataError(f"--freeze {freeze} is more than {self.network.name} has: at most {blocks}")

    def _settings(self) -> list[Any]:
        """What decides the result besides the data and the weights that it begins with."""
        recipe = asdict(self.recipe)
        if self.targets.shape[1] == self.network.classes:
            del recipe["embedding_weight"]  # decides nothing
        if not self.recipe.freeze:
            del recipe["freeze"]
        return [asdict(self.network), recipe]

    def _make_targets(self) -> np.ndarray:
        data, recipe = self.data, self.recipe
        if self._teacher is not None:
            targets = known_part(data.labels, len(data.classes), recipe.soft_weight)
        else:
            targets = data.targets(recipe.soft_weight)
        if targets.shape[1] != self.network.classes:
            raise DataError(f"the data has {targets.shape[1]} classes and the network {self.network.classes}")
        if data.embedding is not None and recipe.embedding_weight > 0:
            targets = np.hstack([targets, data.embedding])
        return targets

    def _make_model(self) -> Any:
        return keras_model(self.network, softmax=False)

    def _begin(self, start: Path) -> bytes:
        return begin(self.model, self.network, start, self.data.values, self.recipe.seed)

    def _settle(self) -> None:
        """Of a run of no steps, whose resolution is new to its weights."""
        pictures = some_pictures(self.data.values, MEASURED_ANEW, self.network.resolution, self.recipe.seed)
        measure_normalization(self.model, convolutions(self.network)[:-1], pictures)

    def _measure(self, validation: Any, epoch: int) -> float | None:
        """The accuracy of the model in per cent; None where this epoch is not measured."""
        answers = keras_outputs(self.model, validation.values).argmax(axis=1)
        return score(answers, validation).accuracy

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.data))

    def _end_epoch(self, status: Status, validation: Any) -> None:
        if validation is not None:
            self._use_average()
            status.accuracy = self._measure(validation, status.epoch)
            best = max((line["accuracy"] or 0 for line in self.history), default=0)
            if status.accuracy is not None and status.accuracy >= best:
                self._write_weights(self.folder / "best.npz")
        self.history.append(asdict(status))
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(status)) + "\n")

    def _make_engine(self, backend: str, threads: int) -> Engine:
        """An engine for the network with as many outputs as there are targets; those of the classes come first."""
        network, classes = replace(self.network, classes=self.targets.shape[1]), self.network.classes
        model = keras_model(network, softmax=False)
        for wide, weight in zip(model.weights, self.model.weights, strict=True):
            value = wide.numpy()
            value[..., : weight.shape[-1]] = weight.numpy()  # only the classifier's are wider
            wide.assign(value)
        if backend == "pytorch":
            from tinyengine.recipes.torch_engine import TorchEngine  # needs an extra

            return TorchEngine(model, network, self.recipe, classes, threads, self._teacher)
        return TensorflowEngine(model, network, self.recipe, classes)

    def _use_average(self) -> None:
        for weight, average in zip(self.model.weights, self._engine.state()["average"], strict=True):
            weight.assign(average[..., : weight.shape[-1]])

    def _write_weights(self, path: Path) -> None:
        write_npz(path, {f"weight{k}": w.numpy() for k, w in enumerate(self.model.weights)})
