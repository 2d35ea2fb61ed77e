"""The tables of the accuracy experiments: accuracy by row and set, and differences at one rate, seed by seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from worker import Task

Row = tuple[str, str, str]
"""Scheme, arithmetic, set."""
Results = Mapping[Task, Mapping[str, float]]


def accuracies(results: Results, row: Row, rate: float | None) -> dict[int, float]:
    """Per cent by seed, on the test part."""
    return {
        task.seed: 100 * entry["accuracy"]
        for task, entry in sorted(results.items(), key=lambda item: item[0].seed)
        if (task.scheme, task.arithmetic, task.set) == row and task.rate == rate and not task.tuning
    }


def differences(
    results: Results, rates: Mapping[Row, float | None], scheme: str, arithmetic: str, name: str
) -> list[float]:
    """Points beyond "float" at the rate of "float", for every seed that both have."""
    rate = rates.get((scheme, "float", name))
    theirs = accuracies(results, (scheme, "float", name), rate)
    ours = accuracies(results, (scheme, arithmetic, name), rate)
    return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" + (f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


def print_tables(rows: Sequence[Row], rates: Mapping[Row, float | None], results: Results) -> None:
    console = Console(width=200)
    sets = list(dict.fromkeys(row[2] for row in rows))
    table = Table(box=box.SIMPLE_HEAD, title="test accuracy, per cent: mean ± standard deviation (seeds; rate)")
    for title in ("scheme", "arithmetic", *sets, "mean"):
        table.add_column(title)
    for scheme, arithmetic in dict.fromkeys(row[:2] for row in rows):
        cells, means = [], []
        for name in sets:
            row = (scheme, arithmetic, name)
            values = list(accuracies(results, row, rates.get(row)).values())
            cells.append(f"{spread(values)} ({len(values)}; {rates[row]:g})" if values else "")
            means += [float(np.mean(values))] if values else []
        table.add_row(scheme, arithmetic, *cells, f"{np.mean(means):.2f}" if len(means) == len(sets) else "")
    console.print(table)
    table = Table(
        box=box.SIMPLE_HEAD, title='points beyond "float" at its rate with the same seeds: mean ± s.d. (pairs)'
    )
    for title in ("scheme", "arithmetic", *sets, "all: mean ± standard error"):
        table.add_column(title)
    for arithmetic in ("stochastic", "residual"):
        total: list[float] = []
        for scheme in dict.fromkeys(row[0] for row in rows):
            parts = [differences(results, rates, scheme, arithmetic, name) for name in sets]
            every = [value for part in parts for value in part]
            total += every
            cells = [f"{spread(part)} ({len(part)})" if part else "" for part in parts]
            table.add_row(scheme, arithmetic, *cells, _error(every))
        table.add_row("all", arithmetic, *[""] * len(sets), _error(total))
    console.print(table)
    seconds = sum(entry["seconds"] for entry in results.values())
    console.print(f"{len(results)} trainings with their measurements took {seconds / 60:.0f} core-minutes")


def _error(values: Sequence[float]) -> str:
    if len(values) < 2:
        return ""
    return f"{np.mean(values):+.2f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.2f} ({len(values)})"


def to_json(rows: Sequence[Row], rates: Mapping[Row, float | None], results: Results) -> str:
    entries = [
        dict(zip(("scheme", "arithmetic", "set"), row, strict=True))
        | {"rate": rates.get(row), "accuracies": list(accuracies(results, row, rates.get(row)).values())}
        for row in rows
    ]
    return json.dumps(entries, indent=2)
