"""The estimate of cycles counts exactly the instructions that run, and times them as documented."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tinyengine.cli.main import cli
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.measure.bench import inside_values, random_inputs
from tinyengine.measure.cycles import estimate_cycles
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import needs
from tests.helpers.graphs import block_network
from tests.helpers.hand_made import HandMade, X

CORE = "cortex-m4"

pytestmark = [
    *needs.simulated_core,
    pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler for this host"),
]

AROUND = 12  # instructions of run_profiled itself around a layer: its prologue, calls, arguments of the hook


def test_a_loop_of_known_cycles() -> None:
    body = """
__attribute__((naked, noinline)) static void first(void) {
    __asm__ volatile("movw r0, #1000\\n1: ldr r1, [sp]\\n\\tldr r2, [sp, #4]\\n\\tsubs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
__attribute__((naked, noinline)) static void second(void) { __asm__ volatile("movs r0, #9\\n\\tbx lr"); }
static void run(void) { first(); second(); }
"""
    network = HandMade("network", body, profiled="first(); hook(context, 0); second(); hook(context, 1);")
    with BenchImage([network], CORE) as image:
        found = estimate_cycles(image, Job(0, [X], profile=True))
    first, second = found.layers
    assert 0 <= first.instructions - (1 + 4 * 1000 + 1) <= AROUND
    assert 0 <= second.instructions - 2 <= AROUND
    # per turn: 2 loads in 3 cycles, the subtraction, the branch; the refill behind the 999 that are taken is 1 to 3
    for turn, value in ((1, first.cycles.low), (2, first.cycles.estimate), (3, first.cycles.high)):
        assert 5000 + 999 * turn < value < 5000 + 999 * turn + 4 * AROUND
    assert found.estimate == first.cycles.estimate + second.cycles.estimate


def test_unaligned_accesses_cost_more() -> None:
    """Words at 4, 6 and 7, halfwords at 4 and 5, a byte: 0, 1, 2, 0, 1, 0 cycles more."""
    kinds = ("ldr", "ldr", "str", "ldrh", "ldrh", "ldrb")
    found = []
    for offsets in ((4, 8, 12, 4, 8, 5), (4, 6, 7, 4, 5, 5)):
        accesses = ";".join(f"{kind} r2, [%0, #{offset}]" for kind, offset in zip(kinds, offsets, strict=True))
        body = f"""
__attribute__((noinline)) static void first(void) {{
    __asm__ volatile("{accesses}" ::"r"(arena) : "r2", "memory");
}}
static void run(void) {{ first(); }}
"""
        network = HandMade("network", body, profiled="first(); hook(context, 0); hook(context, 1);")
        with BenchImage([network], CORE) as image:
            found.append(estimate_cycles(image, Job(0, [X], profile=True)).layers[0])
    aligned, unaligned = found
    assert unaligned.instructions == aligned.instructions
    assert unaligned.cycles.estimate == aligned.cycles.estimate + 1 + 2 + 1


@pytest.mark.parametrize("input_mode", ["frame", "rows"])
def test_counts_the_instructions_of_every_layer(input_mode: str) -> None:
    compiled = compile_graph(block_network(), CompileOptions(input=input_mode, optimize="sram"))
    job = Job(0, inside_values(compiled.graph, random_inputs(compiled.graph, 1)[0]), profile=True)
    with BenchImage([compiled], CORE) as image:
        [counted] = image.run([job])
        found = estimate_cycles(image, job)
    assert len(found.layers) == len(counted.layers) > 2
    for layer, exact in zip(found.layers, counted.layers, strict=True):
        assert abs(layer.instructions - exact.instructions) <= AROUND
        assert layer.cycles.low >= layer.instructions - AROUND  # nothing but a folded IT takes no time
    assert found.low <= found.estimate <= found.high < 2.5 * found.instructions


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "blocks.tflite"
    write_tflite(block_network(), path)
    result = CliRunner().invoke(cli, ["bench", str(path), "--cycles", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["cycles_estimate"]["core"] == CORE
    assert report["cycles_estimate"]["estimate"] == sum(layer["cycles_estimate"] for layer in report["per_layer"])
    functions = report["flash_bytes"]["functions"]
    assert any(name.startswith("te_") for name in functions)
    assert sum(functions.values()) <= report["flash_bytes"]["code"]
    table = CliRunner().invoke(cli, ["bench", str(path), "--cycles"]).stdout
    assert "estimate" in table
    convolutions = [layer for layer in report["per_layer"] if layer["kernel"] == "te_conv_fast_s8"]
    total = sum(layer["instructions"] for layer in convolutions)
    assert re.search(rf"conv_fast +{len(convolutions)} +[\d,]+ +{total:,} ", table)
    refused = CliRunner().invoke(cli, ["bench", str(path), "--cycles", "--cpu", "cortex-m7"])
    assert "cortex-m4 only" in str(refused.exception)
