"""``tinyengine save``."""

from __future__ import annotations

import json
from typing import Any

import click

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.training_options import trainer
from tinyengine.report.training import info_report


@click.command("save")
@device_options
@json_option
def command(as_json: bool, **connection: Any) -> None:
    """Write the trained weights on a device to its flash, so that they survive a power loss.

    The state that was saved before stays valid until the new one is complete.

    \b
    Example:
      tinyengine save --port /dev/ttyACM0
    """
    with trainer(**connection) as device_trainer:
        saved = device_trainer.save()
        info = device_trainer.info()
    if as_json:
        click.echo(json.dumps(info_report(info), indent=2))
    else:
        click.echo(f"saved the weights after {saved.steps} training steps (generation {saved.generation})")
