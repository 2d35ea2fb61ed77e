"""What public bug reports look like here, as commands on the simulated STM32F405: what classes mean after training on
the board, and networks that take no pictures."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tinyengine import sim
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Window
from tinyengine.paths import shared_dir
from tinyengine.reference import run as reference

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.graphs import GraphBuilder
from tests.helpers.trained_network import compile_trainable, write_model

BOARD = "sim_stm32f405"
COLOURS = {"cup": (200, 40, 40), "tea": (40, 40, 200), "tin": (40, 200, 40)}


def report(*arguments: object) -> dict:
    return json.loads(run(*arguments, "--json").stdout)


def refused(*arguments: object) -> str:
    with pytest.raises(DataError) as told:
        run(*arguments)
    assert "\n" not in str(told.value)
    return str(told.value)


# ---- D: what the classes mean ----


def fill(folder: Path, count: int = 8, **classes: str) -> Path:
    """``count`` noisy pictures in each folder of ``classes``, of the thing that is named."""
    rng = np.random.default_rng(0)
    for name, thing in classes.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            pixels = np.clip(rng.normal(COLOURS[thing], 30, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.tflite")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("data") / "three", cup="cup", tea="tea", tin="tin")


@pytest.fixture(scope="module")
def taught(model: Path, three: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The --port of a board that tells cup, tea and tin apart."""
    folder = tmp_path_factory.mktemp("board")
    elf = compiled(BOARD, folder, compile_trainable(model, load(BOARD).cpu))
    with sim.start(BOARD, elf, flash=folder / "flash") as board:
        port = ("--port", board.url)
        done = report("train", *port, "--data", three, "--epochs", 4, "--lr", 0.05, "--save")
        assert done["after"]["accuracy"] == 1.0 and done["device"]["saved"]
        yield port


def test_a_part_of_the_folders_is_matched_by_name(taught: tuple[str, str], tmp_path: Path) -> None:
    part = fill(tmp_path / "part", tea="tea", tin="tin")
    found = report("eval", *taught, "--data", part)
    assert found["accuracy"] == 1.0 and found["classes"] == ["cup", "tea", "tin"]
    assert [sum(row) for row in found["confusion"]] == [0, 8, 8]
    alone = report("eval", *taught, "--data", fill(tmp_path / "alone", tea="tea"))
    assert (alone["count"], alone["accuracy"]) == (8, 1.0)


def test_answers_have_the_taught_names(taught: tuple[str, str], three: Path) -> None:
    seen = report("infer", *taught, *(three / name / "0.png" for name in COLOURS))["pictures"]
    assert [each["answer"] for each in seen] == ["cup", "tea", "tin"]
    lines = run("stream", *taught, "--source", three / "tin", "--frames", 2, "--json").stdout.splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["tin", "tin"]
    assert "cup, tea, tin" in run("info", *taught).stdout


def test_a_pulled_network_has_the_taught_names(taught: tuple[str, str], model: Path, tmp_path: Path) -> None:
    run("pull", model, "-o", tmp_path / "mine.tflite", *taught)
    assert json.loads((tmp_path / "mine.json").read_text())["classes"] == ["cup", "tea", "tin"]


def test_other_names_are_refused_with_both_lists(taught: tuple[str, str], tmp_path: Path) -> None:
    renamed = fill(tmp_path / "renamed", Tea="tea", a_mug="cup")
    for command in ("eval", "train"):
        said = refused(command, *taught, "--data", renamed)
        assert "Tea, a_mug, but the device has learned cup, tea, tin" in said
    mapped = ("--map", "Tea=tea", "--map", "a_mug=cup")
    assert report("eval", *taught, "--data", renamed, *mapped)["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("empty", "word"), [("zzz_none", "zzz_none holds no samples"), ("aaa_none", "aaa_none holds no samples")]
)
def test_an_empty_class_is_refused(taught: tuple[str, str], tmp_path: Path, empty: str, word: str) -> None:
    data = fill(tmp_path / "d", cup="cup", tea="tea")
    (data / empty).mkdir()
    assert word in refused("train", *taught, "--data", data)


