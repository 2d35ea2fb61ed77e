"""What ``tinyengine supernet`` does: train a super-network, judge its parts, write one as int8."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow, torch
from tinyengine.progress import Activity, Say, silent
from tinyengine.recipes.fit import check_run, check_validation, keep_result, load_pictures
from tinyengine.recipes.inherit import MEASURED, Heir, Inherited
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.supernet_training import SupernetTraining
from tinyengine.supernet.file import Supernet, load_supernet, save_supernet
from tinyengine.supernet.space import RESOLUTIONS
from tinyengine.zoo.arch_file import find_or_load
from tinyengine.zoo.table import Network, macs, parameters


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


@dataclass(frozen=True, slots=True)
class Judged:
    """A sub-network: what it costs, and how it does with inherited weights (None without validation pictures)."""

    arch: str
    resolution: int
    macs: int
    parameters: int
    inherited: Inherited | None


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
        check_validation(options.validate, data, validation)
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
    keep_result(options, say, result)
    return result


def judge(heir: Heir, name: str, network: Network, validation: Arrays | None, soft_weight: float) -> Judged:
    """What one sub-network costs and does."""
    inherited = None if validation is None else heir.judge(network, validation, soft_weight)
    return Judged(name, network.resolution, macs(network), parameters(network), inherited)
