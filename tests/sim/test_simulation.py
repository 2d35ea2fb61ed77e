"""Starting and stopping simulators: no process stays behind, every mistake is one sentence."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import SpiCamera, load
from tinyengine.errors import BoardError, DeviceError, ToolError
from tinyengine.paths import project_root
from tinyengine.sim import renode
from tinyengine.sim import simulation as simulation_module

from tests.helpers.probe import Probe, build_probe

BOARD = "sim_stm32f405"

needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """A firmware at a path of its own, by which its processes can be found."""
    return build_probe(BOARD, tmp_path)


def processes_with(path: Path) -> list[int]:
    """Processes that have ``path`` in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(path).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            pass  # it ended meanwhile
    return found


def gone(path: Path, seconds: float = 10) -> bool:
    """Whether all processes with ``path`` end within ``seconds``."""
    deadline = time.monotonic() + seconds
    while processes_with(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@needs_proc
def test_nothing_is_left_after_the_block(elf: Path) -> None:
    with sim.start(BOARD, elf) as simulation:
        assert simulation.url.startswith("socket://127.0.0.1:")
        assert simulation.running
        assert len(processes_with(elf)) == 2  # the supervisor and QEMU
    assert not processes_with(elf)
    simulation.stop()  # once more does no harm


@needs_proc
def test_nothing_is_left_after_an_exception(elf: Path) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), sim.start(BOARD, elf):
        raise RuntimeError("on purpose")
    assert not processes_with(elf)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("connected", [False, True])
