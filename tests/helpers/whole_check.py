"""Whole networks against TFLite, and their C against the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.errors import TinyEngineError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph
from tinyengine.ir.ports import to_inside
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.native.build import run_in_a_row
from tinyengine.passes import optimize
from tinyengine.reference import Session

from tests.helpers.batch import differing
from tests.helpers.graphs import to_outside
from tests.helpers.legacy import as_uint8, uint8
from tests.helpers.tflite_reference import run_builtin_ref_apart, run_builtin_ref_in_a_row
from tests.helpers.whole_graphs import Theme, random_graph

Runs = Sequence[Sequence[np.ndarray]]
"""Inputs, or outputs, of runs in a row."""

WAYS: tuple[dict[str, str | float], ...] = (
    {},
    {"optimize": "sram"},
    {"optimize": "flash"},
    {"requant": "fast"},
    {"input": "rows", "optimize": "sram", "max_recompute": 1.5},
)
"""In which networks are compiled; each network in two of them."""


def outside(graph: Graph, runs: Runs) -> list[list[np.ndarray]]:
    """The oracle's answers to what the ports of ``graph`` are given."""
    session, answers = Session(graph), []
    for inputs in runs:
        inside = [to_inside(graph, port, x) for port, x in zip(graph.inputs, inputs, strict=True)]
        outputs = session.run(inside)
        answers.append([to_outside(graph, port, y) for port, y in zip(graph.outputs, outputs, strict=True)])
    return answers


def difference(graph: Graph, mine: Runs, theirs: Runs) -> str:
    """The first output that differs; empty if none does."""
    for run, (ours, wanted) in enumerate(zip(mine, theirs, strict=True)):
        for port, a, b in zip(graph.outputs, ours, wanted, strict=True):
            different = differing(a.ravel(), b.ravel())
            if different.any():
                producer = graph.producer(port.tensor)
                return f"run {run}, {port.tensor} ({producer and producer.kind}): {different.sum()} of {a.size} differ"
    return ""


def against_tflite(graph: Graph, runs: Runs) -> str:
    """The oracle on the graph, on the file that it becomes, and on that behind all passes: empty if TFLite agrees, or
    ends its process at the network."""
    model = tflite_bytes(graph)
    theirs = run_builtin_ref_apart(model, [list(inputs) for inputs in runs])
    if theirs is None:
        return ""
    read = parse_tflite(model)
    for name, each in (("graph", graph), ("file", read), ("passes", optimize(read))):
        found = difference(graph, outside(each, runs), theirs)
        if found:
            return f"{name}: {found}"
    return ""


def against_tflite_in_uint8(graph: Graph, runs: Runs, zero: int) -> str:
    """The same as a file of uint8, whose weights have the zero point ``zero``."""
    model = tflite_bytes(as_uint8(graph, zero))
    inputs = [[uint8(x) for x in run] for run in runs]
    theirs = run_builtin_ref_in_a_row(model, inputs)
    read = parse_tflite(model)
    for name, each in (("file", read), ("passes", optimize(read))):
        found = difference(graph, outside(each, inputs), theirs)
        if found:
            return f"{name}: {found}"
    return ""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network in C, and what it is given."""

    label: str
    model: CompiledModel
    inputs: Runs

    def expected(self) -> Runs:
        """The oracle's answers, rounded as the kernels round."""
        session = Session(self.model.graph, self.model.roundings)
        return [session.run(list(inputs)) for inputs in self.inputs]


def compiled(seed: int, steps: int, theme: Theme, say: Callable[[str], None]) -> list[Compiled]:
    """A random network, compiled in two ways; ``say`` gets what the passes change, and what the compiler fails at."""
    graph, runs = random_graph(seed, steps, theme)
    made = []
    for k in (seed % len(WAYS), (seed + 2) % len(WAYS)):
        label = f"{seed} {steps} {WAYS[k]}"
        try:
            model = compile_graph(graph, CompileOptions(prefix=f"n{seed}_{k}", **WAYS[k]))  # type: ignore[arg-type]
        except TinyEngineError as error:
            if WAYS[k].get("input") != "rows":  # which not every network is able to take
                say(f"{label}: {error}")
            continue
        if found := difference(graph, outside(model.graph, runs), outside(graph, runs)):
            say(f"{label}: passes: {found}")
        ports = model.graph.inputs
        inputs = [[to_inside(model.graph, port, x) for port, x in zip(ports, run, strict=True)] for run in runs]
        made.append(Compiled(label, model, inputs))
    return made


def under_sanitizers(models: Sequence[Compiled]) -> list[Runs]:
    """What portable C answers on the host."""
    return list(run_in_a_row([each.model for each in models], [each.inputs for each in models]))


def on_core(models: Sequence[Compiled], cpu: str, portable: bool) -> list[Runs]:
    """What a simulated core answers, in one image and one simulation."""
    jobs = [Job(i, x, reset=run == 0) for i, each in enumerate(models) for run, x in enumerate(each.inputs)]
    with BenchImage([each.model for each in models], cpu, portable) as image:
        results = iter(image.run(jobs, exact=False))
    answers: list[Runs] = []
    for each in models:
        found = [next(results) for _ in each.inputs]
        assert all(result.guards_intact for result in found), f"{each.label}: bytes outside the arena were overwritten"
        answers.append([result.outputs for result in found])
    return answers


def against_oracle(models: Sequence[Compiled], answers: Sequence[Runs]) -> list[str]:
    """A line for each network that answers otherwise than the oracle."""
    lines = []
    for each, got in zip(models, answers, strict=True):
        if found := difference(each.model.graph, got, each.expected()):
            lines.append(f"{each.label}: {found}")
    return lines
