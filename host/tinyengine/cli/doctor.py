"""``tinyengine doctor``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import json_option
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer
from tinyengine.doctor import examine, system
from tinyengine.errors import DataError
from tinyengine.report.device import device_report
from tinyengine.report.doctor import doctor_report, findings_text


@click.command("doctor")
@click.option("--no-ask", is_flag=True, help="Do not open the USB ports.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write all of it into this file, to send."
)
@click.option("--port", help="For the report: also ask this device, run its network once and tell each layer's time.")
@json_option
def command(no_ask: bool, report: Path | None, port: str | None, as_json: bool) -> None:
    """Look at what this computer has for working with boards, and say how to mend what is missing.

    Ends with 1 where something is missing without which nothing works; what is marked - only what stands beside it
    needs.

    \b
    Example:
      tinyengine doctor
      tinyengine doctor --report board.json --port /dev/ttyACM0
    """
    with Console(stderr=True).status("looking") as status:
        findings = examine(not no_ask and port is None, status.update)
        data = doctor_report(system(), findings, _asked(port) if port else None)
    if report is not None:
        try:
            report.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{report} cannot be written: {error.strerror or error}") from error
    if as_json:
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(findings_text(findings))
        if report is not None:
            click.echo(f"wrote {report}")
    if any(finding.essential and not finding.good for finding in findings):
        sys.exit(1)


def _asked(port: str) -> dict[str, Any]:
    """What ``info --profile --json`` says of the device."""
    with open_device(port) as device:
        training = DeviceTrainer(device).info() if device.identity.can_train else None
        profile = device.profile() if device.identity.has_profile else None
        return device_report(device.identity, device.statistics(), profile, device.baud, training)
