"""Training a compiled network over the protocol: the device's bytes are the native backend's, and what is pulled is
the trained network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tinyengine.cli.main import cli
from tinyengine.compiler import CompiledModel
from tinyengine.device import Device
from tinyengine.device.training import DeviceTrainer
from tinyengine.device.transport import SocketTransport
from tinyengine.errors import DataError
from tinyengine.finetune.exchange import TrainedState, find_network, read_network, read_state, write_trained
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.native import NativeTrainer
from tinyengine.reference import run
from tinyengine.reference.tflite_runner import open_reference
from tinyengine.step import Sample, Update
from tinyengine.training.state import state_of

from tests.helpers.command_line import tinyengine
from tests.helpers.native_device import NativeDevice, build_compiled, native_device
from tests.helpers.tflite_reference import require_tensorflow
from tests.helpers.trained_network import CLASSES, SCHEME, compile_trainable, random_input, write_model, write_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.tflite")


@pytest.fixture(scope="module")
def compiled(model: Path) -> CompiledModel:
    return compile_trainable(model)


@pytest.fixture(scope="module")
def executable(compiled: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_compiled(compiled, tmp_path_factory.mktemp("device"))


@pytest.fixture
def native(executable: Path, tmp_path: Path) -> Iterator[NativeDevice]:
    with native_device(executable=executable, flash=tmp_path / "flash") as running:
        yield running


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures") / "all", 20)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


def test_ten_steps_give_the_native_bytes(native: NativeDevice, compiled: CompiledModel) -> None:
    line = SocketTransport(native.url)
    trainer, mirror = DeviceTrainer(Device.connect(line)), NativeTrainer(compiled)
    info = trainer.info()
    assert (info.scheme, info.layout, info.classes) == (SCHEME, compiled.layout_hash, 3)
    for number in range(10):
        x, label = random_input(number), number % 3
        done = trainer.step(x, Sample(label, 3), Update(0.05, 4, number))
        expected = mirror.step(x, Sample(label, 3), Update(0.05, 4, number))
        assert (done.loss, done.predicted) == (expected.loss, expected.predicted)
    assert trainer.read_state() == mirror.state
    seen = trainer.evaluate(random_input(99), Sample(0, 3))
    expected = mirror.evaluate(random_input(99), Sample(0, 3))
    assert (seen.loss, seen.predicted) == (expected.loss, expected.predicted)
    line.close()


def test_train_learns_and_pull_is_the_trained_network(
    native: NativeDevice, model: Path, pictures: Path, tmp_path: Path
) -> None:
    """The whole way by commands: train, save, eval, pull; TFLite's kernels on 100 inputs give the device's outputs."""
    plot = tmp_path / "curves.png"
    done = command(
        *("train", "--port", native.url, "--data", pictures, "--epochs", 4, "--lr", 0.02, "--flip", "--save"),
        *("--validate-split", 0.3, "--seed", 1, "--plot", plot, "--json"),
    )
    report = json.loads(done.stdout)
    assert report["classes"] == sorted(CLASSES)
    assert report["before"]["count"] == report["after"]["count"] == 18
    assert report["after"]["accuracy"] > 0.8 > report["before"]["accuracy"] + 0.2
    assert report["steps"] == len(report["losses"]) == 4 * 42
    assert report["device"]["steps"] == 4 * 42 and report["device"]["saved"]
    assert plot.read_bytes().startswith(b"\x89PNG")

    judged = json.loads(command("eval", "--port", native.url, "--data", pictures, "--json").stdout)
    assert judged["count"] == 60 and judged["accuracy"] > 0.8

    pulled = tmp_path / "mine.tflite"
    text = command("pull", model, "-o", pulled, "--port", native.url, "--names", "blue,green,red").stdout
    assert "after 168 training steps" in text
    assert json.loads(pulled.with_suffix(".json").read_text())["classes"] == ["blue", "green", "red"]
    line = SocketTransport(native.url)
    device = Device.connect(line)
    graph, outputs = load_tflite(pulled), []
    for seed in range(100):
        x = random_input(seed)
        (ours,) = device.infer(x).outputs
        outputs.append(tuple(ours))
        np.testing.assert_array_equal(run(graph, [x[None]])[0].ravel(), ours)
    assert len(set(outputs)) > 50, "a network that always says the same proves nothing"
    line.close()
    require_tensorflow()
    tflite = open_reference(pulled, 1, 1)
    for seed in range(100):
        np.testing.assert_array_equal(tflite.run([random_input(seed)])[0].ravel(), outputs[seed])


def test_names_go_with_the_weights(native: NativeDevice, model: Path, pictures: Path, tmp_path: Path) -> None:
    """Case D of the public bug reports, as commands: three classes are taught, then others come."""
    port = ("--port", native.url)
    quick = ("--epochs", 2, "--lr", 0.05, "--validate-split", 0.3, "--json")
    wet = tmp_path / "wet"
    for name, source in (("sky", "blue"), ("wood", "green")):
        shutil.copytree(pictures / source, wet / name)
    only = tmp_path / "only"
    shutil.copytree(pictures / "red", only / "red")

    taught = json.loads(command("train", *port, "--data", pictures, *quick, "--save").stdout)
    assert taught["classes"] == taught["device"]["class_names"] == ["blue", "green", "red"]
    seen = json.loads(command("infer", *port, pictures / "red", "--json").stdout)["pictures"]
    assert sum(each["answer"] == "red" for each in seen) > 10
    alone = json.loads(command("eval", *port, "--data", only, "--json").stdout)
    assert alone["count"] == 20 and alone["accuracy"] == sum(each["answer"] == "red" for each in seen) / 20
    assert "classes" in command("info", *port).stdout and "blue, green, red" in command("info", *port).stdout
    with pytest.raises(DataError, match="sky, wood, but the device has learned blue, green, red"):
        command("eval", *port, "--data", wet)
    mapped = ("--map", "sky=blue", "--map", "wood=green")
    assert json.loads(command("eval", *port, "--data", wet, *mapped, "--json").stdout)["accuracy"] > 0.6

    network, state = tmp_path / "mine.tflite", tmp_path / "mine.npz"
    command("pull", model, "-o", network, *port)
    command("pull", "-o", state, *port)
    assert json.loads(network.with_suffix(".json").read_text())["classes"] == ["blue", "green", "red"]
    command("reset", *port)
    assert json.loads(command("info", *port, "--json").stdout)["training"]["class_names"] == []
    assert {each["answer"] for each in json.loads(command("infer", *port, only, "--json").stdout)["pictures"]} <= {
        "0", "1", "2",
    }  # fmt: skip
    for push in (("push", state), ("push", network, "--model", model)):
        command("reset", *port)
        assert "for blue, green, red" in command(*push, *port).stdout
    command("reset", *port)
    command("restore", *port)
    assert "blue, green, red" in command("info", *port).stdout


def test_a_class_is_added_on_a_free_output(native: NativeDevice, pictures: Path, tmp_path: Path) -> None:
    port, quick = ("--port", native.url), ("--epochs", 2, "--lr", 0.05, "--json")
    first, later = tmp_path / "first", tmp_path / "later"
    for name in ("red", "blue"):
        shutil.copytree(pictures / name, first / name)
    shutil.copytree(pictures / "green", later / "green")
    shutil.copytree(pictures / "blue", later / "blue")
    assert json.loads(command("train", *port, "--data", first, *quick).stdout)["classes"] == ["blue", "red"]
    assert "on 2 of its 3 outputs" in command("eval", *port, "--data", first).stdout
    assert "1 more can be taught" in command("info", *port).stdout
    with pytest.raises(DataError, match="--classes blue,red,green"):
        command("train", *port, "--data", later, *quick)
    added = json.loads(command("train", *port, "--data", later, "--classes", "blue,red,green", *quick).stdout)
    assert added["device"]["class_names"] == ["blue", "red", "green"]
    assert len(added["after"]["confusion"]) == 3 and sum(added["after"]["confusion"][1]) == 0


def test_a_class_that_is_added_with_replay_leaves_the_old_ones(
    native: NativeDevice, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two classes are taught, then a third alone; with a few old pictures shown again all three are known after it."""
    monkeypatch.chdir(tmp_path)
    port, quick = ("--port", native.url), ("--epochs", 6, "--lr", 0.02, "--json")
    first, later = tmp_path / "first", tmp_path / "later"
    for name in ("red", "blue"):
        shutil.copytree(pictures / name, first / name)
    shutil.copytree(pictures / "green", later / "green")
    begun = json.loads(command("train", *port, "--data", first, *quick, "--replay", 8).stdout)
    assert begun["replayed"] == 0
    with np.load("runs/replay.npz") as kept:
        assert sorted(kept["classes"][kept["labels"]]) == ["blue"] * 4 + ["red"] * 4
    state = tmp_path / "two.npz"
    command("pull", "-o", state, *port)

    adding = ("train", *port, "--data", later, "--classes", "blue,red,green", *quick)
    with pytest.raises(DataError, match=r"green alone.*--replay"):
        command(*adding)
    done = json.loads(command(*adding, "--replay", 9).stdout)
    assert done["replayed"] == 16 and done["steps"] == 6 * 32
    judged = json.loads(command("eval", *port, "--data", pictures, "--json").stdout)
    assert [row[k] / sum(row) > 0.7 for k, row in enumerate(judged["confusion"])] == [True] * 3
    with np.load("runs/replay.npz") as kept:
        assert sorted(kept["classes"][kept["labels"]]) == ["blue"] * 3 + ["green"] * 3 + ["red"] * 3

    command("push", state, *port)
    half = tmp_path / "half"
    for name in ("red", "green"):
        shutil.copytree(pictures / name, half / name)
    forgetting = ("train", *port, "--data", half, "--classes", "blue,red,green", *quick)
    command(*forgetting)
    judged = json.loads(command("eval", *port, "--data", first, "--json").stdout)
    assert judged["confusion"][0][0] < 10, "without replay, blue is forgotten"


