"""PlatformIO, run without needing its registry.

PlatformIO wants one package of its own, ``tool-scons``, and asks its registry for it. SCons is also a Python package,
which we depend on; :func:`prepare` puts a folder that points to it where PlatformIO looks first. ``python -m
tinyengine.project.pio`` does just that, after which a plain ``pio run`` works offline too.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tinyengine.boards import Board, names
from tinyengine.errors import BudgetError, TinyEngineError, ToolError
from tinyengine.paths import cache_dir, platformio_dir, project_root, replacing

SETTINGS = {"enable_telemetry": False, "check_platformio_interval": 3650}


def prepare() -> None:
    """Make PlatformIO work offline. Cheap and idempotent; a tool-scons from the registry is left alone.

    Raises ToolError when PlatformIO or SCons are not installed for this interpreter.
    """
    for module, package in (("platformio", "platformio"), ("SCons", "scons")):
        if importlib.util.find_spec(module) is None:
            raise ToolError(f"{package} is not installed for {sys.executable}: run 'pip install -e .' in the checkout")
    _write_settings()
    _provide_scons(platformio_dir() / "packages" / "tool-scons")


def _write_settings() -> None:
    """No telemetry and no search for upgrades: both wait for the network."""
    path = platformio_dir() / "appstate.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}
    if not isinstance(state, dict):
        state = {}
    settings = state.setdefault("settings", {})
    if all(settings.get(key) == value for key, value in SETTINGS.items()):
        return
    settings.update(SETTINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(state), encoding="utf-8")


def _provide_scons(folder: Path) -> None:
    """A tool-scons package whose scons.py runs the SCons of this interpreter."""
    from platformio.dependencies import get_core_dependencies

    wanted = get_core_dependencies()["tool-scons"]
    match = re.search(r"\d+\.\d+\.\d+", wanted)
    if match is None:
        raise ToolError(f"this PlatformIO asks for an SCons version that cannot be read ({wanted}): use platformio 6.1")
    version = match[0]
    spec = importlib.util.find_spec("SCons")
    assert spec is not None and spec.origin is not None  # prepare() has checked
    site = str(Path(spec.origin).resolve().parents[1])
    runner = f"import sys\n\nsys.path.append({site!r})\nimport SCons.Script\n\nSCons.Script.main()\n"

    if (folder / "scons.py").is_file() and not (folder / ".piokeep").is_file():
        return  # a package that PlatformIO installed itself
    files = {
        "package.json": json.dumps({"name": "tool-scons", "version": version, "description": "SCons from PyPI"}),
        # Without the owner PlatformIO does not recognize the folder as its own package.
        ".piopm": json.dumps(
            {
                "type": "tool",
                "name": "tool-scons",
                "version": version,
                "spec": {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None},
            }
        ),
        ".piokeep": "",  # keeps it from PlatformIO's cleaning
        "scons.py": runner,
    }
    if all((folder / name).is_file() and (folder / name).read_text() == text for name, text in files.items()):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def run(
    board: Board,
    targets: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """``pio run -e`` of a board, ``-t target...``; returns its output, each line of which also goes to ``on_line``.

    Raises BudgetError when a memory of the board overflows, else ToolError, naming the first error in the output,
    when it fails.
    """
    prepare()
    root = project_root()
    command = [sys.executable, "-m", "platformio", "run", "--project-dir", str(root), "--environment", board.name]
    if board.file:
        command += ["--project-conf", str(configuration(board))]
    # Or PlatformIO deletes the firmware when a source file has come or gone since, or the configuration is another.
    if "nobuild" in targets or board.file:
        command.append("--disable-auto-clean")
    for target in targets:
        command += ["--target", target]
    settings = {
        "PLATFORMIO_CORE_DIR": str(platformio_dir()),
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
    }
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, **settings, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ToolError(f"PlatformIO could not be started: {error.strerror or error}") from error
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line)
                if on_line:
                    on_line(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise _failure(board.name, targets, lines)
    return "".join(lines)


def configuration(board: Board) -> Path:
    """A platformio.ini for a board that is not the checkout's: the checkout's, and an environment for the board."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(project_root() / "platformio.ini", encoding="utf-8")
    parser["platformio"]["boards_dir"] = str(Path(board.file).parent)
    parser[f"env:{board.environment}"] = {"board": board.name}
    path = cache_dir() / "boards" / board.name / "platformio.ini"
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        parser.write(file)
    return path


def environments() -> str:
    """boards/environments.ini, which platformio.ini includes: an environment of each of the checkout's boards."""
    head = "; Written by scripts/draw_boards.py: an environment of each board in this folder.\n"
    return head + "".join(f"\n[env:{name}]\nboard = {name}\n" for name in names())


def _failure(board: str, targets: Sequence[str], lines: Sequence[str]) -> TinyEngineError:
    """What went wrong in a run that printed ``lines``."""
    output = "".join(lines)
    overflow = re.search(r"region `(\w+)' overflowed by (\d+) bytes", output)
    if overflow:
        return BudgetError(
            f"the firmware with this network does not fit {board}: {overflow[1]} is {overflow[2]} bytes too small; "
            "use a smaller resolution or width, or a board with more memory"
        )
    if "overflowed into the slots" in output:
        return BudgetError(
            f"the firmware with this network does not fit {board}: it reaches into the flash that keeps trained "
            "states; use a narrower network, or a board with more flash"
        )
    reason = _first_error(lines)
    if "UnknownEnvNames" in output:
        reason = "boards/environments.ini has no environment for it; run scripts/draw_boards.py"
    if "HTTPClientError" in output:
        reason = (
            f"it wants to fetch {_missing(targets)}, and its registry does not answer; install that yourself, or try "
            "again with a network connection"
        )
    return ToolError(f"PlatformIO could not {_what(targets)} {board}: {reason}")


def _what(targets: Sequence[str]) -> str:
    return "upload the firmware to" if "upload" in targets else "build the firmware for"


def _missing(targets: Sequence[str]) -> str:
    """What a build or an upload takes from PlatformIO's registry when the machine does not have it."""
    if "upload" in targets:
        return "openocd, or dfu-util for a board that is uploaded by it"
    return "arm-none-eabi-gcc (Debian: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi)"


def _first_error(lines: Sequence[str]) -> str:
    """The line that says most: our own sentence, a compiler's or linker's error, else the last line."""
    patterns = (
        r"^error: ",
        r"undefined reference|multiple definition|cannot find|cannot open",
        r": (fatal )?error: (?!ld returned)",
        r"(?i)\berror\b",
        r"(?i)\bnot found\b",
    )
    for pattern in patterns:
        for line in lines:
            if re.search(pattern, line):
                return line.strip().removeprefix("error: ").removeprefix("Error: ")
    printed = [line.strip() for line in lines if line.strip("=- \n")]
    return printed[-1] if printed else "it said nothing"


def main() -> None:
    """Prepare, for ``python -m tinyengine.project.pio``."""
    try:
        prepare()
    except ToolError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
