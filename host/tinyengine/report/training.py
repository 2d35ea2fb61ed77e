"""What ``train`` and ``eval`` print: figures as JSON and tables, curves as a PNG."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from tinyengine.data.samples import Arrays
from tinyengine.device import Identity
from tinyengine.device.training import TrainingInfo
from tinyengine.errors import DataError
from tinyengine.finetune.judging import Deviations
from tinyengine.finetune.rates import FoundRate
from tinyengine.finetune.session import Evaluation, TuneOptions, TuneResult
from tinyengine.optional import pyplot

SMOOTHING = 25
"""Steps that the drawn curves average over."""


def info_report(info: TrainingInfo) -> dict[str, Any]:
    """Plain JSON values."""
    return asdict(info) | {"storage": asdict(info.storage) | {"outcome": info.storage.outcome.name.lower()}}


ROWS = 20
"""Numbers of an output that a table has room for."""
WORST = 5
"""Samples that reports name."""


def evaluation_report(found: Evaluation, samples: Arrays | None = None) -> dict[str, Any]:
    """Plain JSON values; ``confusion``: rows are true classes, columns answers. ``worst``: of the ``samples`` that were
    judged, those that are furthest from right."""
    data = {
        "steps": found.steps,
        "count": found.count,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "confusion": found.confusion.tolist(),
    }
    if samples is not None:
        data["worst"] = [
            {"picture": picture, "class": truth, "answer": answer, "loss": loss}
            for picture, truth, answer, loss in _worst(found, samples)
        ]
    return data


def _worst(found: Evaluation, samples: Arrays) -> list[tuple[str, str, str, float]]:
    """Name, class, what it was taken for, loss."""

    def called(label: int) -> str:
        return samples.classes[label] if label < len(samples.classes) else str(label)

    return [
        (
            samples.names[k] if samples.names else str(k),
            called(found.truth[k]),
            called(found.answers[k]),
            float(found.losses[k]),
        )
        for k in found.worst(WORST)
    ]


def deviations_report(found: Deviations) -> dict[str, Any]:
    """Plain JSON values; ``numbers``: of the network's first output, in their order and units."""
    return {
        "count": found.count,
        "numbers": [
            {
                "name": found.meaning.value(k) or str(k),
                "unit": found.meaning.unit(k),
                "mean_error": float(found.mean[k]),
                "rms_error": float(found.rms[k]),
                "largest_error": float(found.most[k]),
            }
            for k in range(len(found.mean))
        ],
    }


def deviations_table(title: str, found: Deviations) -> Table:
    """A row for each number of the output, as far as there is room."""
    table = Table(title=title, caption=f"{found.count} samples")
    table.add_column(found.meaning.name or "output")
    for heading in ("mean error", "rms", "largest"):
        table.add_column(heading, justify="right")
    for k in range(min(len(found.mean), ROWS)):
        unit = f" {found.meaning.unit(k)}" if found.meaning.unit(k) else ""
        errors = (found.mean[k], found.rms[k], found.most[k])
        table.add_row(found.meaning.value(k) or str(k), *(f"{error:.4g}{unit}" for error in errors))
    if len(found.mean) > ROWS:
        table.add_row(f"... ({len(found.mean)} numbers)", f"{found.mean.mean():.4g}", "", f"{found.most.max():.4g}")
    return table


def worst_table(found: Evaluation, samples: Arrays) -> Table | None:
    """The samples that are furthest from right; None where all are right."""
    rows = _worst(found, samples)
    if not rows:
        return None
    table = Table(title="furthest from right")
    table.add_column("picture", overflow="fold")
    for heading in ("class", "taken for", "loss"):
        table.add_column(heading)
    for picture, truth, answer, loss in rows:
        table.add_row(picture, truth, answer, f"{loss:.3f}")
    return table