def test_nothing_is_left_when_we_are_interrupted(elf: Path, number: signal.Signals, connected: bool) -> None:
    program = (
        "import sys, time, socket; from pathlib import Path; from tinyengine import sim\n"
        "s = sim.start(sys.argv[1], Path(sys.argv[2]))\n"
        "if sys.argv[3] == 'True': c = socket.create_connection(('127.0.0.1', int(s.url.rsplit(':', 1)[1])))\n"
        "print('started', flush=True); time.sleep(60)\n"
    )
    # The file is not in the child's own command line, so that only the simulator's processes are found.
    link = elf.with_name("link.elf")
    link.symlink_to(elf)
    arguments = [sys.executable, "-c", program, BOARD, str(link), str(connected)]

    def hear_signals() -> None:  # nohup ignores hang-ups, a shell's background job interrupts
        for heard in (signal.SIGHUP, signal.SIGINT):
            signal.signal(heard, signal.SIG_DFL)

    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=hear_signals
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        assert len(processes_with(elf)) == 2
        child.send_signal(number)
        assert gone(elf)
        child.wait(10)


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_nothing_is_left_when_the_supervisor_is_killed(elf: Path) -> None:
    with sim.start(BOARD, elf) as simulation:
        supervisors = [
            pid for pid in processes_with(elf) if b"supervisor.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(supervisors[0], signal.SIGKILL)
        assert gone(elf)
        assert simulation.wait(10)
        with pytest.raises(DeviceError, match=f"the simulated {BOARD} stopped"):
            simulation.check()


def test_two_at_a_time(elf: Path) -> None:
    with sim.start(BOARD, elf) as one, sim.start(BOARD, elf) as other:
        assert one.url != other.url
        probes = [Probe(one.url), Probe(other.url)]
        probes[0].ask(b"k", 4000)
        assert probes[1].ask(b"k", 0) < 4000 <= probes[0].ask(b"k", 0)
        for probe in probes:
            probe.close()


def test_a_new_client_may_come_after_the_first(elf: Path) -> None:
    with sim.start(BOARD, elf) as simulation:
        for _ in range(2):
            probe = Probe(simulation.url)
            assert probe.ask(b"b", 115200) == 1
            probe.close()


def sentence(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_unknown_board() -> None:
    with pytest.raises(BoardError) as error:
        sim.start("sim_stm32f40")
    assert "did you mean sim_stm32f405?" in sentence(error)


def test_unknown_simulator(elf: Path) -> None:
    with pytest.raises(BoardError) as error:
        sim.start(BOARD, elf, simulator="simics")
    assert "qemu or renode" in sentence(error)


@pytest.mark.parametrize(
    ("board", "simulator", "way"),
    [(BOARD, "renode", "--simulator qemu"), ("disco_f746ng", "qemu", "--simulator renode")],
)
def test_board_that_is_not_simulated_there(elf: Path, board: str, simulator: str, way: str) -> None:
    with pytest.raises(BoardError) as error:
        sim.start(board, elf, simulator=simulator)
    assert way in sentence(error)


def test_no_firmware_built_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    with pytest.raises(DeviceError) as error:
        sim.start(BOARD)
    assert f"tinyengine build MODEL --board {BOARD}" in sentence(error)


@pytest.mark.parametrize("content", [b"", b"not a program", b"\x7fELF\x02\x01\x01" + bytes(60)])
def test_file_that_is_no_firmware(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(content)
    with pytest.raises(DeviceError) as error:
        sim.start(BOARD, path)
    assert "is not a program for an Arm microcontroller" in sentence(error)


def test_folder_instead_of_a_firmware(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as error:
        sim.start(BOARD, tmp_path)
    assert "cannot be read" in sentence(error)


def test_qemu_is_missing(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYENGINE_QEMU", "qemu-that-is-not-there")
    with pytest.raises(ToolError) as error:
        sim.start(BOARD, elf)
    assert all(system in sentence(error) for system in ("Debian", "macOS", "Windows"))


def fake_qemu(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "fake-qemu"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TINYENGINE_QEMU", str(path))


def test_qemu_fails(elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_qemu(tmp_path, "echo 'qemu: error: no such machine' >&2; exit 3", monkeypatch)
    with pytest.raises(ToolError) as error:
        sim.start(BOARD, elf)
    assert "no such machine (exit status 3)" in sentence(error)


@needs_proc
def test_qemu_is_silent(elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_qemu(tmp_path, "exec sleep 100", monkeypatch)
    monkeypatch.setitem(simulation_module.START_SECONDS, "qemu", 0.5)
    with pytest.raises(ToolError) as error:
        sim.start(BOARD, elf)
    assert "it was silent for" in sentence(error)
    assert not processes_with(tmp_path / "fake-qemu")


@pytest.mark.parametrize("board", ["disco_f746ng", "nucleo_h743zi"])
def test_renode_command_names_the_firmware_and_the_port(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_qemu(tmp_path, "exit 1", monkeypatch)
    monkeypatch.setenv("TINYENGINE_RENODE", str(tmp_path / "fake-qemu"))
    description = load(board).simulator("renode")
    assert description is not None
    script = renode.command(description, tmp_path / "my firmware.elf", 4000)[-1]
    assert f"$elf=@{tmp_path.as_posix()}/my\\ firmware.elf; $port=4000; include @" in script
    resc = (project_root() / "boards" / "renode" / str(description.settings["script"])).read_text()
    assert f"$ORIGIN/{board}.repl" in resc
    assert (project_root() / "boards" / "renode" / f"{board}.repl").is_file()


def test_renode_adds_a_camera_where_there_are_pictures(tmp_path: Path) -> None:
    """Behind the board's own script, from files that are there; without pictures nothing of it is loaded."""
    description = load("nucleo_h743zi").simulator("renode")
    scripts = project_root() / "boards" / "renode"
    script = renode.script(description, tmp_path / "elf", 4000, tmp_path / "my pictures")
    places = [script.index(part) for part in ("/nucleo_h743zi.resc;", "$pictures=@", "/nucleo_h743zi_camera.resc;")]
    assert places == sorted(places)
    assert "my\\ pictures; include" in script and script.endswith(f'log "{renode.READY}"')
    assert "_camera.resc" not in renode.script(description, tmp_path / "elf", 4000)
    added = (scripts / "nucleo_h743zi_camera.resc").read_text()
    for name in re.findall(r"\$ORIGIN/(\S+)", added):
        assert (scripts / name).is_file()
    assert "class ArduCamOfPictures" in (scripts / "arducam.cs").read_text()
    wired = (scripts / "nucleo_h743zi_camera.repl").read_text()
    camera = load("nucleo_h743zi").camera
    assert isinstance(camera, SpiCamera)
    assert f"{camera.spi.unit.lower()};" in wired and f"{camera.i2c.unit.lower()} 0x30" in wired
    assert f"gpioPort{camera.select[1]}:\n    {camera.select[2:]} -> camera@0" in wired
    assert f"sysbus.{camera.spi.unit.lower()}.camera Pictures $pictures" in added


def test_pictures_need_a_camera(elf: Path, tmp_path: Path) -> None:
    with pytest.raises(BoardError) as error:
        sim.start("sim_cortex_m7", elf, camera=tmp_path / "pictures")
    assert "has no camera for sim_cortex_m7" in sentence(error)
    with pytest.raises(DeviceError) as error:
        sim.start(BOARD, elf, camera=tmp_path / ("long" * 200))
    assert "the path of the camera file is longer than" in sentence(error)


def test_renode_is_missing(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYENGINE_RENODE", "renode-that-is-not-there")
    with pytest.raises(ToolError) as error:
        sim.start("disco_f746ng", elf, simulator="renode")
    assert "renode.io" in sentence(error)


# Renode's Monitor repeats the commands, logs when it is through them, and ends when its input does.
MONITOR = """
for commands; do :; done
echo "(monitor) $commands"
sleep 0.5
{logs}
cat > /dev/null
"""
LOGS_READY = f"touch logged; echo '12:00:00.0000 [INFO] Script: {renode.READY}'"


def fake_renode(folder: Path, logs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_qemu(folder, f"cd {folder}\n" + MONITOR.format(logs=logs), monkeypatch)
    monkeypatch.setenv("TINYENGINE_RENODE", str(folder / "fake-qemu"))


def test_renode_is_ready_when_its_log_says_so_and_runs_until_stopped(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_renode(tmp_path, LOGS_READY, monkeypatch)
    with sim.start("disco_f746ng", elf) as simulation:  # its only simulator need not be named
        assert (tmp_path / "logged").exists()
        assert simulation.simulator == "renode"
        port = simulation.url.removeprefix("socket://127.0.0.1:")
        assert f"$port={port};" in simulation.output
        assert not simulation.wait(0.5)  # an end of its input would have ended it
        simulation.check()


@needs_proc
def test_renode_behind_a_script_of_the_user_leaves_nothing_behind(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_renode(tmp_path, LOGS_READY, monkeypatch)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n{tmp_path}/fake-qemu "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("TINYENGINE_RENODE", str(wrapper))
    with sim.start("nucleo_h743zi", elf):
        assert len(processes_with(tmp_path / "fake-qemu")) >= 1
    assert gone(tmp_path / "fake-qemu")


@needs_proc
def test_error_in_a_script_of_renode_is_told_at_once(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = f"echo '{renode.FAILED} include @board.resc'; sleep 0.2; echo 'Could not find peripheral usart9'"
    fake_renode(tmp_path, logs, monkeypatch)
    start = time.monotonic()
    with pytest.raises(ToolError) as error:
        sim.start("disco_f746ng", elf)
    assert f"{renode.FAILED} include @board.resc Could not find peripheral usart9" in sentence(error)
    assert time.monotonic() - start < simulation_module.START_SECONDS["renode"] / 3
    assert gone(tmp_path / "fake-qemu")


def test_scripts_of_renode_leave_its_reserved_name_alone() -> None:
    """``host`` is an external of Renode's own: a script that makes another one does not start."""
    scripts = sorted((project_root() / "boards" / "renode").glob("*.resc"))
    assert scripts
    for path in scripts:
        assert '"host"' not in [
            word for line in path.read_text().splitlines() if line[:1] != "#" for word in line.split()
        ]


@pytest.mark.skipif(shutil.which("renode") is None, reason="renode is not on PATH")
@pytest.mark.parametrize("board", ["disco_f746ng", "nucleo_h743zi"])
def test_hal_of_the_real_boards_in_renode(board: str, tmp_path: Path) -> None:
    with sim.start(board, build_probe(board, tmp_path), simulator="renode") as simulation:
        probe = Probe(simulation.url)
        probe.send(b"i")
        assert probe.text() == board
        assert probe.text() == "cycles"
        assert probe.number() == {"disco_f746ng": 216_000_000, "nucleo_h743zi": 400_000_000}[board]
        assert probe.number() == load(board).stack_bytes
        probe.send(b"e", 500, data=bytes(500))
        assert probe.take(500) == bytes(500)
        assert probe.ask(b"b", 2_000_000) == 1
        probe.close()
