#!/usr/bin/env python3
"""What integers, few bits and short windows cost a language model: the tables of docs/language.md.

\b
    bench/language.py weights stories260K.bin              every choice of weights; W8 and W4 in the device's integers
    bench/language.py windows stories260K.bin              windows of 64, 128 and 256 tokens with 0, 1 and 4 sinks
    bench/language.py endless stories260K.bin              10,000 tokens in a row, in the device's integers
    bench/language.py evict stories260K.bin                tokens that are kept for the attention they receive, likewise

Texts are what the float model writes at temperature 1 behind token 1 (12 for calibration, others held out), so that
cross-entropy above the float model's estimates the divergence from it. The tokenizer lies beside the model (tok*.bin).
'integers' is the network that a device runs, as C on this computer (tests hold that to the oracle bit by bit); all else
is computed in float.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import compile_graph
from tinyengine.errors import TinyEngineError
from tinyengine.frontend.language import language_graph
from tinyengine.ir import Graph
from tinyengine.ir.language import RESIDUAL_BITS
from tinyengine.language.build import quantize
from tinyengine.language.calibrate import LENGTH, SEED, STREAMS, calibrate
from tinyengine.language.checkpoint import load_llama2c, load_llama2c_tokenizer
from tinyengine.language.choices import (
    W8,
    Answers,
    Choice,
    Comparison,
    Cost,
    Method,
    answers,
    compare,
    cost,
    evaluate,
    prepared,
    round_matrix,
)
from tinyengine.language.llama import Llama, logits, sample
from tinyengine.native.build import build
from tinyengine.progress import Activity, Progress, part

CHOICES = [
    W8,
    *(Choice(4, method, 32) for method in (Method.NEAREST, Method.CLIP, Method.AWQ, Method.GPTQ)),
    *(Choice(4, method, 64) for method in (Method.NEAREST, Method.GPTQ)),
]
IN_INTEGERS = [W8, Choice(4), Choice(4, group=64)]
WINDOWS, SINKS = (64, 128, 256), (0, 1, 4)
KEPT = {64: (0, 4, 8, 16), 128: (0, 8, 16, 32)}
"""Tokens that receive most attention, by window."""
BOS = 1


def integers(
    model: Llama, tokenizer: Path, calibration: np.ndarray, choice: Choice, window: int, sinks: int, kept: int = 0
) -> Graph:
    """The network that a device would run."""
    statistics = calibrate(model, calibration, window)
    changed, known = prepared(model, statistics, calibration, window, choice)
    pieces = load_llama2c_tokenizer(tokenizer, model.vocabulary)

    def rounding(name: str, layer: int, weights: np.ndarray, squares: np.ndarray):
        return round_matrix(name, weights, squares, choice)

    return language_graph(quantize(changed, known, pieces, rounding, window, sinks, kept=kept))


def run_integers(graph: Graph, tokens: np.ndarray, progress: Progress) -> Answers:
    """Each row of ``tokens`` (B, N + 1) from the beginning."""
    model, found = build(compile_graph(graph)), []
    for index, row in enumerate(tokens):
        progress(index, len(tokens))
        model.reset()
        scores = [model.run([np.array([token], np.int32)])[0].ravel() for token in row[:-1]]
        found.append(answers(np.array(scores)[None] / 2.0**RESIDUAL_BITS, row[None, 1:]))
    return Answers(np.concatenate([each.nats for each in found]), np.concatenate([each.likely for each in found]))


def stories(model: Llama, count: int, length: int, seed: int) -> np.ndarray:
    """One stream of ``count`` tokens or more: texts one after the other, each up to the token that begins the next."""
    stream: list[int] = []
    while len(stream) < count:
        for row in sample(model, 16, length, seed):
            ends = np.flatnonzero(row[1:] == BOS)
            stream += row[: ends[0] + 1 if ends.size else length].tolist()
        seed += 1
    return np.array(stream[:count])


@dataclass(frozen=True)
class Weights:
    """``integers``: some of the choices as a device computes them, on the same text."""

    comparison: Comparison
    integers: list[Cost]


def judge_weights(model: Llama, tokenizer: Path, streams: int, activity: Activity) -> Weights:
    length = min(LENGTH, model.context)
    activity("writing text", 0, 1)
    texts = sample(model, STREAMS + streams, length, SEED)
    calibration, held_out = texts[:STREAMS, :-1], texts[STREAMS:]
    comparison = compare(model, calibration, held_out, 128, CHOICES, progress=part(activity, "choices"))
    reference = evaluate(model, held_out)
    found = []
    for choice in IN_INTEGERS:
        graph = integers(model, tokenizer, calibration, choice, max(128, length), 0)
        got = run_integers(graph, held_out, part(activity, f"{choice.name} in integers"))
        found.append(cost(choice.name, got, reference))
    return Weights(comparison, found)


@dataclass(frozen=True)
class Window:
    """Nats per token over all of the streams, and at the positions where the window's text has also been read anew."""

    window: int
    sinks: int
    nats: float
    at_positions: float
    recomputed: float


