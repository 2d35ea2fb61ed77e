"""What this computer has for working with boards, what it lacks, and how to mend that."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyengine.boards import load, names
from tinyengine.cores import ARM
from tinyengine.device.discovery import FoundPort, list_devices
from tinyengine.errors import TinyEngineError, ToolError
from tinyengine.native.build import host_compiler
from tinyengine.progress import Say, silent
from tinyengine.project import pio
from tinyengine.project.toolchain import find_compiler
from tinyengine.sim import qemu, renode

QEMU_AT_LEAST = (7, 2)
PROBES = {"0483": "ST-LINK", "0d28": "CMSIS-DAP", "1366": "J-Link"}
"""USB vendors of debug probes, by their numbers."""
DFU_BOOTLOADER = ("0483", "df11")
USB_DEVICES = Path("/sys/bus/usb/devices")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for. ``serves``: what it is needed for. ``mend``: empty where nothing is wrong.

    ``essential``: without it not even the simulated boards work.
    """

    name: str
    serves: str
    found: str
    mend: str = ""
    essential: bool = False

    @property
    def good(self) -> bool:
        return not self.mend


def examine(ask: bool = True, say: Say = silent) -> list[Finding]:
    """Everything, in the order in which a user needs it. With ``ask`` the USB ports are opened."""
    checks: Sequence[tuple[str, Callable[[], list[Finding]]]] = (
        ("Python", lambda: [_python()]),
        ("compilers", lambda: [_arm_compiler(), _native_compiler()]),
        ("PlatformIO", lambda: [_platformio()]),
        ("simulators", lambda: [_qemu(), _renode()]),
        ("upload", lambda: [*_uploaders(), _probe()]),
        ("packages", _packages),
        ("ports", lambda: _ports(list_devices(ask, say))),
    )
    findings: list[Finding] = []
    for what, check in checks:
        say(f"looking at {what}")
        findings += check()
    return findings


