"""From a network to a firmware image: compile, check the fit, let PlatformIO build the rest, read the sizes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.paths import cache_dir, firmware_elf
from tinyengine.project import pio
from tinyengine.project.budget import judge, measure_code
from tinyengine.project.toolchain import arm_toolchain, section_sizes

Progress = Callable[[str], None]
"""Called with what is being done now."""


@dataclass(frozen=True, eq=False)
class Firmware:
    """A built firmware image. Sizes are bytes; ``sram_bytes`` counts the stack where it shares the memory."""

    board: Board
    compiled: CompiledModel
    verdict: dict[str, int]  # see budget.judge
    elf: Path
    flash_bytes: int
    sram_bytes: int


def build(model: Path, board: Board, options: CompileOptions, progress: Progress | None = None) -> Firmware:
    """Compile ``model`` for ``board`` and build the firmware around it, in .pio/build/<board>.

    Raises ModelError and its kind for the network, BudgetError when it does not fit, ToolError when the build fails.
    """
    tell = progress or (lambda _: None)
    tell(f"compiling {model.name}")
    compiled = compile_model(model, options)
    tell("measuring the code")
    measure_code(compiled)
    verdict = judge(compiled, board)
    sources = cache_dir() / "generated" / board.name
    if sources.is_dir() and {path.name for path in sources.iterdir()} != set(compiled.sources):
        shutil.rmtree(sources)  # a file that is no longer generated would be compiled into the firmware
    compiled.write(sources)
    tell("building the firmware")
    pio.run(board.name, environment={"TINYENGINE_NETWORK_DIR": str(sources)}, on_line=_brief(tell))
    elf = firmware_elf(board.name)
    arm_toolchain.cache_clear()  # PlatformIO may just have fetched one
    sizes = section_sizes(elf)
    stack = board.stack_bytes if board.stack_shares_sram else 0
    return Firmware(board, compiled, verdict, elf, sizes.flash, sizes.data + sizes.bss + stack)


def _brief(tell: Progress) -> Progress:
    """PlatformIO's lines, shortened to what is done to which file."""

    def line(text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb in ("Compiling", "Linking", "Archiving", "Building"):
            tell(f"building the firmware: {Path(rest).name}")

    return line
