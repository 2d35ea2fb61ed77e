"""The figures of ``build``, for people."""

from __future__ import annotations

import os

from tinyengine.ir import Graph
from tinyengine.project.build import Firmware
from tinyengine.report.storage import storage_sentence
from tinyengine.sizes import format_size


def _takes_pictures(graph: Graph) -> bool:
    """Whether the only input has rows, columns, and gray or RGB."""
    shapes = [graph.tensor(port.tensor).shape for port in graph.inputs]
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][-1] in (1, 3) and min(shapes[0][1:3]) > 1


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
        graph = firmware.compiled.graph
        given = "infer IMAGE" if _takes_pictures(graph) else "infer NUMBERS.npy"
        if graph.tokenizer is not None:
            given = 'generate --prompt "Once upon a time"'
        lines.append(f"next: tinyengine {given} --port sim:{board.name}")
    else:
        lines.append(f"next: tinyengine flash --board {board.name}")
    return "\n".join(lines)
