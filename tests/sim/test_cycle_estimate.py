"""The estimate of cycles counts exactly the instructions that run, and times them as documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tinyengine.cli.main import cli
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.measure.bench import bench, inside_values, random_inputs
from tinyengine.measure.cycles import estimate_cycles
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.paths import project_root
from tinyengine.schedule import cost

from tests.helpers import needs
from tests.helpers.graphs import block_network
from tests.helpers.hand_made import HandMade, X

CORE = "cortex-m4"

pytestmark = needs.cycles

AROUND = 12  # instructions of run_profiled itself around a layer: its prologue, calls, arguments of the hook


@pytest.mark.parametrize(
    ("core", "turn"),
    # 2 loads in 3 cycles, subtraction, branch, refill; each load 1; together, no refill
    [("cortex-m4", (6, 7, 8)), ("cortex-m33", (5, 6, 7)), ("cortex-m7", (3, 3, 4))],
)
def test_a_loop_of_known_cycles(core: str, turn: tuple[int, int, int]) -> None:
    body = """
__attribute__((naked, noinline)) static void first(void) {
    __asm__ volatile("movw r0, #1000\\n1: ldr r1, [sp]\\n\\tldr r2, [sp, #4]\\n\\tsubs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
__attribute__((naked, noinline)) static void second(void) { __asm__ volatile("movs r0, #9\\n\\tbx lr"); }
static void run(void) { first(); second(); }
"""
    network = HandMade("network", body, profiled="first(); hook(context, 0); second(); hook(context, 1);")
    with BenchImage([network], core) as image:
        found = estimate_cycles(image, [Job(0, [X], profile=True)])
    first, second = found.layers
    assert 0 <= first.instructions - (1 + 4 * 1000 + 1) <= AROUND
    assert 0 <= second.instructions - 2 <= AROUND
    for cycles, value in zip(turn, (first.cycles.low, first.cycles.estimate, first.cycles.high), strict=True):
        assert 1000 * cycles - 10 < value < 1000 * cycles + 5 * AROUND
    assert found.estimate == first.cycles.estimate + second.cycles.estimate


def test_unaligned_accesses_cost_more() -> None:
    """Words at 4, 6 and 7, halfwords at 4 and 5, a byte: 0, 1, 2, 0, 1, 0 cycles more. Wide, so that both lie alike."""
    kinds = ("ldr", "ldr", "str", "ldrh", "ldrh", "ldrb")
    found = []
    for offsets in ((4, 8, 12, 4, 8, 5), (4, 6, 7, 4, 5, 5)):
        accesses = ";".join(f"{kind}.w r2, [%0, #{offset}]" for kind, offset in zip(kinds, offsets, strict=True))
        body = f"""
__attribute__((noinline)) static void first(void) {{
    __asm__ volatile("{accesses}" ::"r"(arena) : "r2", "memory");
}}
static void run(void) {{ first(); }}
"""
        network = HandMade("network", body, profiled="first(); hook(context, 0); hook(context, 1);")
        with BenchImage([network], CORE) as image:
            found.append(estimate_cycles(image, [Job(0, [X], profile=True)]).layers[0])
    aligned, unaligned = found
    assert unaligned.instructions == aligned.instructions
    assert unaligned.cycles.estimate == aligned.cycles.estimate + 1 + 2 + 1


def test_a_matrix_product_on_a_cortex_m7() -> None:
    """Two rows of int8 weights times two columns of int16 values, as CMSIS-NN and TinyEngine write it in C. Of networks
    on such loops, others counted instructions and measured cycles on an STM32H743: 1.37 to 1.50 per cycle."""
    body = """
#include <arm_acle.h>
static int16_t x[32][64];
static int8_t w[32][64], y[32][32];
static inline uint32_t word(const void *at) { uint32_t w; __builtin_memcpy(&w, at, 4); return w; }
static inline int16x2_t even(uint32_t p) { return __sxtb16((int8x4_t)p); }
static inline int16x2_t odd(uint32_t p) { return __sxtb16((int8x4_t)(p >> 8 | p << 24)); }
static inline int8_t clamped(int32_t v) { return v < -128 ? -128 : v > 127 ? 127 : v; }
static void run(void) {
    __asm__ volatile("" ::"r"(x), "r"(w), "r"(y) : "memory");
    for (int p = 0; p < 32; p += 2)
        for (int n = 0; n < 32; n += 2) {
            const int8_t *w0 = w[n], *w1 = w[n + 1];
            const int16_t *x0 = x[p], *x1 = x[p + 1];
            int32_t a = n, b = n, c = n, d = n;
            for (int i = 16; i; i--, w0 += 4, w1 += 4, x0 += 4, x1 += 4) {
                const uint32_t p0 = word(w0), p1 = word(w1);
                const int16x2_t k0 = (int16x2_t)word(x0), k1 = (int16x2_t)word(x0 + 2);
                const int16x2_t m0 = (int16x2_t)word(x1), m1 = (int16x2_t)word(x1 + 2);
                a = __smlad(even(p0), k0, a), b = __smlad(even(p0), m0, b);
                c = __smlad(even(p1), k0, c), d = __smlad(even(p1), m0, d);
                a = __smlad(odd(p0), k1, a), b = __smlad(odd(p0), m1, b);
                c = __smlad(odd(p1), k1, c), d = __smlad(odd(p1), m1, d);
            }
            y[p][n] = clamped(a >> 9), y[p + 1][n] = clamped(b >> 9);
            y[p][n + 1] = clamped(c >> 9), y[p + 1][n + 1] = clamped(d >> 9);
        }
    __asm__ volatile("" ::"r"(y) : "memory");
}
"""
    network = HandMade("network", body, profiled="run(); hook(context, 0); hook(context, 1);")
    with BenchImage([network], "cortex-m7") as image:
        loop = estimate_cycles(image, [Job(0, [X], profile=True)]).layers[0]
    assert 1.37 < loop.instructions / loop.cycles.estimate < 1.50


@pytest.mark.parametrize("input_mode", ["frame", "rows"])
def test_counts_the_instructions_of_every_layer(input_mode: str) -> None:
    compiled = compile_graph(block_network(), CompileOptions(input=input_mode, optimize="sram"))
    job = Job(0, inside_values(compiled.graph, random_inputs(compiled.graph, 1)[0]), profile=True)
    with BenchImage([compiled], CORE) as image:
        [counted] = image.run([job])
        found = estimate_cycles(image, [job])
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
    assert report["cycles"]["core"] == CORE
    for key in ("low", "estimate", "high"):
        assert report["cycles"][key] == sum(layer["cycles"][key] for layer in report["per_layer"])
    functions = report["flash_bytes"]["functions"]
    assert any(name.startswith("te_") for name in functions)
    assert sum(functions.values()) <= report["flash_bytes"]["code"]
    table = CliRunner().invoke(cli, ["bench", str(path), "--cycles"]).stdout
    assert "estimate" in table
    convolutions = [layer for layer in report["per_layer"] if layer["kernel"] == "te_conv_fast_s8"]
    total = sum(layer["instructions"] for layer in convolutions)
    assert re.search(rf"conv_fast +{len(convolutions)} +[\d,]+ +{total:,} ", table)
    refused = CliRunner().invoke(cli, ["bench", str(path), "--cycles", "--cpu", "cortex-m3"])
    assert "cortex-m7-sp only" in str(refused.exception)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
@pytest.mark.parametrize("requant", ["fast", "exact"])
def test_what_schedules_weigh_time_by(core: str, requant: str) -> None:
    """The cost model against the cycles of every instruction: over all layers, and the large ones one by one."""
    options = CompileOptions(cpu=core, requant=requant)
    compiled = compile_model(project_root() / "models" / "person_tiny.tflite", options)
    report = bench(compiled, cycles=True)
    calls = [call for call in compiled.planned if not call.is_view]
    pairs = [
        (cost.cycles(call.work, options.target), layer.cycles.estimate)
        for call, layer in zip(calls, report.per_layer, strict=True)
        if call.work and layer.cycles is not None
    ]
    expected, counted = (sum(column) for column in zip(*pairs, strict=True))
    assert len(pairs) > 20
    assert abs(expected / counted - 1) < 0.04
    large = [(guess, count) for guess, count in pairs if count > counted / 50]
    assert len(large) > 5
    assert all(0.8 < guess / count < 1.2 for guess, count in large), large