def system() -> dict[str, str]:
    """Which computer this is, for a report."""
    return {
        "tinyengine": importlib.metadata.version("tinyengine"),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    mend = "" if good else "install Python 3.11 or newer and make the environment with it"
    return Finding("Python", "everything", platform.python_version(), mend, essential=True)


def _arm_compiler() -> Finding:
    name, serves = "arm-none-eabi-gcc", "firmware, code sizes, the bench"
    try:
        toolchain = find_compiler(ARM)
        specs = _first_line([toolchain.tool("gcc"), "-print-file-name=nano.specs"])
    except TinyEngineError as error:
        return Finding(name, serves, "none", str(error), essential=True)
    if specs == "nano.specs":  # the name comes back as it is where there is no such file
        mend = "install its C library as well (Debian: apt install libnewlib-arm-none-eabi)"
        return Finding(name, serves, f"{toolchain.version}, without newlib", mend, essential=True)
    return Finding(name, serves, toolchain.version, essential=True)


def _native_compiler() -> Finding:
    name, serves = "C compiler of this computer", "search-scheme, compare, tests"
    try:
        return Finding(name, serves, _first_line([host_compiler(), "--version"]))
    except ToolError as error:
        return Finding(name, serves, "none", str(error))


def _platformio() -> Finding:
    name, serves = "PlatformIO", "build, flash, pio run"
    try:
        pio.prepare()
    except TinyEngineError as error:
        return Finding(name, serves, "none", str(error), essential=True)
    return Finding(name, serves, importlib.metadata.version("platformio"), essential=True)


def _qemu() -> Finding:
    name, serves = "QEMU", "the boards called sim_..., the bench"
    try:
        line = _first_line([qemu.find(), "--version"])
    except ToolError as error:
        return Finding(name, serves, "none", str(error), essential=True)
    match = re.search(r"version (\d+)\.(\d+)", line)
    if match is None or (int(match[1]), int(match[2])) < QEMU_AT_LEAST:
        wanted = ".".join(map(str, QEMU_AT_LEAST))
        mend = f"install QEMU {wanted} or newer, or set TINYENGINE_QEMU to the path of one"
        return Finding(name, serves, line, mend, essential=True)
    return Finding(name, serves, line, essential=True)


def _renode() -> Finding:
    name, serves = "Renode", "the real boards simulated (optional)"
    try:
        return Finding(name, serves, renode.find())
    except ToolError as error:
        return Finding(name, serves, "none", str(error))


def _uploaders() -> list[Finding]:
    serves = "flash, pio run -t upload"
    found = shutil.which("openocd")
    mend = "" if found else "install it (Debian: apt install openocd), or let PlatformIO fetch it at the first upload"
    findings = [Finding("OpenOCD", serves, found or "none", mend)]
    found = shutil.which("dfu-util")
    mend = "" if found else "install it (Debian: apt install dfu-util), or let PlatformIO fetch it at the first upload"
    findings.append(Finding("dfu-util", f"flash of {_uploaded_by('dfu')} (optional)", found or "none", mend))
    has_pyocd = importlib.util.find_spec("pyocd") is not None
    findings.append(
        Finding(
            "pyOCD",
            "flash --protocol pyocd (optional)",
            importlib.metadata.version("pyocd") if has_pyocd else "none",
            "" if has_pyocd else "pip install pyocd",
        )
    )
    return findings


def _uploaded_by(protocol: str) -> str:
    return " and ".join(name for name in names() if load(name).upload.protocol == protocol)


def _probe() -> Finding:
    """The debug probes on the bus, and chips that wait in their own bootloader; Linux tells without any permission."""
    name, serves = "debug probe or bootloader", "flash"
    if not USB_DEVICES.is_dir():
        return Finding(name, serves, "not looked for: only Linux tells without asking the probe")
    found, locked = [], []
    for device in sorted(USB_DEVICES.iterdir()):
        ids = tuple(_read(device / field) for field in ("idVendor", "idProduct"))
        if ids[0] not in PROBES:
            continue
        kind = "bootloader" if ids == DFU_BOOTLOADER else PROBES[ids[0]]
        told = f"{kind} {_read(device / 'product')} ({':'.join(ids)})"
        found.append(told)
        node = Path("/dev/bus/usb") / _read(device / "busnum").zfill(3) / _read(device / "devnum").zfill(3)
        if node.exists() and not os.access(node, os.W_OK):
            locked.append(told)
    if not found:
        mend = "connect the board's debug connector, or start its bootloader, with a cable that carries data"
        return Finding(name, serves, "none", mend)
    if locked:
        mend = "let your user open it: install the udev rules of OpenOCD (Debian: apt install openocd), connect it anew"
        return Finding(name, serves, ", ".join(found), mend)
    return Finding(name, serves, ", ".join(found))


def _packages() -> list[Finding]:
    wanted = (
        ("tensorflow", "convert, fit", "convert"),
        ("onnx", "convert, compile of ONNX files", "onnx"),
        ("cv2", "stream --source camera, videos", "camera"),
        ("sounddevice", "stream --source mic", "microphone"),
        ("matplotlib", "--plot", "plot"),
    )
    return [
        Finding(
            name,
            f"{serves} (optional)",
            "installed" if importlib.util.find_spec(name) else "none",
            "" if importlib.util.find_spec(name) else f"pip install 'tinyengine[{extra}]'",
        )
        for name, serves, extra in wanted
    ]


def _ports(ports: Sequence[FoundPort]) -> list[Finding]:
    """A finding for each USB port, one if there is none."""
    serves = "infer, stream, train"
    usb = [port for port in ports if port.usb]
    if not usb:
        mend = "connect a board, or use a simulated one (--port sim:sim_stm32f405)"
        return [Finding("serial port", serves, "none of USB", mend)]
    findings = []
    for port in usb:
        if port.identity is not None:
            told, mend = f"{port.identity.board} with {port.identity.model}", ""
        else:
            told, mend = port.description or "somebody", port.problem
        if os.name == "posix" and Path(port.port).exists() and not os.access(port.port, os.R_OK | os.W_OK):
            told = f"{port.description}, which your user may not open"
            mend = "sudo usermod -aG dialout $USER (Arch: uucp), then log in again"
        findings.append(Finding(port.port, serves, told, mend))
    return findings


def _first_line(command: Sequence[str]) -> str:
    """Of what a program prints. ToolError where it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]} cannot be run ({error}): install it anew") from error
    lines = (done.stdout or done.stderr).splitlines()
    if done.returncode or not lines:
        raise ToolError(f"{command[0]} ends with exit code {done.returncode}: install it anew")
    return lines[0]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
