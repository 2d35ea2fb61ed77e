"""``tinyengine teach``: write down what a large network sees in the pictures, for ``tinyengine fit`` to learn from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

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
@click.option(
    "--teacher",
    type=click.Choice(list(TEACHERS)),
    default="efficientnet-lite2",
    show_default=True,
    help="Network trained on ImageNet that looks at the pictures.",
)
@click.option(
    "--resolution",
    type=click.IntRange(64, 512),
    default=160,
    show_default=True,
    help="Side of the square in pixels that the teacher sees.",
)
@click.option(
    "--components",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="Length of the embedding that is kept of what the teacher sees.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Processor cores to use.")
@click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("runs/teach"),
    show_default=True,
    help="Folder that keeps the features, so that an interrupted run goes on where it was.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The data set to write (.npz).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    data: tuple[Path, ...],
    validate: Path | None,
    teacher: str,
    resolution: int,
    components: int,
    threads: int,
    limit: int | None,
    cache: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Let a large network look at labelled and unlabelled pictures, for a small one to learn from.

    Writes all the pictures as one data set with the large network's answers, which are learned from the labels, and an
    embedding of what it saw.

    Example: tinyengine teach --data photos/ --data more.npz -o taught.npz
    """
    options = TeachOptions(list(data), out, validate, teacher, resolution, components, threads, limit, cache)
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        result = teach(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
