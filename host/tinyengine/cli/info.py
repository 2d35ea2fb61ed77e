"""``tinyengine info``."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import connected, device_options
from tinyengine.cli.options import json_option
from tinyengine.device.training import DeviceTrainer
from tinyengine.report.device import device_report, device_tables


@click.command("info")
@device_options
@click.option("--profile", "with_profile", is_flag=True, help="Run the network once and show what each layer takes.")
@json_option
def command(with_profile: bool, as_json: bool, **connection: Any) -> None:
    """Ask a device who it is, what it runs and how it fares.

    \b
    Example:
      tinyengine info --port /dev/ttyACM0
      tinyengine info --port sim:sim_stm32f405 --profile
    """
    with connected(**connection) as device:
        training = DeviceTrainer(device).info() if device.identity.can_train else None
        statistics = device.statistics()
        profile = device.profile() if with_profile else None
        identity, baud = device.identity, device.baud
    if as_json:
        click.echo(json.dumps(device_report(identity, statistics, profile, baud, training), indent=2))
    else:
        Console(highlight=False).print(device_tables(identity, statistics, profile, baud, training))
