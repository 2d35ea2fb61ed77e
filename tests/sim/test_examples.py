"""The examples and exported folders as a stranger builds them, against the oracle: by CMake for simulated cores and for
this computer in C and C++, by PlatformIO in a project outside the checkout, without its registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tinyengine import reference
from tinyengine.compiler import CompiledModel, CompileOptions
from tinyengine.cores import machine
from tinyengine.export import Library, compile_library, export
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.measure.target_runner import QEMU_QUIET
from tinyengine.paths import platformio_dir, project_root
from tinyengine.project import pio
from tinyengine.reference.backward.step import Trainer
from tinyengine.sim import qemu
from tinyengine.step import Sample, Update
from tinyengine.training.state import state_of

from tests.helpers.graphs import random_inputs, small_graph
from tests.helpers.needs import simulated_core
from tests.helpers.trainable import SCHEME, network

ROOT = project_root()
EXAMPLES = ROOT / "examples"
MODEL = ROOT / "models" / "person_tiny.tflite"
HERE = "this computer"

needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
everywhere = pytest.mark.parametrize(
    "cpu", [HERE, *(pytest.param(cpu, marks=simulated_core) for cpu in ("cortex-m4", "cortex-m7"))]
)


def run(*command: object, folder: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def libraries(models: Sequence[Path], cpu: str, shared: bool = False, **options: object) -> Library:
    """Without code sizes, which other tests look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyengine.export.library.measure_code", lambda compiled: None)
        core = "cortex-m4" if cpu == HERE else cpu
        return compile_library(models, CompileOptions(cpu=core, **options), (), shared)  # type: ignore[arg-type]


def built(project: Path, library: Library, cpu: str, folder: Path) -> Path:
    """The folder with the programs of a CMake ``project`` around ``library``."""
    export(library, "cmake", folder / "network")
    core = [] if cpu == HERE else [f"-DCMAKE_TOOLCHAIN_FILE={folder / 'network' / cpu}.cmake"]
    build = folder / "build"
    settings = [f"-DNETWORK={folder / 'network'}", "-G", "Unix Makefiles"]
    run("cmake", "-S", project, "-B", build, *settings, *core, folder=folder)
    run("cmake", "--build", build, folder=folder)
    return build


def said(program: Path, cpu: str, folder: Path) -> str:
    """What a program prints in ``folder``, on ``cpu``."""
    if cpu == HERE:
        return run(program, folder=folder)
    return run(qemu.find(), *QEMU_QUIET, "-M", machine(cpu).name, "-kernel", program, folder=folder)


def expected_lines(compiled: CompiledModel, inputs: Sequence[np.ndarray]) -> list[str]:
    outputs = [reference.run(compiled.graph, [x], requant=compiled.roundings)[0].ravel() for x in inputs]
    return [" ".join(map(str, values)) for values in outputs]


def person_inputs(compiled: CompiledModel, folder: Path) -> list[np.ndarray]:
    """Three inputs, which input.bin in ``folder`` has."""
    inputs = [random_inputs(compiled.graph, seed)[0] for seed in range(3)]
    (folder / "input.bin").write_bytes(b"".join(x.tobytes() for x in inputs))
    return inputs


@needs_cmake
@everywhere
def test_the_cmake_example(tmp_path: Path, cpu: str) -> None:
    library = libraries([MODEL], cpu)
    build = built(EXAMPLES / "cmake", library, cpu, tmp_path)
    compiled = library.networks[0].compiled
    lines = expected_lines(compiled, person_inputs(compiled, tmp_path))
    assert len(set(lines)) > 1
    for program in ("classify", "classify_cpp") if cpu == HERE else ("classify",):
        assert said(build / program, cpu, tmp_path).splitlines() == lines


TWO = """
#include <stdio.h>
#include "cat.h"
#include "dog.h"

static FILE *in, *out;

static int fill(const te_model *m) {
    return fread(m->inputs[0].data, 1, m->inputs[0].bytes, in) == m->inputs[0].bytes;
}

static void cat_runs(void) {
    fill(&cat);
    cat.run();
    fwrite(cat.outputs[0].data, 1, cat.outputs[0].bytes, out);
}

int main(void) {
    te_train_update update = {.rate = 0.05f, .seed = 7, .batch = 1};
    in = fopen("input.bin", "rb");
    out = fopen("output.bin", "wb");
    if (!in || !out || cat.arena != dog.arena) return 1;
    dog.trainer->reset();
    for (; update.step < 3; update.step++) {
        const te_train_sample sample = {.label = (uint16_t)(update.step % 4), .classes = 4};
        cat_runs();
        fill(&dog);
        dog.trainer->step(&sample, &update);
    }
    fwrite(dog.trainer->state, 1, dog.trainer->state_bytes, out);
    return fclose(out);
}
"""


