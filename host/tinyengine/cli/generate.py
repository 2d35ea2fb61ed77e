"""``tinyengine generate``."""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import connected, optional_device_options
from tinyengine.cli.options import FiniteRange, json_option, setting
from tinyengine.writing import Settings, Writer, pieces


@click.command("generate")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@optional_device_options
@click.option("--prompt", default="", help="How the text begins (default: the model begins it).")
@setting("--tokens", click.IntRange(min=1), 200, "Most tokens to write.")
@setting("--temperature", FiniteRange(min=0), 0.8, "0: always the likeliest token; 1: as the model says.")
@setting("--top-p", FiniteRange(min=0, max=1), 0.9, "Draw from the likeliest tokens that have this probability.")
@setting("--seed", click.IntRange(min=0), 0, "The same seed writes the same, on a board, simulated, and here.")
@click.option("--endless", is_flag=True, help="Go on with another text when one ends.")
@json_option
def command(
    model: Path | None,
    prompt: str,
    tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    endless: bool,
    as_json: bool,
    **device: Any,
) -> None:
    """Let a language model write: on the device at --port, or without one MODEL (.lm) in this process.

    With both, the device must run MODEL.

    \b
    Example:
      tinyengine generate stories.lm --prompt "Once upon a time"
      tinyengine build stories.lm --board sim_stm32f405
      tinyengine generate --port sim:sim_stm32f405 --prompt "Once upon a time" --seed 7
    """
    settings = Settings(temperature, top_p, seed, endless)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, written, computing, counted, ended = "", 0, 0.0, 0, False
    with _writer(model, **device) as writer:
        read = writer.begin(prompt, settings)
        if not as_json:
            click.echo(prompt, nl=False)
        start = time.perf_counter()
        for piece in pieces(writer, tokens):
            more = decoder.decode(piece.text)
            text, written, computing = text + more, written + piece.tokens, computing + piece.seconds
            counted, ended = counted + piece.instructions, piece.ended
            if not as_json:
                click.echo(more, nl=False)
                sys.stdout.flush()
        seconds = time.perf_counter() - start
    figures = {
        "prompt": prompt,
        "text": text,
        "prompt_tokens": read,
        "tokens": written,
        "ended": ended,
        "seconds": seconds,
        "tokens_per_second": written / seconds if seconds else None,
        "device_tokens_per_second": written / computing if computing else None,
        "instructions_per_token": counted / written if counted else None,
    }
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    click.echo()
    rate = f"{written / computing:,.0f} computing" if computing else "none computing"
    if counted:  # which are not time
        rate = f"{counted / written:,.0f} instructions each"
    click.echo(f"{written} tokens, {written / max(seconds, 1e-9):,.0f} a second ({rate})", err=True)


@contextmanager
def _writer(model: Path | None, port: str | None, **device: Any) -> Iterator[Writer]:
    """Whoever writes, for a ``with`` block."""
    if port is None:
        if model is None:
            raise click.UsageError("Nobody can write: give a MODEL (.lm), or the --port of a board that runs one.")
        yield _native(model)
        return
    from tinyengine.device.writing import DeviceWriter

    with connected(port, model=model, **device) as board:
        yield DeviceWriter(board)


def _native(model: Path) -> Writer:
    from tinyengine.compiler import compile_language
    from tinyengine.native import build
    from tinyengine.native.writer import NativeWriter

    return NativeWriter(build(compile_language(model)))
