"""MLPerf Tiny's benchmarks as commands on the simulated STM32F405."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.device.errors import ForeignFirmwareError, RefusedError
from tinyengine.device.transport import open_port
from tinyengine.errors import DeviceError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir import Graph
from tinyengine.ir.ops import Window
from tinyengine.mlperf.benchmarks import BENCHMARKS
from tinyengine.mlperf.client import Client
from tinyengine.paths import shared_dir
from tinyengine.reference import run as reference

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.graphs import GraphBuilder
from tests.helpers.tflite_reference import run_builtin_ref

BOARD = "sim_stm32f405"


def pictures() -> Graph:
    b = GraphBuilder(1, "pictures")
    x = b.conv(b.input(1, 8, 8, 3), 4, Window((3, 3), (2, 2), pad=(0, 0, 1, 1)))
    b.output(b.softmax(b.dense(b.reshape(x, (1, 64)), 3)))
    return b.graph


def features() -> Graph:
    b = GraphBuilder(2, "features")
    b.output(b.dense(b.dense(b.input(1, 20), 6), 20))
    return b.graph


def firmware(graph: Graph, benchmark: str, folder: Path) -> tuple[Graph, Path]:
    path = folder / f"{graph.name}.tflite"
    write_tflite(graph, path)
    read = load_tflite(path)
    model = compile_graph(read, CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    return read, compiled(BOARD, folder, model, BENCHMARKS[benchmark].defines)


def scores(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The real values of the only output for an int8 input."""
    quant = graph.outputs[0].quant
    y = reference(graph, [x.reshape(graph.tensors[graph.inputs[0].tensor].shape)])[0].ravel().astype(int)
    return quant.scale[0] * (y - quant.zero_point[0])


def test_pictures_are_classified_as_by_the_oracle(tmp_path: Path) -> None:
    graph, elf = firmware(pictures(), "vww", tmp_path)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (7, 192), dtype=np.uint8)
    expected = [scores(graph, (image.astype(np.int16) - 128).astype(np.int8)) for image in images]
    best = [int(np.argmax(each)) for each in expected]
    data = tmp_path / "vww01"
    data.mkdir()
    for k, image in enumerate(images):
        (data / f"{k}.bin").write_bytes(image.tobytes())
    labels = [*best[:6], (best[6] + 1) % 3]
    (data / "y_labels.csv").write_text("".join(f"{k}.bin, 3, {label}\n" for k, label in enumerate(labels)))

    device = ("--port", f"sim:{BOARD}", "--elf", elf)
    done = run("mlperf", "--benchmark", "vww", "--data", data, "--seconds", "0.01", *device, "--json")
    found = json.loads(done.stdout)
    assert found["accuracy"]["answers"] == best
    assert found["accuracy"]["score"] == pytest.approx(6 / 7) and found["accuracy"]["passed"]
    speed = found["performance"]
    assert len(speed["of_each_input"]) == 5 and min(speed["runs"]) > 1
    assert speed["inferences_per_second"] == sorted(speed["of_each_input"])[2]
    shown = run("mlperf", "--benchmark", "vww", "--data", data, "--mode", "accuracy", "--limit", "6", *device).stdout
    assert "100.0% of 6 inputs, which reaches the floor of 80%" in " ".join(shown.split())
    with pytest.raises(DeviceError, match="runs vww01, not ic01"):
        run("mlperf", "--benchmark", "ic", "--data", data, *device)
    # the frames of our own protocol go beside it
    assert json.loads(run("info", *device, "--json").stdout)["identity"]["model"] == "pictures"

    with open_port(f"sim:{BOARD}", elf=elf) as transport:
        client = Client(transport)
        assert client.greet() == "tinyengine"
        client.load(images[0].tobytes())
        first = client.infer(2, 1)
        np.testing.assert_allclose(first.results, expected[0], atol=0.00051)
        assert first.seconds > 0 and client.infer(20, 0).seconds == pytest.approx(10 * first.seconds, rel=0.2)
        assert client.infer(1, 0).results == first.results  # a run has not consumed what was loaded
        printed = "".join(line.removeprefix("m-buffer-").replace("-", "") for line in client.command("db print"))
        assert bytes.fromhex(printed) == images[0].tobytes()
        for wrong, says in (
            ("infer 0", "must be >0"),
            ("db", "requires a subcommand"),
            ("db load x", "requires the # of bytes"),
            ("db load 193", "takes 192 bytes"),
            ("db 0", "hex digits"),
            ("dance", "Unknown command"),
            ("x" * 81, "longer than 80"),
        ):
            with pytest.raises(RefusedError, match=says):
                client.command(wrong)
        client.command("db load 10")
        with pytest.raises(RefusedError, match="Load 192 bytes first"):
            client.infer(1, 0)


