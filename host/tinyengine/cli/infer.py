"""``tinyengine infer``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from tinyengine.cli.device_options import connected, device_options, meaning, meaning_options
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.data.reader import read_all
from tinyengine.device.recognition import Recognizer
from tinyengine.report.recognition import answers_table


@click.command("infer")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@device_options
@meaning_options
@json_option
def command(
    images: tuple[Path, ...],
    port: str,
    elf: Path | None,
    simulator: str,
    flash: Path | None,
    highest_baud: int,
    model: Path | None,
    mapping: str | None,
    color: str | None,
    by_rows: bool | None,
    as_json: bool,
) -> None:
    """Classify pictures on a device.

    IMAGE is a picture, a folder of pictures or an .npz archive. Each picture is resized as a whole to the network's
    input.

    \b
    Example:
      tinyengine infer photo.jpg holiday/ --port /dev/ttyACM0
      tinyengine infer photo.jpg --port sim:sim_stm32f405 --json
    """
    pictures = read_all(images)
    with connected(port, elf, simulator, highest_baud, model, flash) as device, step_progress() as progress:
        recognizer = Recognizer(device, meaning(device, model, mapping, color), by_rows)
        results = []
        for number, picture in enumerate(pictures):
            progress("classifying", number, len(pictures))
            results.append(recognizer.recognize(picture.name, picture.rgb()))
        identity = device.identity
    if as_json:
        head = {"board": identity.board, "model": identity.model, "hash": identity.model_hash}
        click.echo(json.dumps(head | {"pictures": [result.report() for result in results]}, indent=2))
    else:
        Console(highlight=False).print(answers_table(identity, results))
