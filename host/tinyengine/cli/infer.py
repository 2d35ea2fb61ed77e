"""``tinyengine infer``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import device_options, meaning_options, recognizer
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.data.reader import read_all
from tinyengine.report.recognition import answers_table


@click.command("infer")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@device_options
@meaning_options
@json_option
def command(images: tuple[Path, ...], as_json: bool, **device: Any) -> None:
    """Classify pictures on a device.

    IMAGE is a picture, a folder of pictures or an .npz archive. Each picture is resized as a whole to the network's
    input. A network with states begins anew with each picture.

    \b
    Example:
      tinyengine infer photo.jpg holiday/ --port /dev/ttyACM0
      tinyengine infer photo.jpg --port sim:sim_stm32f405 --json
    """
    pictures = read_all(images)
    with recognizer(**device) as board, step_progress() as progress:
        results = []
        for number, picture in enumerate(pictures):
            progress("classifying", number, len(pictures))
            results.append(board.recognize(picture.name, picture.rgb()))
        identity = board.device.identity
    if as_json:
        head = {"board": identity.board, "model": identity.model, "hash": identity.model_hash}
        click.echo(json.dumps(head | {"pictures": [result.report() for result in results]}, indent=2))
    else:
        Console(highlight=False).print(answers_table(identity, results))
