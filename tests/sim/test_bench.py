"""Whole networks on the simulated cores: every output byte equals TFLite's, in the memory the plan promised."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tinyengine import reference
from tinyengine.cli.main import cli
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.errors import ToolError
from tinyengine.ir import Activation, Graph
from tinyengine.measure.bench import Expected, bench, compare, expected_outputs, inside_values, random_inputs
from tinyengine.measure.target_runner import PAINTS, BenchImage, Job
from tinyengine.paths import project_root, shared_dir

from tests.helpers import needs, networks
from tests.helpers.graphs import GraphBuilder

pytestmark = needs.simulated_core
needs_tensorflow = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")

INPUTS = 20
KERNELS = pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])

# Converted from the PyTorch network of tests/unit/test_pytorch.py by `tinyengine convert`, so that how PyTorch's layout
# arrives here (pads before convolutions, a transposition before the mean) is tested without PyTorch.
FROM_PYTORCH = project_root() / "tests" / "data" / "pytorch_cnn.tflite"

# The families of networks people use, each with 20 inputs; the odd ones, each with a few.
FAMILIES = ["mobilenet_v1", "mobilenet_v2", "resnet8", "mobilenet_v3", "efficientnet", "detector"]
ODD_INPUTS = 3


def _third_party() -> list[Path]:
    shared = shared_dir()
    return sorted((shared / "models" / "networks").glob("*.tflite")) if shared else []


def _own() -> list[Path]:
    return sorted((project_root() / "models").glob("*.tflite"))


# Said even though our own networks are there: less is tested than could be.
NOT_THERE = (
    []
    if _third_party()
    else [pytest.param(None, marks=pytest.mark.skip(reason="TINYENGINE_SHARED is absent: no third-party networks"))]
)


@pytest.mark.slow(but=1)
@needs_tensorflow
@KERNELS
@needs.thorough_cores
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem) for path in [*_own(), FROM_PYTORCH, *_third_party()]] + NOT_THERE,
)
def test_equals_tflite(path: Path, cpu: str, portable: bool) -> None:
    compiled = compile_model(path, CompileOptions(cpu=cpu))
    report = bench(compiled, path, check=INPUTS, portable=portable)
    assert report.check is not None
    assert report.check.inputs == INPUTS
    assert (report.check.mismatched, report.check.max_abs_diff) == (0, 0)
    assert 0 < report.arena_high_water <= report.arena_bytes
    assert 0 < report.stack_bytes <= 4096
    assert report.instructions > 0.3 * report.macs
    layers = sum(layer.instructions for layer in report.per_layer)
    assert abs(report.residue) <= 20 * len(report.per_layer) and report.instructions == layers + report.residue
    assert sum(layer.macs for layer in report.per_layer) == report.macs
    assert report.flash_bytes.weights >= 0 and report.flash_bytes.code > 0


@pytest.mark.slow
@needs_tensorflow
@KERNELS
@needs.thorough_cores
def test_families_equal_tflite(cpu: str, portable: bool) -> None:
    _check_all(tuple(FAMILIES), cpu, portable, INPUTS)


@pytest.mark.slow
@needs_tensorflow
@KERNELS
@needs.thorough_cores
def test_odd_networks_equal_tflite(cpu: str, portable: bool) -> None:
    _check_all(tuple(name for name in networks.names() if name not in FAMILIES), cpu, portable, ODD_INPUTS)


@pytest.mark.slow(but=1)
@KERNELS
@needs.thorough_cores
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in _own()])
def test_fast_requantization_equals_the_oracle(path: Path, cpu: str, portable: bool) -> None:
    """Through a whole network, on every build: what the oracle says, and so the same everywhere."""
    compiled = compile_model(path, CompileOptions(cpu=cpu, requant="fast"))
    inputs = [inside_values(compiled.graph, values) for values in random_inputs(compiled.graph, 2)]
    with BenchImage([compiled], cpu, portable) as image:
        runs = image.run([Job(0, values) for values in inputs], exact=False)
    for values, run in zip(inputs, runs, strict=True):
        for wanted, got in zip(
            reference.run(compiled.graph, values, requant=compiled.roundings), run.outputs, strict=True
        ):
            np.testing.assert_array_equal(got.reshape(wanted.shape), wanted)


@needs_tensorflow
def test_fast_requantization_may_differ() -> None:
    """Differences are told but are no failure: exit code 0."""
    path = _own()[0]
    result = CliRunner().invoke(cli, ["bench", str(path), "--requant", "fast", "--check", "10", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    check = report["check"]
    assert report["requant"] == "fast"
    assert check["mismatched"] > 0 and check["max_abs_diff"] >= 1, "no difference: is it fast?"
    assert check["mismatched_share"] == pytest.approx(check["mismatched"] / check["outputs"], abs=1e-6)


@functools.cache
def _compiled(name: str, cpu: str) -> CompiledModel:
    return compile_model(networks.path(name), CompileOptions(cpu=cpu, prefix=name))


@functools.cache
def _expected(name: str, count: int) -> Expected:
    graph = _compiled(name, "cortex-m4").graph
    return expected_outputs(graph, networks.path(name), random_inputs(graph, count))


def _check_all(names: tuple[str, ...], cpu: str, portable: bool, count: int) -> None:
    """All networks in one image and one simulation, without counting."""
    models = [_compiled(name, cpu) for name in names]
    jobs = [
        Job(index, inside_values(model.graph, values), paint=PAINTS[number % 2])
        for index, model in enumerate(models)
        for number, values in enumerate(random_inputs(model.graph, count))
    ]
    with BenchImage(models, cpu, portable) as image:
        runs = image.run(jobs, exact=False)
    complaints = []
    for index, (name, model) in enumerate(zip(names, models, strict=True)):
        mine = runs[index * count : (index + 1) * count]
        check = compare(_expected(name, count), mine)
        if check.mismatched:
            complaints.append(f"{name}: {check}")
        if not all(run.guards_intact and run.arena_used <= model.plan.arena_bytes for run in mine):
            complaints.append(f"{name}: wrote outside its arena")
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="module")
def small() -> Path:
    """A network that compiles and runs quickly."""
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    return networks.path("one_conv")


def test_json_keys_are_a_contract(small: Path) -> None:
    result = CliRunner().invoke(
        cli, ["bench", str(small), "--cpu", "cortex-m7", "--check", "2", "--requant", "exact", "--json"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report) >= {
        *("instructions", "per_layer", "arena_bytes", "arena_high_water", "stack_bytes", "flash_bytes", "check"),
        *("model", "cpu", "macs", "requant", "portable", "residue"),
    }
    assert set(report["per_layer"][0]) >= {"name", "op", "macs", "instructions"}
    assert set(report["flash_bytes"]) == {"weights", "code", "total", "functions"}
    assert report["flash_bytes"]["total"] == report["flash_bytes"]["weights"] + report["flash_bytes"]["code"]
    assert report["check"]["inputs"] == 2 and report["check"]["mismatched"] == 0
    assert {"outputs", "max_abs_diff"} <= set(report["check"])


def test_table_for_people(small: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", str(small), "--portable"])
    assert result.exit_code == 0, result.output
    for word in ("layer", "per MAC", "share", "instructions", "portable C kernels", "arena", "stack", "flash"):
        assert word in result.stdout


def test_a_core_without_dsp_has_generic_kernels(small: Path) -> None:
    """As docs/cores.md calls them."""
    result = CliRunner().invoke(cli, ["bench", str(small), "--cpu", "cortex-m3", "--check", "0"])
    assert result.exit_code == 0, result.output
    assert "generic kernels" in " ".join(result.stdout.split())


def test_counts_are_repeatable(small: Path) -> None:
    compiled = compile_model(small, CompileOptions(cpu="cortex-m4"))
    first, second = (bench(compiled) for _ in range(2))
    assert first == second
    assert first.check is None


def test_a_changed_weight_is_noticed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of one packed weight: the check sees it."""
    compiled = compile_model(small, CompileOptions(cpu="cortex-m4"))
    name = next(name for name in compiled.sources if name.endswith("_weights.c"))
    text = compiled.sources[name]
    arrays = re.finditer(r"\[(\d+)\][^=;]*= \{\s*(-?\w+),", text)
    first = max(arrays, key=lambda array: int(array[1]))  # the largest array holds the weights
    changed = str(int(first[2], 0) ^ 0x20)
    monkeypatch.setitem(compiled.sources, name, text[: first.start(2)] + changed + text[first.end(2) :])
    report = bench(compiled, small, check=2)
    assert report.check is not None and report.check.mismatched > 0


