"""``tinyengine restore``."""

from __future__ import annotations

import json
from typing import Any

import click

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.training_options import trainer
from tinyengine.report.training import info_report


@click.command("restore")
@device_options
@json_option
def command(as_json: bool, **connection: Any) -> None:
    """Go back to the trained weights that were saved last.

    A board does so by itself when it starts.

    \b
    Example:
      tinyengine restore --port /dev/ttyACM0
    """
    with trainer(**connection) as device_trainer:
        saved = device_trainer.restore()
        info = device_trainer.info()
    if as_json:
        click.echo(json.dumps(info_report(info), indent=2))
    else:
        older = "; a newer save is damaged" if saved.fallback else ""
        click.echo(f"restored the weights after {saved.steps} training steps (generation {saved.generation}{older})")
