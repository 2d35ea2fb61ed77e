"""``tinyengine devices``."""

from __future__ import annotations

import json

import click
from rich.console import Console

from tinyengine.cli.options import json_option
from tinyengine.device.discovery import list_devices
from tinyengine.report.device import devices_table


@click.command("devices")
@click.option("--no-ask", is_flag=True, help="Only list the ports; do not open them.")
@json_option
def command(no_ask: bool, as_json: bool) -> None:
    """List the serial ports and, by asking at each USB port, the boards behind them.

    \b
    Example:
      tinyengine devices
      tinyengine devices --no-ask --json
    """
    with Console(stderr=True).status("asking at the ports") as status:
        found = list_devices(ask=not no_ask, say=status.update)
    if as_json:
        click.echo(json.dumps([device.report() for device in found], indent=2))
    else:
        Console(highlight=False).print(devices_table(found))
