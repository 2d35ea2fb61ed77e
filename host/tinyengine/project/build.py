"""From a network to a firmware image: compile, check the fit, let PlatformIO build the rest, read the sizes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.ir import Graph
from tinyengine.paths import cache_dir, firmware_elf
from tinyengine.progress import Say, silent
from tinyengine.project import pio
from tinyengine.project.budget import Verdict, judge, measure_code
from tinyengine.project.toolchain import find_compiler, section_sizes


@dataclass(frozen=True, eq=False)
class Firmware:
    """A built firmware image. Sizes are bytes; ``sram_bytes`` counts the stack where it shares the memory."""

    board: Board
    compiled: CompiledModel
    verdict: Verdict
    elf: Path
    flash_bytes: int
    sram_bytes: int


def build(
    model: Path,
    board: Board,
    options: CompileOptions,
    say: Say = silent,
    defines: Sequence[str] = (),
    accept: Callable[[Graph], None] = silent,
) -> Firmware:
    """Compile ``model`` for ``board`` and build the firmware around it, with the macros ``defines`` (NAME=VALUE), in
    .pio/build/<board>. ``accept`` raises an error of its own for a network that it does not want.

    Raises ModelError and its kind for the network, BudgetError when it does not fit, ToolError when the build fails.
    """
    say(f"compiling {model.name}")
    compiled = compile_model(model, options)
    accept(compiled.graph)
    say("measuring the code")
    verdict = judge(compiled, board, measure_code(compiled))
    sources = cache_dir() / "generated" / board.name
    if sources.is_dir() and {path.name for path in sources.iterdir()} != set(compiled.sources):
        shutil.rmtree(sources)  # a file that is no longer generated would be compiled into the firmware
    compiled.write(sources)
    say("building the firmware")
    environment = {"TINYENGINE_NETWORK_DIR": str(sources)}
    if defines:
        environment["PLATFORMIO_BUILD_FLAGS"] = " ".join(f"-D{define}" for define in defines)
    pio.run(board, environment=environment, on_line=_brief(say))
    elf = firmware_elf(board.name)
    find_compiler.cache_clear()  # PlatformIO may just have fetched one
    sizes = section_sizes(elf)
    stack = board.stack_bytes if board.stack_shares_sram else 0
    return Firmware(board, compiled, verdict, elf, sizes.flash, sizes.data + sizes.bss + stack)


def _brief(say: Say) -> Say:
    """PlatformIO's lines, shortened to what is done to which file."""

    def line(text: str) -> None:
        verb, _, rest = text.partition(" ")
        if verb in ("Compiling", "Linking", "Archiving", "Building"):
            say(f"building the firmware: {Path(rest).name}")

    return line
