"""Training steps on the simulated cores: the state they leave is the oracle's."""

from __future__ import annotations

import json
import shutil

import pytest
from tinyengine.bench_training import bench_training
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.target_runner import QEMU
from tinyengine.toolchain import has_arm_toolchain

from tests.unit.test_cli_compile import tinyengine
from tests.unit.test_training_native import SCHEME, network

pytestmark = [
    pytest.mark.skipif(not has_arm_toolchain(), reason="arm-none-eabi-gcc is not installed"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason="qemu-system-arm is not installed"),
]


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7"])
@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
def test_the_state_is_the_oracles(cpu: str, portable: bool) -> None:
    options = CompileOptions(cpu=cpu, train=SCHEME, residual=portable, velocity=cpu == "cortex-m4")
    compiled = compile_graph(network(), options)
    report = bench_training(compiled, steps=3, portable=portable)
    assert report.check is not None and report.check.mismatched == 0 and report.check.steps == 3
    assert report.instructions_step > report.instructions_forward > 100_000
    assert (report.sram_bytes.velocities > 4 * report.trainable_weights) == options.velocity


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7"])
@pytest.mark.parametrize("velocity", [False, True], ids=["plain", "momentum"])
def test_float_gradients_are_the_native_ones(cpu: str, velocity: bool) -> None:
    options = CompileOptions(cpu=cpu, train=SCHEME, gradients="float32", velocity=velocity)
    report = bench_training(compile_graph(network(), options), steps=3)
    assert report.check is not None and (report.check.mismatched, report.check.reference) == (0, "native")


def test_the_command_reports_every_figure(monkeypatch, capsys, tmp_path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(tflite_bytes(network()))
    arguments = [path, "--train", "last-3", "--classes", "5", "--cpu", "cortex-m7"]
    code, out, _ = tinyengine(monkeypatch, capsys, "bench", *arguments, "--json")
    figures = json.loads(out)
    assert code == 0 and figures["classes"] == 5 and figures["check"]["mismatched"] == 0
    parts = figures["sram_bytes"]
    assert parts["total"] == sum(parts[key] for key in ("arena", "weights", "velocities", "static", "stack"))
    assert {"instructions_step", "instructions_forward", "extra_memory_bytes", "trainable_weights"} <= set(figures)
    code, out, _ = tinyengine(monkeypatch, capsys, "bench", *arguments)
    assert code == 0 and "equal to the oracle" in out
