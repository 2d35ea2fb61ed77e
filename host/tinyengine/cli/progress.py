"""Progress of long work on standard error, so that figures on standard output stay clean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tinyengine.progress import Activity


@contextmanager
def step_progress(console: Console | None = None) -> Iterator[Activity]:
    """An activity that is drawn as one line, removed at the end: its latest ``what``. Silent without a terminal.

    ``console``: where else sentences are printed meanwhile; standard error by default.
    """
    console = console or Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TextColumn("[dim]left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=console.quiet or not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def update(what: str, done: int, total: int, figures: str = "") -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[what] = bars.add_task(what, total=total, figures=figures)
            bars.update(tasks[what], completed=done, total=total, figures=figures, visible=True)

        yield update
