"""The firmware around a network, compiled and linked by us: as ``pio run`` does it, with objects that boards share."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinyengine.boards import Board, files
from tinyengine.cores import FIRMWARE_LINK_FLAGS, FIRMWARE_WARNINGS, core
from tinyengine.paths import project_root
from tinyengine.project.toolchain import Sections, compile_objects, device_flags, library_sources, link, section_sizes


def headers() -> list[Path]:
    """Folders of the firmware's own headers and of the library's; board.h comes from boards.files."""
    root = project_root()
    return [root / "firmware" / "hal", root / "firmware" / "src", root / "lib" / "tinyengine" / "include"]


def hal_sources(board: Board) -> list[Path]:
    """C files of the HAL's folders that the board names."""
    hal = project_root() / "firmware" / "hal"
    return [path for folder in board.hal for path in sorted((hal / folder).glob("*.c"))]


def link_for(
    board: Board,
    sources: Sequence[Path],
    product: Path,
    include: Sequence[Path] = (),
    options: Sequence[str] = (),
    arena_bytes: int | None = None,
    small: bool = False,
) -> None:
    """Compile ``sources`` and the board's HAL and link them to the ELF file ``product``, with warnings as errors.

    ``include``: folders of further headers. ``options``: further flags of the compiler. ``arena_bytes``: of the
    network, if there is one. ``small``: for size instead of speed. Raises ToolError, or BudgetError when a memory is
    too small.
    """
    with tempfile.TemporaryDirectory(prefix="tinyengine-") as scratch:
        own = Path(scratch)
        files.write(board, own, arena_bytes)
        flags = [*device_flags(board.cpu, small=small), *FIRMWARE_WARNINGS, *options]
        objects = compile_objects([*sources, *hal_sources(board)], flags, [own, *headers(), *include])
        script = [*FIRMWARE_LINK_FLAGS, "-T", files.SCRIPT, "-Wl,--fatal-warnings"]
        folders = [own, project_root() / "boards" / "linker"]
        link(objects, [*core(board.cpu).flags, *script], product, folders)


def link_firmware(board: Board, network: Path, product: Path, small: bool = False) -> Sections:
    """The firmware around the generated network in the folder ``network``, as the ELF file ``product``; its sizes."""
    firmware = sorted((project_root() / "firmware" / "src").glob("*.c"))
    sources = [*sorted(network.glob("*.c")), *library_sources(), *firmware]
    link_for(board, sources, product, [network], arena_bytes=files.arena_bytes(network), small=small)
    return section_sizes(product)