def train_report(
    identity: Identity,
    info: TrainingInfo,
    options: TuneOptions,
    held_out: Arrays,
    result: TuneResult,
    rates: FoundRate | None = None,
    replayed: int = 0,
) -> dict[str, Any]:
    """One JSON object: the keys are a contract. ``info``: of the device at the end. ``replayed``: old samples in an
    epoch."""
    evaluations = [evaluation_report(found, held_out) for found in result.evaluations]
    return {
        "board": identity.board,
        "model": identity.model,
        "hash": identity.model_hash,
        "classes": list(held_out.classes),
        "options": asdict(options),
        "replayed": replayed,
        "steps": result.steps,
        "interrupted": result.interrupted,
        "stopped_early": result.stopped_early,
        "kept_step": result.kept_step,
        "diverged_at": result.diverged_at,
        "rates": asdict(rates) if rates else None,
        "before": evaluations[0] if evaluations else None,
        "after": evaluations[-1] if len(evaluations) > 1 else None,
        "evaluations": evaluations,
        "losses": result.losses,
        "hits": result.hits,
        "device": info_report(info),
    }


def evaluation_table(title: str, found: Evaluation, classes: tuple[str, ...]) -> Table:
    """Per class: how many, how many of them right, what they were taken for otherwise."""
    table = Table(title=title)
    table.add_column("class")
    table.add_column("pictures", justify="right")
    table.add_column("right", justify="right")
    table.add_column("mostly taken for otherwise")
    for label, row in enumerate(found.confusion[: len(classes)]):
        wrong = row.copy()
        wrong[label] = 0
        other = int(np.argmax(wrong))
        name = classes[other] if other < len(classes) else str(other)
        table.add_row(
            classes[label],
            str(row.sum()),
            f"{row[label] / row.sum():.1%}" if row.sum() else "",
            f"{name} ({wrong[other]})" if wrong[other] else "",
        )
    table.add_section()
    table.add_row("all", str(found.count), f"{found.accuracy:.1%}", f"loss {found.loss:.3f}")
    return table


def train_table(result: TuneResult) -> Table:
    """Held-out figures before and after."""
    table = Table(title=f"{result.steps} training steps")
    for heading in ("held-out pictures", "accuracy", "loss"):
        table.add_column(heading, justify="right" if heading != "held-out pictures" else "left")
    stages = {"before": result.evaluations[:1], "after": result.evaluations[1:][-1:]}
    for name, found in stages.items():
        for evaluation in found:
            right = int(np.trace(evaluation.confusion))
            figures = f"{evaluation.accuracy:.1%} ({right} of {evaluation.count})"
            table.add_row(name, figures, f"{evaluation.loss:.3f}")
    return table


def diverged(result: TuneResult, options: TuneOptions) -> str:
    """What has gone wrong, and what to do."""
    return (
        f"The training diverged: at step {result.diverged_at} the loss was far above its start. The device has its "
        f"weights of step {result.kept_step} back, nothing was saved. Try --lr {options.rate / 4:g}, or --lr auto."
    )


def rates_table(found: FoundRate) -> Table:
    """What the trials for a rate have found."""
    table = Table(title=f"learning rate {found.rate:g}", caption=f"by {found.steps} steps that were taken back")
    for heading in ("rate", "loss", "accuracy"):
        table.add_column(heading, justify="right")
    for trial in found.trials:
        table.add_row(f"{trial.rate:g}", f"{trial.loss:.3f}", f"{trial.accuracy:.1%}")
    return table


def draw_curves(result: TuneResult, path: Path, title: str) -> None:
    """Loss and accuracy over the steps as a picture (the suffix of ``path`` decides the format). ToolError without
    Matplotlib, DataError where the file cannot be written."""
    plt = pyplot("draw curves")
    steps = np.arange(1, result.steps + 1)
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 6), constrained_layout=True)
    evaluated = [found.steps for found in result.evaluations]
    curves = (
        (axes[0], "loss (nats)", np.array(result.losses), [found.loss for found in result.evaluations]),
        (axes[1], "accuracy (%)", 100.0 * np.array(result.hits), [100 * e.accuracy for e in result.evaluations]),
    )
    for axis, label, trained, held_out in curves:
        if len(steps):
            axis.plot(steps, _smoothed(trained), label=f"training, mean of {SMOOTHING} steps", color="tab:blue")
        axis.plot(evaluated, held_out, "o--", label="held out", color="tab:orange")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend()
    axes[0].set_title(title)
    axes[1].set_xlabel("training step")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the curves cannot be written to {path}: {getattr(error, 'strerror', None) or error}"
        ) from None
    finally:
        plt.close(figure)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """The mean of the last SMOOTHING values, of fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - SMOOTHING, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
