"""A connected board, and what it has said of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyengine.device import Device
from tinyengine.device.recognition import Recognition, Recognizer
from tinyengine.device.sources import NamedPicture
from tinyengine.device.training import DeviceTrainer
from tinyengine.errors import DataError, TinyEngineError
from tinyengine.live.sources import Shot
from tinyengine.report.training import info_report

QUIET = 2.0
"""Seconds without a picture after which the board is asked how it is."""


@dataclass(frozen=True)
class Options:
    """How the session sees the board's network. ``model``: its file, where it is known."""

    mapping: str | None = None
    color: str | None = None
    by_rows: bool | None = None
    model: Path | None = None
    scheme: str | None = None


class Board:
    """``know``: called with each class that the board has learned."""

    def __init__(self, device: Device, options: Options, know: Callable[[str], None]) -> None:
        self.device = device
        self._options = options
        self._know = know
        self._shot: Shot | None = None
        self._heard = 0.0  # when it answered last
        self.learn()

    def learn(self) -> None:
        """Ask what its outputs mean now: its weights may be others than before."""
        device, options = self.device, self._options
        metadata = device.identity.metadata.override(mapping=options.mapping, color=options.color)
        trainer = DeviceTrainer(device, options.by_rows) if device.identity.can_train else None
        info = trainer.info() if trainer else None
        self.recognizer = Recognizer(device, metadata, options.by_rows)
        self.metadata, self.info = metadata, info
        self._trainer = trainer
        self._last_run = -1
        self.again()
        for name in self.taught:
            self._know(name)

    @property
    def taught(self) -> tuple[str, ...]:
        """The classes that it has learned."""
        return self.info.class_names if self.info else ()

    @property
    def trainer(self) -> DeviceTrainer:
        """DataError where its network cannot be trained."""
        if self._trainer is None:
            raise DataError(
                f"the network {self.device.identity.model} on this board cannot be trained: build it with --train "
                "SCHEME"
            )
        return self._trainer

    def again(self) -> None:
        """Begin a new stream: states of the network have their initial values."""
        self._results = self.recognizer.stream(self._pictures())
        self._sights: Iterator[Recognition] | None = None

    def _pictures(self) -> Iterator[NamedPicture]:
        while self._shot is not None and self._shot.image is not None:
            yield self._shot.name, self._shot.image

    def _look(self) -> Recognition:
        """What it says of what its own camera sees, and that."""
        if self._sights is None:
            self._sights = self.recognizer.watch(pictures=True)
        return next(self._sights)

    def judge(self, shot: Shot) -> tuple[Recognition, bool]:
        """What it says of the next picture of its stream; whether it has begun to count its runs anew."""
        self._shot = shot
        result = next(self._results) if shot.image is not None else self._look()
        restarted = result.inference.run <= self._last_run
        self._last_run = result.inference.run
        self._heard = time.monotonic()
        return result, restarted

    def profile(self) -> list[dict[str, Any]] | None:
        """What each layer takes; None where the firmware does not measure it."""
        layers = None
        if self.device.identity.has_profile:
            layers = [asdict(layer) for layer in self.device.profile()]
            self.again()  # it has rewound states
        self._last_run = -1
        return layers

    @property
    def quiet(self) -> bool:
        """Whether it has not been heard of for so long that it may have gone."""
        return time.monotonic() - self._heard > QUIET

    def statistics(self) -> dict[str, Any]:
        """How it fares."""
        found = asdict(self.device.statistics())
        self._heard = time.monotonic()
        return found

    def answers(self) -> bool:
        """Whether it still does after an error (nothing is saved, its flash is full, ...)."""
        try:
            self.device.statistics()
        except TinyEngineError:
            return False
        return True


def board_report(board: Board | None) -> dict[str, Any]:
    """The part of a page's state that says what is connected; everything is null where nothing is."""
    identity, info = (board.device.identity, board.info) if board else (None, None)
    return {
        "board": identity.board if identity else None,
        "model": identity.model if identity else None,
        "counter_unit": identity.counter_unit if identity else None,
        "counter_rate": identity.counter_rate if identity else None,
        "arena_bytes": identity.arena_bytes if identity else None,
        "baud": board.device.baud if board else None,
        "training": info_report(info) if info else None,
        "names": list(board.recognizer.metadata.classes) if board else [],
    }
