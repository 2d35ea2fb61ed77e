#!/usr/bin/env python3
"""What a language model learns of a text with the device's arithmetic: the table of docs/language.md.

\b
    bench/training/text.py stories.lm                      segments of 32 tokens
    bench/training/text.py stories.lm --segment 64

The text is what these docs say in paragraphs, shuffled: technical English, which no story is. Half of 160 segments are
held out, the others are trained on, by steps of the generated C on this computer.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import click
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.finetune.session import TuneOptions
from tinyengine.finetune.text import RATE, cut, split_segments, tune
from tinyengine.native.trainer import NativeTrainer
from tinyengine.paths import project_root
from tinyengine.progress import part

SEGMENTS = 160
SHORTEST = 80  # characters of a paragraph


def paragraphs(seed: int) -> str:
    """Those of all pages, without tables, code and headings."""
    pages = sorted((project_root() / "docs").glob("*.md"))
    found = [text for page in pages for text in page.read_text(encoding="utf-8").split("\n\n")]
    prose = [" ".join(text.split()) for text in found if len(text) > SHORTEST and text.lstrip()[:1] not in "|`#-["]
    random.Random(seed).shuffle(prose)
    return " ".join(prose)


@click.command(help=__doc__)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--scheme", default="gains", show_default=True)
@click.option("--segment", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--rate", type=float, default=RATE, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(model: Path, scheme: str, segment: int, steps: int, rate: float, seed: int, as_json: bool) -> None:
    compiled = compile_model(model, CompileOptions(train=scheme, segment=segment))
    assert compiled.training is not None
    layout = compiled.training.layout
    trainer = NativeTrainer(compiled)
    with step_progress() as progress:
        text = paragraphs(seed).encode()[: 3 * segment * SEGMENTS]
        segments = cut(trainer, text, part(progress, "cutting"))[:SEGMENTS]
        train, held_out = split_segments(segments, 0.5, seed)
        options = TuneOptions(0, steps / len(train), rate, seed=seed)
        result = tune(trainer, train, held_out, options, progress)
    figures = {
        "trained_values": layout.trained_weights + layout.trained_biases,
        "segment": segment,
        "segments": result.segments,
        "held_out_segments": result.held_out,
        "steps": result.steps,
        "rate": rate,
        "before": result.evaluations[0].loss,
        "after": result.evaluations[-1].loss,
        "sram_bytes": {
            "arena": compiled.plan.arena_bytes,
            "states": compiled.states_bytes,
            "weights": layout.size,
            "total": compiled.sram_bytes,
        },
    }
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        click.echo(
            f"{figures['trained_values']} values, {result.steps} steps of {segment} tokens at rate {rate:g}: "
            f"{figures['before']:.3f} -> {figures['after']:.3f} nats per held-out token; {compiled.sram_bytes:,} bytes"
        )


if __name__ == "__main__":
    main()
