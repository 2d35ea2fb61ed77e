"""What ``tinyengine supernet`` does: train a super-network, judge its parts, write one as int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.convert.keras import picture_samples, quantize
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.network_file import check_output, write_network
from tinyengine.data.samples import Arrays
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow, torch
from tinyengine.progress import Activity, Say, silent
from tinyengine.recipes.evaluate import score, tflite_outputs
from tinyengine.recipes.fit import CALIBRATION_PICTURES, check_run, check_validation, keep_result, load_pictures
from tinyengine.recipes.inherit import MEASURED, Heir
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import begin, some_pictures
from tinyengine.recipes.supernet_training import SupernetTraining
from tinyengine.supernet.file import Supernet, load_supernet, save_supernet
from tinyengine.supernet.judged import Judged
from tinyengine.supernet.predictor import Predictor, fit_predictor
from tinyengine.supernet.space import RESOLUTIONS
from tinyengine.zoo.arch_file import find_or_load
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network, macs, parameters

FEWER = 512
"""Pictures on which normalizations are measured where hundreds of parts are judged."""


@dataclass(slots=True)
class SupernetOptions:
    """Of ``supernet train``. ``out`` ends in .npz; ``resolutions`` ascend."""

    data: list[Path]
    validate: Path | None
    out: Path
    arch: str = "mbv2-w0.35"
    resolutions: tuple[int, ...] = RESOLUTIONS
    recipe: Recipe = field(default_factory=Recipe)
    threads: int = 1
    limit: int | None = None
    run: Path = Path("runs/supernet")
    resume: bool = False
    start: Path | None = None


@dataclass(slots=True)
class SupernetResult:
    """What ``--json`` prints."""

    out: Path
    pictures: int
    steps: int
    sub_networks: list[Judged]


def train_supernet(options: SupernetOptions, activity: Activity = silent, say: Say = silent) -> SupernetResult:
    """Train and measure. Raises DataError, ModelError, ToolError; the output appears only when everything succeeded."""
    tensorflow("train a super-network", options.threads)
    torch("train a super-network")
    if options.out.suffix != ".npz":
        raise DataError(f"the super-network {options.out} must end in .npz")
    check_run(options.run, options.resume)
    base = find_or_load(options.arch)
    largest = options.resolutions[-1]
    data = load_pictures(activity, options.data, largest, options.limit)
    validation = load_pictures(activity, [options.validate], largest) if options.validate else None
    if validation is not None:
        check_validation(options.validate, data.classes, validation)
    base = replace(base, classes=len(data.classes))
    training = SupernetTraining(
        base, options.resolutions, options.recipe, data, options.run, options.start, options.threads
    )
    if options.resume:
        training.resume()
    training.run(validation, activity, say)
    supernet = Supernet(training.space, training.layers, data.classes)
    save_supernet(supernet, options.out)
    heir = Heir(supernet.space, supernet.layers, data.values)
    ends = [
        (f"{name} at {size}", cut(size))
        for size in options.resolutions
        for name, cut in (("largest", supernet.space.largest), ("smallest", supernet.space.smallest))
    ]
    judged = [judge(heir, name, network, validation, options.recipe.soft_weight) for name, network in ends]
    result = SupernetResult(options.out, len(data), training.steps, judged)
    keep_result(options.run, options.out, say, result)
    return result


@dataclass(slots=True)
class JudgeOptions:
    """Of ``supernet evaluate`` and ``predict``. ``data``: pictures to measure normalizations on, ``validate``: others
    to judge with, at most ``limit``."""

    supernet: Path
    data: list[Path]
    validate: Path
    archs: tuple[str, ...] = ()
    resolution: int | None = None
    networks: int = 200
    seed: int = 0
    soft_weight: float = Recipe().soft_weight
    threads: int = 1
    limit: int | None = None


def evaluate(options: JudgeOptions, activity: Activity = silent) -> list[Judged]:
    """The sub-networks ``archs`` with inherited weights, in their order."""
    supernet = load_supernet(options.supernet)
    networks = [supernet.sub_network(arch, options.resolution) for arch in options.archs]
    heir, validation = open_heir(supernet, options, activity)
    found = []
    for k, (arch, network) in enumerate(zip(options.archs, networks, strict=True)):
        activity("judging", k, len(networks))
        found.append(judge(heir, arch, network, validation, options.soft_weight))
    return found


def predict(options: JudgeOptions, activity: Activity = silent) -> Predictor:
    """Judge ``networks`` random sub-networks; fit a predictor to them and keep it in the super-network's file."""
    supernet = load_supernet(options.supernet)
    heir, validation = open_heir(supernet, options, activity, FEWER)
    rng = np.random.default_rng(options.seed)
    networks = [supernet.space.random(rng) for _ in range(options.networks)]
    found = []
    for k, network in enumerate(networks):
        activity("judging", k, len(networks))
        found.append(heir.judge(network, validation, options.soft_weight))
    entropies, accuracies = [each.cross_entropy for each in found], [each.accuracy for each in found]
    predictor = fit_predictor(supernet.space, networks, entropies, accuracies)
    save_supernet(replace(supernet, predictor=predictor), options.supernet)
    return predictor


