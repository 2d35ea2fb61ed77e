"""Every core of the table: the library compiles for it, and what it runs are kernels meant for it, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine import reference
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.cores import CORES, DSP, core
from tinyengine.errors import ToolError
from tinyengine.kernels.base import Target
from tinyengine.measure.bench import inside_values, random_inputs
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.measure.training import bench_training
from tinyengine.paths import project_root
from tinyengine.project.toolchain import compile_objects, device_flags, footprint, library_dir, library_sources, symbols

from tests.helpers import needs
from tests.helpers.batch import build_batch
from tests.helpers.cases import FAMILIES, random_cases
from tests.helpers.trainable import SCHEME, network

MODEL = project_root() / "models" / "person_tiny.tflite"
WITHOUT_DSP = [name for name, each in CORES.items() if not each.features >= DSP]


def small(cpu: str, **options: object) -> CompiledModel:
    return compile_model(MODEL, CompileOptions(cpu=cpu, requant=core(cpu).requant, **options))


def functions(compiled: CompiledModel) -> set[str]:
    """Names of the functions that a network links, its own and those of the library."""
    return set(footprint(compiled, compiled.options.cpu).functions)


def int16_functions(cpu: str) -> set[str]:
    """Functions of the library that read layouts made for the DSP extension."""
    sources = [path for path in library_sources() if "fast" in path.name or "map" in path.name]
    include = [library_dir() / "include"]
    objects = compile_objects(sources, device_flags(cpu), include, compiler=core(cpu).compiler)
    return {name for path in objects for name, kind, *_ in symbols(path) if kind == "T"}


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("cpu", needs.compiled(CORES))
def test_a_small_network_links(cpu: str) -> None:
    """All of the library is compiled, with warnings as errors."""
    fast = int16_functions(cpu) & functions(small(cpu))
    assert bool(fast) == (core(cpu).features >= DSP)


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("cpu", needs.compiled(WITHOUT_DSP))
@pytest.mark.parametrize(
    "options", [{"input": "rows"}, {"optimize": "sram", "max_recompute": 1.2}, {"train": "last-4"}]
)
def test_a_core_without_dsp_links_no_int16_layout(cpu: str, options: dict[str, object]) -> None:
    compiled = small(cpu, **options)
    assert not int16_functions(cpu) & functions(compiled)
    assert not any(call.pushed for call in compiled.calls)  # its convolutions have no row operators


def test_a_core_without_dsp_rounds_exactly() -> None:
    with pytest.raises(ToolError, match=r"the kernels of the cortex-m3 round exactly: use --requant exact"):
        CompileOptions(cpu="cortex-m3", requant="fast")


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("cpu", needs.run())
def test_operators_and_a_network_equal_the_oracle(cpu: str) -> None:
    target = Target(core(cpu).features)
    batches = [build_batch(random_cases(7, family, 3), family, "tight", target=target) for family in FAMILIES]
    compiled = small(cpu)
    values = [inside_values(compiled.graph, each) for each in random_inputs(compiled.graph, 2)]
    jobs = [Job(index, batch.inputs) for index, batch in enumerate(batches)]
    with BenchImage([*batches, compiled], cpu) as image:
        runs = image.run([*jobs, *(Job(len(batches), each) for each in values)], exact=False)
    assert all(run.guards_intact for run in runs)
    for batch, run in zip(batches, runs, strict=False):
        batch.check(run.outputs)
    for each, run in zip(values, runs[len(batches) :], strict=True):
        [expected] = reference.run(compiled.graph, each, requant=compiled.roundings)
        np.testing.assert_array_equal(run.outputs[0], expected)


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("cpu", needs.run())
def test_a_training_step_equals_the_oracle(cpu: str) -> None:
    report = bench_training(compile_graph(network(), CompileOptions(cpu=cpu, train=SCHEME)), steps=1)
    assert report.check is not None and report.check.mismatched == 0
