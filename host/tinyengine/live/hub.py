"""Who looks at the page, and which tab decides. All of it runs in the server's event loop."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tinyengine.live.messages import Budget, finite

MOST_TABS = 16
WAITING = 64
"""Messages that may wait for a slow tab; answers and pictures beyond them are left out."""
DROPPED = frozenset({"answer", "activity"})
Message = str | bytes


@dataclass(eq=False)
class Tab:
    """One page. ``name``: its own random word, by which it is known again when it reconnects."""

    name: str
    waiting: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(WAITING))
    orders: Budget = field(default_factory=lambda: Budget(rate=40, burst=80))
    pictures: Budget = field(default_factory=lambda: Budget(rate=60, burst=60))
    mistakes: Budget = field(default_factory=lambda: Budget(rate=0.5, burst=20))

    def send(self, event: dict[str, Any]) -> None:
        """Queue an event for this tab alone."""
        self.put(json.dumps(finite(event), separators=(",", ":")), event["is"] in DROPPED)

    def put(self, message: Message, may_be_dropped: bool) -> None:
        """A tab that does not fetch what it must know is told to connect again."""
        if self.waiting.full():
            if may_be_dropped:
                return
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(None)
            return
        self.waiting.put_nowait(message)


class Hub:
    """The tabs."""

    def __init__(self) -> None:
        self._tabs: list[Tab] = []
        self._controls: Tab | None = None

    @property
    def controls(self) -> Tab | None:
        """The tab that decides."""
        return self._controls

    def join(self, name: str) -> Tab | None:
        """A new tab, which decides where nobody does; None where there are too many."""
        if len(self._tabs) >= MOST_TABS:
            return None
        tab = Tab(name)
        self._tabs.append(tab)
        if self._controls is None:
            self._controls = tab
        return tab

    def leave(self, tab: Tab) -> bool:
        """Whether it was the one that decided. A tab of its name, which has come back meanwhile, decides then: by its
        name alone it may as well be a copy of one that is still there."""
        if tab in self._tabs:
            self._tabs.remove(tab)
        if self._controls is not tab:
            return False
        self._controls = next((other for other in self._tabs if other.name == tab.name), None)
        return True

    def take(self, tab: Tab) -> None:
        """From now on ``tab`` decides."""
        self._controls = tab

    def tell_roles(self) -> None:
        """Say to each tab whether it decides."""
        for tab in self._tabs:
            others = len(self._tabs) - 1
            tab.send(
                {"is": "role", "controls": tab is self._controls, "free": self._controls is None, "others": others}
            )

    def broadcast(self, event: dict[str, Any] | bytes) -> None:
        """To all tabs. A picture is the one that the next answer is about."""
        if isinstance(event, bytes):
            for tab in self._tabs:
                tab.put(event, True)
            return
        text = json.dumps(finite(event), separators=(",", ":"))
        for tab in self._tabs:
            tab.put(text, event["is"] in DROPPED)
