"""The board, in a thread of its own: nobody else speaks to it. Orders and pictures come in, events go out.

A board that is lost is connected to again and again; whatever happens to it or to a browser, each exchange with it is
whole or has not happened, which is what the protocol promises.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tinyengine.device import Device
from tinyengine.device.errors import BlindError, RefusedError
from tinyengine.errors import DeviceError, TinyEngineError
from tinyengine.live.board import Board, Options, board_report
from tinyengine.live.collecting import Collecting
from tinyengine.live.collection import Collection
from tinyengine.live.inbox import Inbox
from tinyengine.live.inside import Inside
from tinyengine.live.lessons import Lessons
from tinyengine.live.looking import Looking, relearn
from tinyengine.live.messages import Order, SentPicture
from tinyengine.live.orders import Orders
from tinyengine.live.pages import Pages, Publish
from tinyengine.live.pictures import Pictures
from tinyengine.live.pulled import Pulled
from tinyengine.live.sources import HostSource

Connect = Callable[[], AbstractContextManager[Device]]

FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds before a lost board is connected to again."""


class Session:
    """Start it, give it orders and pictures from any thread, close it."""

    def __init__(
        self,
        connect: Connect,
        collection: Collection,
        publish: Publish,
        source: HostSource | None = None,
        options: Options | None = None,
    ) -> None:
        self._connect = connect
        self._collection = collection
        self._options = options or Options()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        # the session's thread alone writes these
        self._link, self._problem = "connecting", ""
        self._board: Board | None = None
        self._pages = Pages(publish, self.snapshot)
        self._inbox = Inbox(lambda: self._link == "connected" and not self._lessons.busy)
        self._pictures = Pictures(source, self._inbox)
        self._collecting = Collecting(collection, self._inbox, self._pages)
        self._looking = Looking(self._collecting, self._pages)
        self._inside = Inside(self._options.model, self._pages)
        self._lessons = Lessons(collection, self._inbox, self._inside, self._pages)
        self._pulled = Pulled(self._options, self._pages)
        self._orders = Orders(
            collection, self._collecting, self._pictures, self._inside, self._lessons, self._pulled, self._pages
        )

    # ---- from other threads

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End a training after its step, leave the board."""
        self._inbox.close()
        if self._thread.is_alive():
            self._thread.join(30)

    def submit(self, order: Order) -> bool:
        """An order to be obeyed; False where it cannot be now: see ``Inbox.submit``."""
        return self._inbox.submit(order)

    def offer(self, picture: SentPicture) -> None:
        """A picture of the browser; one that has not been looked at yet gives way to it."""
        self._inbox.offer(picture)

    def leave(self) -> None:
        """Nobody controls any more: no key is held, and no browser sends pictures."""
        self._inbox.leave(lambda: self._pictures.source == "browser")

    @property
    def files(self) -> dict[str, tuple[str, bytes]]:
        """What was pulled last: by a name nobody guesses, file name and content."""
        return self._pulled.files

    def snapshot(self) -> dict[str, Any]:
        """Everything that a page which has just come must know, but for who controls."""
        board = self._board
        return {
            "is": "state",
            "link": self._link,
            "problem": self._problem,
            "busy": self._lessons.busy,
            "lesson": self._lessons.last,
            **self._pictures.report(),
            **self._collecting.report(board.taught if board else ()),
            **board_report(board),
            **self._inside.report(),
        }

    # ---- the thread

    def _run(self) -> None:
        wait = FIRST_WAIT
        closing = self._inbox.closing
        while not closing.is_set():
            started = time.monotonic()
            try:
                with self._connect() as device:
                    self._serve(device)
            except (TinyEngineError, OSError) as error:
                self._lost(str(error))
            except Exception as error:  # a mistake of ours must not end the page
                traceback.print_exc(file=sys.stderr)
                self._lost(f"something unexpected happened ({type(error).__name__}): connecting anew")
            if time.monotonic() - started > LONGEST_WAIT:
                wait = FIRST_WAIT
            closing.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        self._pictures.close()

    def _lost(self, sentence: str) -> None:
        self._board = None
        self._lessons.end()
        self._collecting.end()
        self._inbox.forget_board()
        self._link, self._problem = "lost", sentence
        self._pages.tell_state()

    def _serve(self, device: Device) -> None:
        board = self._board = Board(device, self._options, self._collection.know)
        self._link, self._problem = "connected", ""
        self._inside.measure(board)
        self._pages.tell_state()
        while not self._inbox.closing.is_set():
            order = self._pictures.next_order()
            if order is not None:
                self._orders.obey(order, board)
                continue
            try:
                self._show(board)
            except (RefusedError, BlindError) as error:  # the board itself is well
                self._pages.complain(str(error))
                board.again()
                self._pictures.give_up()
                self._pages.tell_state()
            except DeviceError:
                raise
            except TinyEngineError as error:  # of a picture or of where it comes from
                self._pages.complain(str(error))
                board.again()
                if self._pictures.source == "host":
                    self._pictures.give_up()
                    self._pages.tell_state()

    def _show(self, board: Board) -> None:
        """Show the board the picture that is due. Where there is none it is asked now and then how it is, so that a
        board that has gone is missed, even where nobody wants anything of it."""
        shot = self._pictures.next()
        if shot is not None:
            self._pictures.seen(self._looking.look(board, shot, self._pictures.source))
        elif board.quiet and self._inside.refresh(board):
            relearn(board, self._pages)
