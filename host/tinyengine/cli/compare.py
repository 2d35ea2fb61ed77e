"""``tinyengine compare``."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import connected, device_options
from tinyengine.cli.options import built_with_options, json_option, setting, to_compile_options
from tinyengine.cli.progress import step_progress
from tinyengine.report.compare import compare_lines

NATIVE = "native"


@click.command("compare")
@click.argument("model", type=click.Path(path_type=Path))
@device_options
@click.option("--board", "board_name", help="Your own board's file; boards of the checkout say their names.")
@setting("--run", click.IntRange(min=1), 1, "Which run after a reset to compare, of a network with states.")
@setting("--seed", click.IntRange(min=0), 0, "Of the random inputs.")
@built_with_options
@json_option
def command(model: Path, board_name: str | None, run: int, seed: int, as_json: bool, **settings: Any) -> None:
    """Find the first layer of MODEL whose output on a device differs from the reference, and show both.

    The device must run MODEL, built with the same options as are given here. --port native compiles the network for
    this computer instead. Exit code 1 if a layer differs.

    \b
    Example:
      tinyengine compare models/person_tiny.tflite --port sim:sim_stm32f405
    """
    from tinyengine.boards import load
    from tinyengine.compare import DeviceTarget, NativeTarget, compare_layers
    from tinyengine.compiler import CompiledModel, compile_model
    from tinyengine.measure.bench import inside_values, random_inputs
    from tinyengine.native import build

    connection = {
        name: settings.pop(name) for name in ("port", "elf", "simulator", "highest_baud", "flash", "pictures")
    }

    def inputs(compiled: CompiledModel) -> list[list[Any]]:
        graph = compiled.graph
        return [inside_values(graph, values) for values in random_inputs(graph, run, seed)]

    with step_progress() as progress:
        if connection["port"] == NATIVE:
            compiled = compile_model(model, to_compile_options("cortex-m4", **settings))
            found = compare_layers(compiled, NativeTarget(build(compiled)), inputs(compiled), progress)
        else:
            with connected(model=model, **connection) as device:
                board = load(board_name or device.identity.board)
                options = to_compile_options(board, **settings)
                compiled = compile_model(model, options)
                found = compare_layers(compiled, DeviceTarget(device, compiled), inputs(compiled), progress)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        click.echo("\n".join(compare_lines(found)))
    if found.first:
        sys.exit(1)
