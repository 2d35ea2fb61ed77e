"""The bench image measures what it says it measures: hand-written networks whose costs are known."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tinyengine.cores import SIMULATED
from tinyengine.errors import BudgetError, ToolError
from tinyengine.measure.target_runner import PAINTS, BenchImage, Job, instructions_of
from tinyengine.sim import qemu

from tests.helpers import needs
from tests.helpers.hand_made import ARENA, HandMade, X

pytestmark = needs.simulated_core


def spin(prefix: str, loops: int, cpu: str = "cortex-m4") -> HandMade:
    """run() executes exactly 2 * loops + 3 instructions; on RISC-V ``loops`` is a power of two, or small."""
    if cpu == "rv32imc":
        body = f"li a0, {loops}\\n\\tnop\\n1: addi a0, a0, -1\\n\\tbnez a0, 1b\\n\\tret"
        return HandMade(prefix, f'__attribute__((naked)) static void run(void) {{ __asm__ volatile("{body}"); }}')
    body = (
        f"__attribute__((naked)) static void run(void) {{ __asm__ volatile("
        f'".syntax unified\\n\\tldr r0, ={loops}\\n\\tnop\\n1: subs r0, #1\\n\\tbne 1b\\n\\tbx lr\\n\\t.ltorg"); }}'
    )
    return HandMade(prefix, body)


@pytest.mark.parametrize("cpu", needs.run())
def test_counts_every_instruction(cpu: str) -> None:
    loops = [1, 2, 3, 1000, 65536]
    with BenchImage([spin(f"spin_{n}", n, cpu) for n in loops], cpu) as image:
        for _ in range(2):
            runs = image.run([Job(index, [X]) for index in range(len(loops))])
            assert [run.instructions for run in runs] == [2 * n + 3 for n in loops]


@pytest.mark.parametrize("cpu", needs.run(["cortex-m4", "rv32imc"]))
def test_counts_beyond_the_wrap_of_the_timer(cpu: str) -> None:
    """The 25 MHz timer wraps after 671 million instructions, nanoseconds in 32 bits after 17 million."""
    loops = 350_000_000 if cpu == "cortex-m4" else 1 << 24
    with BenchImage([spin("spin", loops, cpu)], cpu) as image:
        assert image.run([Job(0, [X])])[0].instructions == 2 * loops + 3


def test_profile_adds_up() -> None:
    body = """
