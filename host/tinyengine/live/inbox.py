"""What other threads leave for the board's: orders in their turn, the newest picture of a browser, and to stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tinyengine.live.messages import Choose, Collect, Order, SentPicture, Stop
from tinyengine.live.sources import Moment

QUEUED = 64
"""Orders that may wait."""


class Inbox:
    """Any thread fills it; the board's empties it. ``accepts``: whether the board can do something for somebody now."""

    def __init__(self, accepts: Callable[[], bool]) -> None:
        self._accepts = accepts
        self._changed = threading.Condition()
        self._orders: deque[Order] = deque()
        self._sent: tuple[SentPicture, Moment] | None = None
        self._now = Moment()
        self.closing = threading.Event()
        """Set for good: leave the board."""
        self.stop = threading.Event()
        """Set: end a training after its step."""

    # ---- from other threads

    def close(self) -> None:
        self.closing.set()
        self.stop.set()
        with self._changed:
            self._changed.notify_all()

    def submit(self, order: Order) -> bool:
        """An order to be obeyed in its turn. A stop takes no turn. False where the board is not there, or has something
        else to do: an order is for this board, and for now, unless it only says where pictures come from or that a key
        is up."""
        if isinstance(order, Stop):
            self.stop.set()
            return True
        any_time = isinstance(order, Choose) or (isinstance(order, Collect) and not order.on)
        with self._changed:
            if not any_time and (not self._accepts() or len(self._orders) >= QUEUED):
                return False
            self._queue(order)
        return True

    def offer(self, picture: SentPicture) -> None:
        """A picture of the browser; one that has not been looked at yet gives way to it."""
        with self._changed:
            self._sent = picture, self._now
            self._changed.notify_all()

    def leave(self, shows: Callable[[], bool]) -> None:
        """Nobody controls any more: no key is held, and no browser sends pictures, where it ``shows`` any."""
        with self._changed:
            self._queue(Collect("", False))
            if shows():
                self._queue(Choose("none"))

    def _queue(self, order: Order) -> None:
        """Of a key it counts when the press arrives, not when the board gets round to it."""
        if isinstance(order, Collect):
            self._now = Moment(self._now.presses + order.on, order.on)
        last = self._orders[-1] if self._orders else None
        if isinstance(order, Choose) and isinstance(last, Choose):
            self._orders.pop()  # only the last choice counts
        if not (isinstance(order, Collect) and isinstance(last, Collect) and not (order.on or last.on)):
            self._orders.append(order)
        self._changed.notify_all()

    # ---- from the board's thread

    @property
    def now(self) -> Moment:
        """When a picture that is taken now is taken."""
        return self._now

    @property
    def obeyed(self) -> int:
        """Presses of keys that do not wait any more."""
        with self._changed:
            return self._now.presses - sum(isinstance(order, Collect) and order.on for order in self._orders)

    def next_order(self, seconds: float, shows: bool) -> Order | None:
        """The first order; where there is none, waits ``seconds`` for one, or for anything else to come, but not at all
        where a browser ``shows`` pictures and one is there."""
        with self._changed:
            if not self._orders and not (shows and self._sent is not None) and seconds > 0:
                self._changed.wait(seconds)
            return self._orders.popleft() if self._orders else None

    def take_picture(self) -> tuple[SentPicture, Moment] | None:
        """A picture that has not been looked at yet, and when it came; it is in the inbox no longer."""
        with self._changed:
            sent, self._sent = self._sent, None
        return sent

    def let_go(self) -> None:
        """The key that is held counts as up."""
        with self._changed:
            self._now = Moment(self._now.presses)

    def forget_board(self) -> None:
        """What was meant for this board is not for the next; where pictures come from stays."""
        with self._changed:
            self._orders = deque(order for order in self._orders if isinstance(order, Choose))