def judge_windows(model: Llama, count: int, positions: int, activity: Activity) -> list[Window]:
    activity("writing text", 0, 1)
    stream = stories(model, 3 * count, model.context, SEED)
    rows = np.stack([stream[begin : begin + count + 1] for begin in (0, count, 2 * count - 1)])
    at = np.sort(np.random.default_rng(SEED).choice(np.arange(max(WINDOWS), count), positions, replace=False))
    found = []
    for step, window in enumerate(WINDOWS):
        activity("windows", step, len(WINDOWS))
        anew = np.concatenate(
            [
                answers(
                    logits(model, np.stack([row[p - window + 1 : p + 1] for p in at]))[:, -1:], row[at + 1, None]
                ).nats
                for row in rows
            ]
        ).mean()
        for sinks in SINKS:
            nats = evaluate(model, rows, window=window, sinks=sinks).nats
            found.append(Window(window, sinks, float(nats.mean()), float(nats[:, at].mean()), float(anew)))
    return found


@dataclass(frozen=True)
class Endless:
    """Nats per token of one long text; ``last``: of its second half."""

    window: int
    sinks: int
    tokens: int
    float_nats: float
    nats: float
    float_last: float
    last: float


def judge_endless(model: Llama, tokenizer: Path, count: int, window: int, sinks: int, activity: Activity) -> Endless:
    activity("writing text", 0, 1)
    calibration = sample(model, STREAMS, min(LENGTH, model.context), SEED)[:, :-1]
    row = stories(model, count + 1, model.context, SEED + 100)[None]
    reference = evaluate(model, row, window=window, sinks=sinks).nats[0]
    graph = integers(model, tokenizer, calibration, W8, window, sinks)
    nats = run_integers(graph, row, part(activity, "tokens")).nats[0]
    half = count // 2
    means = [float(x.mean()) for x in (reference, nats, reference[half:], nats[half:])]
    return Endless(window, sinks, count, means[0], means[1], means[2], means[3])


@dataclass(frozen=True)
class Eviction:
    """Nats per token of one long text in integers; ``more``: than the plain ring of that window, with the standard
    error over pieces of 100 tokens."""

    window: int
    kept: int
    nats: float
    more: float
    error: float


