"""``tinyengine push``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.training_options import is_simulated, trainer, what_it_holds
from tinyengine.data.metadata import ModelMetadata, load_metadata
from tinyengine.errors import DataError
from tinyengine.finetune.exchange import STATE_SUFFIX, TrainedState, find_network, read_network, read_state
from tinyengine.report.training import info_report


@click.command("push")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="The network that the firmware was built from, for a .tflite or an .lm.",
)
@click.option("--train", "scheme", metavar="SCHEME", help="The scheme it was built with, if that was a file.")
@click.option("--save", is_flag=True, help="Save the weights in the board's flash as well.")
@device_options
@json_option
def command(
    file: Path, model: Path | None, scheme: str | None, save: bool, as_json: bool, port: str, **connection: Any
) -> None:
    """Give a device trained weights: FILE is a .npz that pull wrote, or a .tflite (of a
    language model an .lm) of the same shape.

    Nothing changes on the device before all of it has arrived.

    \b
    Example:
      tinyengine push mine.npz --port /dev/ttyACM0 --save
      tinyengine push mine.tflite --model models/person_tiny.tflite --port /dev/ttyACM0
    """
    state = None
    if file.suffix == STATE_SUFFIX:
        state = read_state(file)
    elif model is None:
        raise DataError(
            f"for a {file.suffix}, say which network the firmware was built from: tinyengine push {file} --model"
        )
    with trainer(port=port, **connection) as device_trainer:
        info = device_trainer.info()
        if state is None and model is not None:
            network = find_network(model, info.layout, scheme or info.scheme, info.classes)
            meaning = load_metadata(file) or ModelMetadata()
            state = TrainedState(read_network(network, file), info.layout, info.scheme, 0, meaning.classes)
        assert state is not None
        device_trainer.write_state(state.data, state.layout, state.steps, state.class_names[: info.classes])
        if save:
            device_trainer.save()
        info = device_trainer.info()
    if as_json:
        click.echo(json.dumps(info_report(info), indent=2))
    else:
        click.echo(what_it_holds(info, is_simulated(port), pushed=True))
