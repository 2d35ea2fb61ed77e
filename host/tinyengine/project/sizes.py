"""What the firmware around a network takes on a board, by linking it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyengine.boards import Board
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.errors import BudgetError
from tinyengine.project.budget import judge, measure_code
from tinyengine.project.firmware import link_firmware


@dataclass(frozen=True)
class FirmwareSizes:
    """Bytes of the whole firmware around a network. ``sram_bytes`` counts the stack and all memories.

    ``arena_memories``: those that the arena lies in. ``problem``: why it does not fit; all else is then zero.
    """

    board: Board
    flash_bytes: int = 0
    sram_bytes: int = 0
    arena_bytes: int = 0
    weight_bytes: int = 0
    code_bytes: int = 0  # of the network's own, kernels included, as far as they are known
    arena_memories: Sequence[str] = ()
    problem: str = ""

    @property
    def fits(self) -> bool:
        return not self.problem


def firmware_sizes(model: Path, board: Board, options: CompileOptions) -> FirmwareSizes:
    """Compile ``model``, link the firmware around it, and look. Raises ModelError and ToolError."""
    try:
        compiled = compile_model(model, options)
        code = measure_code(compiled)
        judge(compiled, board, code)
        with tempfile.TemporaryDirectory(prefix="tinyengine-") as scratch:
            network = Path(scratch) / "network"
            compiled.write(network)
            sections = link_firmware(board, network, Path(scratch) / "firmware.elf", compiled.small)
    except BudgetError as error:
        return FirmwareSizes(board, problem=str(error))
    arena = compiled.plan.arena_bytes
    return FirmwareSizes(
        board,
        sections.flash,
        sections.data + sections.bss + board.stack_bytes,
        arena,
        compiled.weight_bytes,
        code.flash if code else 0,
        board.arena_memories(arena),
    )
