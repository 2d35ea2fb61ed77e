"""The compiler: a model file in, C sources and figures out."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tinyengine.codegen import NetworkSource, generate
from tinyengine.data.metadata import load_metadata
from tinyengine.errors import BudgetError, ModelError, ToolError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.ir import Graph
from tinyengine.ir.verify import verify
from tinyengine.kernels.base import KernelCall, Target, arrays_in
from tinyengine.memory.plan import MemoryPlan
from tinyengine.passes import optimize
from tinyengine.schedule import Stage, calls_of, schedule
from tinyengine.schedule.training import TrainingProgram, training_program, training_source
from tinyengine.sizes import exact_size
from tinyengine.training.head import replace_head
from tinyengine.training.scheme import UpdateScheme, resolve_scheme
from tinyengine.training.state import layout_hash


@dataclass(frozen=True)
class CompileOptions:
    """Everything that may change the generated code. Sizes are bytes; None means no cap."""

    cpu: str = "cortex-m4"
    input: str = "frame"  # frame, rows
    optimize: str = "time"  # time, sram, flash
    requant: str = "exact"  # exact, fast
    sram: int | None = None
    sram_available: int | None = None  # what the board has: schedules try to fit it, ``project.budget`` judges
    flash: int | None = None
    max_recompute: float = 1.0
    prefix: str = "network"
    train: str | UpdateScheme | None = None  # update scheme: a name or a file (training.scheme.resolve_scheme)
    classes: int | None = None  # of a new classifier; None keeps the network's own
    residual: bool = False  # a residual byte per trained weight
    velocity: bool = False  # a float32 per trained constant, for momentum and batches
    gradients: str = "int16"  # int16 (block floating point), float32

    @property
    def small(self) -> bool:
        """Whether flash counts more than anything else."""
        return self.optimize == "flash"

    @property
    def target(self) -> Target:
        return Target(cpu=self.cpu, requant=self.requant, optimize=self.optimize)


@dataclass(eq=False)
class CompiledModel:
    """The result: sources by file name, and what they were made from."""

    graph: Graph
    stages: list[Stage]
    plan: MemoryPlan
    sources: dict[str, str]
    model_hash: str
    options: CompileOptions
    metadata_json: str = "{}"
    code_bytes: int | None = field(default=None)  # filled by whoever compiled the C
    static_bytes: int | None = field(default=None)  # likewise: variables besides ``sram_bytes``
    training: TrainingProgram | None = None
    layout_hash: str = ""  # te_trainer.layout

    @property
    def prefix(self) -> str:
        return self.options.prefix

    @property
    def calls(self) -> list[KernelCall]:
        """Calls of an inference (no views), in order."""
        return [call for call in self.step_calls if call.role == "forward"]

    @property
    def step_calls(self) -> list[KernelCall]:
        """Calls that execute, those of a training step included."""
        return [call for call in calls_of(self.stages) if not call.is_view]

    @property
    def macs(self) -> int:
        return sum(call.macs for call in self.calls)

    @property
    def state_bytes(self) -> int:
        """SRAM of trained constants, 0 without training."""
        return self.training.layout.size if self.training else 0

    @property
    def velocity_bytes(self) -> int:
        """SRAM of the velocities of trained constants, 0 without momentum and batches."""
        return self.training.velocity_bytes if self.training else 0

    @property
    def sram_bytes(self) -> int:
        """The arena and what training keeps beside it."""
        return self.plan.arena_bytes + self.state_bytes + self.velocity_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of constant arrays in flash; of a network in training with the factory state."""
        distinct = {id(array): array.data.nbytes for call in self.step_calls for array in arrays_in(call.params)}
        return sum(distinct.values()) + self.state_bytes

    def write(self, directory: Path) -> None:
        """Write the sources into ``directory``: all of them or none. Files that would not change are left alone, so
        that a build system sees no change."""
        parent = directory.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=parent, prefix=f".{directory.name}-") as scratch:
                staged = {name: Path(scratch) / name for name in self.sources}
                for name, path in staged.items():
                    path.write_text(self.sources[name], encoding="ascii")
                directory.mkdir(exist_ok=True)  # only now: a full disk leaves no empty directory
                for name, path in staged.items():
                    target = directory / name
                    if not target.is_file() or target.read_bytes() != path.read_bytes():
                        os.replace(path, target)
        except OSError as error:
            raise ToolError(f"cannot write the generated sources to {directory}: {error.strerror or error}") from error


