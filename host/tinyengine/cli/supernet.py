"""``tinyengine supernet``: one training for networks of many sizes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import FiniteRange, fields_of, json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.recipe import Recipe


@click.group("supernet")
def command() -> None:
    """Train one network whose parts are networks of many sizes, each ready to be used without training."""


@command.command("train")
@click.option("--data", "data", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--validate", type=click.Path(path_type=Path))
@click.option("--arch", default="mbv2-w0.35", show_default=True, metavar="NAME|FILE")
@setting("--epochs", FiniteRange(0), Recipe().epochs, "Passes over all pictures.")
@setting("--batch", click.IntRange(2), Recipe().batch, "Pictures per step.")
@setting("--rate", FiniteRange(0, min_open=True), Recipe().rate, "Peak learning rate.")
@setting("--soft-weight", FiniteRange(0, 1), Recipe().soft_weight, "Share of the teacher beside a label.")
@setting("--min-area", FiniteRange(0.01, 1), Augmentation().min_area, "Smallest share of a picture a crop keeps.")
@setting("--gray", FiniteRange(0, 1), Augmentation().gray, "Share of the pictures turned gray.")
@setting("--average", FiniteRange(0, 1, max_open=True), Recipe().average, "Weight averaging per step.")
@click.option("--start", type=click.Path(path_type=Path), metavar="FILE")
@setting("--seed", int, 0, "Decides every random choice.")
@setting("--threads", click.IntRange(1), 1, "Processor cores to use.")
@click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set.")
@click.option("--run", "run", type=click.Path(path_type=Path), default=Path("runs/supernet"), show_default=True)
@click.option("--resume", is_flag=True, help="Continue the run in --run where it stopped.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True)
@json_option
def train(data: tuple[Path, ...], as_json: bool, **settings: Any) -> None:
    """Train a super-network."""
    from tinyengine.recipes.supernet import SupernetOptions, train_supernet

    recipe = fields_of(Recipe, settings, augmentation=fields_of(Augmentation, settings))
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        options = fields_of(SupernetOptions, settings, data=list(data), recipe=recipe)
        result = train_supernet(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
