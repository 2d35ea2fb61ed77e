"""What the board's thread says to all pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Publish = Callable[[dict[str, Any] | bytes], None]
"""Called in the session's threads with an event, or with the picture that the next answer is about."""

REPEATED = 5.0
"""Seconds in which a page is not told the same twice."""


class Pages:
    """``publish``: where events go; ``state``: everything that a page must know now."""

    def __init__(self, publish: Publish, state: Callable[[], dict[str, Any]]) -> None:
        self.publish = publish
        self._state = state
        self._said, self._said_at = "", 0.0

    def tell_state(self) -> None:
        self.publish(self._state())

    def notice(self, text: str, kind: str = "error") -> None:
        self.publish({"is": "notice", "kind": kind, "text": text})

    def complain(self, text: str) -> None:
        """Of a picture: the next one is probably as bad, which need not be said each time."""
        now = time.monotonic()
        if text != self._said or now - self._said_at > REPEATED:
            self._said, self._said_at = text, now
            self.notice(text)
