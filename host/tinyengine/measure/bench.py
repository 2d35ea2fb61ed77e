"""What a compiled network costs and whether it is right, measured on a simulated Cortex-M.

Instructions are exact: QEMU advances its clock by a fixed time per instruction (see docs/bench.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.compiler import CompiledModel, axes_of_ports, network_bytes
from tinyengine.errors import BudgetError, ToolError
from tinyengine.ir import Graph, OpKind, Port
from tinyengine.ir.graph import DTYPES
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.language import remembered
from tinyengine.ir.operators.movement import Movement
from tinyengine.ir.ports import to_inside
from tinyengine.measure.cycles import CycleEstimate, Cycles, estimate_cycles, timings
from tinyengine.measure.target_runner import PAINTS, BenchImage, Job, RunResult
from tinyengine.progress import Activity, part, silent
from tinyengine.project.toolchain import compiler_label, footprint
from tinyengine.reference import Session
from tinyengine.reference.onnx_runner import OnnxRuntime
from tinyengine.reference.tflite_runner import TfliteReference, open_reference
from tinyengine.sizes import format_size

SEED = 20240

FLOAT_BOUND = 2.0**-18
"""How far a float32 output may be from TFLite's, of the largest magnitude of that output: sums are TFLite's to the bit,
but exponentials and the like are those of a C library there, and errors travel."""


@dataclass(frozen=True)
class Check:
    """Device against TFLite, over all outputs of all inputs, as the tensors inside hold them."""

    reference: str
    inputs: int
    outputs: int  # values compared
    mismatched: int  # of float32 those that are farther apart than FLOAT_BOUND says
    max_abs_diff: float  # an integer where all outputs are
    binding: bool  # whether this reference rounds as exact requantization does, so that nothing may differ
    note: str = ""  # why it is not a better one

    @property
    def mismatched_share(self) -> float:
        """Of the outputs compared, 0 .. 1."""
        return self.mismatched / self.outputs if self.outputs else 0.0


@dataclass(frozen=True)
class LayerCost:
    """One layer of the profiling run."""

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int
    cycles: Cycles | None = None  # see docs/performance.md


@dataclass(frozen=True)
class CyclesEstimate:
    """Of one inference, or training step, on ``core``, by the timings that are known of its instructions, without wait
    states. ``low`` and ``high``: what is not known."""

    core: str
    low: int
    estimate: int
    high: int

    @classmethod
    def of(cls, found: CycleEstimate) -> CyclesEstimate:
        return cls(found.core, found.low, found.estimate, found.high)


@dataclass(frozen=True)
class FlashBytes:
    """What the network needs in flash, its kernels included: constant arrays, and everything else. ``functions``: bytes
    of code by function, the network's own and those of the C library included, the largest first."""

    weights: int
    code: int
    functions: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.weights + self.code


@dataclass(frozen=True)
class BenchReport:
    """The figures of ``tinyengine bench``. Sizes in bytes."""

    model: str
    hash: str
    cpu: str
    machine: str
    compiler: str
    requant: str
    optimize: str
    portable: bool
    macs: int
    instructions: int  # of one inference over the first input
    instructions_max: int  # over all inputs: where the arithmetic branches on data, the count varies
    per_layer: list[LayerCost]
    residue: int  # instructions less the sum over per_layer: calling the layers, and measuring them
    arena_bytes: int
    arena_high_water: int
    states_bytes: int
    stack_bytes: int
    flash_bytes: FlashBytes
    check: Check | None
    cycles: CyclesEstimate | None = None
    context: int | None = (
        None  # of a language model: tokens that are remembered in the run that ``instructions`` counts
    )
    hints: list[str] = dataclasses.field(default_factory=list)  # what would make it faster

    @property
    def wrong(self) -> bool:
        """Whether outputs differ that must not."""
        exact = self.requant == "exact" or self.context is not None
        return bool(self.check and self.check.mismatched and self.check.binding and exact)

    @property
    def sram_bytes(self) -> dict[str, int]:
        """What the network takes while it runs."""
        parts = {"arena": self.arena_bytes, "states": self.states_bytes, "stack": self.stack_bytes}
        return parts | {"total": sum(parts.values())}

    def to_json(self) -> dict[str, object]:
        """Plain values; ``flash_bytes`` with its total, ``check`` with the share of outputs that differ."""
        data = dataclasses.asdict(self)
        data["flash_bytes"]["total"] = self.flash_bytes.total
        data["sram_bytes"] = self.sram_bytes
        if self.context is None:
            data.pop("context")
        else:
            data["instructions_per_token"] = self.instructions
        if self.check:
            data["check"]["mismatched_share"] = round(self.check.mismatched_share, 6)
        data["instructions_per_mac"] = round(self.instructions / self.macs, 4) if self.macs else None
        return data


