"""Published streaming wake words: natively and on simulated cores the answers of TFLite, run after run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.frontend import load_tflite
from tinyengine.ir import Graph, OpKind, Port
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.native.build import build
from tinyengine.paths import shared_dir
from tinyengine.reference import Session

from tests.helpers import needs
from tests.helpers.tflite_reference import run_builtin_ref_in_a_row

RUNS = 10
HALF = ("hey_jarvis", "okay_nabu", "alexa")
"""Networks of three architectures, which are held to half of what TFLite Micro with CMSIS-NN takes."""


def entries() -> list[dict]:
    folder = shared_dir()
    if folder is None or not (folder / "models" / "wild" / "index.json").exists():
        return []
    listed = json.loads((folder / "models" / "wild" / "index.json").read_text())
    return [entry for entry in listed if "CALL_ONCE" in entry["operators"]]


def path_of(name: str) -> Path:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no published wake words")
    return folder / "models" / "wild" / f"{name}.tflite"


def runs_of(graph: Graph) -> list[list[np.ndarray]]:
    """From silence to noise."""
    rng, shape = np.random.default_rng(3), graph.tensor(graph.inputs[0].tensor).shape
    return [[rng.integers(-128, high, shape).astype(np.int8)] for high in np.linspace(-100, 127, RUNS).astype(int)]


def observed(graph: Graph, prefix: str = "network") -> CompiledModel:
    """The network with the outputs of its layers as outputs: its answer hardly moves."""
    layers = [op.outputs[0] for op in graph.operators if op.kind in (OpKind.CONV_2D, OpKind.FULLY_CONNECTED)]
    ports = [Port(name, name, "int8", graph.tensor(name).quant) for name in layers]
    return compile_graph(
        replace(graph, outputs=[*graph.outputs, *ports]), CompileOptions(optimize="sram", prefix=prefix)
    )


@pytest.mark.slow(but=3)
@pytest.mark.parametrize("name", [entry["file"].removesuffix(".tflite") for entry in entries()] or ["hey_jarvis"])
def test_answers_are_those_of_tflite_run_after_run(name: str) -> None:
    path = path_of(name)
    graph = load_tflite(path)
    runs = runs_of(graph)
    session = Session(graph)
    for ours, theirs in zip([session.run(x) for x in runs], run_builtin_ref_in_a_row(path, runs), strict=True):
        np.testing.assert_array_equal(ours[0].ravel(), theirs[0].ravel())
    model = observed(graph)
    network, oracle = build(model), Session(graph)
    for _ in range(2):
        for x in runs:
            values = oracle.values(x)
            for port, got in zip(model.graph.outputs, network.run(x), strict=True):
                if port.dtype == "int8":  # the oracle has the answer in uint8, as the file
                    np.testing.assert_array_equal(got.ravel(), values[port.tensor].ravel(), port.tensor)
        network.reset()
        oracle.reset()


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7"])
def test_cores_compute_the_same_and_again_after_a_reset(cpu: str) -> None:
    models = [observed(load_tflite(path_of(name)), name) for name in HALF]
    runs = [runs_of(model.graph) for model in models]
    jobs = [Job(i, x, reset=n == 0) for i, xs in enumerate(runs) for _ in range(2) for n, x in enumerate(xs)]
    with BenchImage(models, cpu) as image:
        results = iter(image.run(jobs, exact=False))
    for model, xs in zip(models, runs, strict=True):
        for _ in range(2):
            session = Session(model.graph)
            for x in xs:
                for got, wanted in zip(next(results).outputs, session.run(x), strict=True):
                    np.testing.assert_array_equal(got.ravel(), wanted.ravel())


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4"])
@pytest.mark.parametrize("name", HALF)
def test_at_most_half_of_what_tflite_micro_takes(name: str, cpu: str) -> None:
    path = path_of(name)
    [theirs] = [entry["tflm_cmsis_nn"] for entry in entries() if entry["file"] == path.name]
    options = CompileOptions(optimize="sram", requant="exact", cpu=cpu)
    report = bench(compile_graph(load_tflite(path), options), path, check=RUNS)
    assert report.check is not None and report.check.mismatched == 0
    assert 2 * report.instructions <= theirs[f"{cpu[-2:]}_instructions"]
    assert 2 * (report.arena_bytes + report.states_bytes) <= theirs["arena_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kws_ref_model", "str_ww_ref_model"])
def test_networks_of_whole_windows_take_half_of_both_below_a_cap(name: str) -> None:
    """For time they take 60 to 74 % of the SRAM, for SRAM 51 to 56 % of the instructions: a build between is both."""
    path = path_of(name)
    entries = json.loads((path.parent / "index.json").read_text())
    [theirs] = [entry["tflm_cmsis_nn"] for entry in entries if entry["file"] == path.name]
    report = bench(compile_graph(load_tflite(path), CompileOptions(sram=theirs["arena_bytes"] // 2)))
    assert 2 * report.instructions <= theirs["m4_instructions"]
    assert 2 * report.arena_bytes <= theirs["arena_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("cpu", needs.run(["cortex-m3", "cortex-m0plus", "rv32imc"]))
def test_what_they_take_without_dsp_extension(cpu: str) -> None:
    most = {"cortex-m3": 9_000_000, "cortex-m0plus": 15_000_000, "rv32imc": 11_200_000}[cpu]
    path = path_of("kws_ref_model")
    report = bench(compile_graph(load_tflite(path), CompileOptions(cpu=cpu)), path, check=1)
    assert report.check is not None and report.check.mismatched == 0
    assert report.instructions <= most
