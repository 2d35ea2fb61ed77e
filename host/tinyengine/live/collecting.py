"""Which of the pictures that the board has judged become samples: those of a burst, which a key begins and ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyengine.errors import DataError
from tinyengine.live.collection import Collection
from tinyengine.live.inbox import Inbox
from tinyengine.live.pages import Pages
from tinyengine.live.sources import Moment, Shot

LONGEST_BURST = 60.0
"""Seconds after which a key that nobody lets go of counts as let go."""


@dataclass(eq=False)
class _Burst:
    """From the press of a class's key to the last picture that was taken before its release."""

    press: int
    name: str
    until: float  # time.monotonic() after which it counts as released
    kept: int = 0
    released: bool = False

    @property
    def done(self) -> bool:
        """Whether the page need not show it any more."""
        return self.released and self.kept > 0

    def wants(self, moment: Moment) -> bool:
        """Whether a picture is of this burst: one that was under way when the key was pressed is not, one that was
        under way when it was released is. A press too short for any picture gets the next one."""
        if moment.held:
            return moment.presses == self.press
        return self.released and not self.kept and moment.presses >= self.press

    def ends_before(self, moment: Moment) -> bool:
        """Whether no later picture belongs to it."""
        return self.done and not (moment.held and moment.presses == self.press)


class Collecting:
    """The burst that goes on, if one does, and where its samples go."""

    def __init__(self, collection: Collection, inbox: Inbox, pages: Pages) -> None:
        self._collection = collection
        self._inbox = inbox
        self._pages = pages
        self._burst: _Burst | None = None

    def press(self, name: str) -> None:
        """The key of a class is down. DataError for an unknown class."""
        self._collection.begin(name)
        self._burst = _Burst(self._inbox.obeyed, name, time.monotonic() + LONGEST_BURST)

    def release(self) -> None:
        """The key is up: pictures may still come that were taken before."""
        if self._burst:
            self._burst.released = True

    def end(self) -> None:
        """No picture belongs to the burst any more."""
        self._burst = None
        self._collection.end()

    def undo(self) -> tuple[str, int]:
        """End the burst and remove what was kept last: the class and how many. DataError where there is nothing."""
        self._burst = None
        return self._collection.undo()

    def keep(self, shot: Shot, event: dict[str, Any]) -> bool:
        """Make a sample of a picture where a key is held, and say so in its event; whether the state has changed."""
        burst = self._burst
        if burst is None:
            return False
        if burst.wants(shot.moment):
            try:
                self._collection.add(burst.name, *shot.sample())
            except DataError as error:
                self._pages.notice(str(error))
                self.end()
                return True
            burst.kept += 1
            event["collected"] = {"class": burst.name, "samples": self._collection.counts[burst.name]}
        elif burst.ends_before(shot.moment):
            self.end()
            return True
        if not burst.released and time.monotonic() > burst.until:
            burst.released = True
            self._inbox.let_go()
        return burst.released

    def report(self, taught: Sequence[str]) -> dict[str, Any]:
        """Part of a page's state. ``taught``: the classes that the board has learned."""
        burst = self._burst
        return {
            "collecting": burst.name if burst and not burst.done else "",
            "classes": [
                {"name": name, "samples": count, "taught": name in taught}
                for name, count in self._collection.counts.items()
            ],
            "can_undo": self._collection.can_undo,
            "folder": str(self._collection.folder),
        }