def test_parts_of_the_data_are_no_classes(taught: tuple[str, str], tmp_path: Path) -> None:
    for part in ("train", "test"):
        fill(tmp_path / "nested" / part, cup="cup", tea="tea")
    said = refused("train", *taught, "--data", tmp_path / "nested")
    given = re.search(r"give --data (\S+) \(and --validate (\S+) ", said)
    assert given is not None
    assert report("eval", *taught, "--data", given[1])["accuracy"] == 1.0


def test_what_an_operating_system_adds_is_no_picture(taught: tuple[str, str], tmp_path: Path) -> None:
    data = fill(tmp_path / "mac", cup="cup", tea="tea")
    for name in (".DS_Store", "cup/.DS_Store", "cup/._0.png", "cup/Thumbs.db", "._0.png", "notes.txt"):
        (data / name).write_bytes(b"\0\5\x16\7Mac OS X")
    for folder in (data / ".ipynb_checkpoints", data / "cup" / ".ipynb_checkpoints"):
        folder.mkdir()
        shutil.copy(data / "tea" / "0.png", folder / "0-checkpoint.png")
    found = report("eval", *taught, "--data", data)
    assert (found["count"], found["accuracy"]) == (16, 1.0)


def test_data_that_cannot_be_learned(taught: tuple[str, str], tmp_path: Path) -> None:
    one = fill(tmp_path / "one", cup="cup")
    assert "of cup alone" in refused("train", *taught, "--data", one)
    single = fill(tmp_path / "single", 1, cup="cup", tea="tea")
    assert "'cup' has a single sample" in refused("train", *taught, "--data", single)
    corrupt = fill(tmp_path / "corrupt", cup="cup", tea="tea")
    (corrupt / "tea" / "7.png").write_bytes((corrupt / "tea" / "7.png").read_bytes()[:500])
    assert "tea/7.png cannot be decoded" in refused("train", *taught, "--data", corrupt)
    for picture in (heic := fill(tmp_path / "heic", cup="cup", tea="tea")).rglob("*.png"):
        picture.rename(picture.with_suffix(".HEIC"))
    assert "holds no pictures (.bmp, " in refused("train", *taught, "--data", heic)


# ---- E: networks that take no pictures ----


def sine() -> Graph:
    """A number to a number."""
    b = GraphBuilder(7, "sine")
    b.output(b.dense(b.relu(b.dense(b.input(1, 1, name="angle"), 8)), 1))
    return b.graph


def two_outputs() -> Graph:
    """Two series, with the names that TensorFlow gives them, to a class and a number."""
    b = GraphBuilder(5, "two")
    ecg = b.input(1, 1, 12, 1, name="serving_default_ecg:0")
    acc = b.input(1, 1, 12, 2, name="serving_default_acc:0")
    both = b.binary(OpKind.ADD, *(b.conv(x, 4, Window((1, 3), stride=(1, 2))) for x in (ecg, acc)))
    b.output(b.softmax(b.dense(both, 2)))
    b.output(b.dense(both, 1))
    return b.graph


def gestures() -> Graph:
    """A series of 16 lines of 3 numbers to one of three classes."""
    b = GraphBuilder(3, "gestures")
    b.output(b.dense(b.conv(b.input(1, 1, 16, 3, name="acc"), 6, Window((1, 3), stride=(1, 2))), 3))
    return b.graph


def unet() -> Graph:
    """A series of 16 lines of 3 numbers to one number for each line."""
    b = GraphBuilder(17, "unet")
    b.output(b.conv(b.conv(b.input(1, 1, 16, 3, name="acc"), 4, Window((1, 3), pad=(0, 0, 1, 1))), 1, Window((1, 1))))
    return b.graph


