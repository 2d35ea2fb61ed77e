"""Tables of ``infer`` and ``stream``."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from tinyengine.data.metadata import OutputMeaning
from tinyengine.device import Identity
from tinyengine.device.recognition import Recognition

FEW = 100_000
"""Instructions that are shown one by one."""
SHOWN = 6
"""Numbers of an output that a table has room for."""


def _head(identity: Identity, live: bool, answers: bool = True) -> Table:
    table = Table(title=f"{identity.model} on {identity.board}")
    table.add_column("input", overflow="fold")
    table.add_column("answer" if answers else "output")
    if answers:
        table.add_column("probability", justify="right")
    table.add_column("device time", justify="right")
    if live:
        table.add_column("frames/s", justify="right")
        table.add_column("on the wire", justify="right")
    return table


def device_time(identity: Identity, result: Recognition) -> str:
    """Milliseconds by the device's counter; a simulator counts instructions, which are not time."""
    if identity.counter_unit == "instructions":
        count = result.inference.count
        return f"{count / 1e6:.2f} M instr." if count >= FEW else f"{count:,} instr."
    return f"{result.inference.device_seconds * 1e3:.1f} ms"


def _cells(identity: Identity, result: Recognition) -> list[str]:
    if result.boxes is not None:
        found = ", ".join(f"{result.metadata.class_name(box.index)} {box.score:.0%}" for box in result.boxes)
        return [result.name, found or "nothing", "", device_time(identity, result)]
    if result.answer is None:
        values = [_numbers(real, result.output(k)) for k, real in enumerate(result.reals)]
        if shares := result.shares:
            values[0] = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share)
        return [result.name, ", ".join(values), "", device_time(identity, result)]
    answer = result.answer
    return [result.name, answer.name, f"{100 * answer.probability:.1f} %", device_time(identity, result)]


def _numbers(real: np.ndarray, meaning: OutputMeaning) -> str:
    """The first few of an output's numbers, with what is known of them."""
    first = " ".join(
        " ".join(word for word in (meaning.value(k), f"{value:.4g}", meaning.unit(k)) if word)
        for k, value in enumerate(real.ravel()[:SHOWN])
    )
    return first if real.size <= SHOWN else f"{first} ... ({real.size} values)"


def answers_table(identity: Identity, results: Sequence[Recognition]) -> Table:
    """One row per picture."""
    answers = any(result.answer for result in results)
    table = _head(identity, False, answers)
    for result in results:
        name, said, probability, time = _cells(identity, result)
        table.add_row(name, said, *([probability] if answers else []), time)
    return table


class StreamView:
    """The last frames of a stream."""

    def __init__(self, identity: Identity, baud: int, rows: int = 10) -> None:
        self._identity = identity
        self._baud = baud
        self._last: deque[Recognition] = deque(maxlen=rows)
        self._count = 0

    def add(self, result: Recognition) -> Table:
        self._last.append(result)
        self._count += 1
        return self.table()

    def table(self) -> Table:
        table = _head(self._identity, live=True)
        for result in self._last:
            rate, share = f"{result.frames_per_second:.1f}", f"{100 * result.inference.wire_share:.0f} %"
            _, *cells = _cells(self._identity, result)
            table.add_row(Path(result.name).name, *cells, rate, share)  # a whole path would leave no room
        table.caption = f"{self._count} frames at {self._baud} baud; Ctrl-C ends"
        return table
