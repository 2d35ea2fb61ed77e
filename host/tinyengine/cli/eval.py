"""``tinyengine eval``: judge the network on a device with labelled pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.cli.training_options import (
    is_simulated,
    picture_options,
    read_inputs,
    trainer,
    until_stopped,
    what_it_holds,
)
from tinyengine.device.recognition import input_form
from tinyengine.finetune.classes import Outputs, parse_wish
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.session import Interrupted, evaluate
from tinyengine.progress import part
from tinyengine.report.training import evaluation_report, evaluation_table, info_report, worst_table


@click.command("eval")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with one subfolder of pictures per class, or an .npz with labels.",
)
@picture_options
@device_options
@json_option
def command(
    data: Path,
    classes: str | None,
    renamed: tuple[str, ...],
    mapping: str | None,
    color: str | None,
    by_rows: bool | None,
    as_json: bool,
    port: str,
    **connection: Any,
) -> None:
    """Judge a trained network on a device with labelled pictures; changes nothing.

    Folders are matched by name to the classes that the device has learned; a part of them is enough.

    \b
    Example:
      tinyengine eval --port /dev/ttyACM0 --data test-photos/
    """
    with (
        trainer(by_rows, port=port, **connection) as device_trainer,
        until_stopped() as stop,
        step_progress() as progress,
    ):
        device = device_trainer.device
        learner = DeviceLearner(device_trainer)
        form = input_form(device, device.identity.metadata.override(mapping=mapping, color=color))
        wish = parse_wish(classes, renamed)
        samples = read_inputs(data, form, progress)
        outputs = Outputs.of(device.identity, learner.info).wished(wish, samples, data, learn=False)
        samples = outputs.matched(samples, wish, data)
        count = outputs.taking_part(wish)
        try:
            found = evaluate(learner, samples, count, part(progress, "evaluating"), stop, learner.info.steps)
        except Interrupted:
            click.echo("interrupted; the device holds what it held before", err=True)
            sys.exit(stop.exit_code)
        identity = device.identity
    if as_json:
        head = {"board": identity.board, "model": identity.model, "classes": list(samples.classes)}
        click.echo(
            json.dumps(head | evaluation_report(found, samples) | {"device": info_report(learner.info)}, indent=2)
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(evaluation_table(f"{identity.model} on {identity.board}", found, samples.classes))
    if worst := worst_table(found, samples):
        console.print(worst)
    console.print(what_it_holds(learner.info, is_simulated(port)))
