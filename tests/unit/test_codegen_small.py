"""Networks compiled for little flash: one list of calls, no names, and a mark that everything is built for size."""

from __future__ import annotations

import numpy as np
from tinyengine import native
from tinyengine.codegen.network import SMALL_MARK
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.project.toolchain import device_flags
from tinyengine.reference import run
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2"), classes=3)


def test_networks_for_little_flash_say_so_and_compute_the_same() -> None:
    graph = tiny_graph(NETWORK, 3, gain=2.0)
    x = np.random.default_rng(0).integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)
    for optimize in ("time", "flash"):
        compiled = compile_graph(graph, CompileOptions(optimize=optimize, prefix=f"small_{optimize}"))
        assert compiled.small == (SMALL_MARK in compiled.sources[f"small_{optimize}.h"]) == (optimize == "flash")
        [[answer]] = native.run_many([compiled], [[x]])
        np.testing.assert_array_equal(answer, run(graph, [x])[0])
        program = compiled.sources[f"small_{optimize}.c"]
        assert ("te_layer layers[" in program) == (optimize == "time")


def test_they_are_built_for_size() -> None:
    assert "-Os" in device_flags("cortex-m4", small=True) and "-O2" in device_flags("cortex-m4")