def test_a_network_that_cannot_be_written_leaves_no_half(compiled: CompiledModel, model: Path, tmp_path: Path) -> None:
    network = find_network(model, compiled.layout_hash, SCHEME, len(CLASSES))
    state = TrainedState(state_of(network.graph, network.layout), network.layout_hash, SCHEME, 0)
    out = tmp_path / "mine.tflite"
    out.with_suffix(".json").mkdir()
    with pytest.raises(DataError, match="cannot write"):
        write_trained(network, state, out)
    assert not out.exists()
    out.with_suffix(".json").rmdir()
    write_trained(network, state, out)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.tflite", "mine.json"}


def test_a_pulled_network_and_a_pulled_state_can_be_pushed(native: NativeDevice, model: Path, tmp_path: Path) -> None:
    line = SocketTransport(native.url)
    trainer = DeviceTrainer(Device.connect(line))
    for number in range(5):
        trainer.step(random_input(number), Sample(number % 3, 3), Update(0.05, step=number))
    trained = trainer.read_state()
    line.close()
    network, state = tmp_path / "trained.tflite", tmp_path / "trained.npz"
    command("pull", model, "-o", network, "--port", native.url)
    command("pull", "-o", state, "--port", native.url)
    assert read_state(state).data == trained
    array, again = tmp_path / "array.cc", tmp_path / "again.tflite"  # the same network as people link it in
    array.write_text(f"const unsigned char model[] = {{{', '.join(map(str, model.read_bytes()))}}};")
    command("pull", array, "-o", again, "--port", native.url)
    for push in (("push", state, "--save"), ("push", network, "--model", model), ("push", again, "--model", array)):
        assert "factory" in command("reset", "--port", native.url).stdout
        said = command(*push, "--port", native.url).stdout
        assert "The device holds the pushed weights" in said
        line = SocketTransport(native.url)
        assert DeviceTrainer(Device.connect(line)).read_state() == trained
        line.close()


