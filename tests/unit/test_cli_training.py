"""What a user of the training commands reads when something is wrong, and Ctrl-C; on the hand-written trainer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tinyengine.cli.main import COMMANDS
from tinyengine.data.samples import Arrays, Samples, split
from tinyengine.device import Device
from tinyengine.device.training import DeviceTrainer
from tinyengine.device.transport import SocketTransport
from tinyengine.finetune.rates import find_rate
from tinyengine.finetune.session import Interrupted, TuneOptions, evaluate, fine_tune
from tinyengine.step import Outcome, Sample, Update

from tests.helpers.command_line import fails, run
from tests.helpers.native_device import NativeDevice, native_device
from tests.helpers.trained_network import write_model, write_pictures


@pytest.fixture
def native(tmp_path: Path) -> Iterator[NativeDevice]:
    with native_device(flash=tmp_path / "flash") as running:
        yield running


@pytest.fixture(scope="module")
def spared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeDevice]:
    """For mistakes that are found before anything changes on the device."""
    with native_device(flash=tmp_path_factory.mktemp("spared") / "flash") as running:
        yield running


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("places")
    pictures = write_pictures(folder / "pictures", 3)
    many = folder / "many"
    for label in range(11):
        (many / f"class{label}").mkdir(parents=True)
        for name in ("a.png", "b.png"):
            (many / f"class{label}" / name).write_bytes((pictures / "red" / "0.png").read_bytes())
    single = write_pictures(folder / "single", 1)
    np.savez(folder / "state.npz", state=np.zeros(5001, np.uint8), layout="f" * 16, scheme="x", steps=0)
    (folder / "broken" / "a").mkdir(parents=True)
    (folder / "broken" / "b").mkdir()
    for name in ("a", "b"):
        (folder / "broken" / name / "x.png").write_bytes(b"no picture")
    return {
        "PICTURES": pictures,
        "MANY": many,
        "SINGLE": single,
        "FLAT": pictures / "red",
        "BROKEN": folder / "broken",
        "MODEL": write_model(folder / "model.tflite"),
        "STATE": folder / "state.npz",
        "OUT": folder / "out.tflite",
    }


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("train", "--data", "nowhere", "--port", "PORT"), "nowhere"),
        (("train", "--data", "FLAT", "--port", "PORT"), "one subfolder of pictures per class"),
        (("train", "--data", "MANY", "--port", "PORT"), "--classes 11"),
        (("train", "--data", "PICTURES", "--classes", "2", "--port", "PORT"), "--classes"),
        (("train", "--data", "SINGLE", "--port", "PORT"), "single sample"),
        (("train", "--data", "BROKEN", "--port", "PORT"), "cannot be decoded"),
        (("train", "--data", "PICTURES", "--validate", "MANY", "--port", "PORT"), "leave them out of the data"),
        (("train", "--data", "PICTURES", "--classes", "red,red", "--port", "PORT"), "different classes"),
        (("train", "--data", "PICTURES", "--classes", "1", "--port", "PORT"), "at least 2 classes"),
        (("train", "--data", "PICTURES", "--classes", "red,blue", "--port", "PORT"), "--classes red,blue,green"),
        (("train", "--data", "PICTURES", "--map", "red", "--port", "PORT"), "--map OLD=NEW"),
        (("train", "--data", "PICTURES", "--map", "pink=red", "--port", "PORT"), "no class pink"),
        (("train", "--data", "PICTURES", "--mapping", "pixel%2", "--port", "PORT"), "input mapping"),
        (("train", "--data", "PICTURES", "--port", "PORT", "--flash-file", "x"), "--flash-file"),
        (("train", "--data", "PICTURES", "--batch", "8", "--port", "PORT"), "build it with --velocity"),
        (("train", "--data", "PICTURES", "--momentum", "0.9", "--port", "PORT"), "build it with --velocity"),
        (("eval", "--data", "nowhere", "--port", "PORT"), "nowhere"),
        (("restore", "--port", "PORT"), "nothing has been saved"),
        (("pull", "-o", "OUT", "--port", "PORT"), "which network"),
        (("pull", "MODEL", "-o", "mine.onnx", "--port", "PORT"), ".tflite"),
        (("pull", "MODEL", "-o", "mine.lm", "--port", "PORT"), "give -o a name that ends in .tflite"),
        (("pull", "tales.lm", "-o", "OUT", "--port", "PORT"), "give -o a name that ends in .lm"),
        (("pull", "MODEL", "-o", "OUT", "--port", "PORT"), "was not built from"),
        (("pull", "nowhere.tflite", "-o", "OUT", "--port", "PORT"), "nowhere.tflite"),
        (("push", "STATE", "--port", "PORT"), "another network"),
        (("push", "nowhere.npz", "--port", "PORT"), "no file nowhere.npz"),
        (("push", "MODEL", "--port", "PORT"), "which network"),
        (("save", "--port", "/dev/ttyNOWHERE"), "no port /dev/ttyNOWHERE"),
    ],
)
def test_errors(
    spared: NativeDevice,
    places: dict[str, Path],
    arguments: tuple[str, ...],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named: dict[str, object] = {"PORT": spared.url, **places}
    assert word in fails(monkeypatch, capsys, *(named.get(a, a) for a in arguments))


@pytest.mark.slow
def test_a_network_that_cannot_be_trained(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with native_device("SECOND_INPUT") as native:
        for name in ("save", "restore", "reset"):
            assert "--train SCHEME" in fails(monkeypatch, capsys, name, "--port", native.url)


def test_no_matplotlib_is_said_before_the_work(
    native: NativeDevice,
    places: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ("train", "--data", places["PICTURES"], "--port", native.url, "--plot", "x.png")
    assert "tinyengine[plot]" in fails(monkeypatch, capsys, *arguments)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_device_that_says_what_it_holds(
    native: NativeDevice, places: dict[str, Path], number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "tinyengine", "train", "--port", native.url, "--data", str(places["PICTURES"])]
    process = subprocess.Popen(
        [*command, "--epochs", "1000000", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while native.baud == 115200 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)  # until it has found the device
    time.sleep(1.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    report = json.loads(out)
    assert report["interrupted"] and report["after"] is None
    assert report["device"]["complete"] and report["device"]["steps"] == report["steps"]
    line = SocketTransport(native.url)
    info = DeviceTrainer(Device.connect(line)).info()
    assert (info.steps, info.state_crc) == (report["steps"], report["device"]["state_crc"])
    line.close()


@pytest.mark.parametrize("name", ["train", "eval", "save", "restore", "reset", "pull", "push"])
def test_help_has_an_example(name: str) -> None:
    assert name in COMMANDS
    assert f"tinyengine {name}" in run(name, "--help").stdout.split("Example:")[1]


# ---- The session, without a device ----


class Recorder:
    """A learner that remembers what it was asked."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, int, int, float]] = []
        self.judged: list[float] = []
        self.places: list[tuple[float, int, int]] = []

    def step(self, values: np.ndarray, sample: Sample, update: Update) -> Outcome:
        self.steps.append((float(values[0, 0, 0]), sample.label, update.step, update.rate))
        self.places.append((update.momentum, update.batch, update.sample))
        return Outcome(1.0, 0)

    def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
        self.judged.append(float(values[0, 0, 0]))
        return Outcome(1.0, 0)

    state = b""

    def return_to(self, state: bytes, steps: int) -> None:
        raise AssertionError("nothing to return to")


