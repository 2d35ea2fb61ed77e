"""Renode's script for our boards. Renode is optional; it runs the firmware of the real boards unchanged."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from tinyengine.boards import Simulator
from tinyengine.errors import ToolError
from tinyengine.paths import project_root
from tinyengine.sim.process import SimulatorProcess

PROGRAM = "renode"
READY = "tinyengine: the serial port is open"
LOGGED = f"Script: {READY}"  # what the log says; the Monitor also repeats our commands, the word included
FAILED = "There was an error executing command"  # the reason is on the next line


def find() -> str:
    """Path of Renode (``TINYENGINE_RENODE`` overrides the search). Raises ToolError with how to install it."""
    wanted = os.environ.get("TINYENGINE_RENODE") or PROGRAM
    found = shutil.which(wanted)
    if found is None:
        raise ToolError(
            f"{wanted} was not found, which simulates the board: install Renode 1.15 or newer (renode.io) so that it "
            "is on PATH, set TINYENGINE_RENODE to its path, or use a board that QEMU simulates"
        )
    return found


def free_port() -> int:
    """A TCP port that was free a moment ago: Renode must be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def script(simulator: Simulator, elf: Path, port: int, camera: Path | None = None) -> str:
    """Monitor commands: run the board's script (boards/renode) with our firmware and port, and the one that adds its
    camera, which sees the file ``camera``; then say so."""
    scripts = project_root() / "boards" / "renode"
    commands = [f"$elf=@{_quoted(elf)}", f"$port={port}"]
    commands.append(f"include @{_quoted(scripts / str(simulator.settings['script']))}")
    if camera is not None:
        commands.append(f"$pictures=@{_quoted(camera)}")
        commands.append(f"include @{_quoted(scripts / str(simulator.settings['camera']))}")
    return "; ".join([*commands, f'log "{READY}"'])


def command(simulator: Simulator, elf: Path, port: int, camera: Path | None = None) -> list[str]:
    """The command that runs ``elf`` with its serial port on TCP ``port``; ``camera``: a file of camera_file.py."""
    options = ["--disable-gui", "--plain", "--hide-analyzers", "--console"]
    return [find(), *options, "--execute", script(simulator, elf, port, camera)]


def listening_url(process: SimulatorProcess, port: int, timeout: float) -> str | None:
    """The URL of the serial port once Renode has opened it; None if a command fails, or if it ends or stays silent."""
    line = process.wait_for_line(LOGGED, FAILED, timeout=timeout)
    if line is None or LOGGED in line:
        return f"socket://127.0.0.1:{port}" if line is not None else None
    process.wait(1.0)  # for the line with the reason
    process.stop()  # a failed command ends the script, not Renode
    return None


def _quoted(path: Path) -> str:
    """A path in the Monitor's notation: spaces are escaped, separators are slashes on every system."""
    return path.resolve().as_posix().replace(" ", "\\ ")