def judge_eviction(model: Llama, tokenizer: Path, count: int, activity: Activity) -> list[Eviction]:
    activity("writing text", 0, 1)
    calibration = sample(model, STREAMS, min(LENGTH, model.context), SEED)[:, :-1]
    row = stories(model, count + 1, model.context, SEED + 100)[None]
    found: list[Eviction] = []
    for window, choices in KEPT.items():
        plain = np.zeros(0)
        for kept in choices:
            graph = integers(model, tokenizer, calibration, W8, window, kept, kept)
            nats = run_integers(graph, row, part(activity, f"window {window}, {kept} kept")).nats[0]
            plain = plain if kept else nats
            pieces = [piece.mean() for piece in np.array_split(nats - plain, max(2, count // 100))]
            error = float(np.std(pieces) / np.sqrt(len(pieces)))
            found.append(Eviction(window, kept, float(nats.mean()), float((nats - plain).mean()), error))
    return found


def show(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def show_costs(title: str, costs: tuple[Cost, ...] | list[Cost]) -> None:
    rows = [
        (
            each.name,
            f"{each.loss:+.4f}",
            f"{each.error:.4f}",
            f"{100 * each.agreement:.1f} %",
            f"{each.cross_entropy:.4f}",
        )
        for each in costs
    ]
    show(title, ("", "above float", "standard error", "same next token", "nats per token"), rows)


def report(result: Weights | Endless | list[Window] | list[Eviction], as_json: bool, draw: Callable[[], None]) -> None:
    """As JSON, or as ``draw`` prints it."""
    if as_json:
        plain: object = [asdict(each) for each in result] if isinstance(result, list) else asdict(result)
        click.echo(json.dumps(plain, indent=2))
    else:
        draw()


def tokenizer_of(model: Path) -> Path:
    found = sorted(model.parent.glob("tok*.bin"))
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} files tok*.bin lie beside {model.name}: leave one there")
    return found[0]


MODEL = click.argument("path", metavar="MODEL", type=click.Path(path_type=Path, exists=True))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@MODEL
@click.option("--streams", default=30, show_default=True, help="Held-out texts of 256 tokens.")
@JSON
def weights(path: Path, streams: int, as_json: bool) -> None:
    """Every choice of weights."""
    with step_progress() as activity:
        result = judge_weights(load_llama2c(path), tokenizer_of(path), streams, activity)

    def draw() -> None:
        print(f"float: {result.comparison.float_cross_entropy:.4f} nats per token")
        show_costs("weights, activations in float", result.comparison.costs)
        show_costs("one kind of matrix alone in 4 bits", result.comparison.matrices)
        show_costs("activations of 8 bits", result.comparison.activations)
        show_costs("integers", result.integers)

    report(result, as_json, draw)


@main.command()
@MODEL
@click.option("--tokens", default=2048, show_default=True, help="Of each of three streams.")
@click.option("--positions", default=200, show_default=True, help="Where the window is read anew.")
@JSON
def windows(path: Path, tokens: int, positions: int, as_json: bool) -> None:
    """Windows and sinks, in float."""
    with step_progress() as activity:
        result = judge_windows(load_llama2c(path), tokens, positions, activity)

    def draw() -> None:
        columns = ("window", "sinks", "nats per token", "at the positions", "recomputed there")
        rows = [
            (str(w.window), str(w.sinks), f"{w.nats:.4f}", f"{w.at_positions:.4f}", f"{w.recomputed:.4f}")
            for w in result
        ]
        show("windows", columns, rows)

    report(result, as_json, draw)


@main.command()
@MODEL
@click.option("--tokens", default=10_000, show_default=True)
@click.option("--window", default=128, show_default=True)
@click.option("--sinks", default=0, show_default=True)
@JSON
def endless(path: Path, tokens: int, window: int, sinks: int, as_json: bool) -> None:
    """One long text in integers (W8), against float with the same window."""
    with step_progress() as activity:
        result = judge_endless(load_llama2c(path), tokenizer_of(path), tokens, window, sinks, activity)

    def draw() -> None:
        rows = [
            ("all", f"{result.float_nats:.4f}", f"{result.nats:.4f}", f"{result.nats - result.float_nats:+.4f}"),
            (
                "second half",
                f"{result.float_last:.4f}",
                f"{result.last:.4f}",
                f"{result.last - result.float_last:+.4f}",
            ),
        ]
        title = f"{tokens:,} tokens, window {window}, {sinks} sinks: nats per token"
        show(title, ("", "float", "integers", "difference"), rows)

    report(result, as_json, draw)


@main.command()
@MODEL
@click.option("--tokens", default=4000, show_default=True)
@JSON
def evict(path: Path, tokens: int, as_json: bool) -> None:
    """Tokens that are kept for the attention they receive (lm convert --evict attention), in integers (W8)."""
    with step_progress() as activity:
        result = judge_eviction(load_llama2c(path), tokenizer_of(path), tokens, activity)

    def draw() -> None:
        rows = [
            (str(e.window), str(e.kept), f"{e.nats:.4f}", f"{e.more:+.4f}" if e.kept else "", f"{e.error:.4f}")
            for e in result
        ]
        show(f"{tokens:,} tokens in a row", ("window", "kept", "nats per token", "more", "standard error"), rows)

    report(result, as_json, draw)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TinyEngineError as error:
        sys.exit(f"Error: {error}")
