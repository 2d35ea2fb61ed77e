"""Lessons: trainings of the board that a page follows while they go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tinyengine.device.recognition import input_form
from tinyengine.device.training import DeviceTrainer
from tinyengine.live.board import Board
from tinyengine.live.collection import Collection
from tinyengine.live.inbox import Inbox
from tinyengine.live.inside import Inside
from tinyengine.live.pages import Pages, Publish
from tinyengine.live.teaching import Lesson, teach
from tinyengine.report.training import evaluation_report

OFTEN = 0.1
"""Seconds between two reports of something that goes on."""


class Lessons:
    """``busy``: what goes on, in a word; ``last``: the report of the last lesson, if the board still remembers it."""

    def __init__(self, collection: Collection, inbox: Inbox, inside: Inside, pages: Pages) -> None:
        self._collection = collection
        self._inbox = inbox
        self._inside = inside
        self._pages = pages
        self.busy = ""
        self.last: dict[str, Any] | None = None

    def teach(self, board: Board, trainer: DeviceTrainer, epochs: float, rate: float | None) -> None:
        """Train on what was collected. It is busy until ``end``. DataError where the samples cannot teach anything."""
        self._collection.refresh()
        self._inbox.stop.clear()
        if self._inbox.closing.is_set():
            return
        self.busy = "training"
        self.last = None
        self._pages.tell_state()
        self._pages.publish({"is": "training"})
        curve = _Curve(self._pages.publish)
        try:
            lesson = teach(
                trainer,
                input_form(board.device, board.metadata),
                self._collection.folder,
                self._collection.with_samples(),
                epochs,
                rate,
                _Activity(self._pages.publish),
                curve.add,
                self._inbox.stop.is_set,
            )
        finally:
            curve.flush()
        self.last = _lesson_report(lesson)
        board.learn()
        self._inside.refresh(board)
        self._pages.publish({"is": "trained", "lesson": self.last})

    def end(self) -> None:
        """Nothing goes on any more."""
        self.busy = ""

    def forget(self) -> None:
        """The board does not remember the last one."""
        self.last = None


class _Activity:
    """Reports of a training for pages, not more often than they can be read."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._last, self._what = 0.0, ""

    def __call__(self, what: str, done: int, total: int, figures: str = "") -> None:
        now = time.monotonic()
        if what != self._what or now - self._last > OFTEN or done == total:
            self._what, self._last = what, now
            self._publish({"is": "activity", "what": what, "done": done, "total": total, "figures": figures})


class _Curve:
    """Losses of steps, some at once."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._points: list[tuple[float, bool]] = []
        self._last = time.monotonic()

    def add(self, loss: float, right: bool) -> None:
        self._points.append((loss, right))
        if time.monotonic() - self._last > OFTEN:
            self.flush()

    def flush(self) -> None:
        self._last = time.monotonic()
        if self._points:
            self._publish({"is": "steps", "points": self._points})
            self._points = []


def _lesson_report(lesson: Lesson) -> dict[str, Any]:
    """``before`` and ``after``: of the held-out samples, as ``train --json`` has them."""
    result = lesson.result
    evaluations = [evaluation_report(found, lesson.held_out) for found in result.evaluations]
    for report in evaluations:
        for worst in report["worst"]:
            worst["picture"] = Path(worst["picture"]).name
    return {
        "classes": list(lesson.held_out.classes),
        "before": evaluations[0] if evaluations else None,
        "after": evaluations[-1] if len(evaluations) > 1 else None,
        "trained_on": lesson.trained_on,
        "steps": result.steps,
        "rate": lesson.options.rate,
        "interrupted": result.interrupted,
        "diverged_at": result.diverged_at,
        "kept_step": result.kept_step,
    }
