"""The protocol against the real firmware on simulated boards, at their serial ports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinyengine import native, sim
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.device import Device, Timing, open_device
from tinyengine.device.transport import SocketTransport
from tinyengine.paths import project_root

from tests.helpers.faulty_exchanges import Plan, exchange_under_fire
from tests.helpers.faulty_link import KINDS, FaultyTransport
from tests.helpers.firmware_image import compiled, hand_written
from tests.helpers.native_device import expected_outputs, random_picture

STM32, MPS2 = "sim_stm32f405", "sim_cortex_m7"
FASTEST = {STM32: 2_000_000, MPS2: 1_000_000}  # the MPS2's 25 MHz UART clock misses 2 Mbaud by 4 %


@pytest.fixture(scope="module", params=[STM32, MPS2])
def board(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def image(board: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand_written(board, tmp_path_factory.mktemp(board), rows=24, columns=24, side=40)


def test_everything_once(board: str, image: Path) -> None:
    with open_device(f"sim:{board}", elf=image) as device:
        assert device.identity.board == board
        assert device.identity.counter_unit == "instructions"
        assert device.baud == FASTEST[board]
        device.statistics(clear=True)  # the first HELLO may have met a UART that was not yet on
        for seed, by_rows in ((1, False), (2, True)):
            picture = random_picture(seed, size=(24, 24))
            result = device.infer(picture, by_rows=by_rows)
            sums, mirror = expected_outputs(picture, side=40)
            np.testing.assert_array_equal(result.outputs[0], sums)
            np.testing.assert_array_equal(result.outputs[1], mirror)
        statistics = device.statistics()
        assert statistics.runs == 2
        assert statistics.arena_high_water == 24 * 24 * 3 + 16 + 40 * 40 + 4
        assert statistics.bytes_lost == statistics.frames_damaged == 0
        assert 0 < statistics.stack_used < statistics.stack_size
        assert len(device.profile()) == 300
        device.reset()
        assert device.statistics().runs == 0
        assert device.echo(bytes(1028)) == bytes(1028)


@pytest.mark.slow
def test_thousand_exchanges_on_a_bad_line(tmp_path: Path) -> None:
    """The simulated STM32F405 behind a line that loses, doubles, flips, delays and cuts bytes in both directions."""
    # Little to send, in many small frames: the simulated serial port carries only some KB/s.
    elf = hand_written(STM32, tmp_path, rows=12, columns=24, side=16, link_data_bytes=256)
    with sim.start(STM32, elf) as simulation:
        line = FaultyTransport(SocketTransport(simulation.url), seed=1, probability=0.15, longest_delay=0.02)
        # A shared machine may leave the simulator without a core for seconds: that is not what is tested.
        device = Device.connect(line, Timing(first=0.3, shortest=0.05, longest=0.5, patience=30.0, busy=120.0))
        result = exchange_under_fire(device, Plan(exchanges=1000, seed=2, inferences=0.08, longest_echo=60))
        line.close()
    assert result.wrong == []
    assert result.lost == 0
    assert result.right == 1000
    assert all(line.faults[kind] >= 10 for kind in KINDS), line.faults
    assert device.counters.repeats >= 50


@pytest.mark.slow
def test_the_person_detector_answers_as_on_the_host(tmp_path: Path) -> None:
    """Frames and rows over the serial port give the bytes of the same generated C on the host."""
    target = load(STM32)
    model = compile_model(project_root() / "models" / "person_tiny.tflite", CompileOptions(cpu=target.cpu))
    here = native.build(model)
    with open_device(f"sim:{STM32}", models={model.model_hash}, elf=compiled(STM32, tmp_path, model)) as device:
        shape = device.identity.inputs[0].shape
        for seed, by_rows in ((1, False), (2, True)):
            values = random_picture(seed, channels=shape[2], size=shape[:2])
            (expected,) = here.run([values.reshape(1, *shape)])
            np.testing.assert_array_equal(device.infer(values, by_rows=by_rows).outputs[0], expected.ravel())
        statistics = device.statistics()
        assert 0 < statistics.arena_high_water <= statistics.arena_bytes == model.plan.arena_bytes
        assert len(device.profile()) == len(model.calls)
