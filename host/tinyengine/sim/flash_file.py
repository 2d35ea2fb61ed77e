"""The file that plays the flash of a simulated board (written by firmware/hal/sim_flash).

Both slots, then one byte for each unit of them: 0xFF until the unit is programmed.
"""

from __future__ import annotations

from pathlib import Path

from tinyengine.boards import Board, Storage
from tinyengine.errors import BoardError, DeviceError

LONGEST_PATH = 480  # bytes; the firmware has room for 1024, for two such paths with what stands before them


def file_bytes(storage: Storage) -> int:
    """Size of the file."""
    return storage.bytes + storage.bytes // storage.unit_bytes


def checked_path(path: Path, what: str) -> Path:
    """``path``, absolute, where the firmware can read it on its command line; DeviceError where it cannot."""
    path = path.absolute()
    if len(str(path).encode()) > LONGEST_PATH or "\n" in str(path):
        raise DeviceError(
            f"the path of the {what} file is longer than {LONGEST_PATH} bytes, or of two lines: use a shorter one"
        )
    return path


def prepare(board: Board, simulator: str, path: Path) -> Path:
    """The absolute path of the file, made blank if it does not exist.

    Raises BoardError where there is no such flash, DeviceError when the file cannot be used.
    """
    if simulator != "qemu" or board.storage is None:
        raise BoardError(f"{simulator} has no flash file for {board.name}: leave the file out")
    path = checked_path(path, "flash")
    wanted = file_bytes(board.storage)
    try:
        if not path.exists():
            path.write_bytes(b"\xff" * wanted)
        if path.stat().st_size != wanted:
            raise DeviceError(
                f"{path} is not a flash of {board.name}: it has {path.stat().st_size} bytes instead of {wanted}; "
                "give another file, or one that does not exist yet"
            )
        with path.open("r+b"):
            pass
    except OSError as error:
        raise DeviceError(f"the flash file {path} cannot be used: {error.strerror or error}") from error
    return path
