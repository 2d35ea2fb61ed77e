#!/usr/bin/env python3
"""Write what follows from the descriptions of all boards: the tables in docs/boards.md and README.md, between their
markers, and boards/environments.ini.

scripts/draw_boards.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyengine.boards import Board, Camera, SpiCamera, load, names
from tinyengine.project.pio import environments

ROOT = Path(__file__).resolve().parents[1]
CORES = {
    "cortex-m4": "Cortex-M4F",
    "cortex-m7": "Cortex-M7",
    "cortex-m7-sp": "Cortex-M7",
    "cortex-m33": "Cortex-M33",
    "cortex-m55": "Cortex-M55",
}
UPLOADS = {"openocd": "ST-LINK (OpenOCD, pyOCD)", "dfu": "USB (dfu-util)", "none": ""}


def markers(table: str) -> tuple[str, str]:
    """The lines around a table."""
    return tuple(f"<!-- {table}, written by scripts/draw_boards.py: {end} -->\n" for end in ("begin", "end"))  # type: ignore[return-value]


def rows(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))


def size(count: int) -> str:
    """Bytes in the largest unit that divides them."""
    return f"{count >> 20} MB" if count % (1 << 20) == 0 else f"{count >> 10} KB"


def memories(board: Board) -> str:
    """How much there is of each kind."""
    kinds = dict.fromkeys(memory.kind for memory in board.memories)
    sizes = {kind: size(sum(memory.bytes for memory in board.memories if memory.kind == kind)) for kind in kinds}
    return " + ".join(f"{text} {kind}" for kind, text in sizes.items()) if len(kinds) > 1 else sizes.popitem()[1]


def runs_in(board: Board) -> str:
    """Simulators, and hardware where there is some."""
    simulators = [
        f"QEMU `{entry.settings['machine']}`" if entry.kind == "qemu" else "Renode" for entry in board.simulators
    ]
    return ", ".join([*([] if board.is_simulated_only else ["hardware"]), *simulators])


def boards_table(boards: Sequence[Board]) -> str:
    lines = []
    for board in boards:
        clock = "1 ns per instruction" if board.is_simulated_only else f"{board.clock.core_hz // 1_000_000} MHz"
        lines.append(
            [
                f"`{board.name}`",
                board.chip.upper(),
                f"{CORES[board.cpu]}, {clock}",
                memories(board),
                size(board.flash_bytes),
                board.price or "-",
                runs_in(board),
            ]
        )
    return rows(("board", "chip", "core", "SRAM", "flash", "price", "runs in"), lines)


def wiring_table(boards: Sequence[Board]) -> str:
    lines = []
    for board in boards:
        serial, led = board.serial, board.led
        pins = f", {serial.transmit} and {serial.receive}" if serial.transmit else ""
        lamp = f"{led.pin}, lit when {'high' if led.lit_by else 'low'}" if led else "-"
        lines.append(
            [
                f"`{board.name}`",
                f"{serial.uart}{pins}: {serial.port}",
                lamp,
                f"{board.camera.title}: {board.camera.place}" if board.camera else "-",
                UPLOADS[board.upload.protocol] or "-",
            ]
        )
    return rows(("board", "host's port (transmit and receive)", "LED", "camera", "upload"), lines)


def camera_wiring(boards: Sequence[Board]) -> str:
    """Which pin of each board takes what of a camera module, as text."""
    columns = []
    for board in boards:
        camera = board.camera
        assert isinstance(camera, Camera)
        levels = [
            f"{switch.pin}, {'high' if switch.active else 'low'} acts" if switch else "-"
            for switch in (camera.reset, camera.power_down)
        ]
        clock = f"{camera.clock.pin} ({camera.clock.timer})" if camera.clock.timer else "an oscillator"
        bus = [f"{pin} ({camera.i2c.unit})" for pin in (camera.i2c.clock, camera.i2c.data)]
        columns.append([board.name, *camera.data, camera.hsync, camera.vsync, camera.pixel_clock, *bus, clock, *levels])
    data = [f"D{line} (or Y{line + 2})" for line in range(8)]
    signals = ["module", *data, "HREF (HS)", "VSYNC (VS)", "PCLK", "SIOC (SCL)", "SIOD (SDA)", "XCLK", "RESET", "PWDN"]
    arrows = ["   ", *["-->"] * (len(data) + 3), "<--", "<->", "<--", "<--", "<--"]
    return wires(signals, arrows, columns)


def module_wiring(boards: Sequence[Board]) -> str:
    """Which pin of each board takes what of a module with a memory, as text."""
    columns = []
    for board in boards:
        camera = board.camera
        assert isinstance(camera, SpiCamera)
        spi = [f"{pin} ({camera.spi.unit})" for pin in camera.spi.pins]
        i2c = [f"{pin} ({camera.i2c.unit})" for pin in (camera.i2c.clock, camera.i2c.data)]
        columns.append([board.name, camera.select, *spi, *i2c])
    signals = ["module", "CS", "SCK", "MISO", "MOSI", "SCL", "SDA"]
    return wires(signals, ["   ", "<--", "<--", "-->", "<--", "<--", "<->"], columns)


def wires(signals: Sequence[str], arrows: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    """A line for each signal of a module: where it goes on each board."""
    lines = ""
    for signal, arrow, *pins in zip(signals, arrows, *columns, strict=True):
        lines += "    " + f"{signal:<12} {arrow}  " + "".join(f"{pin:<18}" for pin in pins).rstrip() + "\n"
    return lines


def storage_table(boards: Sequence[Board]) -> str:
    lines = []
    for board in boards:
        if (storage := board.storage) is not None:
            places = "; ".join(storage.sectors)
            lines.append(
                [
                    f"`{board.name}`",
                    f"{places} ({size(storage.slot_bytes)} each)",
                    f"0x{storage.address:08X} to the end",
                    f"{storage.unit_bytes} bytes",
                ]
            )
    return rows(("board", "slots", "addresses", "programmed by"), lines)


def readme_table(boards: Sequence[Board]) -> str:
    lines = [
        [f"`{board.name}`", CORES[board.cpu], f"{memories(board)}, {size(board.flash_bytes)}", board.title]
        for board in boards
    ]
    return rows(("board", "core", "SRAM, flash", ""), lines)


def between(text: str, table: str, content: str) -> str:
    """``text`` with ``content`` between the markers of ``table``."""
    begin, end = markers(table)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def written() -> dict[Path, str]:
    """Every file that follows, with its content as it should be."""
    boards = sorted(map(load, names()), key=lambda board: (not board.is_simulated_only, board.name))
    page, readme = ROOT / "docs" / "boards.md", ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    for table, content in (
        ("boards", boards_table(boards)),
        ("wiring", wiring_table([board for board in boards if not board.is_simulated_only])),
        ("cameras", camera_wiring([board for board in boards if isinstance(board.camera, Camera)])),
        ("modules", module_wiring([board for board in boards if isinstance(board.camera, SpiCamera)])),
        ("storage", storage_table(boards)),
    ):
        text = between(text, table, content)
    return {
        page: text,
        readme: between(readme.read_text(encoding="utf-8"), "boards", readme_table(boards)),
        ROOT / "boards" / "environments.ini": environments(),
    }


def main() -> None:
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
