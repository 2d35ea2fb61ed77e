"""``tinyengine fit``: train a network of the zoo on a PC."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from tinyengine.cli.fit_options import VALIDATE, recipe_options, run_options
from tinyengine.cli.options import FiniteRange, fields_of, setting
from tinyengine.cli.progress import step_progress
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.box_fit import BoxFitOptions, BoxFitResult, fit_boxes
from tinyengine.recipes.fit import FitOptions, FitResult, fit
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import BACKENDS

TASKS = ("classification", "detection")
_OF_CLASSIFIERS = ("soft_weight", "embedding_weight", "cutout", "mixup", "teacher", "freeze")
_OF_DETECTORS = ("chosen", "background", "leave_out", "narrow", "mosaic")


@click.command("fit")
@setting("--task", click.Choice(TASKS), TASKS[0], "What to learn: a class per picture, or where its objects are.")
@click.option(
    "--data",
    "data",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Folder with one subfolder per class, or .npz; may be repeated, also with pictures only a teacher labelled. "
    "For detection: .npz with boxes, .json (COCO), folder (YOLO's .txt, VOC's .xml).",
)
@VALIDATE
@click.option(
    "--arch",
    default="person-tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="Network of the zoo (tinyengine zoo list), or an architecture that tinyengine search wrote (.json).",
)
@click.option(
    "--resolution", type=click.IntRange(16, 512), help="Side of the square input in pixels; default: the network's own."
)
@setting(
    "--epochs",
    FiniteRange(0),
    Recipe().epochs,
    "Passes over all pictures; 0: the weights of --start as they are, with normalization measured anew.",
)
@recipe_options
@setting(
    "--embedding-weight",
    FiniteRange(0),
    Recipe().embedding_weight,
    "Weight of the teacher's embedding in the loss, with data from tinyengine teach.",
)
@setting("--cutout", FiniteRange(0, 1), 0.0, "Share of the pictures with a square painted over.")
@setting("--mixup", FiniteRange(0, 1), 0.0, "Share of the batches blended in pairs.")
@click.option(
    "--class",
    "chosen",
    multiple=True,
    metavar="NAME[=A,B]",
    help="Detection: find these, NAME=A,B making one of several; default: all classes.",
)
@click.option(
    "--background",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Detection: boxed pictures, of which those without any box show nothing that is to be found.",
)
@click.option(
    "--leave-out",
    type=click.IntRange(0),
    multiple=True,
    metavar="BLOCK",
    help="Detection: do without this block of --arch, one that changes no shape (the first is 0).",
)
@click.option(
    "--narrow",
    type=(click.IntRange(0), click.IntRange(2)),
    multiple=True,
    metavar="BLOCK EXPANSION",
    help="Detection: give this block of --arch a smaller expansion than its own.",
)
@setting("--mosaic", FiniteRange(0, 1), 0.0, "Detection: share of the pictures put together from four.")
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Begin with these weights of the same architecture instead of random ones: a run's best.npz, a .keras, an "
    "int8 network (.tflite, .json), or a super-network that --arch is a part of (.npz); the number of classes may be "
    "another. Or efficientnet-lite0, for a network of its blocks (pip install 'tinyengine[teacher]').",
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="An int8 network of the zoo (.tflite) that answers for each picture as it is shown, cropped and recoloured, "
    "instead of the answers in the data; of several the mean. Needs --backend pytorch.",
)
@setting(
    "--freeze",
    click.IntRange(0),
    0,
    "Leave so many first blocks of --start, and the stem, as they are: a third less time where these are the large "
    "pictures. Needs --backend pytorch.",
)
@setting(
    "--backend",
    click.Choice(BACKENDS),
    BACKENDS[0],
    "What computes the steps; pytorch (pip install 'tinyengine[torch]') takes two thirds of the time on x86.",
)
@run_options
@click.option(
    "--run",
    "run",
    type=click.Path(path_type=Path),
    default=Path("runs/fit"),
    show_default=True,
    help="Folder for checkpoints and log.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The int8 network to write (.tflite); its .json is written beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(context: click.Context, /, task: str, data: tuple[Path, ...], as_json: bool, **settings: Any) -> None:
    """Train a network of the zoo on labelled pictures, or on pictures with boxes, and convert it to int8.

    A run can be interrupted at any time and continued with --resume.

    \b
    Example:
      tinyengine fit --data photos/ --arch mcunet-vww1 --epochs 30 -o mine.tflite
      tinyengine fit --task detection --data notes.json --class person --arch mbv2-w0.35 --resolution 128 -o net.tflite
    """
    detects = task == "detection"
    for name in _OF_CLASSIFIERS if detects else _OF_DETECTORS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(each.opts[0] for each in context.command.params if each.name == name)
            raise click.UsageError(f"{option} is not for --task {task}: leave it out.")
    augmentation = fields_of(Augmentation, settings)
    recipe = fields_of(Recipe, settings, augmentation=augmentation)
    console = Console(stderr=True, quiet=as_json)
    result: FitResult | BoxFitResult
    with step_progress(console) as progress:
        if detects:
            of_boxes = fields_of(BoxFitOptions, settings, data=list(data), recipe=recipe, classes=settings["chosen"])
            result = fit_boxes(of_boxes, progress, console.print)
        else:
            result = fit(fields_of(FitOptions, settings, data=list(data), recipe=recipe), progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
