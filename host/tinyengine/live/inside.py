"""What goes on inside the board: what each layer takes, how the board fares, what lies where in its arena."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tinyengine.device import Identity
from tinyengine.device.training import TrainingInfo
from tinyengine.errors import TinyEngineError
from tinyengine.live import arena
from tinyengine.live.board import Board
from tinyengine.live.pages import Pages


class Inside:
    """What was measured last. The board's thread alone writes it, but for the arena."""

    def __init__(self, model: Path | None, pages: Pages) -> None:
        self._model = model
        self._pages = pages
        self._layers: list[dict[str, Any]] = []
        self._statistics: dict[str, Any] = {}
        self._arena: list[dict[str, Any]] | None = None
        self._arena_of = ""

    def measure(self, board: Board) -> None:
        """All of it."""
        layers = board.profile()
        if layers is not None:
            self._layers = layers
        self.refresh(board)
        model, identity = self._model, board.device.identity
        if model is not None and self._arena_of != identity.model_hash:
            self._arena_of, self._arena = identity.model_hash, None
            # compiling takes seconds, in which the board has better things to do
            finding = threading.Thread(target=self._find_arena, args=(model, identity, board.info), daemon=True)
            finding.start()

    def refresh(self, board: Board) -> bool:
        """How the board fares; whether it has restarted since it was asked last."""
        before = self._statistics.get("uptime_ms", 0)
        self._statistics = board.statistics()
        return self._statistics["uptime_ms"] < before

    def _find_arena(self, model: Path, identity: Identity, info: TrainingInfo | None) -> None:
        try:
            compiled = arena.find_plan(model, identity, info)
        except TinyEngineError as error:
            self._pages.notice(str(error), "warning")
            return
        if compiled is None:
            self._pages.notice(
                f"{model} as the board has it was not found again, so the page does not show what lies where in the "
                "arena: give the file that the firmware was built from",
                "warning",
            )
            return
        self._arena = arena.places(compiled)
        self._pages.tell_state()

    def report(self) -> dict[str, Any]:
        """Part of a page's state."""
        return {
            "model_file": self._model is not None,
            "layers": self._layers,
            "arena": self._arena,
            "statistics": self._statistics,
        }