__attribute__((naked, noinline)) static void first(void) {
    __asm__ volatile("movs r0, #100\\n1: subs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
__attribute__((naked, noinline)) static void second(void) {
    __asm__ volatile("movs r0, #7\\n1: subs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
static void run(void) { first(); second(); }
"""
    network = HandMade("network", body, profiled="first(); hook(context, 0); second(); hook(context, 1);")
    with BenchImage([network], "cortex-m7") as image:
        plain, profiled = image.run([Job(0, [X]), Job(0, [X], profile=True)])
    assert [(layer.name, layer.op, layer.macs) for layer in profiled.layers] == [
        ("first", "CONV_2D", 5),
        ("second", "ADD", 6),
    ]
    # The functions take 202 and 16 instructions; each is called by one more.
    assert [layer.instructions for layer in profiled.layers] == [203, 17]
    assert plain.instructions is not None
    assert 0 <= plain.instructions - (203 + 17) <= 6  # run()'s own entry and return


COPY = "for (int i = 0; i < 4; i++) arena[16 + i] = (uint8_t)(arena[i] * 2);"


def test_arena_stack_and_outputs() -> None:
    body = f"""
static void run(void) {{
    volatile uint8_t local[400];
    for (int i = 0; i < 400; i++) local[i] = (uint8_t)i;
    (void)local[3];
    {COPY}
    arena[40] = {PAINTS[0]};
}}
"""
    with BenchImage([HandMade("network", body)], "cortex-m4") as image:
        runs = image.run([Job(0, [X], paint=paint) for paint in PAINTS])
    assert [run.arena_used for run in runs] == [20, 41]  # the byte at 40 shows over the other paint
    assert all(400 <= run.stack_used <= 440 for run in runs)
    assert all(run.guards_intact for run in runs)
    assert all(run.outputs[0].tolist() == [[2, 4, 6, 8]] for run in runs)


def test_sees_a_write_outside_the_arena() -> None:
    body = f"static void run(void) {{ {COPY} *(volatile uint8_t *)((uint32_t)arena + {ARENA + 3}u) = 1; }}"
    clean = f"static void run(void) {{ {COPY} }}"
    with BenchImage([HandMade("first", body), HandMade("second", clean)], "cortex-m4") as image:
        runs = image.run([Job(0, [X]), Job(1, [X])])
    assert [run.guards_intact for run in runs] == [False, True]


def test_counting_is_optional() -> None:
    with BenchImage([spin("spin", 10)], "cortex-m7") as image:
        run = image.run([Job(0, [X])], exact=False)[0]
    assert run.instructions is None and not run.layers


@pytest.mark.parametrize("cpu", needs.run(["cortex-m4", "rv32imc"]))
def test_a_crash_is_one_sentence(cpu: str) -> None:
    body = "__attribute__((noinline)) static void run(void) { *(volatile uint32_t *)0xF0000000u = 1; }"
    with (
        BenchImage([HandMade("network", body)], cpu) as image,
        pytest.raises(ToolError, match=f"crashed the simulated {cpu} in run, which is a bug"),
    ):
        image.run([Job(0, [X])])


def test_an_endless_run_is_ended() -> None:
    with (
        BenchImage([HandMade("network", "static void run(void) { for (;;) {} }")], "cortex-m4") as image,
        pytest.raises(ToolError, match="did not end within 1 seconds after 0 of 1 runs"),
    ):
        image.run([Job(0, [X])], timeout=1)
    assert not _simulators(image.program.parent.name)


def test_no_simulator_survives_its_parent() -> None:
    """Even when the parent is killed outright."""
    if sys.platform != "linux":
        pytest.skip("ending with a killed parent is a feature of Linux")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_bench_image import HandMade, X\n"
        "from tinyengine.measure.target_runner import BenchImage, Job\n"
        "image = BenchImage([HandMade('network', 'static void run(void) { for (;;) {} }')], 'cortex-m4')\n"
        "print(image.program.parent.name, flush=True)\n"
        "image.run([Job(0, [X])], timeout=100)\n"
    )
    here = str(Path(__file__).parent)
    parent = subprocess.Popen([sys.executable, "-c", script, here], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    folder = parent.stdout.readline().strip()
    assert eventually(lambda: len(_simulators(folder)) == 2), "the supervisor and QEMU"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: not _simulators(folder)), "QEMU outlived its parent"


def eventually(true: Callable[[], bool]) -> bool:
    for _ in range(200):
        if true():
            return True
        time.sleep(0.05)
    return False


def _simulators(folder: str) -> set[int]:
    """Process ids of running simulations of images in ``folder``."""
    listing = subprocess.run(["ps", "-ww", "-eo", "pid,stat,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in listing.splitlines()]
    return {int(pid) for pid, stat, args in lines[1:] if folder in args and qemu.PROGRAM in args and stat[0] != "Z"}


def test_too_large_for_the_simulated_board() -> None:
    huge = HandMade("network", f"static void run(void) {{ {COPY} }}", arena=5 << 20)
    with pytest.raises(BudgetError, match=r"memory RAM is \d+ bytes too small"):
        BenchImage([huge], "cortex-m4")


def test_missing_simulator_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYENGINE_QEMU", "no-such-simulator")
    with (
        BenchImage([spin("spin", 10)], "cortex-m4") as image,
        pytest.raises(ToolError, match=r"was not found: install QEMU .* or set TINYENGINE_QEMU"),
    ):
        image.run([Job(0, [X])])


@pytest.mark.parametrize("tick_ps", sorted({machine.tick_ps for machine in SIMULATED.values()}))
def test_ticks_name_instructions_exactly(tick_ps: int) -> None:
    """Whatever the phase of the timer when an interval of n instructions begins."""
    for n in [*range(200), 10**6 + 1, 10**9 + 7]:
        for phase in range(0, tick_ps, 250):
            first, last = phase // tick_ps, (phase + 256_000 * n) // tick_ps
            assert instructions_of(last - first, tick_ps) == n
