"""Writing a built firmware to a board."""

from __future__ import annotations

import importlib.util
import sys

from tinyengine.boards import Board
from tinyengine.errors import DeviceError, ToolError
from tinyengine.paths import firmware_elf
from tinyengine.project import pio

PROTOCOLS = ("openocd", "pyocd", "dfu")


def flash(board: Board, protocol: str | None = None) -> None:
    """Write the firmware built last to ``board`` through its debug probe, by ``protocol`` or the board's own.

    Raises DeviceError when there is nothing to write or to write to, ToolError when the upload fails.
    """
    if board.is_simulated_only:
        raise DeviceError(f"{board.name} exists only as a simulation: run it with 'tinyengine sim {board.name}'")
    elf = firmware_elf(board.name)
    if not elf.is_file():
        raise DeviceError(
            f"there is no firmware for {board.name} yet: run 'tinyengine build MODEL --board {board.argument}'"
        )
    if (protocol or board.upload.protocol) == "pyocd" and importlib.util.find_spec("pyocd") is None:
        raise ToolError(
            f"pyocd is not installed for {sys.executable}: run 'pip install pyocd', or use --protocol openocd"
        )
    environment = {"TINYENGINE_UPLOAD_PROTOCOL": protocol} if protocol else {}
    pio.run(board, ["nobuild", "upload"], environment=environment)
