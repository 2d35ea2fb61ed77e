"""``tinyengine check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from tinyengine.cli.options import json_option, setting
from tinyengine.compiler.survey import survey
from tinyengine.cores import CORES
from tinyengine.report.check import check_figures, check_table


@click.command("check")
@click.argument("model", type=click.Path(path_type=Path))
@setting("--cpu", click.Choice(list(CORES)), "cortex-m4", "Core that the figures are for.")
@json_option
def command(model: Path, cpu: str, as_json: bool) -> None:
    """Say for the whole network MODEL what is supported: every operator that is not, and why; beside it, whether
    TFLite Micro has a kernel for it. For a supported network: its work, SRAM and flash, without a board.

    MODEL is a .tflite file, the C array of one, ONNX, or a language model (.lm). The exit code is 1 if anything is not
    supported.

    \b
    Example:
      tinyengine check models/person_tiny.tflite
    """
    found = survey(model, cpu)
    figures = check_figures(found, cpu)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        Console(highlight=False).print(check_table(figures, found))
    if not found.supported:
        sys.exit(1)
