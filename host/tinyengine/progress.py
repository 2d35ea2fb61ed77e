"""How long work says how far it is, to whoever wants to know; ``cli.progress`` draws it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Progress = Callable[[int, int], None]
"""Told of things done, and of all."""

Say = Callable[[str], None]
"""Told a sentence."""


class Activity(Protocol):
    """Told what is being done, how far that is, and what to show beside it."""

    def __call__(self, what: str, done: int, total: int, figures: str = "") -> None: ...


def silent(*_: object, **__: object) -> None:
    """Whom nobody listens to: takes what any of the others take."""


def part(activity: Activity, what: str) -> Progress:
    """The progress of ``what``, told to ``activity``."""
    return lambda done, total: activity(what, done, total)