def random_inputs(graph: Graph, count: int, seed: int = SEED) -> list[list[np.ndarray]]:
    """``count`` sets of inputs as the file's author would feed them (dtype of each port), over the full range.

    A float port gets reals a little beyond what its int8 tensor can hold, so that rounding and saturation at the
    border are part of the check.
    """
    rng = np.random.default_rng(seed)
    return [[_random_value(rng, graph, port) for port in graph.inputs] for _ in range(count)]


def _random_value(rng: np.random.Generator, graph: Graph, port: Port) -> np.ndarray:
    tensor = graph.tensor(port.tensor)
    if port.dtype == "float32":
        if tensor.quant is None:
            return rng.normal(size=tensor.shape).astype(np.float32)
        low, high = (tensor.scale * (limit - tensor.zero_point) for limit in (-130, 129))
        return rng.uniform(low, high, tensor.shape).astype(np.float32)
    limits = np.iinfo(DTYPES[port.dtype])
    return rng.integers(limits.min, limits.max, tensor.shape, DTYPES[port.dtype], endpoint=True)


def bench(
    compiled: CompiledModel,
    model: Path | None = None,
    check: int = 0,
    portable: bool = False,
    profile: bool = True,
    activity: Activity = silent,
    cycles: bool = False,
) -> BenchReport:
    """Measure ``compiled`` on the core it was compiled for; with ``check`` compare that many random inputs with TFLite
    running the file ``model``; with ``cycles`` estimate cycles as well (``profile`` only).

    ToolError when a tool is missing or the network misbehaves on the device, BudgetError when it is larger than the
    simulated board.
    """
    if check and model is None:
        raise ValueError("check needs the model's file")
    graph, cpu = compiled.graph, compiled.options.cpu
    if cycles:
        timings(cpu)  # there must be some
    ring = remembered(graph)
    if ring:
        # A token costs the most when the ring is full, and its wrap is part of the check.
        outside = tokens_in_a_row(graph, max(check, ring.window + 1))
        repeated = len(outside)
    else:
        outside, repeated = random_inputs(graph, max(check, 1)), 1
    inside = [inside_values(graph, values) for values in outside]
    with BenchImage([compiled], cpu, portable, part(activity, "compiling for the device")) as image:
        # The first input (of a language model all of them) runs twice over different paint: a byte that happens to be
        # written with one paint's value shows up over the other. The last of the first runs is the profile.
        jobs = [
            Job(0, values, profile=profile and index == repeated - 1, paint=PAINTS[1], reset=index == 0)
            for index, values in enumerate(inside[:repeated])
        ]
        jobs += [Job(0, values, paint=PAINTS[0], reset=index == 0) for index, values in enumerate(inside)]
        runs = image.run(jobs, progress=part(activity, f"running on {image.machine.name}"))
        estimate = estimate_cycles(image, jobs[:repeated]) if cycles else None
        sections = footprint(compiled, cpu, image.portable)
    profiled, counted = runs[repeated - 1], runs[repeated:]
    _insist(runs, repeated)
    if compiled.options.flash is not None and sections.flash > compiled.options.flash:
        raise BudgetError(
            f"the network needs {format_size(sections.flash)} of flash with its kernels, but only "
            f"{format_size(compiled.options.flash)} are allowed: use a narrower network or allow more"
        )
    counts = [run.instructions or 0 for run in counted]
    counted_run = repeated - 1
    weights = compiled.weight_bytes
    return BenchReport(
        model=graph.name,
        hash=compiled.model_hash,
        cpu=cpu,
        machine=image.machine.name,
        compiler=compiler_label(cpu, compiled.options.small),
        requant=compiled.options.requant,
        optimize=compiled.options.optimize,
        portable=image.portable,
        macs=compiled.macs,
        instructions=counts[counted_run],
        instructions_max=max(counts),
        per_layer=_layers(compiled, profiled, estimate),
        residue=counts[counted_run] - sum(layer.instructions for layer in profiled.layers) if profile else 0,
        arena_bytes=compiled.plan.arena_bytes,
        arena_high_water=max(run.arena_used for run in runs),
        states_bytes=compiled.states_bytes,
        stack_bytes=max(run.stack_used for run in counted),
        flash_bytes=FlashBytes(weights, sections.flash - weights, _largest_first(sections.functions)),
        check=_checked(graph, model, outside, counted, activity) if check and model else None,
        cycles=CyclesEstimate.of(estimate) if estimate else None,
        context=ring.window if ring else None,
        hints=compiled.hints,
    )


