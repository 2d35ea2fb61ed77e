"""Native modules in a real MicroPython, against the oracle; and their sizes where that is all that can be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.codegen.binding import array_paths
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.errors import ToolError
from tinyengine.export.mpy import ARCHS, link_module, module_options
from tinyengine.export.romfs import romfs
from tinyengine.kernels.base import CArray, CState, CStruct
from tinyengine.paths import project_root

from tests.helpers.graphs import GraphBuilder
from tests.helpers.micropython import require_sources, require_unix_port, run_unix
from tests.helpers.micropython_cases import ATTEMPT, CASES, Case
from tests.helpers.needs import arm_gcc

X64 = ARCHS["x64"].cpu
PERSON = project_root() / "models" / "person_tiny.tflite"


@pytest.mark.parametrize("bound", [False, True], ids=["inside", "file"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sessions_equal_the_oracle(case: Case, bound: bool, tmp_path: Path) -> None:
    require_unix_port()
    require_sources()
    model = case.compiled(X64, bound)
    module = link_module(model, "x64")
    (tmp_path / f"{case.name}.mpy").write_bytes(module.mpy)
    if bound:
        assert module.weights is not None
        (tmp_path / "weights").write_bytes(module.weights)
        prelude = f"import {case.name}\nweights = blob('weights')\n"
        prelude += f"def network(): return {case.name}.Network(weights)\n"
    else:
        assert module.weights is None
        prelude = f"import {case.name}\ndef network(): return {case.name}.Network()\n"
    for session in case.sessions(model):
        for name, data in session.files.items():
            (tmp_path / name).write_bytes(data)
        assert run_unix(prelude + session.code, tmp_path) == session.expected


def test_weights_that_are_refused_and_weights_in_a_rom(tmp_path: Path) -> None:
    """Weights are bound anew wherever they lie, and a state outlives that."""
    require_unix_port()
    require_sources()
    case = next(case for case in CASES if case.name == "learner")
    module = link_module(case.compiled(X64, bound=True), "x64")
    assert module.weights is not None
    (tmp_path / "learner.mpy").write_bytes(module.mpy)
    (tmp_path / "weights").write_bytes(module.weights)
    (tmp_path / "image").write_bytes(romfs({"a": b"x" * 5, "weights": module.weights, "other.bin": b"y"}))
    code = """
import learner, uctypes, vfs
weights = blob("weights")
moved = bytearray(len(weights) + 4)
moved[2 : 2 + len(weights)] = weights
def refuse(*given): print(attempt(lambda: learner.Network(*given)))
refuse()
refuse(weights[:-1])
refuse(b"0" * len(weights))
refuse(memoryview(moved)[2 : 2 + len(weights)])
refuse(5)
refuse(weights, weights)
x = bytes(16 * 16 * 3)
net = learner.Network(weights)
net.train(x, 1, rate=.5)
state, before = bytes(net.state), bytes(net.run(x))
image = blob("image")
vfs.mount(vfs.VfsRom(image), "/rom")
rom = memoryview(open("/rom/weights", "rb"))
print((uctypes.addressof(rom) - uctypes.addressof(image)) % 16, rom == weights, open("/rom/a", "rb").read())
again = learner.Network(rom)
del weights
gc.collect()
print(again.state == state, bytes(again.run(x)) == before, bytes(learner.Network().run(x)) == before)
"""
    size = "ValueError: the weights have another size: take the file that was written with this module"
    assert run_unix(ATTEMPT + code, tmp_path) == [
        "TypeError: the weights of this network are a file: call Network(weights)",
        size,
        "ValueError: these are weights of another network: take the file written with this module",
        "ValueError: the weights do not begin at a multiple of 4: use the .romfs written with them",
        "TypeError: object with buffer protocol required",
        "TypeError: function expected at most 1 arguments, got 2",
        "0 True b'xxxxx'",
        "True True True",
    ]


def test_weights_inside_take_no_file(tmp_path: Path) -> None:
    require_unix_port()
    require_sources()
    b = GraphBuilder(1)
    b.output(b.dense(b.input(1, 8), 4))
    module = link_module(compile_graph(b.graph, CompileOptions(X64, prefix="small")), "x64")
    (tmp_path / "small.mpy").write_bytes(module.mpy)
    code = "import small\nprint(attempt(lambda: small.Network(b'x')))\nprint(small.names())\n"
    wanted = ["TypeError: this network has its weights inside: call Network()", "('small',)"]
    assert run_unix(ATTEMPT + code, tmp_path) == wanted


@arm_gcc
@pytest.mark.parametrize(("arch", "limit"), [("armv6m", 24500), ("armv7emsp", 35500), ("armv7emdp", 35500)])
def test_sizes_for_arm(arch: str, limit: int) -> None:
    """person_tiny with its weights in a file: below the 36 KB that were asked for, and at most so large."""
    require_sources()
    options = module_options(CompileOptions(prefix="person_tiny", bound=True), arch)
    options = replace(options, requant="exact" if arch == "armv6m" else "fast")
    module = link_module(compile_model(PERSON, options), arch)
    assert len(module.mpy) <= limit
    assert module.weights is not None and 280_000 < len(module.weights) < (335_000 if arch == "armv6m" else 310_000)


def test_unknown_architecture() -> None:
    with pytest.raises(ToolError, match="there are no native modules for riscv: choose one of armv6m"):
        module_options(CompileOptions(), "riscv")


@pytest.mark.parametrize("sizes", [(0,), (1, 2, 3), (15, 16, 17, 300, 0, 5)])
def test_files_of_a_rom_begin_at_multiples_of_16(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(sizes))
    files = {f"f{'x' * index}": rng.bytes(size) for index, size in enumerate(sizes)}
    image = romfs(files)
    assert len(image) % 2 == 0
    for data in files.values():
        places = range(0, len(image), 16)
        assert any(image[place : place + len(data)] == data for place in places)


def test_members_that_point_to_arrays() -> None:
    array = CArray("a", np.zeros(3, np.int8))
    struct = CStruct("s", "te_s", ({"inner": array},))
    value = {"a": array, "n": 3, "text": "x", "b": {"c": array}, "list": [1, array], "s": struct, "t": CState("x", 4)}
    assert list(array_paths(value)) == [".a", ".b.c", ".list[1]"]
