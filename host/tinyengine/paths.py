"""Where the project's own files lie: the C library, the firmware, the boards, the models, what is built; and files
that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tinyengine.errors import ToolError


def project_root() -> Path:
    """The checkout that holds lib/, firmware/ and boards/ (``TINYENGINE_ROOT`` overrides the search)."""
    override = os.environ.get("TINYENGINE_ROOT")
    candidates = [Path(override)] if override else [Path(__file__).resolve().parents[2], Path.cwd()]
    for path in candidates:
        if (path / "lib" / "tinyengine").is_dir() and (path / "platformio.ini").is_file():
            return path
    raise ToolError(
        "the tinyengine checkout (lib/, firmware/, boards/) was not found: install with 'pip install -e .' inside it, "
        "or set TINYENGINE_ROOT to it"
    )


def cache_dir() -> Path:
    """Build products that may be deleted at any time."""
    path = project_root() / ".cache"
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise ToolError(
            f"the folder {path} cannot be made ({error.strerror}): use a checkout that you may write to"
        ) from error
    return path


def shared_dir() -> Path | None:
    """The folder of third-party networks and images used by some tests (``TINYENGINE_SHARED``), or None."""
    path = Path(os.environ.get("TINYENGINE_SHARED") or project_root().parent / "shared")
    return path if path.is_dir() else None


def platformio_dir() -> Path:
    """PlatformIO's folder for packages and settings; platformio.ini says the same."""
    return Path(os.environ.get("PLATFORMIO_CORE_DIR") or project_root() / ".pio-core")


def firmware_elf(board: str) -> Path:
    """The linked firmware of ``board``, where ``pio run -e board`` puts it; exists after a build."""
    folder = Path(os.environ.get("PLATFORMIO_BUILD_DIR") or project_root() / ".pio" / "build")
    return folder / board / "firmware.elf"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to, in the folder of ``path``, which is made; the file takes the place of ``path`` at the end of
    the block, and is removed where that fails. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")  # NumPy adds no suffix to one that has its own
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
