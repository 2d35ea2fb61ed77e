"""``tinyengine lm``: language models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from tinyengine.cli.options import FiniteRange, fields_of, json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.recipes.language_recipe import LanguageRecipe

RECIPE = LanguageRecipe()


@click.group("lm")
def command() -> None:
    """Language models of the Llama architecture, for microcontrollers.

    What 'lm convert' writes is a network like any other to compile, plan, bench and build.

    Example: tinyengine lm convert stories260K.bin --tokenizer tok512.bin -o stories.lm
    """


@command.command("convert")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="Its tokenizer (default: the folder's tokenizer.json, or the tok*.bin beside the .bin).",
)
@setting("--weights", click.Choice(["w8", "w4"]), "w8", "Bits of the weights; embedding and classifier keep 8.")
@setting("--method", click.Choice(["gptq", "awq", "clip", "nearest"]), "gptq", "How weights of 4 bits are found.")
@setting("--group", click.Choice(["32", "64"]), "32", "Weights of 4 bits that share a scale.")
@setting("--window", click.IntRange(min=8), 128, "Tokens that are remembered, a multiple of 8.")
@setting("--sinks", click.IntRange(min=0), 0, "How many of them are the text's first ones, which stay.")
@setting("--evict", click.Choice(["oldest", "attention"]), "oldest", "What makes room once the window is full.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --evict attention: tokens kept beside the last ones (default: an eighth of the window).",
)
@setting("--prune-heads", click.IntRange(min=0), 0, "Key heads to drop: those that the text needs least.")
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
    evict: str,
    keep: int | None,
    prune_heads: int,
    calibrate: Path | None,
    brief: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Convert MODEL to integers and say what that costs.

    MODEL is a folder with config.json, model.safetensors and tokenizer.json of a LlamaForCausalLM, as Hugging Face's
    transformers and 'lm train' write it (pip install 'tinyengine[language]'), or a checkpoint of llama2.c (.bin).

    With --evict attention, the token that leaves the ring of the last ones is kept if it has received more attention
    than the least attended of those that are.

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
    if keep and evict == "oldest":
        raise click.UsageError("--keep says how many tokens attention keeps: give --evict attention as well")
    kept = (keep or max(1, window // 8)) if evict == "attention" else 0
    choice = Choice(8) if weights == "w8" else Choice(4, Method(method), int(group))
    options = ConvertOptions(model, out, choice, tokenizer, window, sinks, calibrate, not brief, kept, prune_heads)
    with step_progress() as progress:
        result = convert(options, progress)
    hints = compile_model(out).hints
    if as_json:
        click.echo(json.dumps(asdict(result) | {"hints": hints}, indent=2))
    else:
        print_conversion(result)
        for hint in hints:
            click.echo(f"hint: {hint}")


@command.command("train")
@click.argument("text", type=click.Path(path_type=Path))
@click.option(
    "--validate", type=click.Path(path_type=Path), help="Held-out texts (default: every 50th of TEXT, not trained on)."
)
@setting("--width", click.IntRange(min=8), RECIPE.width, "Of the model; a multiple of 8.")
@setting("--layers", click.IntRange(min=1), RECIPE.layers, "How many.")
@setting("--heads", click.IntRange(min=1), RECIPE.heads, "Of attention; a head has 4, 8, 12 ... channels.")
@setting("--kv-heads", click.IntRange(min=1), RECIPE.kv_heads, "Key heads, which several heads share.")
@setting("--hidden", click.IntRange(min=4), RECIPE.hidden, "Hidden values of a layer.")
@setting("--vocabulary", click.IntRange(min=260), RECIPE.vocabulary, "Tokens; a multiple of 4.")
@setting("--context", click.IntRange(min=8), RECIPE.context, "Tokens of a row that is trained on.")
@setting("--epochs", FiniteRange(0, min_open=True), RECIPE.epochs, "Passes over all texts.")
@setting("--batch", click.IntRange(min=1), RECIPE.batch, "Rows per step.")
@setting("--rate", FiniteRange(0, min_open=True), RECIPE.rate, "Peak learning rate.")
@setting("--seed", click.IntRange(min=0), RECIPE.seed, "Decides every random choice.")
@setting("--threads", click.IntRange(1), 1, "Processor cores to use.")
@click.option(
    "--run",
    "run",
    type=click.Path(path_type=Path),
    default=Path("runs/language"),
    show_default=True,
    help="Folder for checkpoint and log.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --run where it stopped.")
@click.option("--stop-at", type=click.IntRange(min=1), help="End at this step, as if the run were interrupted there.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder to write: config.json, model.safetensors, tokenizer.json.",
)
@json_option
def train_command(text: Path, as_json: bool, **settings: Any) -> None:
    """Train a language model and its tokenizer on TEXT, a file with one text per line.

    A run can be interrupted at any time and continued with --resume. Needs PyTorch, safetensors and tokenizers
    (pip install 'tinyengine[torch,language]').

    \b
    Example:
      tinyengine lm train tales.txt --width 64 --heads 4 --kv-heads 2 -o tales/
      tinyengine lm convert tales/ -o tales.lm
    """
    from tinyengine.recipes.language_fit import LanguageFitOptions, fit_language

    options = fields_of(LanguageFitOptions, settings, text=text, recipe=fields_of(LanguageRecipe, settings))
    console = Console(stderr=True, quiet=as_json)
    with step_progress(console) as progress:
        result = fit_language(options, progress, console.print)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2))
    else:
        click.echo(
            f"{result.parameters:,} parameters, {result.steps:,} steps: {result.nats_per_token:.4f} nats per token, "
            f"{result.nats_per_byte:.4f} per byte of {result.held_out_texts:,} held-out texts"
        )
