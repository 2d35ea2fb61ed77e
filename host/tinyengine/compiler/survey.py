"""What of a network can be compiled, operator by operator, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyengine.compiler.flow import compile_graph, prepare
from tinyengine.compiler.options import CompileOptions
from tinyengine.compiler.result import CompiledModel
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend.context import BORDER, DTYPE_NAMES, Context
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.language import SUFFIX as LANGUAGE
from tinyengine.frontend.network import load_network
from tinyengine.frontend.onnx.file import JudgedNode, judge_onnx
from tinyengine.frontend.raw import RawOperator, read_raw
from tinyengine.frontend.tflite import judge_tflite
from tinyengine.frontend.tflite_micro import computes
from tinyengine.ir import Graph, Operator
from tinyengine.ir.dispatch import leading_dtype
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.verify import verify
from tinyengine.kernels.select import lower


@dataclass(frozen=True)
class Judged:
    """An operator of the file. ``why``: the sentence of its refusal; ``after``: the refused operator without which it
    could not be judged (it has no ``why`` then)."""

    index: int
    operator: str  # in TFLite's spelling
    type: str  # of what it computes on
    output: str
    why: str | None
    after: int | None
    tflite_micro: bool  # whether TFLite Micro has a kernel for it

    @property
    def supported(self) -> bool:
        return self.why is None and self.after is None


@dataclass(frozen=True, eq=False)
class Survey:
    """A whole network. ``other``: refusals that belong to no single operator; ``compiled`` where there are none."""

    name: str
    operators: list[Judged]
    other: list[str]
    compiled: CompiledModel | None
    smallest: CompiledModel | None  # with --optimize sram

    @property
    def supported(self) -> bool:
        return not self.other and all(operator.supported for operator in self.operators)


def survey(path: Path, cpu: str) -> Survey:
    """Judge the network in the file ``path`` for a core. ModelError where the file is no network at all."""
    if path.suffix.lower() == ".onnx" and path.is_file():
        nodes = judge_onnx(path.read_bytes(), path.stem)
        if any(node.why is not None for node in nodes):
            return Survey(path.stem, [_judged_node(node) for node in nodes], [], None, None)
    if path.suffix.lower() == LANGUAGE:
        graph = load_network(path)
        operators = [
            Judged(index, op.kind, leading_dtype(op, graph), ", ".join(op.outputs), None, None, False)
            for index, op in enumerate(graph.operators)
        ]
        return Survey(path.stem, operators, [], *_compiled(graph, cpu))
    data = network_bytes(path)
    try:
        context = judge_tflite(data, path.stem)
    except ModelError as error:
        raise type(error)(f"{path.name}: {error}") from error
    why = {refusal.operator: refusal.sentence for refusal in context.refusals if refusal.after is None}
    after = {refusal.operator: refusal.after for refusal in context.refusals if refusal.after is not None}
    other = [r.sentence for r in context.refusals if r.operator == BORDER and r.after is None]
    compiled = smallest = None
    _verify(context, why)
    if not context.refusals and not why:
        try:
            verify(context.graph)
            _kernels(context, cpu, why, other)
            if not why and not other:
                compiled, smallest = _compiled(context.graph, cpu)
        except ModelError as error:
            other.append(str(error))
    operators = [_judged(context, op, why.get(op.index), after.get(op.index)) for op in read_raw(data).operators]
    return Survey(path.stem, operators, other, compiled, smallest)


def _compiled(graph: Graph, cpu: str) -> tuple[CompiledModel, CompiledModel]:
    """The fastest, and with the smallest arena."""
    return compile_graph(graph, CompileOptions(cpu)), compile_graph(graph, CompileOptions(cpu, optimize="sram"))


def _judged_node(node: JudgedNode) -> Judged:
    """A node of an ONNX file, of which TFLite Micro runs none."""
    return Judged(node.index, node.kind, "ONNX", node.output, node.why, node.after, False)


def _judged(context: Context, op: RawOperator, why: str | None, after: int | None) -> Judged:
    tensors = context.raw.tensors
    computed = [i for i in (*op.inputs, *op.outputs) if 0 <= i < len(tensors) and not tensors[i].data.size]
    names = [tensors[index].name for index in op.outputs if 0 <= index < len(tensors)]
    dtype = tensors[computed[0]].dtype if computed else "none"
    dtype = "UINT8" if computed and tensors[computed[0]].legacy else dtype
    dtype = DTYPE_NAMES.get(dtype, dtype.lower())
    return Judged(op.index, op.kind, dtype, ", ".join(names), why, after, computes(op.kind, dtype))


def _verify(context: Context, why: dict[int, str]) -> None:
    """Add operators that contradict themselves, as far as all that they read and write is known."""
    for op in context.graph.operators:
        if not context.assumed.isdisjoint((*op.inputs, *op.outputs)):
            continue
        try:
            DEFINITIONS[op.kind].verify(op, context.graph)
        except ModelError as error:
            why[_number(op, context)] = str(error)


def _number(op: Operator, context: Context) -> int:
    """The number in the file of the operator that ``op`` is, or a part of; ``BORDER`` for one that a pass has made."""
    for raw in context.raw.operators:
        name = f"{raw.kind.lower()}_{raw.index}"
        if op.name == name or op.name.startswith(f"{name}_"):
            return raw.index
    return BORDER


def _kernels(context: Context, cpu: str, why: dict[int, str], other: list[str]) -> None:
    """Add what no kernel computes, once the passes are through."""
    target, graph = CompileOptions(cpu).target, prepare(context.graph)
    for op in graph.operators:
        try:
            lower(op, graph, target)
        except UnsupportedOperatorError as error:
            number = _number(op, context)
            if number == BORDER:
                other.append(str(error))
            else:
                why[number] = str(error)