@needs_cmake
@everywhere
def test_two_networks_share_an_arena_and_one_is_trained(tmp_path: Path, cpu: str) -> None:
    """In turns; outputs and the trained state are the oracle's."""
    write_tflite(small_graph(), tmp_path / "cat.tflite")
    write_tflite(network(), tmp_path / "dog.tflite")
    plain = libraries([tmp_path / "cat.tflite"], cpu)
    trained = libraries([tmp_path / "dog.tflite"], cpu, train=SCHEME)
    library = Library((*plain.networks, *trained.networks), shared_arena=True)
    project = tmp_path / "project"
    shutil.copytree(EXAMPLES / "cmake", project)
    (project / "main.c").write_text(TWO)
    lists = project / "CMakeLists.txt"
    c_only = lists.read_text().partition("else()")[0] + "endif()\n"
    lists.write_text(c_only.replace("PRIVATE person_tiny_network", "PRIVATE cat_dog_network"))
    build = built(project, library, cpu, tmp_path)

    cat, dog = (one.compiled for one in library.networks)
    mine = [random_inputs(cat.graph, seed)[0] for seed in range(3)]
    theirs = [random_inputs(dog.graph, seed) for seed in range(3)]
    pairs = zip(mine, theirs, strict=True)
    (tmp_path / "input.bin").write_bytes(b"".join(x.tobytes() + y[0].tobytes() for x, y in pairs))
    said(build / "classify", cpu, tmp_path)

    program = dog.training
    assert program is not None
    oracle = Trainer(program.network, program.scheme, requant=dog.roundings)
    expected = b""
    for i, (x, [y]) in enumerate(zip(mine, theirs, strict=True)):
        expected += reference.run(cat.graph, [x], requant=cat.roundings)[0].tobytes()
        oracle.train(y, Sample(i % 4, 4), Update(0.05, 7, i))
    expected += state_of(oracle.graph, program.layout, oracle.residuals)
    assert (tmp_path / "output.bin").read_bytes() == expected


def pio_run(project: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "platformio", "run", "-d", str(project)]
    own = {"PLATFORMIO_CORE_DIR": str(platformio_dir())}
    pio.prepare()
    return subprocess.run(
        [*command, *targets], capture_output=True, text=True, env={**os.environ, **own}, timeout=300, check=False
    )


def scratch_project(folder: Path, library: str) -> Path:
    """A copy of the example, which takes the library from the address ``library``, for a platform of its own."""
    project = folder / "project"
    shutil.copytree(EXAMPLES / "platformio", project)
    config = project / "platformio.ini"
    text = config.read_text()
    changes = {
        "platform = native": f"platform = symlink://{ROOT / 'tests' / 'helpers' / 'pio_platform'}",
        "symlink://../../lib/tinyengine": library,
        "../../models/person_tiny.tflite": "my.tflite",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    shutil.copyfile(MODEL, project / "my.tflite")
    return project


def test_the_platformio_example_in_a_project_outside(tmp_path: Path) -> None:
    project = scratch_project(tmp_path, f"symlink://{ROOT / 'lib' / 'tinyengine'}")
    done = pio_run(project)
    assert not done.returncode, done.stdout + done.stderr
    compiled = libraries([MODEL], HERE).networks[0].compiled
    lines = expected_lines(compiled, person_inputs(compiled, project))
    program = project / ".pio" / "build" / "desktop" / "program"
    assert said(program, HERE, project).splitlines() == lines

    config = project / "platformio.ini"
    good = config.read_text()
    for old, new, words in (
        (" --cpu cortex-m4", "", ["which core", "--cpu CORE"]),
        ("    my.tflite", "    yours.tflite", ["yours.tflite does not exist", "custom_tinyengine_model"]),
        ("--requant exact", "--requant never", ["never", "not compiled"]),
    ):
        assert old in good
        config.write_text(good.replace(old, new))
        failed = pio_run(project)
        assert failed.returncode and all(word in failed.stdout + failed.stderr for word in words), failed.stderr


@pytest.mark.slow
def test_the_library_from_a_git_address_for_a_board(tmp_path: Path) -> None:
    """Two networks; the board tells the core."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "lib", checkout / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "The library"]):
        run(*git, *step, folder=checkout)
    project = scratch_project(tmp_path, f"git+file://{checkout}")
    config = project / "platformio.ini"
    text = config.read_text().replace("[env:desktop]\n", "[env:desktop]\nboard = pretended\n")
    text = text.replace(" --cpu cortex-m4", "")
    text = text.replace("    my.tflite", "    my.tflite --prefix other --optimize sram\n    my.tflite")
    config.write_text(text)
    source = project / "src" / "main.cpp"
    main = source.read_text().replace("        person_tiny.run();", "        if (other.run) person_tiny.run();")
    source.write_text(f'#include "other.h"\n{main}')
    done = pio_run(project)
    assert not done.returncode, done.stdout + done.stderr
    compiled = libraries([MODEL], HERE).networks[0].compiled
    expected = expected_lines(compiled, person_inputs(compiled, project))
    assert said(project / ".pio" / "build" / "desktop" / "program", HERE, project).splitlines() == expected
