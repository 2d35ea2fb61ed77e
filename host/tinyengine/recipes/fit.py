"""From pictures to an int8 network beside its MODEL.json: what ``tinyengine fit`` does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.convert.keras import picture_samples, quantize
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.network_file import check_output, write_network
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, join
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow
from tinyengine.progress import Activity, Say, part, silent
from tinyengine.recipes.evaluate import keras_outputs, score, tflite_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import some_pictures
from tinyengine.recipes.train import BACKENDS, Training
from tinyengine.zoo.arch_file import find_or_load
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network, macs, parameters

CALIBRATION_PICTURES = 512


@dataclass(slots=True)
class FitOptions:
    data: list[Path]
    validate: Path | None
    arch: str
    out: Path
    resolution: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    threads: int = 1
    limit: int | None = None
    run: Path = Path("runs/fit")
    resume: bool = False
    start: Path | None = None
    backend: str = BACKENDS[0]
    teacher: tuple[Path, ...] = ()


@dataclass(slots=True)
class FitResult:
    """What ``--json`` prints. Accuracies (``evaluate.Accuracy``) in per cent, None without validation pictures."""

    out: Path
    arch: str
    macs: int
    parameters: int
    pictures: int
    steps: int
    float_accuracy: dict[str, Any] | None
    int8_accuracy: dict[str, Any] | None


def fit(options: FitOptions, activity: Activity = silent, say: Say = silent) -> FitResult:
    """Train, convert, measure. Raises DataError or ToolError; the output appears only when everything succeeded."""
    network = chosen_network(options)
    # pictures are kept larger than the network's input, so that crops of them still have detail
    with_embedding = options.recipe.embedding_weight > 0
    data = load_pictures(activity, options.data, network.resolution * 3 // 2, options.limit, with_embedding)
    validation = load_pictures(activity, [options.validate], network.resolution) if options.validate else None
    if validation is not None:
        check_validation(options.validate, data.classes, validation)
    network = replace(network, classes=len(data.classes))
    how = (options.backend, options.threads, options.teacher)
    training = Training(network, options.recipe, data, options.run, options.start, *how)
    if options.resume:
        training.resume()
    training.run(validation, activity, say)
    return _finish(options, say, network, training, data, validation)


def chosen_network(options: FitOptions) -> Network:
    """The architecture that is wanted. DataError, ToolError where the work would be for nothing."""
    tensorflow("train a network", options.threads)
    check_output(options.out)
    check_run(options.run, options.resume)
    network = find_or_load(options.arch)
    return replace(network, resolution=options.resolution or network.resolution)


def write_int8(
    options: FitOptions, say: Say, model: Any, pictures: np.ndarray, resolution: int, meaning: ModelMetadata
) -> None:
    """Convert ``model`` (Keras), calibrated on some of ``pictures``; keep it as it is with the run."""
    say("converting to int8 ...")
    pixels = some_pictures(pictures, CALIBRATION_PICTURES, resolution, options.recipe.seed)
    write_network(options.out, quantize(model, picture_samples(pixels)), meaning)
    model.save(options.run / "model.keras")


def keep_result(run: Path, out: Path, say: Say, result: Any) -> None:
    """Keep what ``--json`` prints (a dataclass) with the run that has written ``out``."""
    (run / "result.json").write_text(json.dumps(asdict(result), indent=2, default=str) + "\n", encoding="utf-8")
    say(f"wrote {out}")


def check_run(folder: Path, resume: bool) -> None:
    """DataError where a run would overwrite another one."""
    if (folder / "checkpoint.npz").is_file() and not resume:
        raise DataError(f"{folder} holds an unfinished or finished run: add --resume, or name another --run folder")


def load_pictures(
    activity: Activity, paths: list[Path], size: int, limit: int | None = None, with_embedding: bool = False
) -> Arrays:
    """All pictures of ``paths``, squares of ``size``."""
    sets = [read_pictures(path, limit) for path in paths]
    if not with_embedding:
        sets = [replace(each, embedding=None) for each in sets]
    progress = part(activity, f"reading {', '.join(path.name for path in paths)}")
    return join(sets).decoded(size, progress=progress)


def check_validation(path: Path | None, classes: tuple[str, ...], validation: Arrays) -> None:
    """DataError where the ``validation`` pictures of ``path`` cannot judge a network for ``classes``."""
    if (validation.labels < 0).all():
        raise DataError(f"{path} has no labels to measure the accuracy with")
    if validation.classes != classes:
        raise DataError(f"{path} has the classes {[*validation.classes]} and the training data {[*classes]}")


def _finish(
    options: FitOptions,
    say: Say,
    network: Network,
    training: Training,
    data: Arrays,
    validation: Arrays | None,
) -> FitResult:
    """Convert the trained network with softmax behind it, measure both forms and write the files."""
    model = keras_model(network)
    for ours, trained in zip(model.weights, training.model.weights, strict=True):
        ours.assign(trained)
    write_int8(options, say, model, data.values, network.resolution, ModelMetadata(classes=data.classes))
    result = FitResult(
        options.out, options.arch, macs(network), parameters(network), len(data), training.steps, None, None
    )
    if validation is not None:
        say("measuring the int8 network ...")
        result.float_accuracy = asdict(score(keras_outputs(model, validation.values).argmax(1), validation))
        result.int8_accuracy = asdict(score(tflite_outputs(options.out, validation.values).argmax(1), validation))
        say(
            f"float {result.float_accuracy['accuracy']:.2f} %, int8 {result.int8_accuracy['accuracy']:.2f} % "
            f"of {len(validation)} pictures"
        )
        if agreed := result.int8_accuracy["agreed"]:
            say(f"int8 {agreed[0]:.2f} % of the {agreed[1]} whose label the answers in the data share")
    keep_result(options.run, options.out, say, result)
    return result