def tokens_in_a_row(graph: Graph, count: int, seed: int = SEED) -> list[list[np.ndarray]]:
    """``count`` random tokens for a language model, one per run."""
    [logits] = graph.output_tensors()
    tokens = np.random.default_rng(seed).integers(0, graph.tensor(logits).elements, count)
    return [[np.array([token], np.int32)] for token in tokens]


def _checked(
    graph: Graph, model: Path, outside: list[list[np.ndarray]], runs: Sequence[RunResult], activity: Activity
) -> Check:
    """The reference of a language model, and of operators of ours, is the oracle: nobody else computes the same."""
    if not remembered(graph) and all(op.kind is not OpKind.LINEAR_ATTENTION for op in graph.operators):
        return compare(expected_outputs(graph, model, outside, activity), runs)
    session, answers = Session(graph), []
    for index, values in enumerate(outside):
        answers.append(session.run(values))
        activity("running the oracle", index + 1, len(outside))
    return compare(Expected("the oracle in NumPy", True, answers), runs)


def _largest_first(sizes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def inside_values(graph: Graph, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the device gets for one set of inputs."""
    return [to_inside(graph, port, value) for port, value in zip(graph.inputs, values, strict=True)]


def _insist(runs: Sequence[RunResult], repeated: int) -> None:
    """What must hold for the figures to mean anything; the first ``repeated`` runs come twice."""
    if not all(run.guards_intact for run in runs):
        raise ToolError("a kernel wrote outside the arena on the simulated core, which is a bug in tinyengine")
    pairs = [
        pair
        for first, second in zip(runs[:repeated], runs[repeated : 2 * repeated], strict=True)
        for pair in zip(first.outputs, second.outputs, strict=True)
    ]
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        raise ToolError(
            "the same input gave two answers on the simulated core: a kernel reads arena bytes that were never "
            "written, which is a bug in tinyengine"
        )


def _layers(compiled: CompiledModel, profiled: RunResult, estimate: CycleEstimate | None) -> list[LayerCost]:
    if not profiled.layers:
        return []
    cycles = [layer.cycles for layer in estimate.layers] if estimate else [None] * len(compiled.calls)
    return [
        LayerCost(call.name, call.kind, call.function, call.macs, layer.instructions, count)
        for layer, call, count in zip(profiled.layers, compiled.calls, cycles, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Expected:
    """TFLite's answers: per set of inputs, per output, as the tensors inside hold them."""

    reference: str
    binding: bool
    outputs: list[list[np.ndarray]]
    note: str = ""
    steps: int = 0  # how far integers may be apart: one per layer, for references that round in another way


def expected_outputs(
    graph: Graph, model: Path, outside: Sequence[Sequence[np.ndarray]], activity: Activity = silent
) -> Expected:
    """What TFLite answers for the file ``model``, or ONNX Runtime for one of ONNX, as the tensors inside hold it.

    ToolError when no reference is installed, ModelError when TFLite refuses the file.
    """
    steps = 0
    reference: TfliteReference
    if model.suffix.lower() == ".onnx":
        steps = sum(not isinstance(DEFINITIONS[op.kind], Movement) for op in graph.operators)
        reference = OnnxRuntime(model, *axes_of_ports(model.read_bytes(), model.stem))
    else:
        reference = open_reference(network_bytes(model), len(graph.inputs), len(graph.outputs))
    answers = []
    for index, values in enumerate(outside):
        outputs = reference.run(values)
        answers.append([to_inside(graph, port, got) for port, got in zip(graph.outputs, outputs, strict=True)])
        activity("running the reference", index + 1, len(outside))
    return Expected(
        reference.name, reference.binding and not (steps and _is_mixed(graph)), answers, reference.note, steps
    )


def _is_mixed(graph: Graph) -> bool:
    """Whether real outputs follow from int8 layers: steps of these are no bound for them."""
    real = any(graph.tensor(port.tensor).dtype == "float32" for port in graph.outputs)
    return real and any(graph.tensor(op.outputs[0]).dtype == "int8" for op in graph.operators)


def compare(expected: Expected, runs: Sequence[RunResult]) -> Check:
    """The device's ``runs`` against TFLite, in the same order of inputs."""
    differences, mismatched = [], 0
    for answer, run in zip(expected.outputs, runs, strict=True):
        for wanted, got in zip(answer, run.outputs, strict=True):
            difference = _difference(wanted, got)
            mismatched += int(np.count_nonzero(difference > _tolerance(wanted, expected.steps)))
            differences.append(difference.ravel())
    difference = np.concatenate(differences)
    return Check(
        reference=expected.reference,
        inputs=len(runs),
        outputs=difference.size,
        mismatched=mismatched,
        max_abs_diff=difference.max(initial=0).item(),
        binding=expected.binding,
        note=_same_answers(expected, runs) if expected.steps else expected.note,
    )


def _same_answers(expected: Expected, runs: Sequence[RunResult]) -> str:
    """How often the largest of an output's values is the same, where the bound is more than none."""
    pairs = [
        pair
        for answer, run in zip(expected.outputs, runs, strict=True)
        for pair in zip(answer, run.outputs, strict=True)
    ]
    same = sum(bool(wanted.ravel()[got.argmax()] == wanted.max()) for wanted, got in pairs)
    real = any(answer.dtype.kind == "f" for answer in expected.outputs[0])
    unit = "bound" if real else "step"
    steps = f"{expected.steps} {unit}s" if expected.steps > 1 else f"1 {unit}"
    largest = f"the largest value is the same in {same} of {len(pairs)} outputs"
    return f"within {steps}, one per layer, counts as equal; {largest}"


def _difference(wanted: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Between values; none where both are the same infinity or no numbers, infinite where only one is none."""
    if got.dtype.kind != "f":
        return np.abs(np.subtract(wanted, got, dtype=np.int64))
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.subtract(wanted, got, dtype=np.float64))
    same = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _tolerance(wanted: np.ndarray, steps: int) -> float:
    """Of the values of one output: so many steps of integers; of reals the bound, as often if there are any."""
    if wanted.dtype.kind != "f":
        return float(steps)
    return max(steps, 1) * FLOAT_BOUND * float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0))
