"""Networks on a simulated core: one bare-metal image with any number of networks, one QEMU launch for all runs.

The image (firmware/bench) reads jobs from a file and writes results to a file through semihosting. With ``exact``
counting QEMU advances its clock by 256 ns per instruction, so that a fast timer tells instructions without error.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyengine.codegen.generated import Generated
from tinyengine.cores import Machine, core, machine
from tinyengine.errors import ToolError
from tinyengine.paths import project_root
from tinyengine.progress import Progress, silent
from tinyengine.project import toolchain
from tinyengine.sim import qemu
from tinyengine.sim.process import SimulatorProcess
from tinyengine.step import Outcome, Sample, Update

QEMU_QUIET = [
    *("-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none"),
    *("-semihosting-config", "enable=on,target=native"),
]

# Virtual nanoseconds per instruction are 2 ** ICOUNT_SHIFT, a few ticks of a timer: so a difference of two readings,
# each rounded down to a tick, identifies the number of instructions.
ICOUNT_SHIFT = 8

MAGIC_JOB, MAGIC_RESULT = b"TTBJ", b"TTBR"
FLAG_PROFILE, FLAG_STEP, FLAG_RESET = 1, 2, 4
PAINTS = (0xA5, 0x5A)

STATUS_FAULT = 70
POLL_SECONDS = 0.5
PROGRESS = "\6"  # on the console after each job


@dataclass(frozen=True)
class StepOutcome(Outcome):
    """What a training step found out, and the state that it left."""

    state: bytes


@dataclass(frozen=True, eq=False)
class Job:
    """One run: ``inputs`` in the order, types and shapes of the graph's; ``profile`` times each layer as well.

    With ``step`` a training step in place of an inference. ``reset``: states begin with their initial values, trained
    ones with the factory's, not with what the job before left.
    """

    model: int
    inputs: Sequence[np.ndarray]
    profile: bool = False
    paint: int = PAINTS[0]  # what the arena holds before: bytes that differ afterwards have been used
    step: tuple[Sample, Update] | None = None
    reset: bool = True
    tokens: Sequence[int] = ()  # of a step of a language model, in place of inputs and of the sample


@dataclass(frozen=True)
class LayerTime:
    """One layer of a profiled run."""

    name: str
    op: str
    macs: int
    instructions: int


@dataclass(frozen=True, eq=False)
class RunResult:
    """``instructions`` (None without exact counting) are those of ``run()``: its first to its return, included."""

    outputs: list[np.ndarray]
    instructions: int | None
    arena_used: int  # bytes up to the highest changed one
    guards_intact: bool  # 256 bytes on either side of the arena
    stack_used: int
    layers: list[LayerTime] = field(default_factory=list)
    step: StepOutcome | None = None


def simulated(cpu: str) -> bool:
    """Whether the compiler and the simulator of a core are there."""
    return toolchain.has_compiler(core(cpu).compiler) and qemu.installed(machine(cpu).program) is not None


class BenchImage:
    """A linked image with networks 0..n-1; ``close`` (or leaving the ``with`` block) removes its files."""

    def __init__(
        self,
        models: Sequence[Generated],
        cpu: str,
        portable: bool = False,
        progress: Progress = silent,
    ) -> None:
        """Compile and link. Raises ToolError (no compiler), BudgetError (a network larger than the simulated board)."""
        prefixes = [model.prefix for model in models]
        if len(set(prefixes)) != len(prefixes):
            raise ValueError("networks in one image need different prefixes")
        self.cpu = cpu
        self.machine = machine(cpu)
        self.portable = portable
        self.models = list(models)
        self._folder = tempfile.TemporaryDirectory(prefix="tinyengine-bench-")
        self.sources = self._write_sources()
        self.program = Path(self._folder.name) / "bench.elf"
        try:
            self._build(progress)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> BenchImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the image."""
        self._folder.cleanup()

    def _write_sources(self) -> list[Path]:
        """The networks' C files and the table of networks."""
        folder = Path(self._folder.name) / "networks"
        folder.mkdir()
        for model in self.models:
            model.write(folder)
        (folder / "bench_models.c").write_text(_model_table([model.prefix for model in self.models]))
        return sorted(folder.glob("*.c"))

    def _build(self, progress: Progress) -> None:
        bench = project_root() / "firmware" / "bench"
        include = [toolchain.library_dir() / "include", bench, self.sources[0].parent]
        flags = toolchain.device_flags(self.cpu, self.portable, all(model.small for model in self.models))
        own = (*flags, *self.machine.defines)
        compiler = core(self.cpu).compiler
        objects = toolchain.compile_objects(sorted(bench.glob("*.c")), own, include, compiler=compiler)
        sources = [*self.sources, *toolchain.library_sources()]
        objects += toolchain.compile_objects(sources, flags, include, progress, compiler)
        script = Path(self._folder.name) / "bench.ld"
        script.write_text(_linker_script(self.machine))
        toolchain.link(objects, [*core(self.cpu).flags, "-nostartfiles", "-T", str(script)], self.program, [bench])

    def run(
        self,
        jobs: Sequence[Job],
        exact: bool = True,
        timeout: float | None = None,
        progress: Progress = silent,
        extra: Sequence[str] = (),
    ) -> list[RunResult]:
        """Run all jobs in one simulation. ``exact`` counts instructions, which makes the simulation slower.

        ``extra``: further arguments for QEMU. ``timeout`` in seconds; by default generous for the work in the jobs.
        Raises ToolError when QEMU is missing, does not end in time, or the image faults.
        """
        if timeout is None:
            work = sum(self.models[job.model].macs * (4 if job.step else 1) for job in jobs)
            timeout = 60 + work * 20 / 50e6  # 20 instructions per MAC at 50 million instructions per second
        with tempfile.TemporaryDirectory(prefix="tinyengine-run-") as name:
            folder = Path(name)
            (folder / "job.bin").write_bytes(self._encode(jobs))
            self._simulate(folder, exact, timeout, len(jobs), progress, extra)
            return self._decode((folder / "result.bin").read_bytes(), jobs, exact)

    def _encode(self, jobs: Sequence[Job]) -> bytes:
        parts = [MAGIC_JOB, struct.pack("<I", len(jobs))]
        for job in jobs:
            ports = self.models[job.model].graph.inputs
            graph = self.models[job.model].graph
            data = struct.pack(f"<{len(job.tokens)}H", *job.tokens) or b"".join(
                graph.tensor(port.tensor).array(value).tobytes() for port, value in zip(ports, job.inputs, strict=True)
            )
            sample, update = job.step or (Sample(0, 0), Update(0.0))
            if job.tokens:
                sample = Sample(len(job.tokens) - 1, 0)
            flags = FLAG_PROFILE * job.profile + FLAG_STEP * (job.step is not None) + FLAG_RESET * job.reset
            parts.append(struct.pack("<5I", job.model, flags, job.paint, sample.label, sample.classes))
            parts += [update.pack(), struct.pack("<I", len(data)), data]
        return b"".join(parts)

    def _simulate(
        self,
        folder: Path,
        exact: bool,
        timeout: float,
        total: int,
        progress: Progress,
        extra: Sequence[str],
    ) -> None:
        command = [qemu.find(self.machine.program), *QEMU_QUIET, *extra, "-M", self.machine.name]
        command += [*self.machine.arguments, "-kernel", str(self.program.resolve())]
        if exact:
            command += ["-icount", f"shift={ICOUNT_SHIFT},sleep=off"]
        with SimulatorProcess(command, folder) as process:
            _watch(process, timeout, total, progress)
        if process.returncode:
            raise ToolError(self._explain(process.returncode, process.output))

    def _explain(self, status: int, output: str) -> str:
        lines = [line.strip() for line in output.replace(PROGRESS, "").splitlines()]
        said = next((line for line in lines if line and "warning:" not in line), "it said nothing")
        if status == STATUS_FAULT:
            place = toolchain.locate(self.program, int(said.split("pc=0x")[1][:8], 16))
            return f"the network crashed the simulated {self.cpu} in {place}, which is a bug in tinyengine ({said})"
        return f"the bench image failed on the simulated {self.cpu} with status {status}: {said}"

    def _decode(self, data: bytes, jobs: Sequence[Job], exact: bool) -> list[RunResult]:
        reader = _Reader(data)
        if reader.take(4) != MAGIC_RESULT or reader.u32() != len(self.models):
            raise ToolError("the simulated core wrote a damaged result file, which is a bug in tinyengine")
        costs = _Costs(*(self._instructions(reader.u64()) for _ in range(3)))
        return [self._decode_run(reader, job, costs, exact) for job in jobs]

    def _decode_run(self, reader: _Reader, job: Job, costs: _Costs, exact: bool) -> RunResult:
        graph = self.models[job.model].graph
        ticks = reader.u64()
        used, intact, stack = reader.u32(), reader.u32(), reader.u32()
        layers: list[LayerTime] = []
        for index in range(reader.u32()):
            count = self._instructions(reader.u64()) - (costs.hook if index else costs.first_hook)
            macs, op, name = reader.u32(), reader.text(), reader.text()
            layers.append(LayerTime(name, op, macs, count))
        size = reader.u32()
        end = reader.position + size
        outputs = []
        for port in graph.outputs:
            tensor = graph.tensor(port.tensor)
            outputs.append(tensor.from_bytes(reader.take(tensor.nbytes)))
        if reader.position != end:
            raise ToolError("the image's outputs have other sizes than the network's, which is a bug in tinyengine")
        outcome = None
        if job.step:
            loss, predicted = struct.unpack("<fI", reader.take(8))
            outcome = StepOutcome(loss, predicted, reader.take(reader.u32()))
        # The empty run that costs.call was measured on took one instruction, its return.
        instructions = self._instructions(ticks) - costs.call + 1 if exact else None
        return RunResult(outputs, instructions, used, bool(intact), stack, layers if exact else [], outcome)

    def _instructions(self, ticks: int) -> int:
        return instructions_of(ticks, self.machine.tick_ps)


