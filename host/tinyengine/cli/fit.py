"""``tinyengine fit``: train a network of the zoo on a PC."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from tinyengine.cli.progress import step_progress
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.fit import FitOptions, fit
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import BACKENDS


@click.command("fit")
@click.option(
    "--data",
    "data",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Folder with one subfolder per class, or .npz; may be repeated, also with pictures only a teacher labelled.",
)
@click.option(
    "--validate", type=click.Path(path_type=Path), help="Pictures to measure the accuracy with, never trained on."
)
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
@click.option(
    "--epochs",
    type=click.FloatRange(0, min_open=True),
    default=Recipe().epochs,
    show_default=True,
    help="Passes over all pictures.",
)
@click.option("--batch", type=click.IntRange(2), default=Recipe().batch, show_default=True, help="Pictures per step.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=Recipe().rate,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--soft-weight",
    type=click.FloatRange(0, 1),
    default=Recipe().soft_weight,
    show_default=True,
    help="Share of the teacher beside a label.",
)
@click.option(
    "--embedding-weight",
    type=click.FloatRange(0),
    default=Recipe().embedding_weight,
    show_default=True,
    help="Weight of the teacher's embedding in the loss, with data from tinyengine teach.",
)
@click.option(
    "--min-area",
    type=click.FloatRange(0.01, 1),
    default=Augmentation().min_area,
    show_default=True,
    help="Smallest share of a picture a crop keeps.",
)
@click.option(
    "--gray",
    type=click.FloatRange(0, 1),
    default=Augmentation().gray,
    show_default=True,
    help="Share of the pictures turned gray.",
)
@click.option(
    "--cutout",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the pictures with a square painted over.",
)
@click.option(
    "--mixup",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the batches blended in pairs.",
)
@click.option(
    "--average",
    type=click.FloatRange(0, 1, max_open=True),
    default=Recipe().average,
    show_default=True,
    help="Weight averaging per step.",
)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Begin with these weights of the same architecture (a run's best.npz, or .keras) instead of random ones; "
    "the number of classes may be another.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every random choice.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Processor cores to use.")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=BACKENDS[0],
    show_default=True,
    help="What computes the steps; pytorch (pip install 'tinyengine[torch]') takes two thirds of the time on x86.",
)
@click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set.")
@click.option(
    "--run",
    "run",
    type=click.Path(path_type=Path),
    default=Path("runs/fit"),
    show_default=True,
    help="Folder for checkpoints and log.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --run where it stopped.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The int8 network to write (.tflite); its .json is written beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    data: tuple[Path, ...],
    validate: Path | None,
    arch: str,
    resolution: int | None,
    epochs: float,
    batch: int,
    rate: float,
    soft_weight: float,
    embedding_weight: float,
    min_area: float,
    gray: float,
    cutout: float,
    mixup: float,
    average: float,
    start: Path | None,
    seed: int,
    threads: int,
    backend: str,
    limit: int | None,
    run: Path,
    resume: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Train a network of the zoo on labelled pictures and convert it to int8.

    A run can be interrupted at any time and continued with --resume.

    Example: tinyengine fit --data photos/ --arch mcunet-vww1 --epochs 30 -o mine.tflite
    """
    augmentation = Augmentation(min_area=min_area, gray=gray, cutout=cutout, mixup=mixup)
    recipe = Recipe(
        epochs=epochs,
        batch=batch,
        rate=rate,
        soft_weight=soft_weight,
        embedding_weight=embedding_weight,
        average=average,
        seed=seed,
        augmentation=augmentation,
    )
    options = FitOptions(
        data=list(data),
        validate=validate,
        arch=arch,
        resolution=resolution,
        recipe=recipe,
        threads=threads,
        backend=backend,
        limit=limit,
        run=run,
        resume=resume,
        start=start,
        out=out,
    )
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        result = fit(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
