"""The real firmware linked for a simulated board around a network of the test's choice, without PlatformIO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyengine.boards import load
from tinyengine.compiler import CompiledModel
from tinyengine.cores import core
from tinyengine.paths import project_root
from tinyengine.project import toolchain


def hand_written(
    board_name: str, folder: Path, rows: int, columns: int, side: int, link_data_bytes: int = 1024
) -> Path:
    """Firmware with the network of tests/helpers/native_firmware in this size, and frames of this size."""
    network = project_root() / "tests" / "helpers" / "native"
    size = [f"-DROWS={rows}u", f"-DCOLUMNS={columns}u", f"-DSIDE={side}u", f"-DLINK_DATA_BYTES={link_data_bytes}u"]
    return _link(board_name, folder, [network / "network.c"], network, size)


def compiled(board_name: str, folder: Path, model: CompiledModel, defines: Sequence[str] = ()) -> Path:
    """Firmware with a compiled network, and macros (NAME=VALUE)."""
    network = folder / "network"
    model.write(network)
    sources = [*sorted(network.glob("*.c")), *toolchain.library_sources()]
    return _link(board_name, folder, sources, network, [f"-D{define}" for define in defines])


def _link(board_name: str, folder: Path, network: list[Path], include: Path, options: list[str]) -> Path:
    root, board = project_root(), load(board_name)
    objects = firmware_objects(board_name, network, include, options)
    script = ["-nostartfiles", "-T", _manifest(board_name)["ldscript"], f"-Wl,--defsym=_stack_size={board.stack_bytes}"]
    product = folder / f"{board_name}.elf"
    toolchain.link(objects, [*core(board.cpu).flags, *script], product, [root / "boards" / "linker"])
    return product


def firmware_objects(board_name: str, network: list[Path], include: Path, options: list[str]) -> list[Path]:
    """Objects of the firmware for a board and of ``network``, whose headers are in ``include``."""
    root, build = project_root(), _manifest(board_name)
    hal = root / "firmware" / "hal"
    sources = [*network, *sorted((root / "firmware" / "src").glob("*.c"))]
    for name in build["hal"]:
        sources += sorted((hal / name).glob("*.c"))
    defines = [f'-DBOARD_NAME="{board_name}"', f'-DBOARD_HEADER="boards/{board_name}.h"']
    defines += [f"-D{define}" for define in build["defines"]]
    flags = [*toolchain.device_flags(load(board_name).cpu), "-std=gnu11", *defines, *options]
    includes = [hal, root / "firmware" / "src", root / "lib" / "tinyengine" / "include", include]
    return toolchain.compile_objects(sources, flags, includes)


def _manifest(board_name: str) -> dict[str, Any]:
    """What boards/<name>.json says of building."""
    return json.loads((project_root() / "boards" / f"{board_name}.json").read_text())["build"]