def numbered(count: int) -> Arrays:
    values = np.broadcast_to(np.arange(count, dtype=np.int8)[:, None, None, None], (count, 2, 2, 3))
    return Samples(np.array(values), np.arange(count) % 2, ("a", "b"))


class Growing(Recorder):
    """A learner whose loss at a step is ``losses(step)``, and whose state is the number of steps."""

    def __init__(self, losses: Callable[[int], float]) -> None:
        super().__init__()
        self._losses, self.returned = losses, []

    def step(self, values: np.ndarray, sample: Sample, update: Update) -> Outcome:
        super().step(values, sample, update)
        return Outcome(self._losses(len(self.steps)), 0)

    @property
    def state(self) -> bytes:
        return str(len(self.steps)).encode()

    def return_to(self, state: bytes, steps: int) -> None:
        self.returned.append((state, steps))


@pytest.mark.parametrize("losses", [lambda step: 0.05 * step, lambda step: float("nan") if step > 30 else 0.5])
def test_a_training_that_diverges_is_stopped_and_taken_back(losses: Callable[[int], float]) -> None:
    learner, (train, held) = Growing(losses), split(numbered(50), 0.2, seed=0)
    result = fine_tune(learner, train, held, TuneOptions(classes=2, epochs=20))
    assert result.diverged_at == result.steps < 100
    assert learner.returned == [(b"0", 0)] and result.kept_step == 0
    assert result.evaluations[-1] is result.evaluations[0]


def test_a_loss_that_only_trembles_is_no_divergence() -> None:
    learner, (train, held) = Growing(lambda step: 1.9 if step % 2 else 1.0), split(numbered(50), 0.2, seed=0)
    result = fine_tune(learner, train, held, TuneOptions(classes=2, epochs=5))
    assert (result.diverged_at, result.steps, learner.returned) == (None, 200, [])


