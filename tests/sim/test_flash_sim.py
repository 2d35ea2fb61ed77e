"""The flash of the simulated boards: a file that outlives the simulator, with the rules of real flash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import files, load, names
from tinyengine.cores import core
from tinyengine.errors import BoardError, BudgetError, DeviceError
from tinyengine.paths import project_root
from tinyengine.project import toolchain
from tinyengine.sim.flash_file import file_bytes

from tests.helpers.probe import Probe, build_probe

BOARDS = ["sim_stm32f405", "sim_cortex_m7", "sim_mps2_an505"]
STATE_BYTES = 60_001  # as in hal_probe.c
OK, EMPTY, ABSENT = 0, 1, 7  # storage_status
FLASH_OK, REFUSED = 0, 1  # hal_flash_status


@pytest.fixture(scope="module", params=BOARDS)
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_probe(request.param, tmp_path_factory.mktemp("probe"))


def state(seed: int) -> bytes:
    """What the probe saves for a seed."""
    data, x = bytearray(), seed
    for _ in range(STATE_BYTES):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        data.append(x >> 24)
    return bytes(data)


class Storage:
    """A simulated board with a flash file; leaving the block cuts its power."""

    def __init__(self, elf: Path, flash: Path | None) -> None:
        self._simulation = sim.start(elf.stem, elf, flash=flash)
        self.probe = Probe(self._simulation.url)

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *_: object) -> None:
        self.probe.close()
        self._simulation.stop()

    def numbers(self, count: int) -> list[int]:
        return [self.probe.number() for _ in range(count)]

    def save(self, seed: int) -> list[int]:
        """Status, generation, steps, slot."""
        self.probe.send(b"S", seed)
        return self.numbers(4)

    def load(self) -> tuple[list[int], bytes]:
        self.probe.send(b"L")
        return self.numbers(4), self.probe.take(STATE_BYTES)


@pytest.mark.slow(but=1)
def test_a_saved_state_survives_power_cycles(elf: Path, tmp_path: Path) -> None:
    flash = tmp_path / "a path, with a comma.flash"
    with Storage(elf, flash) as board:
        assert board.load() == ([EMPTY, 0, 0, 0], bytes(STATE_BYTES))
        assert board.save(11) == [OK, 1, 11, 0]
    with Storage(elf, flash) as board:
        assert board.load() == ([OK, 1, 11, 0], state(11))
        assert board.save(12) == [OK, 2, 12, 1]
        assert board.save(13) == [OK, 3, 13, 0]
    with Storage(elf, flash) as board:
        assert board.load() == ([OK, 3, 13, 0], state(13))
        assert board.probe.ask(b"C") == OK
        assert board.load()[0][0] == EMPTY
    with Storage(elf, flash) as board:
        assert board.load() == ([EMPTY, 0, 0, 0], bytes(STATE_BYTES))


@pytest.mark.slow
def test_power_fails_during_a_save(elf: Path, tmp_path: Path) -> None:
    """The simulator is killed at some moments of a save: the old state or the new one comes back."""
    flash = tmp_path / "flash"
    with Storage(elf, flash) as board:
        assert board.save(1)[0] == OK
    kept = 1
    for attempt, seconds in enumerate((0.0, 0.02, 0.05, 0.1), start=2):
        with Storage(elf, flash) as board:
            board.probe.send(b"S", attempt)
            time.sleep(seconds)
        with Storage(elf, flash) as board:
            (status, _, steps, _), data = board.load()
            assert status == OK
            assert steps in (kept, attempt)
            assert data == state(steps)
            kept = steps


def test_without_a_file_there_is_no_storage(elf: Path) -> None:
    with Storage(elf, None) as board:
        assert board.load() == ([ABSENT, 0, 0, 0], bytes(STATE_BYTES))
        assert board.save(1)[0] == ABSENT
        assert board.probe.ask(b"C") == ABSENT


def test_the_rules_of_flash(elf: Path, tmp_path: Path) -> None:
    storage = load(elf.stem).storage
    assert storage is not None
    unit = storage.unit_bytes
    with Storage(elf, tmp_path / "flash") as board:
        ask = board.probe.ask
        assert ask(b"P", 0, unit, 0x55) == FLASH_OK
        assert ask(b"P", 0, unit, 0x55) == REFUSED  # programmed already
        assert ask(b"P", 0, unit, 0x00) == REFUSED
        assert ask(b"P", unit, 3 * unit, 0xFF) == FLASH_OK
        assert ask(b"P", 2 * unit, unit, 0x00) == REFUSED  # only ones so far, but programmed
        assert ask(b"P", 9 * unit + 1, unit, 0) == REFUSED  # not aligned
        assert ask(b"P", 9 * unit, unit + 1, 0) == REFUSED  # not whole units
        assert ask(b"P", storage.bytes, unit, 0) == REFUSED  # beyond the slots
        assert ask(b"P", 0xFFFFFF00, unit, 0) == REFUSED  # before them
        assert ask(b"E", 4) == REFUSED  # not a sector
        assert ask(b"E", storage.bytes) == REFUSED
        assert ask(b"E", 0) == FLASH_OK
        assert ask(b"P", 0, unit, 0x00) == FLASH_OK
    content = (tmp_path / "flash").read_bytes()
    assert content[:unit] == bytes(unit)
    assert content.count(0) == unit + 1  # the unit, and that it is programmed


def test_unusable_files(tmp_path: Path) -> None:
    probe = build_probe(BOARDS[0], tmp_path)
    for_another_board = tmp_path / "other"
    board = load("sim_cortex_m7")
    assert board.storage is not None
    for_another_board.write_bytes(b"\xff" * file_bytes(board.storage))
    with pytest.raises(DeviceError, match="is not a flash of sim_stm32f405"):
        sim.start(BOARDS[0], probe, flash=for_another_board)
    with pytest.raises(DeviceError, match="cannot be used"):
        sim.start(BOARDS[0], probe, flash=tmp_path / "no folder" / "flash")
    with pytest.raises(DeviceError, match="longer than 480 bytes"):
        sim.start(BOARDS[0], probe, flash=tmp_path / ("x" * 481))
    renode = next(name for name in names() if load(name).simulator("renode"))
    with pytest.raises(BoardError, match="no flash file"):
        sim.start(renode, probe, simulator="renode", flash=tmp_path / "flash")


@pytest.mark.parametrize("name", names())
def test_the_linker_keeps_a_trainable_network_off_the_slots(name: str, tmp_path: Path) -> None:
    """Without training the whole flash is the network's; with it (a factory state) only what lies before the slots."""
    board, linker = load(name), project_root() / "boards" / "linker"
    assert board.storage is not None
    files.write(board, tmp_path)
    source = tmp_path / "program.c"
    source.write_text(
        "extern const unsigned char network_factory_state[];\n"
        "const unsigned char weights[WEIGHTS] = {1};\n"
        "const unsigned char network_factory_state[100] = {1};\n"
        "void hal_reset_handler(void);\n"
        "void hal_reset_handler(void) { for (;;) ((const volatile unsigned char *)weights)[0]; }\n"
    )

    def build(weights: int, trainable: bool) -> None:
        root = "-Wl,--undefined=network_factory_state" if trainable else "-Wl,--defsym=unused=0"
        factory = "network_factory_state" if trainable else "other"
        flags = [*toolchain.device_flags(board.cpu), f"-DWEIGHTS={weights}"]
        flags.append(f"-Dnetwork_factory_state={factory}")
        objects = toolchain.compile_objects([source], flags, [])
        options = ["-nostartfiles", "-T", files.SCRIPT, "-Wl,--gc-sections", root]
        toolchain.link(objects, [*core(board.cpu).flags, *options], tmp_path / "program.elf", [tmp_path, linker])

    room = board.flash_bytes - board.storage.bytes
    build(room + 4096, trainable=False)
    build(room - 4096, trainable=True)
    with pytest.raises(BudgetError, match="memory FLASH"):
        build(room, trainable=True)
    with pytest.raises(BudgetError, match="memory FLASH"):
        build(board.flash_bytes, trainable=False)
