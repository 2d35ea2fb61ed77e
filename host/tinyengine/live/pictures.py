"""Where the pictures that the board looks at come from: chosen by a page, one after the other."""

from __future__ import annotations

from typing import Any

from tinyengine.errors import DataError
from tinyengine.live.inbox import Inbox
from tinyengine.live.messages import Order
from tinyengine.live.sources import HostSource, Shot, received

IDLE = 0.5
"""Seconds to wait for an order where no picture is due."""


class Pictures:
    """``source``: ``host``, ``browser`` or ``none``."""

    def __init__(self, host: HostSource | None, inbox: Inbox) -> None:
        self._host = host
        self._inbox = inbox
        self.source = "host" if host else "none"

    def choose(self, source: str) -> None:
        """DataError where the host has none."""
        if source == "host" and self._host is None:
            raise DataError("the host has no pictures: start tinyengine live with --source camera, or a folder")
        if source != "host":
            self.close()
        if source != "browser":
            self._inbox.take_picture()  # nobody wants it any more
        self.source = source

    def give_up(self) -> None:
        """Nothing good comes from there."""
        self.source = "none"

    def step(self, hold: bool) -> None:
        """The host's next picture; ``hold``: and no other until the next step."""
        if self._host:
            self._host.hold = hold
            self._host.step()

    def close(self) -> None:
        """Release the host's camera."""
        if self._host:
            self._host.close()

    def next_order(self) -> Order | None:
        """What to do first; waits for an order or a picture where there is neither."""
        wait = self._host.wait() if self.source == "host" and self._host else IDLE
        return self._inbox.next_order(wait, self.source == "browser")

    def next(self) -> Shot | None:
        """A picture that is due. DataError, ToolError where it cannot be had."""
        if self.source == "host" and self._host:
            return self._host.next(self._inbox.now) if self._host.wait() <= 0 else None
        sent = self._inbox.take_picture() if self.source == "browser" else None
        return received(*sent) if sent is not None else None

    def seen(self, shot: Shot) -> None:
        """What the board has looked at."""
        if self._host and self.source == "host":
            self._host.seen(shot)

    def report(self) -> dict[str, Any]:
        """Part of a page's state."""
        return {
            "source": self.source,
            "host_source": self._host.shown if self._host else None,
            "holding": bool(self._host and self._host.hold),
            "stays": bool(self._host and self._host.stays),
        }
