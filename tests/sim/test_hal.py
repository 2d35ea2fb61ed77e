"""The hardware abstraction layer on the simulated boards."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import load
from tinyengine.errors import DeviceError

from tests.helpers.probe import Probe, build_probe

BOARDS = ["sim_stm32f405", "sim_cortex_m7", "sim_mps2_an505", "sim_mps3_an547"]


@pytest.fixture(scope="module", params=BOARDS)
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_probe(request.param, tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="module")
def shared(elf: Path) -> Iterator[Probe]:
    """One simulation for all tests that leave it as it was."""
    with sim.start(elf.stem, elf) as simulation:
        probe = Probe(simulation.url)
        yield probe
        probe.close()


@pytest.fixture
def fresh(elf: Path) -> Iterator[tuple[sim.Simulation, Probe]]:
    with sim.start(elf.stem, elf) as simulation:
        probe = Probe(simulation.url)
        yield simulation, probe
        probe.close()


def test_says_what_the_board_description_says(elf: Path, shared: Probe) -> None:
    board = load(elf.stem)
    shared.send(b"i")
    assert shared.text() == board.name
    assert shared.text() == board.count_unit
    assert shared.number() == 1_000_000_000
    assert shared.number() == board.stack_bytes


def test_counts_instructions(elf: Path, shared: Probe) -> None:
    """A spin is two instructions; the timers of the others have a resolution of 40 and 50."""
    tolerance = 0 if elf.stem == "sim_stm32f405" else 50
    for few, many in ((10, 1000), (1000, 3000)):
        # The shortest of several, because the millisecond interrupt may come in between.
        difference = min(shared.ask(b"c", many) for _ in range(4)) - min(shared.ask(b"c", few) for _ in range(4))
        assert abs(difference - 2 * (many - few)) <= tolerance


def test_no_byte_is_lost_even_when_the_firmware_is_slow(shared: Probe) -> None:
    """More than the ring holds, taken in small portions with pauses: the sender has to wait."""
    data = random.Random(1).randbytes(12_000)
    expected = 0
    for byte in data:
        expected = (expected * 31 + byte) & 0xFFFFFFFF
    shared.send(b"s", len(data), 300_000, data=data)
    assert (shared.number(), shared.number()) == (expected, 0)


def test_echo_in_both_directions_at_once(shared: Probe) -> None:
    data = random.Random(2).randbytes(6_000)
    shared.send(b"e", len(data), data=data)
    assert shared.take(len(data)) == data


def test_stack_high_water_mark(shared: Probe) -> None:
    before = shared.ask(b"k", 0)
    assert 0 < before < 2048
    after = shared.ask(b"k", 4000)
    assert 4000 <= after < 4000 + before + 256
    assert shared.ask(b"k", 0) == after


def test_milliseconds_pass_as_on_the_wall_while_idle(shared: Probe) -> None:
    start = shared.ask(b"m")
    started = time.monotonic()
    time.sleep(1)
    passed = (shared.ask(b"m") - start) / 1000
    # A busy host makes the simulated clock late, never early by more than the round trip.
    assert 0.2 <= passed <= time.monotonic() - started + 0.1


@pytest.mark.parametrize(("rate", "possible"), [(115200, True), (921600, True), (3, False), (0, False)])
def test_baud_rates(shared: Probe, rate: int, possible: bool) -> None:
    assert shared.ask(b"b", rate) == possible


def test_highest_baud_rate_is_the_one_in_the_description(elf: Path, shared: Probe) -> None:
    highest = load(elf.stem).serial.max_baud
    assert shared.ask(b"b", highest) == 1
    assert shared.ask(b"b", 16 * highest) == 0


def test_reset_restarts_the_firmware(fresh: tuple[sim.Simulation, Probe]) -> None:
    simulation, probe = fresh
    used = probe.ask(b"k", 4000)
    probe.send(b"r")
    time.sleep(0.3)
    assert probe.ask(b"k", 0) < used  # the stack has been painted anew
    simulation.check()


def test_a_fault_ends_the_simulation_and_says_where(fresh: tuple[sim.Simulation, Probe]) -> None:
    simulation, probe = fresh
    probe.send(b"f")
    assert probe.rest().startswith(b"\0firmware fault: exception 0x0000000"), "the host's port says it as well"
    assert simulation.wait(20)
    with pytest.raises(DeviceError, match=r"firmware fault: exception 0x0000000[36], pc 0x(0[08]|10)00"):
        simulation.check()


def test_stack_overflow_is_caught(fresh: tuple[sim.Simulation, Probe]) -> None:
    simulation, probe = fresh
    assert probe.ask(b"o", 3) == 6
    probe.send(b"o", 1000)
    assert simulation.wait(20)
    with pytest.raises(DeviceError, match="stack overflow"):
        simulation.check()