def class_map() -> Graph:
    """Of every place of 6 x 6 x 2 one of three classes."""
    b = GraphBuilder(6, "places")
    b.output(b.conv(b.input(1, 6, 6, 2, name="readings"), 3, Window((3, 3), pad=(1, 1, 1, 1))))
    return b.graph


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Callable[..., tuple[Graph, tuple[str, str]]]]:
    """Builds a network, with what its MODEL.json says, and starts it: the graph as its file has it, and the --port."""
    boards = []

    def build(graph: Graph, meaning: dict | None = None, **training: str | int) -> tuple[Graph, tuple[str, str]]:
        path = tmp_path / f"{graph.name}.tflite"
        write_tflite(graph, path)
        if meaning:
            path.with_suffix(".json").write_text(json.dumps(meaning))
        read = load_tflite(path)
        options = CompileOptions(cpu=load(BOARD).cpu, **training)  # type: ignore[arg-type]
        elf = compiled(BOARD, tmp_path, compile_graph(read, options, None, *identify(path)))
        boards.append(sim.start(BOARD, elf))
        return read, ("--port", boards[-1].__enter__().url)

    yield build
    for board in boards:
        board.__exit__(None, None, None)


def real(graph: Graph, raw: np.ndarray, port: int = 0) -> np.ndarray:
    """What int8 values of an input stand for."""
    quant = graph.inputs[port].quant
    assert quant is not None
    return quant.scale[0] * (raw.astype(np.float64) - quant.zero_point[0])


def test_regression_in_its_unit(built: Callable, tmp_path: Path) -> None:
    meaning = {"task": "regression", "outputs": [{"name": "torque", "unit": "Nm"}]}
    graph, port = built(sine(), meaning)
    raw = np.arange(-100, 100, 20, dtype=np.int8).reshape(-1, 1)
    expected = np.array([reference(graph, [raw[k : k + 1]])[0].item() for k in range(len(raw))])
    quant = graph.outputs[0].quant
    torque = quant.scale[0] * (expected.astype(float) - quant.zero_point[0])
    np.savetxt(tmp_path / "angles.csv", real(graph, raw))
    found = report("infer", *port, tmp_path / "angles.csv")["pictures"]
    assert [each["outputs"][0][0] for each in found] == expected.tolist()
    assert found[0]["numbers"] == [{"name": "torque", "values": [pytest.approx(torque[0])], "unit": "Nm"}]
    assert f"{torque[0]:.4g} Nm" in run("infer", *port, tmp_path / "angles.csv").stdout
    np.savez(tmp_path / "truth.npz", x=raw, y=torque + np.resize([0.5, -0.5, 1.5], len(raw)))
    judged = report("eval", *port, "--data", tmp_path / "truth.npz")
    assert judged["numbers"] == [
        {
            "name": "0",
            "unit": "Nm",
            "mean_error": pytest.approx(0.8),
            "rms_error": pytest.approx((0.7 * 0.25 + 0.3 * 2.25) ** 0.5),
            "largest_error": pytest.approx(1.5),
        }
    ]
    assert "0.8 Nm" in run("eval", *port, "--data", tmp_path / "truth.npz").stdout


def test_several_inputs_and_outputs(built: Callable, tmp_path: Path) -> None:
    meaning = {"classes": ["calm", "fast"], "outputs": [{}, {"name": "rate", "unit": "1/min"}]}
    graph, port = built(two_outputs(), meaning)
    rng = np.random.default_rng(0)
    ecg, acc = (rng.integers(-128, 128, (6, 1, 12, n)).astype(np.int8) for n in (1, 2))
    y = np.array([int(reference(graph, [ecg[k : k + 1], acc[k : k + 1]])[0].argmax()) for k in range(6)])
    np.savez(tmp_path / "six.npz", acc=acc, ecg=ecg, y=y)
    found = report("infer", *port, tmp_path / "six.npz")["pictures"]
    assert [each["index"] for each in found] == y.tolist()
    assert found[0]["answer"] == meaning["classes"][y[0]]
    lines = [
        json.loads(line)
        for line in run("stream", *port, "--source", tmp_path / "six.npz", "--json").stdout.splitlines()
    ]
    assert [line["index"] for line in lines] == y.tolist()
    judged = report("eval", *port, "--data", tmp_path / "six.npz")
    assert (judged["accuracy"], judged["count"], judged["classes"]) == (1.0, 6, ["calm", "fast"])
    np.savez(tmp_path / "wrong.npz", acc=acc, ecg=ecg, y=1 - y)
    assert report("eval", *port, "--data", tmp_path / "wrong.npz")["accuracy"] == 0.0
    np.savez(tmp_path / "half.npz", acc=acc)
    assert "no array 'ecg': the network's inputs are ecg, acc" in refused("infer", *port, tmp_path / "half.npz")


