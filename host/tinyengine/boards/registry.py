"""Reading boards/<name>.json: PlatformIO's manifest, with our fields under ``tinyengine``."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from tinyengine.boards.board import Board, Serial, Simulator, Storage, Upload
from tinyengine.cores import CORES
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

OURS = {field.name for field in fields(Board)} - {"name", "title", "cpu", "upload"}
"""Fields under ``tinyengine``; the others are PlatformIO's, or follow."""


T = TypeVar("T")

SIZES = ("sram_bytes", "flash_bytes", "reserved_sram_bytes", "reserved_flash_bytes", "stack_bytes")
KINDS = {int: "a whole number", str: "a text", dict: "an object", list: "a list"}


def boards_dir() -> Path:
    """boards/ of the checkout."""
    return project_root() / "boards"


def names() -> list[str]:
    """All boards, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.json"))


def load(name: str) -> Board:
    """The board called ``name``. Raises BoardError when there is none, or its description is damaged."""
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BoardError(f"there is no board called '{name}': {hint}the boards are {', '.join(known)}")
    path = boards_dir() / f"{name}.json"
    try:
        return _parse(name, json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise BoardError(f"boards/{path.name} is not JSON ({error.msg}, line {error.lineno}): repair it") from error
    except KeyError as error:
        raise BoardError(f"boards/{path.name} lacks the field {error}: see docs/boards.md") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BoardError(f"boards/{path.name} has a field with a wrong value ({error}): see docs/boards.md") from error


def _parse(name: str, manifest: dict[str, Any]) -> Board:
    build, upload, ours = (_field(manifest, key, dict) for key in ("build", "upload", "tinyengine"))
    for field in ours.keys() - OURS:
        raise BoardError(f"boards/{name}.json has the unknown field '{field}': see docs/boards.md")
    for folder in map(str, _field(build, "hal", list)):
        if not (project_root() / "firmware" / "hal" / folder).is_dir():
            text = f"boards/{name}.json names the folder firmware/hal/{folder} in build.hal, which does not exist"
            raise BoardError(f"{text}: see docs/boards.md")
    if _field(build, "cpu", str) not in CORES:
        raise ValueError(f"cpu is {build['cpu']}, not one of {', '.join(CORES)}")
    simulators = _field(ours, "simulators", dict)
    board = Board(
        name=name,
        title=str(manifest["name"]),
        cpu=str(build["cpu"]),
        **{key: _field(ours, key, int) for key in SIZES},
        stack_shares_sram=bool(ours.get("stack_shares_sram", True)),
        count_unit=str(ours["count_unit"]),
        serial=_serial(_field(ours, "serial", dict)),
        upload=Upload(str(upload["protocol"]), upload.get("openocd_target"), upload.get("pyocd_target")),
        storage=_storage(_field(ours, "storage", dict), ours["flash_bytes"]) if "storage" in ours else None,
        simulators=tuple(Simulator(kind, _field(simulators, kind, dict)) for kind in simulators),
    )
    if board.network_sram_bytes <= 0 or board.network_flash_bytes <= 0:
        raise ValueError("the firmware's reserve is larger than the memory")
    return board


def _field(entry: Any, key: str, kind: type[T]) -> T:
    if type(entry) is not dict:
        raise ValueError(f"what should have {key} is no object")
    value = entry[key]
    if type(value) is not kind:
        raise ValueError(f"{key} is {json.dumps(value)}, not {KINDS[kind]}")
    return value


def _serial(entry: dict[str, Any]) -> Serial:
    for unknown in entry.keys() - {field.name for field in fields(Serial)}:
        raise ValueError(f"serial has {unknown}, which is no field of it")
    return Serial(_field(entry, "port", str), **{key: _field(entry, key, int) for key in entry.keys() - {"port"}})


def _storage(entry: dict[str, Any], flash_bytes: int) -> Storage:
    if not re.fullmatch("0x[0-9A-Fa-f]+", _field(entry, "address", str)):
        raise ValueError(f"address is {entry['address']}, not a number such as 0x08000000")
    storage = Storage(
        address=int(entry["address"], 16),
        **{key: _field(entry, key, int) for key in ("slot_bytes", "sector_bytes", "unit_bytes")},
        sectors=tuple(map(str, _field(entry, "sectors", list))),
    )
    if len(storage.sectors) != 2 or storage.bytes >= flash_bytes or storage.slot_bytes % storage.sector_bytes:
        raise ValueError("storage takes two slots of whole sectors at the end of the flash")
    return storage