@dataclass(frozen=True)
class _Costs:
    """Instructions of measuring: around a call, up to the first hook, from hook to hook."""

    call: int
    first_hook: int
    hook: int


class _Reader:
    """Takes little-endian fields from the front of a result file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.data):
            raise ToolError("the simulated core's result file ends early, which is a bug in tinyengine")
        self.position += count
        return self.data[self.position - count : self.position]

    def u32(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def u64(self) -> int:
        return struct.unpack("<Q", self.take(8))[0]

    def text(self) -> str:
        return self.take(self.u32()).decode("utf-8", "replace")


def instructions_of(ticks: int, tick_ps: int) -> int:
    """Instructions between two timer readings that are ``ticks`` of ``tick_ps`` apart, under exact counting."""
    instruction_ps = 1000 << ICOUNT_SHIFT
    return (ticks * tick_ps + instruction_ps // 2) // instruction_ps


def _linker_script(on: Machine) -> str:
    """The memories of firmware/bench/sections.ld, and where counter.h finds the timers."""
    regions = {"CODE (rx)": on.code, "RAM (rwx)": on.ram, "PSRAM (rwx)": on.constants}
    lines = (f"    {name} : ORIGIN = {r.origin:#010x}, LENGTH = {r.length}\n" for name, r in regions.items())
    return f"MEMORY\n{{\n{''.join(lines)}}}\nbench_timers = {on.timers:#010x};\nINCLUDE sections.ld\n"


def _model_table(prefixes: Sequence[str]) -> str:
    includes = "\n".join(f'#include "{prefix}.h"' for prefix in prefixes)
    entries = "".join(f"    &{prefix},\n" for prefix in prefixes)
    return (
        f"{includes}\n\nextern const te_model *const bench_models[];\nextern const uint32_t bench_model_count;\n"
        f"const te_model *const bench_models[] = {{\n{entries}}};\n"
        f"const uint32_t bench_model_count = {len(prefixes)};\n"
    )


def _watch(process: SimulatorProcess, timeout: float, total: int, progress: Progress) -> None:
    """Wait until the process ends; its console shows PROGRESS for every job done."""
    started = time.monotonic()
    while process.wait(POLL_SECONDS) is None:
        done, seconds = process.output.count(PROGRESS), time.monotonic() - started
        progress(done, total)
        if seconds > timeout:
            raise ToolError(
                f"the simulation did not end within {seconds:.0f} seconds after {done} of {total} runs: the machine is "
                "very busy, or a kernel does not return"
            )