@pytest.mark.slow
def test_what_was_saved_is_restored(native: NativeDevice) -> None:
    line = SocketTransport(native.url)
    trainer = DeviceTrainer(Device.connect(line))
    trainer.step(random_input(1), Sample(0, 3), Update(0.05))
    trained = trainer.read_state()
    line.close()
    assert "after 1 training steps (generation 1)" in command("save", "--port", native.url).stdout
    assert "comes back when it restarts" in command("reset", "--port", native.url).stdout
    assert "after 1 training steps" in command("restore", "--port", native.url).stdout
    line = SocketTransport(native.url)
    assert DeviceTrainer(Device.connect(line)).read_state() == trained
    line.close()
    assert "nothing is saved" in command("reset", "--forget", "--port", native.url).stdout
    report = json.loads(command("info", "--port", native.url, "--json").stdout)["training"]
    assert (report["steps"], report["storage"]["outcome"]) == (0, "empty")


def test_early_stop_keeps_the_best(native: NativeDevice, pictures: Path) -> None:
    """At an absurd rate nothing gets better: the weights from before remain."""
    done = command(
        *("train", "--port", native.url, "--data", pictures, "--epochs", 5, "--lr", 900, "--early-stop", 1, "--json")
    )
    report = json.loads(done.stdout)
    assert report["stopped_early"]
    assert report["steps"] < 5 * 48
    best = max(report["evaluations"], key=lambda found: (found["accuracy"], -found["loss"]))
    assert report["after"] == best
    assert report["device"]["steps"] == report["kept_step"] == best["steps"]
    judged = json.loads(command("eval", "--port", native.url, "--data", pictures, "--json").stdout)
    assert judged["device"]["state_crc"] == report["device"]["state_crc"]


