"""The trained weights as files that a page may fetch."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

from tinyengine.finetune.exchange import TrainedState, find_network, write_state, write_trained
from tinyengine.live.board import Board, Options
from tinyengine.live.pages import Pages


class Pulled:
    """What was pulled last."""

    def __init__(self, options: Options, pages: Pages) -> None:
        self._options = options
        self._pages = pages
        self.files: dict[str, tuple[str, bytes]] = {}
        """By a name nobody guesses, file name and content."""

    def pull(self, board: Board) -> None:
        """.npz, and with --model the network. DataError where the board cannot be trained."""
        trainer = board.trainer
        info = trainer.info()
        state = TrainedState(trainer.read_state(), info.layout, info.scheme, info.steps, info.class_names)
        with tempfile.TemporaryDirectory() as scratch:
            name = Path(board.device.identity.model).stem
            write_state(state, Path(scratch) / f"{name}_trained.npz")
            if self._options.model is not None:
                scheme = self._options.scheme or info.scheme
                network = find_network(self._options.model, info.layout, scheme, info.classes)
                write_trained(network, state, Path(scratch) / f"{name}_trained.tflite")
            written = sorted(Path(scratch).iterdir())
            self.files = {secrets.token_urlsafe(16): (path.name, path.read_bytes()) for path in written}
        files = [{"name": name, "href": f"files/{key}/{quote(name)}"} for key, (name, _) in self.files.items()]
        self._pages.publish({"is": "pulled", "files": files, "steps": info.steps})
