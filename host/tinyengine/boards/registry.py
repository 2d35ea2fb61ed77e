"""Reading boards/<name>.json: PlatformIO's manifest, with our fields under ``tinyengine``."""

from __future__ import annotations

import difflib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from tinyengine.boards.board import Board, Serial, Simulator, Storage, Upload
from tinyengine.cores import CORES
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

OURS = {field.name for field in fields(Board)} - {"name", "title", "cpu", "upload"}
"""Fields under ``tinyengine``; the others are PlatformIO's, or follow."""


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
    build, upload, ours = manifest["build"], manifest["upload"], manifest["tinyengine"]
    for field in ours.keys() - OURS:
        raise BoardError(f"boards/{name}.json has the unknown field '{field}': see docs/boards.md")
    for folder in build["hal"]:
        if not (project_root() / "firmware" / "hal" / folder).is_dir():
            text = f"boards/{name}.json names the folder firmware/hal/{folder} in build.hal, which does not exist"
            raise BoardError(f"{text}: see docs/boards.md")
    if build["cpu"] not in CORES:
        raise ValueError(f"cpu is {build['cpu']}, not one of {', '.join(CORES)}")
    board = Board(
        name=name,
        title=str(manifest["name"]),
        cpu=str(build["cpu"]),
        sram_bytes=int(ours["sram_bytes"]),
        flash_bytes=int(ours["flash_bytes"]),
        reserved_sram_bytes=int(ours["reserved_sram_bytes"]),
        reserved_flash_bytes=int(ours["reserved_flash_bytes"]),
        stack_bytes=int(ours["stack_bytes"]),
        stack_shares_sram=bool(ours.get("stack_shares_sram", True)),
        count_unit=str(ours["count_unit"]),
        serial=Serial(**ours["serial"]),
        upload=Upload(str(upload["protocol"]), upload.get("openocd_target"), upload.get("pyocd_target")),
        storage=_storage(ours["storage"], int(ours["flash_bytes"])) if "storage" in ours else None,
        simulators=tuple(Simulator(kind, dict(settings)) for kind, settings in ours["simulators"].items()),
    )
    if board.network_sram_bytes <= 0 or board.network_flash_bytes <= 0:
        raise ValueError("the firmware's reserve is larger than the memory")
    return board


def _storage(entry: dict[str, Any], flash_bytes: int) -> Storage:
    storage = Storage(
        address=int(entry["address"], 0),
        slot_bytes=int(entry["slot_bytes"]),
        sector_bytes=int(entry["sector_bytes"]),
        unit_bytes=int(entry["unit_bytes"]),
        sectors=tuple(map(str, entry["sectors"])),
    )
    if len(storage.sectors) != 2 or storage.bytes >= flash_bytes or storage.slot_bytes % storage.sector_bytes:
        raise ValueError("storage takes two slots of whole sectors at the end of the flash")
    return storage
