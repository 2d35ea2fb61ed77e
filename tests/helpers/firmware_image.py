"""The real firmware linked for a simulated board around a network of the test's choice, without PlatformIO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyengine.boards import load
from tinyengine.compiler import CompiledModel
from tinyengine.paths import project_root
from tinyengine.project import toolchain
from tinyengine.project.firmware import link_for


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
    product = folder / f"{board_name}.elf"
    sources = [*network, *sorted((project_root() / "firmware" / "src").glob("*.c"))]
    # a hand-written network of the tests has warnings of its own
    options = [*options, "-Wno-missing-prototypes", "-Wno-strict-prototypes"]
    link_for(load(board_name), sources, product, [include], options)
    return product
