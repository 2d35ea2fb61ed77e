"""The figures of ``build``, for people."""

from __future__ import annotations

import os

from tinyengine.project.build import Firmware
from tinyengine.report.storage import storage_sentence
from tinyengine.sizes import format_size


def build_summary(firmware: Firmware) -> str:
    """Where the image is, what it takes of the board, and what to do with it."""
    board = firmware.board
    lines = [
        f"firmware {os.path.relpath(firmware.elf)}",
        f"  flash {format_size(firmware.flash_bytes)} of {format_size(board.flash_bytes)}, "
        f"SRAM {format_size(firmware.sram_bytes)} of {format_size(board.sram_bytes)}",
    ]
    kept = storage_sentence(firmware.compiled, board)
    if kept:
        lines.append(f"  trained states: {kept}")
    if board.is_simulated_only:
        lines.append(f"next: tinyengine infer IMAGE... --port sim:{board.name}")
    else:
        lines.append(f"next: tinyengine flash --board {board.name}")
    return "\n".join(lines)
