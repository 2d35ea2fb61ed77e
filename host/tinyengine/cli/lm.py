"""``tinyengine lm``: language models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from tinyengine.cli.options import json_option, setting
from tinyengine.cli.progress import step_progress


@click.group("lm")
def command() -> None:
    """Language models of the Llama architecture, for microcontrollers.

    What 'lm convert' writes is a network like any other to compile, plan, bench and build.

    Example: tinyengine lm convert stories260K.bin --tokenizer tok512.bin -o stories.lm
    """


@command.command("convert")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--tokenizer", type=click.Path(path_type=Path), help="Its tokenizer (default: the tok*.bin beside it).")
@setting("--weights", click.Choice(["w8", "w4"]), "w8", "Bits of the weights; embedding and classifier keep 8.")
@setting("--method", click.Choice(["gptq", "awq", "clip", "nearest"]), "gptq", "How weights of 4 bits are found.")
@setting("--group", click.Choice(["32", "64"]), "32", "Weights of 4 bits that share a scale.")
@setting("--window", click.IntRange(min=8), 128, "Tokens that are remembered, a multiple of 8.")
@setting("--sinks", click.IntRange(min=0), 0, "How many of them are the text's first ones, which stay.")
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    metavar="TEXT",
    help="A text that sets the ranges of numbers (default: what the float model writes).",
)
@click.option("--brief", is_flag=True, help="Judge only the whole model, not each kind of matrix.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .lm file to write.")
@json_option
def convert_command(
    model: Path,
    tokenizer: Path | None,
    weights: str,
    method: str,
    group: str,
    window: int,
    sinks: int,
    calibrate: Path | None,
    brief: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Convert MODEL, a checkpoint of llama2.c (.bin), to integers and say what that costs.

    Cross-entropies are of held-out text (of the last third of TEXT). 'same next token': how often the most likely
    next token is the float model's.

    \b
    Example:
      tinyengine lm convert stories260K.bin --tokenizer tok512.bin --window 128 -o stories.lm
      tinyengine bench stories.lm --cpu cortex-m7
    """
    from tinyengine.compiler import compile_model
    from tinyengine.language.choices import Choice, Method
    from tinyengine.language.convert import ConvertOptions, convert
    from tinyengine.report.language import print_conversion

    context = click.get_current_context()
    given = [name for name in ("method", "group") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if weights == "w8" and given:
        raise click.UsageError(f"--{given[0]} says how weights of 4 bits are found: give --weights w4 as well")
    choice = Choice(8) if weights == "w8" else Choice(4, Method(method), int(group))
    options = ConvertOptions(model, out, choice, tokenizer, window, sinks, calibrate, not brief)
    with step_progress() as progress:
        result = convert(options, progress)
    hints = compile_model(out).hints
    if as_json:
        click.echo(json.dumps(asdict(result) | {"hints": hints}, indent=2))
    else:
        print_conversion(result)
        for hint in hints:
            click.echo(f"hint: {hint}")
