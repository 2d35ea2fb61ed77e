"""What a training step costs and whether it is right, measured on a simulated Cortex-M."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyengine.compiler import CompiledModel
from tinyengine.errors import ToolError
from tinyengine.ir.tokenizer import BEGIN, FIRST_PIECE
from tinyengine.measure.bench import SEED, CyclesEstimate, inside_values, random_inputs
from tinyengine.measure.cycles import estimate_cycles, timings
from tinyengine.measure.target_runner import PAINTS, BenchImage, Job, RunResult
from tinyengine.native import NativeTrainer
from tinyengine.progress import Activity, part, silent
from tinyengine.project.toolchain import compiler_label, footprint
from tinyengine.reference.backward.language import LanguageTrainer
from tinyengine.reference.backward.step import Trainer
from tinyengine.schedule.training import TrainingProgram
from tinyengine.step import Sample, Update
from tinyengine.training.language import LanguageScheme
from tinyengine.training.state import state_of

RATE = 0.01
MOMENTUM = 0.9


@dataclass(frozen=True)
class SramBytes:
    """Everything that training needs: ``weights`` is the state, ``static`` further variables of the network."""

    arena: int
    weights: int
    velocities: int
    static: int
    stack: int
    states: int = 0  # of a language model: keys, values, what a segment's forward pass keeps, gradients

    @property
    def total(self) -> int:
        return self.arena + self.weights + self.velocities + self.static + self.stack + self.states


@dataclass(frozen=True)
class StepCheck:
    """The state after every step against another: how many bytes differ, over all steps. ``reference``: the oracle; or,
    of gradients in float32, which no oracle rounds alike, the generated code in this process."""

    steps: int
    bytes: int
    mismatched: int
    reference: str = "oracle"  # oracle, native


@dataclass(frozen=True)
class TrainingReport:
    """The figures of ``tinyengine bench --train``. Sizes in bytes."""

    model: str
    hash: str
    scheme: str
    classes: int
    residual: bool
    gradients: str
    cpu: str
    machine: str
    compiler: str
    requant: str
    optimize: str
    portable: bool
    instructions_step: int  # the largest of the steps measured
    instructions_forward: int  # of an inference by the same kernels
    sram_bytes: SramBytes
    extra_memory_bytes: int
    trainable_weights: int
    trainable_biases: int
    flash_bytes: int
    check: StepCheck | None
    cycles: CyclesEstimate | None = None  # of the first step

    def to_json(self) -> dict[str, object]:
        """Plain values; ``sram_bytes`` with its total."""
        data = dataclasses.asdict(self)
        data["sram_bytes"]["total"] = self.sram_bytes.total
        return data


def bench_training(
    compiled: CompiledModel,
    steps: int = 2,
    check: bool = True,
    portable: bool = False,
    activity: Activity = silent,
    cycles: bool = False,
) -> TrainingReport:
    """Run ``steps`` training steps from the factory state on random inputs; ``check`` them against the oracle, and
    estimate the ``cycles`` of the first. With velocities they have momentum.

    ToolError when a tool is missing or the network misbehaves, BudgetError when it is larger than the simulated board.
    """
    program = compiled.training
    if program is None:
        raise ValueError(f"{compiled.graph.name} was compiled without an update scheme")
    if cycles:
        timings(compiled.options.cpu)  # there must be some
    activity("compiling for the device", 0, 1)
    graph, cpu = compiled.graph, compiled.options.cpu
    classes = program.classes
    jobs = (_segments if program.segment else _samples)(compiled, program, steps)
    jobs.append(dataclasses.replace(jobs[1], paint=PAINTS[1]))
    with BenchImage([compiled], cpu, portable) as image:
        runs = image.run(jobs, progress=part(activity, "training"))
        estimate = estimate_cycles(image, jobs[1:2]) if cycles else None
        sections = footprint(compiled, cpu, image.portable)
    _insist(runs)
    cost = program.cost
    variables = sections.data + sections.bss - compiled.sram_bytes
    trained = runs[1:-1]
    return TrainingReport(
        model=graph.name,
        hash=compiled.model_hash,
        scheme=program.scheme.name,
        classes=classes,
        residual=program.residual,
        gradients=program.gradients,
        cpu=cpu,
        machine=image.machine.name,
        compiler=compiler_label(compiled.options.cpu, compiled.options.small),
        requant=compiled.options.requant,
        optimize=compiled.options.optimize,
        portable=image.portable,
        instructions_step=max(run.instructions or 0 for run in trained),
        instructions_forward=runs[0].instructions or 0,
        sram_bytes=SramBytes(
            compiled.plan.arena_bytes,
            program.layout.size,
            program.velocity_bytes,
            variables,
            max(run.stack_used for run in trained),
            compiled.states_bytes,
        ),
        extra_memory_bytes=cost.extra_memory_bytes,
        trainable_weights=cost.trainable_weights,
        trainable_biases=cost.trainable_biases,
        flash_bytes=sections.flash,
        check=_check(compiled, jobs[1:-1], trained) if check else None,
        cycles=CyclesEstimate.of(estimate) if estimate else None,
    )


def _samples(compiled: CompiledModel, program: TrainingProgram, steps: int) -> list[Job]:
    """An inference, and steps on random inputs."""
    inputs = [inside_values(compiled.graph, values) for values in random_inputs(compiled.graph, steps)]
    jobs = [Job(0, inputs[0])]
    for index, values in enumerate(inputs):
        step = Sample(index % program.classes, program.classes), _update(program, index)
        jobs.append(Job(0, values, step=step, paint=PAINTS[index % 2], reset=index == 0))
    return jobs


def _segments(compiled: CompiledModel, program: TrainingProgram, steps: int) -> list[Job]:
    """A token, and steps on whole segments of random ones."""
    assert program.network.tokenizer is not None
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(FIRST_PIECE, len(program.network.tokenizer.pieces), (steps, program.segment + 1))
    jobs = [Job(0, [np.array([BEGIN], np.int32)])]
    for index, text in enumerate(tokens.tolist()):
        step = Sample(program.segment, 0), _update(program, index)
        jobs.append(Job(0, [], step=step, paint=PAINTS[index % 2], reset=index == 0, tokens=text))
    return jobs


def _update(program: TrainingProgram, index: int) -> Update:
    return Update(RATE, SEED, index, MOMENTUM if program.velocities else 0.0)


def _insist(runs: list[RunResult]) -> None:
    if not all(run.guards_intact for run in runs):
        raise ToolError("a kernel wrote outside the arena on the simulated core, which is a bug in tinyengine")
    first, again = runs[1].step, runs[-1].step
    if first != again:
        raise ToolError(
            "the same training step gave two answers on the simulated core: a kernel reads arena bytes that were "
            "never written, which is a bug in tinyengine"
        )


def _check(compiled: CompiledModel, jobs: list[Job], runs: list[RunResult]) -> StepCheck:
    program = compiled.training
    assert program is not None
    native = program.gradients == "float32" and not program.segment
    wanted = _native_states(compiled, jobs) if native else _oracle_states(compiled, program, jobs)
    mismatched = 0
    for run, state in zip(runs, wanted, strict=True):
        assert run.step is not None
        mismatched += sum(a != b for a, b in zip(run.step.state, state, strict=True))
    return StepCheck(len(runs), program.layout.size * len(runs), mismatched, "native" if native else "oracle")


def _native_states(compiled: CompiledModel, jobs: list[Job]) -> Iterator[bytes]:
    trainer = NativeTrainer(compiled)
    for job in jobs:
        assert job.step is not None
        trainer.step(np.asarray(job.inputs[0]), *job.step)
        yield trainer.state


def _oracle_states(compiled: CompiledModel, program: TrainingProgram, jobs: list[Job]) -> Iterator[bytes]:
    if isinstance(program.scheme, LanguageScheme):
        language = LanguageTrainer(program.network, program.scheme)
        for job in jobs:
            assert job.step is not None
            language.segment(job.tokens, job.step[1])
            yield state_of(language.graph, program.layout)
        return
    oracle = Trainer(
        program.network,
        program.scheme,
        residual=program.residual,
        requant=compiled.roundings,
    )
    for job in jobs:
        assert job.step is not None
        oracle.train(np.asarray(job.inputs[0]), *job.step)
        yield state_of(oracle.graph, program.layout, oracle.residuals)