def open_heir(
    supernet: Supernet, options: JudgeOptions, activity: Activity, count: int = MEASURED
) -> tuple[Heir, Arrays]:
    """What judges the parts of ``supernet``, on statistics of ``count`` pictures, and the pictures to judge with."""
    torch("judge sub-networks").set_num_threads(options.threads)
    size = supernet.space.resolutions[-1]
    pictures = load_some(activity, options.data, size)
    validation = load_pictures(activity, [options.validate], size, options.limit)
    check_validation(options.validate, supernet.classes, validation)
    return Heir(supernet.space, supernet.layers, pictures, count), validation


def load_some(activity: Activity, data: Sequence[Path], size: int) -> np.ndarray:
    """As many pictures of ``data`` as normalizations are measured on, uint8 squares of ``size``."""
    return load_pictures(activity, [*data], size, max(1, MEASURED // len(data))).values


def judge(heir: Heir, name: str, network: Network, validation: Arrays | None, soft_weight: float) -> Judged:
    """What one sub-network costs and does."""
    inherited = None if validation is None else heir.judge(network, validation, soft_weight)
    return Judged(name, network.resolution, macs(network), parameters(network), inherited)


@dataclass(slots=True)
class Exported:
    """What ``supernet export --json`` prints; ``accuracy`` (``evaluate.Accuracy``) None without pictures."""

    out: Path
    arch: str
    resolution: int
    macs: int
    parameters: int
    accuracy: dict[str, Any] | None


def export_sub_network(
    path: Path,
    arch: str,
    out: Path,
    data: list[Path],
    validate: Path | None,
    resolution: int | None = None,
    activity: Activity = silent,
) -> Exported:
    """Write a sub-network with inherited weights as int8, calibrated on ``data``; judge it where there are pictures."""
    tensorflow("write a sub-network")
    check_output(out)
    network = load_supernet(path).sub_network(arch, resolution)
    pictures = load_some(activity, data, network.resolution)
    validation = load_pictures(activity, [validate], network.resolution) if validate else None
    write_sub_network(path, network, pictures, out)
    accuracy = None
    if validation is not None:
        activity("judging the int8 network", 0, 1)
        accuracy = asdict(score(tflite_outputs(out, validation.values).argmax(1), validation))
    return Exported(out, arch, network.resolution, macs(network), parameters(network), accuracy)


def write_sub_network(path: Path, network: Network, pictures: np.ndarray, out: Path) -> None:
    """The int8 network and its MODEL.json; ``pictures`` are uint8 of its size."""
    model = keras_model(network)
    begin(model, network, path, pictures)
    samples = picture_samples(some_pictures(pictures, CALIBRATION_PICTURES, network.resolution, 0))
    write_network(out, quantize(model, samples), ModelMetadata(classes=load_supernet(path).classes))