def test_a_series_from_anywhere(built: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, port = built(gestures(), {"classes": ["rest", "wave", "fall"], "input": {"hop": 8}})
    raw = np.random.default_rng(1).integers(-128, 128, (40, 3)).astype(np.int8)
    windows = [raw[start : start + 16].reshape(1, 1, 16, 3) for start in (0, 8, 16, 24)]
    expected = [reference(graph, [window])[0].ravel().tolist() for window in windows]
    answers = [["rest", "wave", "fall"][int(np.argmax(each))] for each in expected]
    np.save(tmp_path / "run.npy", raw)
    np.savetxt(tmp_path / "run.csv", real(graph, raw), delimiter=",", header="x,y,z", comments="")
    for name in ("run.npy", "run.csv"):
        assert [each["answer"] for each in report("infer", *port, tmp_path / name)["pictures"]] == answers
        lines = run("stream", *port, "--source", tmp_path / name, "--json").stdout.splitlines()
        assert [json.loads(line)["answer"] for line in lines] == answers
    assert len(report("infer", *port, tmp_path / "run.npy", "--hop", 24)["pictures"]) == 2
    assert "takes 16 lines at once" in refused("infer", *port, tmp_path / "run.npy", "--window", 20)
    typed = (tmp_path / "run.csv").read_bytes().replace(b",", b" ")
    stdin = io.TextIOWrapper(io.BytesIO(typed))  # click's runner has one of its own
    monkeypatch.setattr("tinyengine.device.sources.sys", SimpleNamespace(stdin=stdin))
    lines = run("stream", *port, "--source", "stdin", "--json").stdout.splitlines()
    assert [json.loads(line)["answer"] for line in lines] == answers


def test_a_number_for_each_line(built: Callable, tmp_path: Path) -> None:
    graph, port = built(unet())
    raw = np.random.default_rng(2).integers(-128, 128, (2, 1, 16, 3)).astype(np.int8)
    np.save(tmp_path / "two.npy", raw.reshape(32, 3))
    found = report("infer", *port, tmp_path / "two.npy")["pictures"]
    for k, each in enumerate(found):
        assert each["answer"] is None
        assert each["outputs"][0] == reference(graph, [raw[k : k + 1]])[0][0].tolist()


def test_a_map_of_classes_is_judged_place_by_place(built: Callable, tmp_path: Path) -> None:
    graph, port = built(class_map(), {"classes": ["soil", "leaf", "pest"]})
    raw = np.random.default_rng(3).integers(-128, 128, (3, 6, 6, 2)).astype(np.int8)
    truth = np.stack([reference(graph, [raw[k : k + 1]])[0][0].argmax(-1) for k in range(3)])
    truth[0, 0, 0] = (truth[0, 0, 0] + 1) % 3
    np.savez(tmp_path / "fields.npz", x=raw, y=truth)
    judged = report("eval", *port, "--data", tmp_path / "fields.npz")
    assert (judged["count"], judged["accuracy"]) == (108, pytest.approx(107 / 108))
    outputs = np.stack([reference(graph, [raw[k : k + 1]])[0][0] for k in range(3)]).reshape(-1, 3)
    logits = graph.outputs[0].quant.scale[0] * outputs.astype(float)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    chances = (powers / powers.sum(1, keepdims=True))[np.arange(108), truth.ravel()]
    assert judged["loss"] == pytest.approx(-np.log(np.maximum(chances, 1 / 512)).mean())
    assert "leaf" in run("eval", *port, "--data", tmp_path / "fields.npz").stdout
    np.savez(tmp_path / "fields.npz", x=raw, y=truth[:, :5])
    assert "the classes of 36 places" in refused("eval", *port, "--data", tmp_path / "fields.npz")


def test_outputs_without_names_are_not_guessed(built: Callable, tmp_path: Path) -> None:
    graph, port = built(gestures())
    for name in ("rest", "wave", "fall"):
        (tmp_path / "d" / name).mkdir(parents=True)
        np.save(tmp_path / "d" / name / "0.npy", np.full((16, 3), len(name) + ord(name[0]), np.int8))
    said = refused("eval", *port, "--data", tmp_path / "d")
    assert "3 outputs and does not say what they are called" in said
    called = ("--classes", "rest,wave,fall")
    found = report("eval", *port, "--data", tmp_path / "d", *called)
    assert found["count"] == 3 and found["classes"] == ["rest", "wave", "fall"]
    y = [int(reference(graph, [np.full((1, 1, 16, 3), 4 + ord(n), np.int8)])[0].argmax()) for n in "rwf"]
    assert found["accuracy"] == pytest.approx(np.mean(np.array(y) == [0, 1, 2]))


def test_series_are_learned(built: Callable, tmp_path: Path) -> None:
    """A board learns two movements from files of numbers, and tells them apart afterwards."""
    _, port = built(gestures(), train="last-1", classes=3)
    rng = np.random.default_rng(4)
    for name, axis in (("wave", 0), ("fall", 2)):
        (tmp_path / "d" / name).mkdir(parents=True)
        series = rng.normal(0, 8, (160, 3))
        series[:, axis] += 60
        np.save(tmp_path / "d" / name / "0.npy", np.clip(series, -128, 127).astype(np.int8))
    quick = ("--data", tmp_path / "d", "--hop", 8, "--epochs", 6, "--lr", 0.002)
    done = report("train", *port, *quick)
    assert done["classes"] == ["fall", "wave"]
    assert done["before"]["count"] == 2 * 4 and done["after"]["accuracy"] == 1.0
    assert report("eval", *port, "--data", tmp_path / "d")["accuracy"] == 1.0
    seen = report("infer", *port, tmp_path / "d" / "wave")["pictures"]
    assert {each["answer"] for each in seen} == {"wave"} and len(seen) == 10
    assert "--flip mirrors pictures" in refused("train", *port, *quick, "--flip")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "data", "samples"),
    [
        ("07_sine_regression/sine", "07_sine_regression/sine.npy", 300),
        ("05_multi_input/two", None, 2),
        ("08_sum_pool/class_map", None, 2),
        ("17_unet1d/unet1d", "17_unet1d/unet1d.npy", 100),
    ],
)
def test_networks_of_the_reports(case: str, data: str | None, samples: int, built: Callable, tmp_path: Path) -> None:
    """The files themselves, on the numbers that belong to them."""
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED names no folder")
    cases = folder / "cases"
    graph, port = built(load_tflite(cases / f"{case}.tflite"))
    rng = np.random.default_rng(0)
    shapes = [graph.tensor(p.tensor).shape[1:] for p in graph.inputs]
    raw = [rng.integers(-128, 128, (2, *shape)).astype(np.int8) for shape in shapes]
    names = [p.name for p in graph.inputs]
    np.savez(tmp_path / "x.npz", **dict(zip(names, raw, strict=True)))
    found = report("infer", *port, tmp_path / "x.npz")["pictures"]
    for k, each in enumerate(found):
        expected = reference(graph, [x[k : k + 1] for x in raw])
        assert each["answer"] is None
        assert [np.array(o).ravel().tolist() for o in each["outputs"]] == [o.ravel().tolist() for o in expected]
    if data:
        values = np.load(cases / data)
        assert len(values) == samples
        np.save(tmp_path / "x.npy", values[:3])
        assert len(report("infer", *port, tmp_path / "x.npy")["pictures"]) == 3
