"""States and types on simulated cores: the bench image, and the firmware at its serial port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import compile_graph
from tinyengine.device import open_device
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.reference import Session

from tests.helpers import firmware_image
from tests.helpers.graphs import random_inputs
from tests.helpers.stateful import NETWORKS, compiled, deep, expected, stateful
from tests.helpers.streaming import STREAMING, wake_word
from tests.helpers.typed import typed_graph, typed_model


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7"])
def test_states_go_from_job_to_job_until_one_resets_them(cpu: str) -> None:
    models = [compiled(network_of) for network_of in (*NETWORKS, *STREAMING)]
    cases = [expected(model) for model in models]
    jobs = [
        Job(index, values, reset=run == 0)
        for _ in range(2)
        for index, (inputs, _) in enumerate(cases)
        for run, values in enumerate(inputs)
    ]
    wanted = [output for _ in range(2) for _, outputs in cases for output in outputs]
    with BenchImage(models, cpu) as image:
        results = image.run(jobs, exact=False)
    for result, outputs in zip(results, wanted, strict=True):
        assert result.guards_intact
        for got, array in zip(result.outputs, outputs, strict=True):
            np.testing.assert_array_equal(got, array)


def test_bench_measures_a_network_with_states() -> None:
    report = bench(compile_graph(stateful(deep)))
    assert report.states_bytes == 2 * 12 * 12 * 8
    assert report.arena_high_water <= report.arena_bytes
    assert report.instructions > 0 and report.to_json()["states_bytes"] == report.states_bytes


@pytest.mark.parametrize("network_of", [deep, wake_word], ids=lambda network_of: network_of.__name__)
def test_firmware_keeps_states_over_its_serial_port(tmp_path: Path, network_of: Callable) -> None:
    model = compile_graph(stateful(network_of))
    inputs, outputs = expected(model)
    elf = firmware_image.compiled("sim_stm32f405", tmp_path, model)
    with open_device("sim:sim_stm32f405", elf=elf) as device:
        for _ in range(2):
            for values, wanted in zip(inputs, outputs, strict=True):
                np.testing.assert_array_equal(device.infer(values[0][0]).outputs[0], wanted[0].reshape(-1))
            device.rewind()


def test_types_and_several_outputs_on_a_core() -> None:
    model, session = typed_model(), Session(typed_graph())
    inputs = [random_inputs(model.graph, seed) for seed in range(4)]
    with BenchImage([model], "cortex-m4") as image:
        results = image.run([Job(0, values, reset=run == 0) for run, values in enumerate(inputs)], exact=False)
    for result, values in zip(results, inputs, strict=True):
        for got, wanted in zip(result.outputs, session.run(values), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)