def test_a_training_that_diverges_leaves_the_weights_from_before(
    native: NativeDevice, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = ("--port", native.url)
    before = json.loads(command("info", *port, "--json").stdout)["training"]
    arguments = ("train", *port, "--data", pictures, "--epochs", 5, "--lr", 900, "--save")
    code, out, _ = tinyengine(monkeypatch, capsys, *arguments)
    assert code == 1 and "diverged" in out and "--lr 225" in out
    after = json.loads(command("info", *port, "--json").stdout)["training"]
    assert (after["state_crc"], after["steps"], after["saved"]) == (before["state_crc"], 0, False)
    assert after["class_names"] == ["blue", "green", "red"]


def test_a_rate_that_is_found_trains(native: NativeDevice, pictures: Path) -> None:
    port = ("--port", native.url)
    done = json.loads(command("train", *port, "--data", pictures, "--epochs", 4, "--lr", "auto", "--json").stdout)
    assert done["after"]["accuracy"] > 0.8 and done["diverged_at"] is None
    assert (
        done["options"]["rate"]
        == done["rates"]["rate"]
        == min(done["rates"]["trials"], key=lambda t: t["loss"])["rate"]
    )
    assert done["device"]["steps"] == done["steps"], "trials are taken back"
    wrong = done["after"]["count"] - sum(row[k] for k, row in enumerate(done["after"]["confusion"]))
    worst = done["after"]["worst"]
    assert len(worst) == min(wrong, 5)
    assert all(Path(each["picture"]).parent.name == each["class"] != each["answer"] for each in worst)


def test_find_network(model: Path, compiled: CompiledModel, tmp_path: Path) -> None:
    found = find_network(model, compiled.layout_hash, SCHEME, 3)
    assert compiled.training is not None
    assert found.layout.size == compiled.training.layout.size
    other = write_model(tmp_path / "other.tflite", seed=1)
    for wrong in ((other, compiled.layout_hash, SCHEME, 3), (model, compiled.layout_hash, "last-2", 3)):
        with pytest.raises(DataError, match="was not built from"):
            find_network(*wrong)


def test_networks_that_cannot_be_pushed(model: Path, compiled: CompiledModel, tmp_path: Path) -> None:
    network = find_network(model, compiled.layout_hash, SCHEME, 3)
    assert len(read_network(network, _with_head(model, tmp_path / "same.tflite"))) == network.layout.size
    with pytest.raises(DataError, match="other layers"):
        read_network(network, model)  # 5 classes
    altered = tmp_path / "altered.tflite"
    graph = load_tflite(_with_head(model, altered))
    first = next(tensor for tensor in graph.constants() if tensor.dtype == "int8")
    assert first.data is not None
    first.data = first.data.copy()
    first.data.flat[0] ^= 1
    write_tflite(graph, altered)
    with pytest.raises(DataError, match="beyond what the scheme trains"):
        read_network(network, altered)


def _with_head(model: Path, path: Path) -> Path:
    from tinyengine.training.head import replace_head

    write_tflite(replace_head(load_tflite(model), 3, seed=8), path)
    return path


def test_states_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name in ("text.npz", "other.npz"):
        with pytest.raises(DataError, match="holds no trained state"):
            read_state(tmp_path / name)
    with pytest.raises(DataError, match="no file"):
        read_state(tmp_path / "missing.npz")


def test_tables(native: NativeDevice, pictures: Path) -> None:
    text = command("train", "--port", native.url, "--data", pictures, "--epochs", 0.1).stdout
    assert re.search(r"before +│ +[\d.]+% \(\d+ of 12\)", text)
    assert "5 training steps" in text and "not saved" in text
    text = command("eval", "--port", native.url, "--data", pictures).stdout
    assert "blue" in text and "60" in text
