"""``tinyengine supernet``: one training for networks of many sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

from tinyengine.cli.fit_options import VALIDATE, recipe_options, run_options
from tinyengine.cli.options import FiniteRange, fields_of, json_option, setting, with_options
from tinyengine.cli.progress import step_progress
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.recipe import Recipe
from tinyengine.report.supernet import print_judged, print_predictor
from tinyengine.supernet.space import RESOLUTIONS

if TYPE_CHECKING:
    from tinyengine.recipes.supernet import JudgeOptions

F = TypeVar("F", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)
_RESOLUTION = click.option(
    "--resolution",
    type=click.IntRange(16, 512),
    help="Side of the pictures in pixels; default: the architecture's own.",
)
_MEASURED_ON = click.option(
    "--data",
    type=_PATH,
    multiple=True,
    required=True,
    help="Pictures (folder or .npz) to measure the normalization on, labelled or not: some that it was trained with, "
    "or others of the kind that it will see.",
)


@click.group("supernet")
def command() -> None:
    """Train one network whose parts are networks of many sizes, each ready to be used without training.

    \b
    Example:
      tinyengine supernet train --data photos/ --start mbv2-w0.35.json -o super.npz
      tinyengine supernet evaluate super.npz --arch person-tiny --data photos/ --validate others/
      tinyengine supernet export super.npz --arch person-tiny --data photos/ -o tiny.tflite
    """


@command.command("train")
@click.option(
    "--data",
    type=_PATH,
    multiple=True,
    required=True,
    help="Folder with one subfolder per class, or .npz; may be repeated, also with pictures only a teacher labelled.",
)
@VALIDATE
@click.option(
    "--arch",
    default="mbv2-w0.35",
    show_default=True,
    metavar="NAME|FILE",
    help="The network whose parts are trained: one of the zoo, or an architecture (.json). Kernels of 5x5 are added "
    "where they cost little.",
)
@click.option(
    "--resolution",
    "resolutions",
    type=click.IntRange(16, 512),
    multiple=True,
    default=RESOLUTIONS,
    show_default=True,
    help="A side of the pictures in pixels; may be repeated.",
)
@setting("--epochs", FiniteRange(0), Recipe().epochs, "Passes over all pictures; each step trains three sub-networks.")
@recipe_options
@click.option(
    "--start",
    type=_PATH,
    metavar="FILE",
    help="Begin with these weights instead of random ones: those of --arch, as fit --start takes them, another "
    "super-network, or a run's checkpoint.npz (with --epochs 0 to use what a run has learned so far).",
)
@run_options
@click.option(
    "--run",
    type=_PATH,
    default=Path("runs/supernet"),
    show_default=True,
    help="Folder for checkpoints and log.",
)
@click.option("-o", "--out", type=_PATH, required=True, help="The super-network to write (.npz).")
@json_option
def train(data: tuple[Path, ...], resolutions: tuple[int, ...], as_json: bool, **settings: Any) -> None:
    """Train a super-network on labelled pictures, with PyTorch.

    A run can be interrupted at any time and continued with --resume.

    \b
    Example:
      tinyengine supernet train --data photos/ --validate others/ --start mbv2-w0.35.json --epochs 3 -o super.npz
    """
    from tinyengine.recipes.supernet import SupernetOptions, train_supernet

    recipe = fields_of(Recipe, settings, augmentation=fields_of(Augmentation, settings))
    sizes = tuple(sorted(set(resolutions)))
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        options = fields_of(SupernetOptions, settings, data=list(data), recipe=recipe, resolutions=sizes)
        result = train_supernet(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
    else:
        print_judged(result.sub_networks)


_JUDGED = [
    click.argument("supernet", type=_PATH),
    _MEASURED_ON,
    click.option("--validate", type=_PATH, required=True, help="Pictures to judge with, never trained on."),
    setting("--soft-weight", FiniteRange(0, 1), Recipe().soft_weight, "Share of the teacher beside a label."),
    setting("--threads", click.IntRange(1), 1, "Processor cores to use."),
    click.option("--limit", type=click.IntRange(1), help="Judge with at most this many pictures, evenly over all."),
    json_option,
]


def _judging(function: F) -> F:
    return with_options(_JUDGED, function)


@command.command("evaluate")
@_judging
@click.option(
    "--arch",
    "archs",
    multiple=True,
    default=("largest", "smallest"),
    show_default=True,
    metavar="NAME|FILE",
    help="A sub-network: largest, smallest, a network of the zoo, or an architecture of tinyengine search (.json); may "
    "be repeated.",
)
@_RESOLUTION
def evaluate_(as_json: bool, **settings: Any) -> None:
    """Judge sub-networks of SUPERNET (.npz) with the weights that they inherit.

    Example: tinyengine supernet evaluate super.npz --arch person-tiny --data photos/ --validate others/
    """
    from tinyengine.recipes.supernet import evaluate

    with step_progress() as progress:
        found = evaluate(_options(settings), progress)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        print_judged(found)


@command.command("predict")
@_judging
@setting("--networks", click.IntRange(20), 200, "Sub-networks to judge.")
@setting("--seed", int, 0, "Decides which.")
def predict_(as_json: bool, **settings: Any) -> None:
    """Judge random sub-networks of SUPERNET, and keep in it a formula that predicts how well any other one does.

    tinyengine search needs the formula.

    Example: tinyengine supernet predict super.npz --data photos/ --validate others/
    """
    from tinyengine.recipes.supernet import predict

    with step_progress() as progress:
        predictor = predict(_options(settings), progress)
    if as_json:
        click.echo(json.dumps(asdict(predictor), indent=2))
    else:
        print_predictor(predictor)


def _options(settings: dict[str, Any]) -> JudgeOptions:
    from tinyengine.recipes.supernet import JudgeOptions

    return fields_of(JudgeOptions, settings | {"data": list(settings["data"])})


@command.command("export")
@click.argument("supernet", type=_PATH)
@click.option(
    "--arch", required=True, metavar="NAME|FILE", help="A sub-network, as tinyengine supernet evaluate knows them."
)
@_RESOLUTION
@_MEASURED_ON
@VALIDATE
@click.option(
    "-o",
    "--out",
    type=_PATH,
    required=True,
    help="The int8 network to write (.tflite); its .json is written beside it.",
)
@json_option
def export_(
    supernet: Path,
    arch: str,
    resolution: int | None,
    data: tuple[Path, ...],
    validate: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Write a sub-network of SUPERNET with the weights that it inherits as int8 TFLite.

    Example: tinyengine supernet export super.npz --arch person-tiny --data photos/ -o tiny.tflite
    """
    from tinyengine.recipes.supernet import export_sub_network

    with step_progress() as progress:
        result = export_sub_network(supernet, arch, out, list(data), validate, resolution, progress)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
        return
    judged = (
        "" if result.accuracy is None else f", {result.accuracy['accuracy']:.2f} % of {result.accuracy['count']} right"
    )
    click.echo(f"wrote {out}: {result.macs:,} MACs{judged}")