Observer = Callable[[str, Graph], None]


def compile_model(path: Path, options: CompileOptions | None = None, observer: Observer | None = None) -> CompiledModel:
    """Compile a .tflite file; ``observer`` sees the graph after the import and after each pass.

    Raises ModelError for a file that cannot be used and BudgetError when the SRAM cap is too small.
    """
    path = Path(path)
    options = options or CompileOptions()
    graph = load_tflite(path)
    metadata = load_metadata(path)
    identity = hashlib.sha256(path.read_bytes())
    return compile_graph(graph, options, observer, identity.digest(), metadata.to_json() if metadata else "{}")


def compile_graph(
    graph: Graph,
    options: CompileOptions | None = None,
    observer: Observer | None = None,
    identity: bytes = b"",
    metadata_json: str = "{}",
) -> CompiledModel:
    """Compile a graph that is already in memory (verified here)."""
    options = options or CompileOptions()
    verify(graph)
    if observer:
        observer("import", graph)
    if options.classes is not None:
        graph = replace_head(graph, options.classes)
    scheme = options.train
    if isinstance(scheme, str):
        scheme = resolve_scheme(scheme, graph)
    graph = optimize(graph, observer)
    verify(graph)
    cap = options.sram if options.sram is not None else options.sram_available
    rows = options.input == "rows"
    program: TrainingProgram | None = None
    if scheme is None:
        chosen = schedule(graph, options.target, rows=rows, sram=cap, max_recompute=options.max_recompute)
    else:
        program = training_program(
            graph,
            scheme,
            options.target,
            residual=options.residual,
            velocity=options.velocity,
            gradients=options.gradients,
            rows=rows,
            sram=cap,
        )
        graph, chosen = program.graph, program.schedule
    stages, memory = chosen.stages, chosen.plan
    taken = memory.arena_bytes + (program.sram_bytes if program else 0)
    if options.sram is not None and taken > options.sram:
        raise BudgetError(
            f"the network needs {exact_size(taken)} of SRAM{' to be trained' if program else ' for its activations'}, "
            "but only "
            f"{exact_size(options.sram)} are allowed ({memory.bottleneck}): use "
            f"{'a smaller update scheme, ' if program else ''}a smaller resolution or width, or a board with more SRAM"
        )
    model_hash = _hash(identity, options, metadata_json)
    layout = "" if program is None else layout_hash(identity, program.scheme, options.classes, options.residual)
    training = None if program is None else training_source(program, layout)
    source = NetworkSource(
        graph, calls_of(stages), memory, model_hash, metadata_json, options.prefix, training, options.small
    )
    return CompiledModel(
        graph,
        stages,
        memory,
        generate(source),
        model_hash,
        options,
        metadata_json,
        training=program,
        layout_hash=layout,
    )


def model_hashes(path: Path) -> frozenset[str]:
    """What a device that runs this file may give as its hash: one for each option that changes what is computed.

    Raises ModelError when the file cannot be read, DataError for a damaged MODEL.json.
    """
    try:
        identity = hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError as error:
        raise ModelError(f"cannot read the network {path}: {error.strerror or error}") from error
    metadata = load_metadata(path)
    metadata_json = metadata.to_json() if metadata else "{}"
    options = (CompileOptions(requant=requant) for requant in ("exact", "fast"))
    return frozenset(_hash(identity, each, metadata_json) for each in options)


def _hash(identity: bytes, options: CompileOptions, metadata_json: str) -> str:
    """Identity of a network on a device: the model file and the options that change what it computes."""
    what = {"requant": options.requant, "metadata": metadata_json}
    if options.classes is not None:
        what["classes"] = str(options.classes)
    meaning = json.dumps(what, sort_keys=True)
    return hashlib.sha256(identity + meaning.encode()).hexdigest()[:16]
