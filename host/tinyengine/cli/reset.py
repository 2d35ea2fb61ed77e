"""``tinyengine reset``."""

from __future__ import annotations

import json
from typing import Any

import click

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.training_options import trainer
from tinyengine.device.training import Storage
from tinyengine.report.training import info_report


@click.command("reset")
@click.option("--forget", is_flag=True, help="Erase what is saved in the flash, too.")
@device_options
@json_option
def command(forget: bool, as_json: bool, **connection: Any) -> None:
    """Give a device the factory's weights back.

    What is saved in its flash stays, and comes back when the board restarts, unless --forget erases it.

    \b
    Example:
      tinyengine reset --port /dev/ttyACM0 --forget
    """
    with trainer(**connection) as device_trainer:
        device_trainer.reset()
        if forget:
            device_trainer.forget()
        info = device_trainer.info()
    if as_json:
        click.echo(json.dumps(info_report(info), indent=2))
        return
    remains = "nothing is saved"
    if info.storage.outcome is Storage.OK:
        remains = "what is saved comes back when it restarts ('tinyengine reset --forget' erases it)"
    click.echo(f"the device has the factory's weights; {remains}")
