"""What the commands that train on a PC share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tinyengine.cli.options import FiniteRange, setting, with_options
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])

VALIDATE = click.option(
    "--validate", type=click.Path(path_type=Path), help="Pictures to measure the accuracy with, never trained on."
)

_RECIPE = [
    setting("--batch", click.IntRange(2), Recipe().batch, "Pictures per step."),
    setting("--rate", FiniteRange(0, min_open=True), Recipe().rate, "Peak learning rate."),
    setting("--soft-weight", FiniteRange(0, 1), Recipe().soft_weight, "Share of the teacher beside a label."),
    setting("--min-area", FiniteRange(0.01, 1), Augmentation().min_area, "Smallest share of a picture a crop keeps."),
    setting("--gray", FiniteRange(0, 1), Augmentation().gray, "Share of the pictures turned gray."),
    setting("--average", FiniteRange(0, 1, max_open=True), Recipe().average, "Weight averaging per step."),
]

_RUN = [
    setting("--seed", int, 0, "Decides every random choice."),
    setting("--threads", click.IntRange(1), 1, "Processor cores to use."),
    click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set."),
    click.option("--resume", is_flag=True, help="Continue the run in --run where it stopped."),
]


def recipe_options(function: F) -> F:
    """What decides the result beside the data: fields of Recipe and Augmentation."""
    return with_options(_RECIPE, function)


def run_options(function: F) -> F:
    """How a training is performed, and what it begins with by chance: --seed, --threads, --limit, --resume."""
    return with_options(_RUN, function)
