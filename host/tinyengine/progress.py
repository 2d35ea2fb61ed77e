"""How long-running work reports how far it is. ``cli.progress`` draws these reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with the number of things done so far and the number of all."""

Say = Callable[[str], None]
"""Called with a sentence for the user."""


class Activity(Protocol):
    """Called with what is being done, how far it is, and figures to show beside it."""

    def __call__(self, what: str, done: int, total: int, figures: str = "") -> None: ...


def silent(*_: object, **__: object) -> None:
    """Ignores the reports of work whose progress nobody wants to see; fits all three types above."""


def part(activity: Activity, what: str) -> Progress:
    """A progress that reports to ``activity`` how far ``what`` is."""
    return lambda done, total: activity(what, done, total)