def test_an_anomaly_is_the_mean_square_of_what_the_output_misses(tmp_path: Path) -> None:
    graph, elf = firmware(features(), "ad", tmp_path)
    quant = graph.inputs[0].quant
    rng = np.random.default_rng(4)
    sounds = rng.normal(0, 40 * quant.scale[0], (4, 60)).astype(np.float32)
    sounds[2:] *= 3
    data = tmp_path / "ad01"
    data.mkdir()
    expected = []
    for k, sound in enumerate(sounds):
        (data / f"{k}.bin").write_bytes(sound.tobytes())
        of_windows = []
        for start in range(0, 41, 20):
            window = sound[start : start + 20]
            nearest = np.sign(window) * np.floor(np.abs(window / np.float32(quant.scale[0])) + 0.5)
            stored = np.clip(nearest + quant.zero_point[0], -128, 127).astype(np.int8)
            of_windows.append(np.mean((scores(graph, stored) - window) ** 2))
        expected.append(np.mean(of_windows))
    (data / "y_labels.csv").write_text("".join(f"{k}.bin,2,{k // 2},80,80\n" for k in range(4)))
    device = ("--port", f"sim:{BOARD}", "--elf", elf)
    found = json.loads(
        run("mlperf", "--benchmark", "ad", "--data", data, "--mode", "accuracy", *device, "--json").stdout
    )
    np.testing.assert_allclose(found["accuracy"]["answers"], expected, atol=0.001)
    assert found["accuracy"]["metric"] == "auc" and found["accuracy"]["score"] == 1.0


@pytest.mark.parametrize(
    ("benchmark", "file"),
    [
        ("vww", "networks/mlperf_vww_96_int8.tflite"),
        ("kws", "networks/mlperf_kws_int8.tflite"),
        ("sww", "wild/str_ww_ref_model.tflite"),
    ],
)
def test_reference_networks_answer_as_tflite(benchmark: str, file: str, tmp_path: Path) -> None:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no networks of MLPerf")
    path = folder / "models" / file
    graph = load_tflite(path)
    options = CompileOptions(cpu=load(BOARD).cpu, requant="exact")
    model = compile_graph(load_tflite(path), options, None, *identify(path))
    elf = compiled(BOARD, tmp_path, model, BENCHMARKS[benchmark].defines)
    x = np.random.default_rng(5).integers(-128, 128, graph.tensors[graph.inputs[0].tensor].shape).astype(np.int8)
    sent = (x.astype(np.int16) + 128).astype(np.uint8) if benchmark == "vww" else x
    wanted = run_builtin_ref(path.read_bytes(), [x])[0].ravel().astype(int)
    quant = graph.outputs[0].quant
    with open_port(f"sim:{BOARD}", elf=elf) as transport:
        client = Client(transport)
        client.greet()
        client.load(sent.tobytes())
        found = client.infer(1, 0).results
    np.testing.assert_allclose(found, quant.scale[0] * (wanted - quant.zero_point[0]), atol=0.00051)


def test_firmware_without_it_says_how_to_get_it(tmp_path: Path) -> None:
    path = tmp_path / "plain.tflite"
    write_tflite(features(), path)
    elf = compiled(BOARD, tmp_path, compile_graph(load_tflite(path), CompileOptions(cpu=load(BOARD).cpu)))
    (tmp_path / "y_labels.csv").write_text("a.bin,2,0\n")
    (tmp_path / "a.bin").write_bytes(bytes(20))
    with pytest.raises(ForeignFirmwareError, match="--mlperf BENCHMARK"):
        run("mlperf", "--benchmark", "kws", "--data", tmp_path, "--port", f"sim:{BOARD}", "--elf", elf)
