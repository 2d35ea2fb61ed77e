"""QEMU's command line for our boards, and what it says once it listens.

The serial port is a TCP server on a port that QEMU chooses; the guest starts when the first client connects, so that
nothing it says is lost. ``-icount shift=0`` makes virtual time advance by exactly 1 ns per instruction.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tinyengine.boards import Simulator
from tinyengine.errors import ToolError
from tinyengine.sim.process import SimulatorProcess

PROGRAM = "qemu-system-arm"
VARIABLES = {PROGRAM: "TINYENGINE_QEMU", "qemu-system-riscv32": "TINYENGINE_QEMU_RISCV32"}
"""Of the environment: each names its program where that is not on PATH."""
PACKAGES = {PROGRAM: PROGRAM, "qemu-system-riscv32": "qemu-system-misc"}
"""Debian's."""
LISTENING = "waiting for connection on"


def installed(program: str = PROGRAM) -> str | None:
    """Path of QEMU (one of ``VARIABLES`` overrides the search), None where there is none."""
    wanted = os.environ.get(VARIABLES[program]) or program
    found = shutil.which(wanted)
    if found is None and os.name == "nt":  # the installer does not put it on PATH
        programs = Path(os.environ.get("PROGRAMFILES", "C:\\Program Files"))
        found = shutil.which(wanted, path=str(programs / "qemu"))
    return found


def find(program: str = PROGRAM) -> str:
    """Path of QEMU. Raises ToolError with how to install it."""
    found = installed(program)
    if found is None:
        variable = VARIABLES[program]
        raise ToolError(
            f"{os.environ.get(variable) or program} was not found: install QEMU (Debian and Ubuntu: apt "
            f"install {PACKAGES[program]}, macOS: brew install qemu, Windows: winget install "
            f"SoftwareFreedomConservancy.QEMU), or set {variable} to its path"
        )
    return found


def command(simulator: Simulator, elf: Path, icount: bool, files: Mapping[str, Path] | None = None) -> list[str]:
    """The command that runs ``elf``; ``icount`` counts instructions exactly (and makes the simulation slower).

    ``files``: what plays the flash of trained states (``flash``), and what the camera sees (``camera``); the firmware
    reads their paths from its command line, a line for each.
    """
    semihosting = "enable=on,target=native"
    if files:
        lines = "\n".join(f"{key}={path}" for key, path in files.items())
        semihosting += f",arg={lines.replace(',', ',,')}"
    arguments = [find(), "-M", str(simulator.settings["machine"]), "-display", "none", "-monitor", "none"]
    arguments += ["-semihosting-config", semihosting, "-kernel", str(elf)]
    arguments += ["-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"]
    if icount:
        arguments += ["-icount", f"shift={int(simulator.settings['icount_shift'])}"]
    return arguments


def listening_url(process: SimulatorProcess, timeout: float) -> str | None:
    """The URL of the serial port once QEMU listens; None if it ends or stays silent for ``timeout`` seconds."""
    line = process.wait_for_line(LISTENING, timeout=timeout)
    # The line names the option as we gave it, with port 0, and then the address that was opened.
    match = re.search(r"tcp:127\.0\.0\.1:([1-9]\d*)", line or "")
    return f"socket://127.0.0.1:{match[1]}" if match else None
