"""Start a simulated board and talk to it over TCP as over a serial port."""

from __future__ import annotations

import struct
from pathlib import Path

from tinyengine.boards import Board, Simulator, load, names
from tinyengine.errors import BoardError, DeviceError, ToolError
from tinyengine.paths import firmware_elf
from tinyengine.sim import camera_file, flash_file, qemu, renode
from tinyengine.sim.process import SimulatorProcess

START_SECONDS = {"qemu": 20.0, "renode": 90.0}
FAULT = "firmware fault: "


class Simulation:
    """A running simulated board. Use it as a context manager, or call :meth:`stop`; should neither happen, it ends
    with our process."""

    def __init__(self, board: Board, simulator: str, url: str, process: SimulatorProcess) -> None:
        self.board = board
        self.simulator = simulator
        self.url = url  # for pyserial and for --port
        self._process = process

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """What the simulator, or the firmware through semihosting, has printed."""
        return self._process.output

    @property
    def running(self) -> bool:
        """Whether the simulator has not ended by itself."""
        return self._process.returncode is None

    def check(self) -> None:
        """Raises DeviceError, saying why, when the simulator has ended by itself."""
        if not self.running:
            raise DeviceError(f"the simulated {self.board.name} stopped: {_last_words(self._process)}")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the simulator ends by itself; False if ``timeout`` seconds pass before."""
        return self._process.wait(timeout) is not None

    def stop(self) -> None:
        """End the simulator; it is gone when this returns."""
        self._process.stop()


def start(
    board_name: str,
    elf: Path | None = None,
    simulator: str | None = None,
    icount: bool = True,
    flash: Path | None = None,
    camera: Path | None = None,
) -> Simulation:
    """Start ``board_name`` with ``elf`` (default: the firmware built last) under ``simulator`` (qemu or renode; by
    default the first one that the board's description names).

    ``icount`` makes measurements count instructions exactly; without it the simulation is faster and they mean
    nothing. ``flash`` is a file that keeps trained states from one simulation to the next, as flash does over power
    cycles (qemu; created blank if it does not exist); without one the simulated board has nowhere to save them.
    ``camera`` is the file with the pictures that its camera sees (camera_file.py); without one it has no camera.

    Raises BoardError (unknown board, or not simulated there), DeviceError (no or no usable firmware or file), ToolError
    (simulator missing or failing).
    """
    board = load(board_name)
    description = _description(board, simulator)
    simulator = description.kind
    firmware = _firmware(board, elf)
    files: dict[str, Path] = {}
    if flash is not None:
        files["flash"] = flash_file.prepare(board, simulator, flash)
    if camera is not None:
        files["camera"] = camera_file.prepare(board, description, camera)
    if simulator == "qemu":
        process = SimulatorProcess(qemu.command(description, firmware, icount, files))
    else:
        port = renode.free_port()
        process = SimulatorProcess(renode.command(description, firmware, port, files.get("camera")))
    try:
        timeout = START_SECONDS[simulator]
        if simulator == "qemu":
            url = qemu.listening_url(process, timeout)
        else:
            url = renode.listening_url(process, port, timeout)
        if url is None:
            ended = process.wait(1.0) is not None
            reason = _last_words(process) if ended else f"it was silent for {timeout:.0f} seconds"
            raise ToolError(f"{simulator} did not start {board.name}: {reason}")
    except BaseException:
        process.stop()
        raise
    return Simulation(board, simulator, url, process)


def _description(board: Board, simulator: str | None) -> Simulator:
    if simulator is None and board.simulators:
        return board.simulators[0]
    if simulator is not None and simulator not in START_SECONDS:
        raise BoardError(f"there is no simulator called '{simulator}': use {' or '.join(START_SECONDS)}")
    found = board.simulator(simulator) if simulator else None
    if found is not None:
        return found
    others = [entry.kind for entry in board.simulators]
    able = [name for name in names() if (load(name).simulator(simulator) if simulator else load(name).simulators)]
    way = f"use --simulator {others[0]}, or " if others else "use "
    subject = f"{simulator} does not simulate" if simulator else "no simulator knows"
    raise BoardError(f"{subject} {board.name}: {way}one of {', '.join(able)}")


def _firmware(board: Board, elf: Path | None) -> Path:
    """The file to run, checked, because a simulator would say less about a wrong one."""
    path = elf or firmware_elf(board.name)
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        build = f"build it with 'tinyengine build MODEL --board {board.name}' or 'pio run -e {board.name}'"
        raise DeviceError(f"there is no firmware {path}: {build}") from None
    except OSError as error:
        raise DeviceError(f"{path} cannot be read: {error.strerror or error}") from error
    elf32_little, arm = b"\x7fELF\x01\x01", 40
    if len(header) < 20 or header[:6] != elf32_little or struct.unpack_from("<H", header, 18)[0] != arm:
        raise DeviceError(f"{path} is not a program for an Arm microcontroller: give the firmware.elf of a build")
    return path.resolve()


def _last_words(process: SimulatorProcess) -> str:
    """What explains an end: Renode's reason, else the firmware's fault, else an error, else the last line."""
    process.wait(1.0)
    lines = [line.strip() for line in process.output.splitlines() if line.strip()]
    lines = [line for line in lines if qemu.LISTENING not in line]
    failed = [" ".join(lines[k : k + 2]) for k, line in enumerate(lines) if renode.FAILED in line]
    faults = [line for line in lines if FAULT in line]
    telling = failed or faults or [line for line in lines if "error" in line.lower()] or lines
    said = telling[-1] if telling else "it said nothing"
    return f"{said} (exit status {process.returncode})"
