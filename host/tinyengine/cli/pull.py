"""``tinyengine pull``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.training_options import trainer
from tinyengine.errors import DataError
from tinyengine.finetune.exchange import STATE_SUFFIX, TrainedState, find_network, write_state, write_trained
from tinyengine.frontend.language import SUFFIX
from tinyengine.report.training import info_report

NETWORKS = (".tflite", SUFFIX)


@click.command("pull")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="OUT.tflite, or OUT.lm of a language model: the trained network; OUT.npz: only the trained weights, for push.",
)
@click.option("--train", "scheme", metavar="SCHEME", help="The scheme it was built with, if that was a file.")
@click.option("--names", help="Names of the classes for the .json, separated by commas (default: as they were taught).")
@device_options
@json_option
def command(
    model: Path | None, out: Path, scheme: str | None, names: str | None, as_json: bool, **connection: Any
) -> None:
    """Download the trained network of a device as a .tflite, or a language model as an .lm.

    MODEL is the network that the firmware was built from; TFLite's reference kernels then compute the device's outputs
    (unless the firmware was built with --requant fast).

    \b
    Example:
      tinyengine pull models/person_tiny.tflite -o mine.tflite --port /dev/ttyACM0
    """
    if out.suffix not in (*NETWORKS, STATE_SUFFIX):
        raise DataError(
            f"{out} ends neither in .tflite or .lm (the network) nor in {STATE_SUFFIX} (its trained weights)"
        )
    if out.suffix in NETWORKS and model is None:
        raise DataError(
            f"for a {out.suffix}, say which network the firmware was built from: tinyengine pull MODEL -o {out}"
        )
    if out.suffix in NETWORKS and model is not None:
        own = SUFFIX if model.suffix.lower() == SUFFIX else ".tflite"
        if out.suffix != own:
            raise DataError(f"{model} does not become a {out.suffix}: give -o a name that ends in {own}")
    with trainer(**connection) as device_trainer:
        info = device_trainer.info()
        network = None
        if model is not None:
            network = find_network(model, info.layout, scheme or info.scheme, info.classes)
        state = TrainedState(device_trainer.read_state(), info.layout, info.scheme, info.steps, info.class_names)
    if network is not None and out.suffix in NETWORKS:
        write_trained(network, state, out, tuple(names.split(",")) if names else ())
    else:
        write_state(state, out)
    if as_json:
        click.echo(json.dumps({"file": str(out), "device": info_report(info)}, indent=2))
    else:
        click.echo(f"wrote {out}: the network after {info.steps} training steps")
