"""Cycles of a network on a core whose timings are known, layer by layer: an estimate, in no way a measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tinyengine.cores import CORES
from tinyengine.errors import ToolError
from tinyengine.measure.cycles import cortex_m4, cortex_m7, cortex_m33
from tinyengine.measure.cycles.disassembly import Function, functions_of, instructions_of
from tinyengine.measure.cycles.instructions import Cycles, Instruction, exactly, is_branch
from tinyengine.measure.cycles.trace import BlockRuns, Segment, plugin_arguments, read_segments
from tinyengine.measure.target_runner import BenchImage, Job

MODELS: dict[str, ModuleType] = {"cortex_m4": cortex_m4, "cortex_m33": cortex_m33, "cortex_m7": cortex_m7}
"""What a core's ``cycle_model`` names: modules with block_cycles, REFILL and UNALIGNED."""

HOOK, RUN, BEGIN = "store_time", "run_profiled", "begin"  # firmware/bench/measure.c, codegen/network.py
STEP, AFTER = "run_step", "bench_measure_stack_used"  # firmware/bench/main.c: a training step, and what follows it


@dataclass(frozen=True)
class LayerCycles:
    """What one layer executes, and what that takes."""

    instructions: int
    cycles: Cycles

    def __add__(self, other: LayerCycles) -> LayerCycles:
        return LayerCycles(self.instructions + other.instructions, self.cycles + other.cycles)


@dataclass(frozen=True)
class CycleEstimate:
    """Sums over the layers; memories without wait states. ``low`` and ``high`` are what the documentation of the core
    leaves open, not bounds on what a chip does."""

    core: str
    low: int
    estimate: int
    high: int
    layers: tuple[LayerCycles, ...]

    @property
    def instructions(self) -> int:
        return sum(layer.instructions for layer in self.layers)


def timings(cpu: str) -> ModuleType:
    """The cycle model of the core ``cpu``; ToolError if it has none."""
    known = {core.name: MODELS[core.cycle_model] for core in CORES.values() if core.cycle_model}
    if cpu not in known:
        raise ToolError(f"cycles can be estimated for {', '.join(known)} only: nothing here times the {cpu}")
    return known[cpu]


def estimate_cycles(image: BenchImage, jobs: Sequence[Job]) -> CycleEstimate:
    """Run ``jobs`` on an ``image`` with one network and time the last one, which must profile or be a training step.

    A step is one layer. The jobs before leave the states that the last one begins with.

    ToolError where QEMU has no plugins, there is no C compiler for the host, or no model of the core's timings.
    """
    model = timings(image.cpu)
    functions = functions_of(image.program)
    step = jobs[-1].step is not None
    addresses = {name: _address(functions, name) for name in ((STEP, AFTER) if step else (HOOK, RUN, BEGIN))}
    with tempfile.TemporaryDirectory(prefix="tinyengine-cycles-") as folder:
        out = Path(folder) / "blocks.bin"
        image.run(jobs, exact=False, extra=plugin_arguments(out, [a for a in addresses.values() if a is not None]))
        segments = read_segments(out.read_bytes())
    timer = _Timer(model, instructions_of(image.program), [f for f in functions if f.name == HOOK])
    layers = tuple(_step(segments, timer, addresses) if step else _layers(segments, timer, addresses))
    total = sum((layer.cycles for layer in layers), Cycles())
    return CycleEstimate(image.cpu, total.low, total.estimate, total.high, layers)


def _address(functions: Sequence[Function], name: str) -> int | None:
    return next((function.address for function in functions if function.name == name), None)


class _Timer:
    """Times blocks of one program by ``model``; ``ignored`` functions take no time."""

    def __init__(self, model: ModuleType, instructions: dict[int, Instruction], ignored: Sequence[Function]) -> None:
        self._model = model
        self._instructions = instructions
        self._ignored = ignored
        self._known: dict[tuple[int, int], tuple[Cycles, bool]] = {}

    def __call__(self, segment: Segment) -> LayerCycles:
        count, cycles = 0, exactly(self._model.UNALIGNED * segment.unaligned)
        for block in segment.blocks:
            if any(function.holds(block.address) for function in self._ignored):
                continue
            once, branches = self._block(block)
            count += block.instructions * block.runs
            cycles += once * block.runs + self._model.REFILL * (block.taken if branches else 0)
        return LayerCycles(count, cycles)

    def _block(self, block: BlockRuns) -> tuple[Cycles, bool]:
        """Cycles of one run without the refill, and whether the block ends in a branch."""
        key = block.address, block.instructions
        if key not in self._known:
            listing: list[Instruction] = []
            order = iter(_following(self._instructions, block.address))
            for _ in range(block.instructions):
                listing.append(next(order))
            self._known[key] = self._model.block_cycles(listing), is_branch(listing[-1])
        return self._known[key]


def _following(instructions: dict[int, Instruction], address: int) -> Sequence[Instruction]:
    """The instructions from ``address`` on: each is 2 or 4 bytes long."""
    found = []
    while address in instructions:
        found.append(instructions[address])
        address += 2 if address + 2 in instructions else 4
    return found


def _layers(segments: Sequence[Segment], timer: _Timer, addresses: dict[str, int | None]) -> list[LayerCycles]:
    """From the start of the run on, a layer ends at each call of the hook. With a pushed input, the first layer's work
    is done between BEGIN and RUN."""
    start = max(index for index, segment in enumerate(segments) if segment.mark == addresses[RUN])
    pushed = start > 0 and segments[start - 1].mark == addresses[BEGIN]
    layers = [timer(segment) for segment in segments[start + 1 :]]
    if pushed and layers:
        layers[0] = timer(segments[start]) + layers[0]
    return layers


def _step(segments: Sequence[Segment], timer: _Timer, addresses: dict[str, int | None]) -> list[LayerCycles]:
    """What runs between STEP and AFTER."""
    start = max(index for index, segment in enumerate(segments) if segment.mark == addresses[STEP])
    assert segments[start + 1].mark == addresses[AFTER]
    return [timer(segments[start + 1])]
