"""What ``train`` prints of a language model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from tinyengine.device import Identity
from tinyengine.device.training import TrainingInfo
from tinyengine.finetune.session import TuneOptions
from tinyengine.finetune.text import TextEvaluation, TextResult
from tinyengine.language.text import perplexity
from tinyengine.report.training import info_report


def _evaluation(found: TextEvaluation) -> dict[str, Any]:
    return {
        "steps": found.steps,
        "tokens": found.tokens,
        "nats_per_token": found.loss,
        "perplexity": perplexity(found.loss),
    }


def text_report(identity: Identity, info: TrainingInfo, options: TuneOptions, result: TextResult) -> dict[str, Any]:
    """One JSON object: the keys are a contract. ``info``: of the device at the end; ``count_per_step``: counter ticks,
    the mean."""
    evaluations = [_evaluation(found) for found in result.evaluations]
    return {
        "board": identity.board,
        "model": identity.model,
        "hash": identity.model_hash,
        "segments": result.segments,
        "held_out_segments": result.held_out,
        "options": {
            key: value
            for key, value in asdict(options).items()
            if key in ("epochs", "rate", "schedule", "seed", "first_step", "momentum", "batch")
        },
        "steps": result.steps,
        "interrupted": result.interrupted,
        "diverged": result.diverged,
        "before": evaluations[0] if evaluations else None,
        "after": evaluations[-1] if len(evaluations) > 1 else None,
        "losses": result.losses,
        "count_per_step": sum(result.counts) / len(result.counts) if result.counts else None,
        "counter_unit": identity.counter_unit,
        "device": info_report(info),
    }


def text_table(result: TextResult) -> Table:
    """Held-out figures before and after."""
    table = Table(title=f"{result.steps} training steps on {result.segments} segments")
    table.add_column("held-out text")
    for heading in ("tokens", "nats per token", "perplexity"):
        table.add_column(heading, justify="right")
    for name, found in zip(("before", "after"), [*result.evaluations[:1], *result.evaluations[1:][-1:]], strict=False):
        figures = _evaluation(found)
        table.add_row(name, f"{found.tokens:,}", f"{found.loss:.3f}", f"{figures['perplexity']:.2f}")
    return table
