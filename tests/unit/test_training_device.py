"""Training over the protocol, against the real firmware sources with a hand-written trainer."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tinyengine.device import Device, Timing
from tinyengine.device.errors import LinkLostError, RefusedError, RestartedError
from tinyengine.device.framing import Frame, Op, Status
from tinyengine.device.training import TARGET_STATE, DeviceTrainer, Storage
from tinyengine.device.transport import SocketTransport
from tinyengine.errors import DataError, DeviceError
from tinyengine.step import Sample, Update

from tests.helpers.fake_trainer import CLASSES, LAYOUT, SCHEME, STATE_BYTES, FakeTrainer
from tests.helpers.faulty_link import FaultyTransport
from tests.helpers.native_device import NativeDevice, Raw, native_device, random_picture


@pytest.fixture
def native(tmp_path: Path) -> Iterator[NativeDevice]:
    with native_device(flash=tmp_path / "flash") as running:
        yield running


@pytest.fixture
def trainer(native: NativeDevice) -> Iterator[DeviceTrainer]:
    line = SocketTransport(native.url)
    yield DeviceTrainer(Device.connect(line))
    line.close()


def train(trainer: DeviceTrainer, mirror: FakeTrainer, count: int, seed: int = 0) -> None:
    """Steps on the device and on the mirror, whose results must agree."""
    for number in range(count):
        picture = random_picture(seed * 1000 + number)
        label, rate = number % 4, 0.01 / (number + 1)
        done = trainer.step(picture, Sample(label, 4), Update(rate, seed, number))
        assert (done.loss, done.predicted) == mirror.step(picture, Sample(label, 4), Update(rate, seed, number))
        assert done.steps == mirror.steps
        assert done.count > 0


def test_what_it_says_about_itself(trainer: DeviceTrainer) -> None:
    assert trainer.device.identity.can_train
    info = trainer.info()
    assert (info.scheme, info.layout, info.classes) == (SCHEME, LAYOUT, CLASSES)
    assert (info.state_bytes, info.trained_weights, info.trained_biases) == (STATE_BYTES, 4000, 250)
    assert (info.steps, info.complete, info.saved, info.push_keeps_old) == (0, True, False, True)
    assert info.state_crc == zlib.crc32(FakeTrainer().state.tobytes())
    assert info.storage.outcome is Storage.EMPTY


@pytest.mark.parametrize("by_rows", [False, True])
def test_steps_and_evaluation(native: NativeDevice, by_rows: bool) -> None:
    line = SocketTransport(native.url)
    trainer, mirror = DeviceTrainer(Device.connect(line), by_rows), FakeTrainer()
    train(trainer, mirror, 5)
    picture = random_picture(77)
    seen = trainer.evaluate(picture, Sample(2, 10))
    assert (seen.loss, seen.predicted) == mirror.evaluate(picture, Sample(2, 10))
    assert seen.steps == 5
    assert trainer.read_state() == mirror.state.tobytes()
    assert trainer.info().steps == 5
    trainer.reset()
    assert trainer.read_state() == FakeTrainer().state.tobytes()
    assert trainer.info().steps == 0
    line.close()


def test_names_belong_to_the_state(trainer: DeviceTrainer) -> None:
    assert trainer.info().class_names == ()
    train(trainer, FakeTrainer(), 2)
    trainer.name_classes(("cup", "Grüntee"))
    trainer.save()
    assert trainer.info().saved
    trainer.name_classes(("cup", "Grüntee"))
    assert trainer.info().saved, "nothing has changed"
    trainer.name_classes(("cup", "Grüntee", "tin"))
    assert not trainer.info().saved
    trainer.restore()
    assert trainer.info().class_names == ("cup", "Grüntee")
    state = trainer.read_state()
    trainer.reset()
    assert trainer.info().class_names == ()
    trainer.write_state(state, LAYOUT, 2, ("a", "b"))
    assert trainer.info().class_names == ("a", "b")
    trainer.write_state(state, LAYOUT, 2)
    assert trainer.info().class_names == ()


def test_names_that_do_not_fit(trainer: DeviceTrainer) -> None:
    fitting = [f"{k:024}" for k in range(10)]
    trainer.name_classes(fitting)
    with pytest.raises(DataError, match="the device has 256"):
        trainer.name_classes([name + "xx" for name in fitting])
    assert trainer.info().class_names == tuple(fitting)
    for bad in (b"no end", b"x\0" * 11, bytes(257)):
        with pytest.raises(RefusedError) as error:
            trainer.device.connection.request(Op.NAME_CLASSES, bad)
        assert error.value.status == Status.MALFORMED
    assert trainer.info().class_names == tuple(fitting)


def test_inference_and_training_alternate(trainer: DeviceTrainer) -> None:
    mirror = FakeTrainer()
    for seed in range(3):
        train(trainer, mirror, 1, seed)
        assert trainer.device.infer(random_picture(seed)).run == seed + 1
    assert trainer.read_state() == mirror.state.tobytes()


def test_refusals(trainer: DeviceTrainer) -> None:
    def status(op: Op, payload: bytes = b"") -> int:
        with pytest.raises(RefusedError) as error:
            trainer.device.connection.request(op, payload)
        return error.value.status

    def step(label: int, classes: int, rate: float) -> bytes:
        return struct.pack("<HHfII", label, classes, rate, 0, 0)

    assert status(Op.TRAIN_STEP, step(0, 2, 0.1)) == Status.INCOMPLETE  # nothing was uploaded
    assert status(Op.EVALUATE, struct.pack("<HH", 0, 2)) == Status.INCOMPLETE
    trainer.device.deliver(trainer.device.delivery(random_picture(1)))
    for bad in (step(2, 2, 0.1), step(0, 11, 0.1), step(0, 0, 0.1), step(0, 2, -0.1), step(0, 2, float("nan"))):
        assert status(Op.TRAIN_STEP, bad) == Status.MALFORMED
    assert status(Op.TRAIN_STEP, step(0, 2, 0.1)[:-1]) == Status.MALFORMED
    trainer.device.connection.request(Op.TRAIN_STEP, step(0, 2, 0.1))  # the input was not used up by refusals
    assert status(Op.TRAIN_STEP, step(0, 2, 0.1)) == Status.INCOMPLETE  # but is by a step
    assert status(Op.OPEN, struct.pack("<BBBxI", TARGET_STATE, 0, 0, 17)) == Status.MALFORMED
    assert status(Op.OPEN, struct.pack("<BBBxI", TARGET_STATE, 1, 0, STATE_BYTES)) == Status.MALFORMED
    assert status(Op.ACCEPT_STATE, bytes(8) + LAYOUT.encode()) == Status.INCOMPLETE
    assert status(Op.ACCEPT_STATE, bytes(24)) == Status.FOREIGN


def test_a_network_without_trainer() -> None:
    with native_device("SECOND_INPUT") as native:
        line = SocketTransport(native.url)
        device = Device.connect(line)
        assert not device.identity.can_train
        with pytest.raises(RefusedError, match="--train SCHEME"):
            DeviceTrainer(device)
        for op in (Op.TRAIN_INFO, Op.TRAIN_STEP, Op.EVALUATE, Op.RESET_STATE, Op.ACCEPT_STATE, Op.SAVE, Op.FORGET):
            with pytest.raises(RefusedError) as error:
                device.connection.request(op, bytes(24))
            assert error.value.status == Status.UNSUPPORTED
        with pytest.raises(RefusedError) as error:
            device.connection.upload(TARGET_STATE, 0, bytes(STATE_BYTES))
        assert error.value.status == Status.UNSUPPORTED
        line.close()


# ---- Momentum and batches ----


def test_batches_change_the_state_with_their_last_sample(tmp_path: Path) -> None:
    with native_device("VELOCITY", flash=tmp_path / "flash") as native:
        line = SocketTransport(native.url)
        trainer, mirror = DeviceTrainer(Device.connect(line)), FakeTrainer(velocity=True)
        assert trainer.info().velocity

        def steps(count: int, momentum: float, batch: int) -> None:
            for number in range(count):
                how = Update(0.01, 3, number, momentum, batch, number % batch)
                done = trainer.step(random_picture(number), Sample(1, 4), how)
                assert (done.loss, done.predicted) == mirror.step(random_picture(number), Sample(1, 4), how)
                assert done.steps == mirror.steps

        steps(2, 0.0, 1)
        steps(8, 0.5, 4)
        trainer.save()
        steps(2, 0.5, 4)  # a batch that does not end
        assert trainer.read_state() == mirror.state.tobytes()
        info = trainer.info()
        assert (info.steps, info.saved) == (10, True), "nothing has changed since"
        trainer.restore()
        mirror.velocity[:] = 0  # those of another state mean nothing
        steps(8, 0.5, 4)
        trainer.write_state(random_state(1), LAYOUT, steps=7)
        mirror.velocity[:], mirror.steps = 0, 7
        mirror.state = np.frombuffer(random_state(1), np.uint8)
        steps(4, 0.9, 2)
        assert trainer.read_state() == mirror.state.tobytes()
        line.close()


def test_samples_of_a_batch_come_in_order() -> None:
    with native_device("VELOCITY") as native:
        line = SocketTransport(native.url)
        trainer, mirror = DeviceTrainer(Device.connect(line)), FakeTrainer(velocity=True)

        def step(batch: int, sample: int, momentum: float = 0.0) -> None:
            how = Update(0.01, 0, 0, momentum, batch, sample)
            trainer.step(random_picture(1), Sample(0, 4), how)
            mirror.step(random_picture(1), Sample(0, 4), how)

        def refused(batch: int, sample: int, momentum: float = 0.0) -> None:
            with pytest.raises(RefusedError) as error:
                step(batch, sample, momentum)
            assert error.value.status == Status.MALFORMED

        refused(2, 1)
        step(3, 0)
        refused(3, 2)
        refused(4, 1)
        refused(3, 3)
        refused(0, 0)
        refused(2, 0, -0.5)
        refused(2, 0, 1.5)
        refused(2, 0, float("nan"))
        step(3, 1)
        step(3, 2)
        refused(3, 0 + 1)
        step(3, 0)
        trainer.reset()
        mirror.reset()
        refused(3, 1)
        step(1, 0, 0.5)
        assert trainer.read_state() == mirror.state.tobytes()
        payload = struct.pack("<HHfII", 0, 2, 0.1, 0, 0) + bytes(7)
        with pytest.raises(RefusedError) as error:
            trainer.device.connection.request(Op.TRAIN_STEP, payload)
        assert error.value.status == Status.MALFORMED
        line.close()


def test_firmware_without_velocities_refuses_batches(trainer: DeviceTrainer) -> None:
    assert not trainer.info().velocity
    for how in ({"momentum": 0.5}, {"batch": 2}):
        with pytest.raises(RefusedError, match="build it with --velocity"):
            trainer.step(random_picture(1), Sample(0, 4), Update(0.1, **how))
        payload = struct.pack("<HHfIIfHH", 0, 4, 0.1, 0, 0, how.get("momentum", 0.0), how.get("batch", 1), 0)
        with pytest.raises(RefusedError) as error:
            trainer.device.connection.request(Op.TRAIN_STEP, payload)
        assert error.value.status == Status.UNSUPPORTED
    train(trainer, FakeTrainer(), 1)


# ---- Flash ----


def test_what_was_saved_survives_a_power_cycle(tmp_path: Path) -> None:
    flash, mirror = tmp_path / "flash", FakeTrainer()
    with native_device(flash=flash) as native:
        line = SocketTransport(native.url)
        trainer = DeviceTrainer(Device.connect(line))
        train(trainer, mirror, 3)
        saved = trainer.save()
        assert (saved.generation, saved.steps, saved.nbytes) == (1, 3, STATE_BYTES)
        assert trainer.info().saved
        kept = mirror.state.tobytes()
        train(trainer, mirror, 2, seed=9)
        assert not trainer.info().saved
        line.close()
    with native_device(flash=flash) as native:
        line = SocketTransport(native.url)
        trainer = DeviceTrainer(Device.connect(line))
        info = trainer.info()
        assert (info.steps, info.saved, info.storage.generation) == (3, True, 1)
        assert trainer.read_state() == kept
        trainer.reset()
        assert trainer.info().steps == 0
        assert trainer.restore().steps == 3
        assert trainer.read_state() == kept
        trainer.forget()
        assert trainer.read_state() == kept, "forgetting is about the flash"
        assert not trainer.info().saved
        with pytest.raises(DeviceError, match="nothing has been saved"):
            trainer.restore()
        assert trainer.read_state() == kept, "a restore that fails changes nothing"
        trainer.device.reset()
        assert trainer.info().steps == 0
        line.close()


def test_a_save_announces_how_long_it_may_take(native: NativeDevice) -> None:
    """16 ms per KB: two sectors of 4 KB are filled; with nothing to keep, one of the other slot is erased as well."""
    raw = Raw(native)
    raw.hello()
    for number, expected in ((200, 192), (201, 128), (202, 128)):
        raw.line.write(Frame(Op.SAVE, raw.session, number).encode())
        busy, answer = raw.frames()
        assert (busy.status, struct.unpack("<I", busy.payload)) == (Status.BUSY, (expected,))
        assert answer.status == Status.OK and answer.payload[0] == Storage.OK
    raw.line.close()


def test_a_board_without_flash() -> None:
    with native_device() as native:
        line = SocketTransport(native.url)
        trainer = DeviceTrainer(Device.connect(line))
        assert trainer.info().storage.outcome is Storage.ABSENT
        for action in (trainer.save, trainer.restore, trainer.forget):
            with pytest.raises(DeviceError, match="--flash-file"):
                action()
        line.close()


# ---- Push and pull ----


def random_state(seed: int, size: int = STATE_BYTES) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()


def test_push(trainer: DeviceTrainer) -> None:
    data = random_state(1)
    trainer.write_state(data, LAYOUT, steps=42)
    assert trainer.read_state() == data
    assert trainer.info().steps == 42
    with pytest.raises(DataError, match="another network"):
        trainer.write_state(data, "0" * 16)
    with pytest.raises(DataError, match="5000 bytes"):
        trainer.write_state(data[:-1], LAYOUT)
    assert trainer.read_state() == data


def push_half(trainer: DeviceTrainer, data: bytes) -> None:
    """The connection ends in the middle of a push."""
    connection, sent = trainer.device.connection, 0
    write = connection.transport.write

    def break_off(frame: bytes) -> None:
        nonlocal sent
        sent += len(frame)
        if sent > len(data) // 2:
            raise LinkLostError("pulled out")
        write(frame)

    connection.transport.write = break_off  # type: ignore[method-assign]
    with pytest.raises(LinkLostError):
        trainer.write_state(data, LAYOUT)
    connection.transport.write = write  # type: ignore[method-assign]


def test_half_a_push_leaves_the_old_state(native: NativeDevice) -> None:
    line = SocketTransport(native.url)
    trainer, mirror = DeviceTrainer(Device.connect(line)), FakeTrainer()
    train(trainer, mirror, 2)
    push_half(trainer, random_state(2))
    line.close()
    line = SocketTransport(native.url)
    trainer = DeviceTrainer(Device.connect(line))
    assert trainer.info().complete
    assert trainer.read_state() == mirror.state.tobytes()
    train(trainer, mirror, 1, seed=3)
    line.close()


def test_half_a_push_into_the_state_itself_is_noticed(tmp_path: Path) -> None:
    """Where the arena cannot hold a second state nothing runs until there is a whole one again."""
    size = 10_001
    with native_device("ROWS_ONLY", flash=tmp_path / "flash") as native:
        line = SocketTransport(native.url)
        trainer, mirror = DeviceTrainer(Device.connect(line)), FakeTrainer(size)
        assert not trainer.info().push_keeps_old
        train(trainer, mirror, 2)
        trainer.save()
        push_half(trainer, random_state(2, size))
        line.close()
        line = SocketTransport(native.url)
        trainer = DeviceTrainer(Device.connect(line))
        assert not trainer.info().complete
        picture = random_picture(4)
        for refused in (
            lambda: trainer.step(picture, Sample(0, 2), Update(0.1)),
            lambda: trainer.evaluate(picture, Sample(0, 2)),
            lambda: trainer.device.infer(picture),
            trainer.save,
        ):
            with pytest.raises(RefusedError, match="push again") as error:
                refused()
            assert error.value.status == Status.NO_STATE
        trainer.restore()
        assert trainer.read_state() == mirror.state.tobytes()
        push_half(trainer, random_state(2, size))
        trainer.reset()
        assert trainer.read_state() == FakeTrainer(size).state.tobytes()
        push_half(trainer, random_state(2, size))
        trainer.write_state(random_state(3, size), LAYOUT)
        assert trainer.read_state() == random_state(3, size)
        trainer.device.infer(picture)
        line.close()


def test_a_push_that_something_ran_over_is_refused(trainer: DeviceTrainer) -> None:
    data = random_state(5)
    before = trainer.read_state()
    accept = struct.pack("<II", zlib.crc32(data), 1) + LAYOUT.encode()
    trainer.device.connection.upload(TARGET_STATE, 0, data)
    trainer.device.profile()  # the network runs where the new state waits
    with pytest.raises(RefusedError) as error:
        trainer.device.connection.request(Op.ACCEPT_STATE, accept)
    assert error.value.status == Status.INCOMPLETE
    assert trainer.read_state() == before


# ---- Exactly once ----


def test_a_repeated_step_is_executed_once(native: NativeDevice) -> None:
    """The same bytes again get the same answer and no second step, as do a save and a push."""
    line = SocketTransport(native.url)
    trainer, mirror = DeviceTrainer(Device.connect(line)), FakeTrainer()
    write = trainer.device.connection.transport.write

    def twice(data: bytes) -> None:
        write(data)
        if len(data) < 100:  # requests; data frames would only fill the receive ring
            write(data)

    trainer.device.connection.transport.write = twice  # type: ignore[method-assign]
    train(trainer, mirror, 6)
    assert trainer.save().generation == 1
    assert trainer.read_state() == mirror.state.tobytes()
    assert trainer.device.statistics().requests_repeated > 10
    line.close()


def test_training_on_a_bad_line(native: NativeDevice) -> None:
    line = FaultyTransport(SocketTransport(native.url), seed=5, probability=0.05)
    quick = Timing(first=0.05, shortest=0.02, longest=0.3, patience=30.0)
    trainer, mirror = DeviceTrainer(Device.connect(line, quick)), FakeTrainer()
    for round_number in range(6):
        train(trainer, mirror, 6, seed=round_number)
        if round_number == 2:
            trainer.save()
        elif round_number == 3:
            mirror.state = np.frombuffer(random_state(6), np.uint8)
            trainer.write_state(mirror.state.tobytes(), LAYOUT, mirror.steps)
        assert trainer.read_state() == mirror.state.tobytes()
    assert sum(line.faults.values()) > 20, line.faults
    assert trainer.device.counters.repeats > 5
    line.close()


def test_a_restart_is_told_and_nothing_is_repeated_silently(native: NativeDevice) -> None:
    line = SocketTransport(native.url)
    trainer = DeviceTrainer(Device.connect(line))
    train(trainer, FakeTrainer(), 2)
    line.write(Frame(Op.HELLO, 0x777, 1, b"TINY\x01\x01").encode())
    with pytest.raises(RestartedError, match="training since the last save is lost"):
        trainer.step(random_picture(1), Sample(0, 2), Update(0.1))
    line.close()
