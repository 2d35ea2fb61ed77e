"""Boards, and what a firmware takes on each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Column, Table

from tinyengine.boards import Board
from tinyengine.project.sizes import FirmwareSizes
from tinyengine.sizes import format_size


def boards_figures(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """All boards, as JSON."""
    return [
        {
            "board": board.name,
            "title": board.title,
            "chip": board.chip,
            "cpu": board.cpu,
            "clock_hz": board.clock.core_hz,
            "memories": [
                {"name": memory.name, "kind": memory.kind, "address": memory.address, "bytes": memory.bytes}
                for memory in board.memories
            ],
            "flash_bytes": board.flash_bytes,
            "network_sram_bytes": board.network_sram_bytes,
            "network_flash_bytes": board.network_flash_bytes,
            "port": board.serial.port,
            "upload": board.upload.protocol,
            "camera": board.camera.title if board.camera else None,
            "price": board.price or None,
            "simulators": [simulator.kind for simulator in board.simulators],
        }
        for board in boards
    ]


def boards_table(boards: Sequence[Board]) -> Table:
    """All boards, as a table."""
    table = Table(Column("board", no_wrap=True), "core", "clock", "SRAM", "flash", "upload", "simulators", box=None)
    for board in boards:
        table.add_row(
            board.name,
            board.cpu,
            "" if board.is_simulated_only else f"{board.clock.core_hz // 1_000_000} MHz",
            format_size(sum(memory.bytes for memory in board.memories)),
            format_size(board.flash_bytes),
            "" if board.is_simulated_only else board.upload.protocol,
            ", ".join(simulator.kind for simulator in board.simulators),
        )
    return table


def sizes_figures(found: Sequence[FirmwareSizes]) -> list[dict[str, Any]]:
    """Sizes of a firmware on several boards, as JSON."""
    return [
        {
            "board": entry.board.name,
            "fits": entry.fits,
            "flash_bytes": entry.flash_bytes,
            "sram_bytes": entry.sram_bytes,
            "arena_bytes": entry.arena_bytes,
            "weight_bytes": entry.weight_bytes,
            "arena_memories": list(entry.arena_memories),
            **({"problem": entry.problem} if entry.problem else {}),
        }
        for entry in found
    ]


def sizes_table(found: Sequence[FirmwareSizes]) -> Table:
    """Sizes of a firmware on several boards, as a table."""
    table = Table(Column("board", no_wrap=True), "flash", "of", "SRAM and stack", "of", "arena", "in", box=None)
    for entry in found:
        board = entry.board
        if not entry.fits:
            table.add_row(board.name, "does not fit", "", "", "", "", "")
            continue
        table.add_row(
            board.name,
            format_size(entry.flash_bytes),
            format_size(board.flash_bytes),
            format_size(entry.sram_bytes),
            format_size(sum(memory.bytes for memory in board.memories)),
            format_size(entry.arena_bytes),
            ", ".join(entry.arena_memories),
        )
    return table