def test_flash_cap_is_kept(small: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", str(small), "--flash", "1K"])
    assert result.exit_code != 0
    assert "of flash with its kernels" in str(result.exception)


@pytest.mark.skipif(not importlib.util.find_spec("tflite_micro"), reason="tflite-micro is not installed")
def test_tflite_micro_stands_in_for_tensorflow(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without TensorFlow gets the same verdict for a convolution."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    graph = compile_model(small).graph
    inputs = random_inputs(graph, 3)
    stand_in = expected_outputs(graph, small, inputs)
    monkeypatch.undo()
    assert "tflite-micro" in stand_in.reference and not stand_in.binding
    for mine, theirs in zip(stand_in.outputs, expected_outputs(graph, small, inputs).outputs, strict=True):
        assert all((a == b).all() for a, b in zip(mine, theirs, strict=True))


def test_without_any_reference_it_says_what_to_install(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"run pip install 'tinyengine\[check\]'"):
        expected_outputs(compile_model(small).graph, small, [])


def _sine() -> Graph:
    b = GraphBuilder(5, "sine")
    x = b.input(1, 1)
    for outputs in (16, 16, 1):
        x = b.dense(x, outputs, Activation.RELU if outputs > 1 else Activation.NONE)
    b.output(x)
    return b.graph


@pytest.mark.parametrize("optimize", ["sram", "flash"])
def test_hello_world_is_small(optimize: str) -> None:
    """A sine in three tiny layers: at most 2 KB of flash, weights included, and 100 bytes of SRAM."""
    report = bench(compile_graph(_sine(), CompileOptions(cpu="cortex-m4", optimize=optimize)))
    assert report.flash_bytes.total <= 2048
    assert report.arena_bytes + report.stack_bytes <= 100


def test_hello_world_is_fast_where_time_counts() -> None:
    """Two thirds of the 4,476 cycles that TFLite Micro takes by its instructions."""
    report = bench(compile_graph(_sine(), CompileOptions(cpu="cortex-m4", requant="fast")), cycles=True)
    assert report.cycles is not None and report.cycles.estimate <= 2984
