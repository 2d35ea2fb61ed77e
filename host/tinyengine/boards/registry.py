"""Reading a board's description: PlatformIO's manifest, with our fields under ``tinyengine``.

A board is one of the checkout's boards/<name>.json, or any such file, named by its path. PlatformIO's builder imports
this room in an interpreter that may have none of tinyengine's dependencies: it needs the standard library alone.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from tinyengine.boards.board import (
    SPEED,
    Board,
    Clock,
    Flash,
    Led,
    Memory,
    Serial,
    Simulator,
    Upload,
    largest,
    regions,
)
from tinyengine.boards.cameras import camera_of
from tinyengine.boards.fields import (
    ADDRESSES,
    SIZES,
    UnknownField,
    address_of,
    field_of,
    function_of,
    name_of,
    object_of,
    one_of,
    only_known,
    optional,
    pin_of,
    positive,
)
from tinyengine.cores import CORES
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

T = TypeVar("T")

PROTOCOLS = ("openocd", "pyocd", "dfu", "custom", "none")
SIMULATORS = ("qemu", "renode")
PRICES = ("low", "middle", "high")
LONGEST_WATCHDOG_SECONDS = 32  # 12 bits of 125 Hz


def boards_dir() -> Path:
    """boards/ of the checkout."""
    return project_root() / "boards"


def names() -> list[str]:
    """All boards of the checkout, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.json"))


def is_file_name(board: str) -> bool:
    """Whether this is meant as the path of a description, rather than as the name of a board."""
    return board.endswith(".json") or "/" in board or "\\" in board


