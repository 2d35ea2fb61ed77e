"""Many single operators in one generated network, so that one compilation tests them all.

``build_batch`` merges cases into a network with one input and output port per case tensor. It is generated code like
any other, which can run natively (here) and on a simulated core (elsewhere). ``expected`` is the oracle's answer.

The arena is laid out for the test. ``apart``: all buffers disjoint. ``tight``: each output overlaps one of its
inputs as far as the kernel's overlap rule permits, or up to 3 bytes less. Guard bytes between the buffers are poisoned
for the address sanitizer and checked afterwards.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tinyengine import reference
from tinyengine.codegen import NetworkSource, generate
from tinyengine.codegen.generated import Generated
from tinyengine.ir import Graph, Operator, Port, Tensor
from tinyengine.kernels.base import KernelCall, Overlap, Target
from tinyengine.kernels.select import lower as lower_selected
from tinyengine.kernels.select import roundings
from tinyengine.memory.placement import Placement
from tinyengine.memory.plan import MemoryPlan
from tinyengine.native.build import SANITIZE, host_compiler
from tinyengine.native.library import FLAGS, WARNINGS, library_sources
from tinyengine.paths import cache_dir, project_root
from tinyengine.sizes import round_up

from tests.helpers.cases import OpCase

HERE = Path(__file__).parent
GUARD = 16  # bytes between buffers
GRAIN = 8  # the address sanitizer tells bytes apart behind, not before, a multiple of this
FILL = 0xA5  # what the arena holds before the run (runner.c)
STRICT = ["-pedantic", "-Wmissing-prototypes", "-Wconversion"]

Lower = Callable[[Operator, Graph, Target], KernelCall]


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two arrays of one type have different bits, but for those of no numbers."""
    if a.dtype != np.float32:
        return a != b
    return (a.view(np.uint32) != b.view(np.uint32)) & ~(np.isnan(a) & np.isnan(b))


@dataclass(eq=False)
class Batch(Generated):
    """A network of independent operators and the values for its inputs."""

    cases: list[OpCase]
    calls: list[KernelCall]
    plan: MemoryPlan
    inputs: list[np.ndarray]
    gaps: list[tuple[int, int]] = field(default_factory=list)  # arena bytes that belong to no buffer
    target: Target = field(default_factory=Target)

    def expected(self) -> list[np.ndarray]:
        """One array per case, from the oracle."""
        return reference.run(self.graph, self.inputs, requant=roundings(self.graph, self.target))

    def check(self, outputs: Sequence[np.ndarray]) -> None:
        """AssertionError naming the cases whose bytes differ from the oracle's."""
        wrong = []
        for index, (case, call, want, got) in enumerate(
            zip(self.cases, self.calls, self.expected(), outputs, strict=True)
        ):
            different = differing(want.ravel(), np.asarray(got).ravel())
            if different.any():
                first = int(np.flatnonzero(different)[0])
                wrong.append(
                    f"case {index} ({call.function}): {different.sum()} of {want.size} values, the first at {first}: "
                    f"{got.ravel()[first]} instead of {want.ravel()[first]}: {case}"
                )
        assert not wrong, "\n".join(wrong)


def build_batch(
    cases: Sequence[OpCase],
    prefix: str = "batch",
    placement: str = "apart",
    lower: Lower = lower_selected,
    target: Target | None = None,
    align: int = 4,
) -> Batch:
    """Merge, lower, lay out, generate.

    ``align``: alignment of outputs in the ``tight`` placement; 1 puts them exactly where the rule allows, which the
    generic kernels must bear, 4 is what the memory planner promises to all kernels.
    """
    graph, inputs = _merge(cases)
    operators = iter(graph.operators)
    target = target or Target()
    calls = [case.call([next(operators) for _ in case.graph.operators], graph, target, lower) for case in cases]
    layout = _Layout(graph, align)
    for call in calls:
        layout.add(call, tight=placement == "tight")
    plan = layout.plan()
    code = generate(NetworkSource(graph, calls, plan, "0" * 16, prefix=prefix))
    return Batch(
        **vars(code), cases=list(cases), calls=calls, plan=plan, inputs=inputs, gaps=layout.gaps, target=target
    )


