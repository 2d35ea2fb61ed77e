"""The board looks at a picture, and pages are told what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyengine.device.recognition import Recognition
from tinyengine.errors import DataError
from tinyengine.live.board import Board
from tinyengine.live.collecting import Collecting
from tinyengine.live.pages import Pages
from tinyengine.live.sources import Shot

MANY = 8
"""Numbers of an output that pages are told."""


class Looking:
    """Numbers the answers since the start."""

    def __init__(self, collecting: Collecting, pages: Pages) -> None:
        self._collecting = collecting
        self._pages = pages
        self._number = 0

    def look(self, board: Board, shot: Shot, source: str) -> Shot:
        """Let the board judge a picture; tell everybody; keep it where a key is held. Returns what it has seen."""
        result, restarted = board.judge(shot)
        if shot.image is None:
            if result.picture is None:
                raise DataError("a piece of the board's picture was lost on the line: show the board again")
            shot = replace(shot, image=result.picture)
        self._number += 1
        if restarted:
            relearn(board, self._pages)
        event = {"is": "answer", "number": self._number, "from": source} | answer_report(result)
        changed = self._collecting.keep(shot, event)
        self._pages.publish(shot.preview())
        self._pages.publish(event)
        if changed:
            self._pages.tell_state()
        return shot


def relearn(board: Board, pages: Pages) -> None:
    """The board has restarted: its weights may be others than before."""
    pages.notice("the board has restarted: it has its saved weights, or the factory's", "warning")
    board.learn()
    pages.tell_state()


def answer_report(result: Recognition) -> dict[str, Any]:
    """What ``stream --json`` says, and names for the probabilities; of other outputs the first numbers only: a map of
    classes is large."""
    answer, numbers = result.answer, result.answer is None and result.boxes is None
    report = (replace(result, boxes=()) if numbers else result).report()
    if answer:
        report["names"] = [result.metadata.class_name(k) for k in range(len(answer.probabilities))]
    if numbers:
        report["boxes"] = None
        report["shares"] = result.shares
        report["numbers"] = [
            {
                "name": result.output(k).name or port.name,
                "size": int(real.size),
                "values": real.ravel()[:MANY].tolist(),
            }
            for k, (port, real) in enumerate(zip(result.ports, result.reals, strict=True))
        ]
    return report