def test_a_rate_is_found_by_trials_that_leave_nothing() -> None:
    class Bowl(Growing):
        """0.03 is the best rate."""

        def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
            return Outcome(abs(np.log(self.steps[-1][3] / 0.03)) if self.steps[-1][3] < 1 else float("nan"), 0)

    learner, (train, held) = Bowl(lambda step: 1.0), split(numbered(50), 0.2, seed=0)
    found = find_rate(learner, train, held, TuneOptions(classes=2))
    assert found.rate == 0.03
    assert [trial.rate for trial in found.trials] == [1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
    assert (found.steps, len(learner.steps), found.evaluations) == (7 * 64, 7 * 64, 7 * 10)
    assert [steps for _, steps in learner.returned] == [0] * 7
    assert {state for state, _ in learner.returned} == {b"0"}

    stopped = Bowl(lambda step: 1.0)
    with pytest.raises(Interrupted):
        find_rate(stopped, train, held, TuneOptions(classes=2), stop=lambda: len(stopped.steps) >= 70)
    assert len(stopped.returned) == 2


def test_the_worst_samples_are_named() -> None:
    class Judge(Recorder):
        def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
            return Outcome(float(values[0, 0, 0]), 0)

    found = evaluate(Judge(), numbered(8), 2)
    assert found.worst(3) == [7, 5, 3] and found.worst(9) == [7, 5, 3, 1]
    assert found.loss == 3.5 and found.confusion.tolist() == [[4, 0], [4, 0]]


def test_split_holds_out_a_share_of_each_class() -> None:
    samples = numbered(40)
    train, held = split(samples, 0.25, seed=3)
    assert (len(train), len(held)) == (30, 10)
    assert sorted(np.concatenate([train.values, held.values])[:, 0, 0, 0]) == list(range(40))
    assert (held.labels == 0).sum() == 5
    again = split(samples, 0.25, seed=3)[1]
    assert (again.values == held.values).all()
    assert (split(samples, 0.25, seed=4)[1].values != held.values).any()


def test_a_session_shows_every_sample_once_per_epoch_and_decays_the_rate() -> None:
    learner, (train, held) = Recorder(), split(numbered(25), 0.2, seed=0)
    options = TuneOptions(classes=2, epochs=3, rate=1.0, seed=5, first_step=100)
    result = fine_tune(learner, train, held, options)
    assert [step for _, _, step, _ in learner.steps] == list(range(100, 160))
    for epoch in range(3):
        seen = [value for value, *_ in learner.steps[20 * epoch : 20 * epoch + 20]]
        assert sorted(seen) == sorted(train.values[:, 0, 0, 0])
    rates = [rate for *_, rate in learner.steps]
    assert max(rates) == rates[3] == 1.0 and rates[0] == 0.25 and rates[-1] < 0.01
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert learner.judged == [*held.values[:, 0, 0, 0], *held.values[:, 0, 0, 0]]
    assert [found.steps for found in result.evaluations] == [0, 60]
    assert TuneOptions(classes=2, rate=0.5, schedule="constant").rate_at(59, 60) == 0.5


def test_batches_end_with_epochs_and_with_the_training() -> None:
    learner, (train, held) = Recorder(), split(numbered(25), 0.2, seed=0)
    assert len(train) == 20
    options = TuneOptions(classes=2, epochs=1.55, momentum=0.9, batch=8)
    fine_tune(learner, train, held, options)
    sizes = [batch for _, batch, sample in learner.places if sample == 0]
    assert sizes == [8, 8, 4, 8, 3]
    assert [sample for *_, sample in learner.places] == [n for size in sizes for n in range(size)]
    assert [momentum for momentum, *_ in learner.places] == [0.0] * 8 + [0.9] * 23  # a session begins at rest


def test_a_stop_is_obeyed_between_batches() -> None:
    learner, (train, held) = Recorder(), split(numbered(25), 0.2, seed=0)
    options = TuneOptions(classes=2, epochs=3, batch=4)
    result = fine_tune(learner, train, held, options, stop=lambda: len(learner.steps) >= 5)
    assert result.interrupted and result.steps == 8


def test_a_stop_is_obeyed_between_samples() -> None:
    learner, (train, held) = Recorder(), split(numbered(25), 0.2, seed=0)
    options = TuneOptions(classes=2, epochs=3)
    result = fine_tune(learner, train, held, options, stop=lambda: len(learner.steps) == 7)
    assert result.interrupted and result.steps == 7 and len(result.evaluations) == 1