def load(board: str) -> Board:
    """The board called ``board``, or described in the file of that path.

    Raises BoardError when there is none, or its description is damaged.
    """
    if is_file_name(board):
        path = Path(board).expanduser().resolve()
        if path.parent == boards_dir().resolve() and path.is_file():
            return _read(path, f"boards/{path.name}")
        if not path.is_file():
            raise BoardError(f"there is no board description {board}: the boards are {', '.join(names())}")
        if path.stem in names():
            raise BoardError(f"{board} has the name of one of the checkout's boards: call the file something else")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
            raise BoardError(f"the name of {board} becomes the board's: use letters, digits, _ and - only")
        return _read(path, board, str(path))
    known = names()
    if board not in known:
        close = difflib.get_close_matches(board, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BoardError(
            f"there is no board called '{board}': {hint}the boards are {', '.join(known)}, or give your own file "
            "(--board ./myboard.json)"
        )
    path = boards_dir() / f"{board}.json"
    return _read(path, f"boards/{path.name}")


def read(path: Path) -> Board:
    """The board described in this file, whatever else has its name: PlatformIO has chosen it. Raises BoardError."""
    return _read(path, path.name, str(path))


def _read(path: Path, told: str, own: str = "") -> Board:
    try:
        return _parse(path.stem, json.loads(path.read_text(encoding="utf-8")), own)
    except json.JSONDecodeError as error:
        raise BoardError(f"{told} is not JSON ({error.msg}, line {error.lineno}): repair it") from error
    except RecursionError as error:
        raise BoardError(f"{told} is not JSON (nested too deeply): repair it") from error
    except OSError as error:
        raise BoardError(f"{told} cannot be read ({error.strerror or error}): make it readable") from error
    except UnknownField as error:
        raise BoardError(f"{told} has the unknown field '{error}': see docs/boards.md") from error
    except _NoFolder as error:
        raise BoardError(
            f"{told} names the folder firmware/hal/{error} in build.hal, which does not exist: see docs/boards.md"
        ) from error
    except KeyError as error:
        raise BoardError(f"{told} lacks the field {error}: see docs/boards.md") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BoardError(f"{told} has a field with a wrong value ({error}): see docs/boards.md") from error


class _NoFolder(Exception):
    """A folder of the HAL that does not exist."""


def _parse(name: str, manifest: dict[str, Any], own: str) -> Board:
    only_known(manifest, "")
    build, upload, ours = (object_of(manifest, key) for key in ("build", "upload", "tinyengine"))
    hal = tuple(map(str, field_of(build, "hal", list)))
    for folder in hal:
        if not re.fullmatch(r"\w+", folder):
            raise ValueError(f"build.hal has '{folder}', not the name of a folder of firmware/hal")
        if not (project_root() / "firmware" / "hal" / folder).is_dir():
            raise _NoFolder(folder)
    if field_of(build, "cpu", str) not in CORES:
        raise ValueError(f"cpu is {build['cpu']}, not one of {', '.join(CORES)}")
    chip = field_of(build, "mcu", str)
    if not re.fullmatch(r"\w[\w-]*", chip):
        raise ValueError(f"mcu is '{chip}', not the name of a chip")
    memories = tuple(_memory(entry) for entry in field_of(ours, "memories", list))
    if not memories:
        raise ValueError("memories is empty")
    flash = _flash(object_of(ours, "flash"))
    _check_apart(memories, flash)
    found = regions(memories)
    simulators = object_of(ours, "simulators")
    for kind in simulators.keys() - set(SIMULATORS):
        raise ValueError(f"simulators has '{kind}', not one of {', '.join(SIMULATORS)}")
    board = Board(
        name=name,
        title=field_of(manifest, "name", str),
        cpu=build["cpu"],
        chip=chip.lower(),
        hal=hal,
        interrupts=positive(ours, "interrupts"),
        clock=_clock(object_of(ours, "clock")),
        memories=memories,
        flash=flash,
        sram_bytes=largest(found).bytes,
        flash_bytes=flash.bytes,
        **{key: positive(ours, key) for key in SIZES},
        stack_shares_sram=largest(found) == found[0],
        serial=_serial(object_of(ours, "serial")),
        upload=_upload(upload),
        storage=flash.storage(),
        simulators=tuple(Simulator(kind, field_of(simulators, kind, dict)) for kind in simulators),
        led=_led(object_of(ours, "led")) if "led" in ours else None,
        camera=camera_of(field_of(ours, "camera", dict), hal) if "camera" in ours else None,
        price=one_of(ours, "price", ("", *PRICES), ""),
        watchdog_seconds=optional(ours, "watchdog_seconds", 0),
        file=own,
    )
    if board.network_sram_bytes <= 0 or board.training_flash_bytes <= 0 or board.stack_bytes > found[0].bytes:
        raise ValueError("the firmware's reserve is larger than the memory")
    if not 0 <= board.watchdog_seconds <= LONGEST_WATCHDOG_SECONDS:
        raise ValueError(f"watchdog_seconds is {board.watchdog_seconds}, not 0 to {LONGEST_WATCHDOG_SECONDS}")
    if board.watchdog_seconds and "stm32" not in hal:
        raise ValueError("watchdog_seconds is for boards with an STM32")
    if "stm32" in hal and not (board.serial.transmit and board.serial.receive):
        raise ValueError("serial has no pins: transmit and receive")
    _check_pins(board)
    return board


def _check_pins(board: Board) -> None:
    """ValueError where two things are at one pin."""
    pins = [board.serial.transmit, board.serial.receive, board.led.pin if board.led else ""]
    pins += board.camera.wires if board.camera else ()
    for pin in filter(None, pins):
        if pins.count(pin) > 1:
            raise ValueError(f"{pin} is the pin of two things")


def _memory(entry: Any) -> Memory:
    only_known(entry, "memories")
    return Memory(name_of(entry, "name"), one_of(entry, "kind", SPEED), address_of(entry), positive(entry, "bytes"))


def _check_apart(memories: Sequence[Memory], flash: Flash) -> None:
    """ValueError where two of them have a name or an address in common, or the linker script would give them one."""
    names = [memory.name for memory in memories]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two memories are called {name}")
    everything = [*memories, Memory("the flash", "SRAM", flash.address, flash.bytes)]
    everything.sort(key=lambda memory: memory.address)
    for before, behind in pairwise(everything):
        if behind.address < before.end:
            raise ValueError(f"{before.name} and {behind.name} overlap at {behind.address:#010x}")
    if everything[-1].end > ADDRESSES:
        raise ValueError(f"{everything[-1].name} ends behind the last address, 0xffffffff")
    found = regions(memories)
    if any(region.name in ("FLASH", "RAM") for region in found if region != largest(found)):
        raise ValueError("FLASH and RAM are names that the linker script gives itself")


def _clock(entry: dict[str, Any]) -> Clock:
    if "crystal_hz" in entry and "signal_hz" in entry:
        raise ValueError("clock has both a crystal and a signal")
    source = next((key for key in ("crystal_hz", "signal_hz") if key in entry), None)
    external = positive(entry, source) if source else 0
    return Clock(positive(entry, "core_hz"), external, source == "signal_hz")


def _flash(entry: dict[str, Any]) -> Flash:
    sectors = field_of(entry, "sectors", list)
    for group in sectors:
        if type(group) is not list or [type(number) for number in group] != [int, int] or min(group) <= 0:
            raise ValueError(f"sectors has {json.dumps(group)}, not [how many, bytes of each]")
    flash = Flash(
        address=address_of(entry),
        sectors=tuple((count, size) for count, size in sectors),
        unit_bytes=positive(entry, "unit_bytes"),
        slot_bytes=optional(entry, "slot_bytes", 0),
        banks=optional(entry, "banks", 1),
        through=one_of(entry, "numbered", ("by bank", "through"), "by bank") == "through",
        word=one_of(entry, "called", ("sector", "page"), "sector"),
    )
    if not sectors or flash.banks not in (1, 2):
        raise ValueError("flash takes one or two banks of sectors")
    count, size = flash.sectors[-1]
    if flash.slot_bytes % size or flash.slot_bytes < 0 or 2 * flash.slot_bytes > count * size:
        raise ValueError("slot_bytes takes two slots of whole sectors at the end of the flash")
    return flash


def _serial(entry: dict[str, Any]) -> Serial:
    return Serial(
        port=field_of(entry, "port", str),
        uart=name_of(entry, "uart"),
        transmit=pin_of(entry, "transmit"),
        receive=pin_of(entry, "receive"),
        function=function_of(entry),
        **{key: positive(entry, key) for key in ("baud", "max_baud") if key in entry},
    )


def _led(entry: dict[str, Any]) -> Led:
    led = Led(pin_of(entry, "pin"), optional(entry, "lit_by", 1))
    if not led.pin or led.lit_by not in (0, 1):
        raise ValueError("led takes a pin, and lit_by 0 or 1")
    return led


def _upload(entry: dict[str, Any]) -> Upload:
    targets = (optional(entry, key, "") or None for key in ("openocd_target", "pyocd_target"))
    return Upload(one_of(entry, "protocol", PROTOCOLS), *targets)
