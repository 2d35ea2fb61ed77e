"""``tinyengine teach``: write down what a large network sees in the pictures, for ``tinyengine fit`` to learn from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import fields_of, setting
from tinyengine.cli.progress import step_progress
from tinyengine.recipes.teach import TeachOptions, teach
from tinyengine.recipes.teacher import TEACHERS


@click.command("teach")
@click.option(
    "--data",
    "data",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Folder with one subfolder per class, or .npz; may be repeated, also with pictures without labels.",
)
@click.option(
    "--validate",
    type=click.Path(path_type=Path),
    help="Labelled pictures to measure the answers with; their labels are not learned from and they are not written.",
)
@setting(
    "--teacher",
    click.Choice(list(TEACHERS)),
    "efficientnet-lite2",
    "Network trained on ImageNet that looks at the pictures.",
)
@setting("--resolution", click.IntRange(64, 512), 160, "Side of the square in pixels that the teacher sees.")
@setting("--components", click.IntRange(1, 1024), 64, "Length of the embedding that is kept of what the teacher sees.")
@setting("--threads", click.IntRange(1), 1, "Processor cores to use.")
@click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set.")
@setting(
    "--cache",
    click.Path(path_type=Path),
    Path("runs/teach"),
    "Folder that keeps the features, so that an interrupted run goes on where it was.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The data set to write (.npz).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(data: tuple[Path, ...], as_json: bool, **settings: Any) -> None:
    """Let a large network look at labelled and unlabelled pictures, for a small one to learn from.

    Writes all the pictures as one data set with the large network's answers, which are learned from the labels, and an
    embedding of what it saw.

    Example: tinyengine teach --data photos/ --data more.npz -o taught.npz
    """
    options = fields_of(TeachOptions, settings, data=list(data))
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        result = teach(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
