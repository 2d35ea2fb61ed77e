"""``tinyengine infer``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import (
    check_drawn,
    device_options,
    meaning_options,
    recognizer,
    window_options,
    windows_of,
)
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.data.images import Picture
from tinyengine.data.number_sets import holds_numbers, read_number_set
from tinyengine.data.reader import read_all
from tinyengine.device.recognition import Recognition, Recognizer
from tinyengine.report.boxes import draw_boxes, write_drawn
from tinyengine.report.recognition import answers_table


@click.command("infer")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--draw",
    "drawn",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of a detector: folder for the pictures with the boxes on them.",
)
@window_options
@device_options
@meaning_options
@json_option
def command(
    inputs: tuple[Path, ...], drawn: Path | None, hop: int | None, window: int | None, as_json: bool, **device: Any
) -> None:
    """Run the network on a device: classify pictures, find objects in them, or compute with numbers.

    INPUT is a picture, a folder of pictures or an .npz archive of them; each is resized to the network's input. For
    networks that take something else it is an .npy of one sample or of N, an .npz with an array for each input by its
    name, or a .csv with a sample per line. For a network that looks at T lines at once, files may hold longer series,
    of which each T lines are a sample. Floats are real values. A network with states begins anew with each sample.

    For a network that listens (its MODEL.json has "audio") it is a .wav: an answer for each window of its slices, with
    the time at which the window ends; a network with states hears the whole file, step by step.

    \b
    Example:
      tinyengine infer photo.jpg holiday/ --port /dev/ttyACM0
      tinyengine infer photo.jpg --port sim:sim_stm32f405 --json
      tinyengine infer gestures.csv --hop 32 --port /dev/ttyACM0
      tinyengine infer alexa.wav --port /dev/ttyACM0 --json
    """
    files = {path: None if holds_numbers(path) else read_all([path]) for path in inputs}
    with recognizer(**device) as board, step_progress() as progress:
        identity = board.device.identity
        check_drawn(board, drawn)
        taken: set[str] = set()
        runs: list[Callable[[], Recognition]] = []
        for path, pictures in files.items():
            if pictures is None:
                windows = windows_of(board.metadata, hop, window)
                numbers = read_number_set(path, identity.inputs, windows, labelled=False)
                runs += [partial(board.take, sample) for sample in numbers.samples]
            else:
                runs += [partial(_recognize, board, picture, drawn, taken) for picture in pictures]
        results = []
        for number, run in enumerate(runs):
            progress("computing", number, len(runs))
            results.append(run())
    if as_json:
        head = {"board": identity.board, "model": identity.model, "hash": identity.model_hash}
        click.echo(json.dumps(head | {"pictures": [result.report() for result in results]}, indent=2))
    else:
        Console(highlight=False).print(answers_table(identity, results))


def _recognize(board: Recognizer, picture: Picture, drawn: Path | None, taken: set[str]) -> Recognition:
    """The picture is decoded when its turn comes; with its boxes it goes to the folder ``drawn``."""
    image = picture.rgb()
    found = board.recognize(picture.name, image)
    if drawn and found.boxes is not None:
        write_drawn(draw_boxes(image, found.boxes, found.metadata), drawn, picture.name, taken)
    return found
