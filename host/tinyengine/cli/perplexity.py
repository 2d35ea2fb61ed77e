"""``tinyengine perplexity``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import connected, optional_device_options
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.errors import DataError


@click.command("perplexity")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text", type=click.Path(path_type=Path))
@optional_device_options
@click.option("--tokens", type=click.IntRange(min=1), help="Only so many tokens from the text's beginning.")
@json_option
def command(model: Path, text: Path, port: str | None, tokens: int | None, as_json: bool, **device: Any) -> None:
    """How well MODEL (.lm) foretells TEXT: nats per token, and the perplexity that they are.

    It is computed in this process, or token by token on the device at --port, with the same result. The text is one
    stream, however long: of what was, the model remembers its window.

    Example: tinyengine perplexity stories.lm tale.txt
    """
    from tinyengine.compiler import compile_language
    from tinyengine.language.text import nats, perplexity, read_text
    from tinyengine.progress import part

    compiled = compile_language(model)
    assert compiled.graph.tokenizer is not None
    ids = compiled.graph.tokenizer.encode(read_text(text))[: None if tokens is None else tokens + 1]
    if len(ids) < 2:
        raise DataError(f"{text.name} is empty: give a text of a word or more")
    if port is None:
        from tinyengine.native import build

        network = build(compiled)
        with step_progress() as progress:
            found = nats(ids, lambda token: network.run([token])[0], part(progress, "reading"))
    else:
        with connected(port, model=model, **device) as board:
            board.rewind()
            with step_progress() as progress:
                found = nats(ids, lambda token: board.infer(token).outputs[0], part(progress, "reading"))
    mean = float(found.mean())
    figures = {"tokens": len(found), "nats_per_token": mean, "perplexity": perplexity(mean)}
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        count = f"{len(found):,} token{'s' * (len(found) != 1)}"
        click.echo(f"{count}, {mean:.4f} nats each: perplexity {perplexity(mean):.3f}")
