"""The file that a simulated board's camera sees: pictures one behind the other, CAMERA_HEIGHT lines of CAMERA_WIDTH
pixels of red, green, blue each (firmware/hal/sim_camera and boards/renode/arducam.cs read it)."""

from __future__ import annotations

from pathlib import Path

from tinyengine.boards import Board, Simulator
from tinyengine.boards.board import CAMERA_HEIGHT, CAMERA_WIDTH, SIMULATED_CAMERA
from tinyengine.errors import BoardError
from tinyengine.sim.flash_file import checked_path

SIZE = CAMERA_WIDTH, CAMERA_HEIGHT


def prepare(board: Board, simulator: Simulator, path: Path) -> Path:
    """The absolute path of the file. BoardError where no camera looks at it, DeviceError for too long a path."""
    if SIMULATED_CAMERA not in board.hal and "camera" not in simulator.settings:
        raise BoardError(
            f"{simulator.kind} has no camera for {board.name} that looks at pictures: leave the pictures out, or take "
            "sim_stm32f405"
        )
    return checked_path(path, "camera")