def _merge(cases: Sequence[OpCase]) -> tuple[Graph, list[np.ndarray]]:
    """One graph of all operators; tensor ``x`` of case 3 becomes ``c3_x``."""
    graph, inputs = Graph("batch"), []
    for index, case in enumerate(cases):

        def rename(name: str, index: int = index) -> str:
            return f"c{index}_{name}"

        def port(old: Port, rename: Callable[[str], str] = rename) -> Port:
            return replace(old, tensor=rename(old.tensor), name=rename(old.name))

        for tensor in case.graph.tensors.values():
            merged = Tensor(rename(tensor.name), tensor.shape, tensor.dtype, tensor.quant, tensor.data)
            graph.tensors[merged.name] = merged
        for op in case.graph.operators:
            graph.operators.append(
                Operator(op.kind, rename(op.name), [*map(rename, op.inputs)], [*map(rename, op.outputs)], op.attrs)
            )
        graph.inputs += map(port, case.graph.inputs)
        graph.outputs += map(port, case.graph.outputs)
        inputs += case.inputs
    return graph, inputs


class _Layout:
    """Addresses, bottom up, with guards between the buffers of different purpose."""

    def __init__(self, graph: Graph, align: int) -> None:
        self.graph = graph
        self.align = self.least_align = align
        self.addresses: dict[str, int] = {}
        self.scratch: list[int | None] = []
        self.gaps: list[tuple[int, int]] = []
        self.top = 0
        self.turn = 0  # decides in rotation which input a tight output overlaps, and how far beyond the limit it stays
        self._guard()

    def _guard(self) -> None:
        end = round_up(self.top + GUARD, GRAIN)
        self.gaps.append((self.top, end))
        self.top = end

    def _place(self, size: int) -> int:
        address = self.top
        self.top += size
        self._guard()
        return address

    def add(self, call: KernelCall, tight: bool) -> None:
        """Place the tensors and scratch memory of one call."""
        chosen = self._choose(call) if tight or call.is_view else None
        for name in call.inputs:
            if (chosen is None or name != chosen[0]) and name not in self.addresses:
                self.addresses[name] = self._place(self.graph.tensor(name).nbytes)
        y = self.graph.tensor(call.output)
        sizes = [tensor.nbytes // tensor.elements for tensor in (y, *map(self.graph.tensor, call.inputs))]
        self.align = max(self.least_align, *sizes)
        size = y.nbytes
        if chosen is None:
            self.addresses[call.output] = self._place(size)
        else:
            name, overlap = chosen
            self._place_pair(name, self.graph.tensor(name).nbytes, call.output, size, overlap)
        self.scratch.append(self._place(call.scratch_bytes) if call.scratch_bytes else None)

    def _choose(self, call: KernelCall) -> tuple[str, Overlap] | None:
        """The input that the output overlaps, each in turn; a tensor that is read twice has to obey both rules."""
        rules: dict[str, list[Overlap | None]] = {}
        for name, overlap in zip(call.inputs, call.overlaps, strict=True):
            rules.setdefault(name, []).append(overlap)
        able = [
            (name, max(found, key=lambda overlap: (overlap.exact, overlap.distance)))
            for name, found in rules.items()
            if None not in found
        ]
        if not able:
            return None
        self.turn += 1
        return able[self.turn % len(able)]

    def _place_pair(self, x: str, x_size: int, y: str, y_size: int, overlap: Overlap) -> None:
        """One region that both cover: y at address(x) - distance, or as little before it as alignment allows."""
        slack = self.turn % 4  # any address up to the limit must do, not the limit alone
        distance = 0 if overlap.exact else round_up(overlap.distance + slack, self.align)
        if distance >= 0:
            distance = min(distance, round_up(y_size, self.align))  # no farther than side by side
        else:
            distance = max(distance, -x_size // self.align * self.align)
        base = self.top
        self.addresses[x] = base + max(0, distance)
        self.addresses[y] = base + max(0, -distance)
        self._place(max(self.addresses[x] + x_size, self.addresses[y] + y_size) - base)

    def plan(self) -> MemoryPlan:
        total = round_up(self.top, GRAIN)
        placement = Placement(self.addresses, total, total, False, "test")
        return MemoryPlan(self.addresses, tuple(self.scratch), total, total, total, False, "test", (), "", placement)


# Running --------------------------------------------------------------------------------------------------------------


def run_native(batches: Sequence[Batch], sanitize: bool = True, compiler: str | None = None) -> list[list[np.ndarray]]:
    """The outputs of each batch, all compiled into one program.

    AssertionError with the sanitizer's report if it has one, or if a kernel wrote outside its buffers.
    """
    compiler = compiler or host_compiler()
    flags = [*WARNINGS, *FLAGS, *(SANITIZE if sanitize else []), "-DTE_PORTABLE"]
    archive = _library(compiler, flags)
    with tempfile.TemporaryDirectory() as scratch:
        program = _compile(batches, Path(scratch), compiler, flags, archive)
        feed = b"".join(np.ascontiguousarray(x).tobytes() for batch in batches for x in batch.inputs)
        done = subprocess.run([program], input=feed, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, f"exit {done.returncode}:\n{done.stderr.decode(errors='replace')[:6000]}"
    results, offset = [], 0
    for batch in batches:
        arena = np.frombuffer(done.stdout, np.int8, batch.plan.arena_bytes, offset)
        offset += batch.plan.arena_bytes
        results.append(_outputs(batch, arena))
    assert offset == len(done.stdout)
    return results


def _outputs(batch: Batch, arena: np.ndarray) -> list[np.ndarray]:
    for low, high in batch.gaps:
        assert (arena[low:high].view(np.uint8) == FILL).all(), f"guard bytes {low}..{high} were overwritten"
    outputs = []
    for name in batch.graph.output_tensors():
        tensor, address = batch.graph.tensor(name), batch.plan.addresses[name]
        outputs.append(tensor.from_bytes(arena[address : address + tensor.nbytes].tobytes()))
    return outputs


def _compile(batches: Sequence[Batch], scratch: Path, compiler: str, flags: list[str], archive: Path) -> Path:
    table = ['#include "tinyengine/te_model.h"', '#include "runner.h"']
    entries = []
    for batch in batches:
        for name, text in batch.sources.items():
            (scratch / name).write_text(text)
        gaps = ", ".join(f"{{{low}u, {high}u}}" for low, high in batch.gaps)
        table.append(f'#include "{batch.prefix}.h"')
        table.append(f"static const runner_gap {batch.prefix}_gaps[] = {{{gaps}}};")
        entries.append(f"{{&{batch.prefix}, {batch.prefix}_gaps, {len(batch.gaps)}u}}")
    table.append(f"const runner_entry runner_entries[] = {{{', '.join(entries)}}};")
    table.append(f"const uint32_t runner_count = {len(batches)}u;\n")
    (scratch / "table.c").write_text("\n".join(table))
    sources = [*sorted(scratch.glob("*.c")), HERE / "runner.c"]
    includes = [f"-I{project_root() / 'lib' / 'tinyengine' / 'include'}", f"-I{scratch}", f"-I{HERE}"]
    program = scratch / "runner"
    _call([compiler, *flags, "-O0", *includes, *map(str, sources), str(archive), "-o", str(program)])
    return program


def _library(compiler: str, flags: list[str]) -> Path:
    """lib/tinyengine as an archive, under the strictest warnings; kept until a source or flag changes."""
    root = project_root() / "lib" / "tinyengine"
    digest = hashlib.sha256(" ".join([compiler, *flags, *STRICT]).encode())
    for path in sorted(root.rglob("*.[ch]")):
        digest.update(path.read_bytes())
    archive = cache_dir() / "native" / f"kernels-{digest.hexdigest()[:24]}.a"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            names = [str(path) for path in library_sources()]
            include = f"-I{root / 'include'}"
            _call([compiler, *flags, *STRICT, include, "-c", *names], cwd=scratch)
            product = Path(scratch) / archive.name
            _call(["ar", "rcs", str(product), *map(str, sorted(Path(scratch).glob("*.o")))])
            product.replace(archive)
    return archive


def _call(command: list[str], cwd: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stderr[:6000]}"
