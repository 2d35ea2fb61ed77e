"""Variables of TFLite files: what becomes a state, what TFLite answers over several runs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import ElementwiseAttrs
from tinyengine.native.build import build, run_many
from tinyengine.passes import optimize
from tinyengine.reference import Session

from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.recurrent import svdf_layers
from tests.helpers.signal import sound
from tests.helpers.stateful import NETWORKS, stateful
from tests.helpers.streaming import STREAMING, many_rows, not_the_end, random_windows, wake_word, whole_windows
from tests.helpers.tflite_reference import run_builtin_ref_in_a_row, run_micro_in_a_row

RUNS = 10
FAMILIES = [*NETWORKS, *STREAMING]
EXAMPLES = settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
Answers = list[list[np.ndarray]]
by_name = pytest.mark.parametrize("network_of", FAMILIES, ids=lambda network_of: network_of.__name__)


def runs_of(graph: Graph) -> Answers:
    return [random_inputs(graph, seed) for seed in range(RUNS)]


def answers(graph: Graph, runs: Answers) -> Answers:
    """The oracle's, beginning with a reset."""
    session = Session(graph)
    return [session.run(inputs) for inputs in runs]


def assert_equal(got: Answers, wanted: Answers) -> None:
    assert len(got) == len(wanted)
    for index, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(np.ravel(a), np.ravel(b), f"run {index}")


# --- files and TFLite ---


@by_name
def test_states_survive_a_file(network_of: Callable) -> None:
    """As variables of TFLite, before and after the passes, which leave windows as one operator that TFLite lacks."""
    graph = stateful(network_of)
    runs = runs_of(graph)
    wanted = answers(graph, runs)
    assert len({array.tobytes() for [array, *_] in wanted}) > RUNS // 2, "the outputs hardly differ"
    for written in (graph, optimize(graph)):
        loaded = parse_tflite(tflite_bytes(written))
        assert len(loaded.states) == len(graph.states)
        assert_equal(answers(loaded, runs), wanted)


@by_name
def test_tflite_answers_the_same_run_after_run(network_of: Callable) -> None:
    graph = stateful(network_of)
    runs = runs_of(graph)
    # TFLite takes a state of int8 for one of int16 and writes beyond it; the signal library is TFLite Micro's.
    reference = run_micro_in_a_row if network_of in (svdf_layers, sound) else run_builtin_ref_in_a_row
    # Optimized, sounds rely on zeros that TFLite Micro does not write.
    for written in (graph, graph if network_of is sound else optimize(graph)):
        assert_equal(answers(graph, runs), reference(tflite_bytes(written), runs))


@pytest.mark.parametrize("network_of", [whole_windows, not_the_end, *NETWORKS[:2]], ids=lambda n: n.__name__)
def test_tflite_micro_answers_the_same_run_after_run(network_of: Callable) -> None:
    graph = stateful(network_of)
    if network_of is whole_windows:  # its dense layers round twice
        graph = replace(graph, outputs=[replace(graph.outputs[0], tensor=graph.operators[-1].inputs[0])])
    runs = runs_of(graph)
    micro = run_micro_in_a_row(tflite_bytes(graph), runs)
    assert_equal([outputs[:1] for outputs in answers(graph, runs)], [[array] for array in micro])


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_random_windows(seed: int) -> None:
    """TFLite, the oracle of the file and of the optimized graph agree."""
    graph = random_windows(seed).graph
    data, runs = tflite_bytes(graph), runs_of(graph)
    wanted = run_builtin_ref_in_a_row(data, runs)
    loaded = parse_tflite(data)
    assert_equal(answers(loaded, runs), wanted)
    assert_equal(answers(optimize(loaded), runs), wanted)


# --- windows over time ---


@pytest.mark.parametrize("network_of", [wake_word, whole_windows, many_rows], ids=lambda n: n.__name__)
def test_windows_are_shifted_where_they_lie(network_of: Callable) -> None:
    model = compile_graph(stateful(network_of), CompileOptions(optimize="sram"))
    kinds = [op.kind for op in model.graph.operators]
    assert kinds.count(OpKind.SHIFT) == len(model.graph.states)
    assert OpKind.STRIDED_SLICE not in kinds
    assert model.plan.region.copies == () and not model.plan.region.detours


def test_a_window_that_nobody_reads_whole_does_not_grow() -> None:
    before = stateful(NETWORKS[1])  # the delay line
    graph = optimize(before)
    assert graph.operators[0].kind is OpKind.SHIFT
    assert graph.states[0].initial is before.states[0].initial


def test_other_slices_stay() -> None:
    kinds = [op.kind for op in optimize(stateful(not_the_end)).operators]
    assert OpKind.SHIFT not in kinds and kinds.count(OpKind.STRIDED_SLICE) == 2


def test_split_depthwise_convolutions_become_one() -> None:
    graph = optimize(stateful(wake_word))
    kinds = [op.kind for op in graph.operators]
    assert kinds.count(OpKind.DEPTHWISE_CONV_2D) == 2 and OpKind.CONCATENATION not in kinds
    joined = [op for op in graph.operators if op.kind is OpKind.DEPTHWISE_CONV_2D][1]
    weights = graph.tensor(joined.inputs[1]).data
    assert weights is not None and weights.shape == (1, 11, 1, 12)
    assert not weights[0, :4, 0, :5].any() and weights[0, 4:, 0, :5].any() and weights[0, 0, 0, 5:].any()


# --- the generated code ---


@pytest.mark.parametrize("options", [{}, {"optimize": "sram"}, {"requant": "fast"}], ids=str)
@pytest.mark.parametrize("network_of", STREAMING, ids=lambda network_of: network_of.__name__)
def test_generated_code_answers_as_the_oracle(network_of: Callable, options: dict[str, str]) -> None:
    model = compile_graph(stateful(network_of), CompileOptions(prefix=network_of.__name__, **options))  # type: ignore
    runs = runs_of(model.graph)
    session = Session(model.graph, model.roundings)
    wanted = [session.run(inputs) for inputs in runs]
    network = build(model)
    for _ in range(2):
        assert_equal([network.run(inputs) for inputs in runs], wanted)
        network.reset()


def test_generated_code_is_clean_under_sanitizers() -> None:
    models = [
        compile_graph(random_windows(seed).graph, CompileOptions(prefix=f"windows_{seed}")) for seed in range(12)
    ] + [compile_graph(stateful(n), CompileOptions(prefix=n.__name__)) for n in STREAMING]
    inputs = [random_inputs(model.graph, 1) for model in models]
    for model, values, got in zip(models, inputs, run_many(models, inputs), strict=True):
        assert_equal([got], [Session(model.graph).run(values)])


# --- the order of reading and assigning ---


def schema() -> ModuleType:
    try:
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated
    except ImportError:
        schema_py_generated = pytest.importorskip(
            "tensorflow.lite.python.schema_py_generated",
            reason="neither tflite_micro nor TensorFlow (extras 'check', 'convert') is installed",
        )
    return schema_py_generated


class File:
    """A file with one variable that can be taken to pieces: y = x + variable, z = y + x, the output; variable = y."""

    def __init__(self) -> None:
        b = GraphBuilder(5, "variable")
        x, kept = b.input(1, 2, 2, 3), b.state(1, 2, 2, 3, initial=7)
        y = b.op(OpKind.ADD, [x, kept], ElementwiseAttrs(), quant=b.graph.tensor(kept).quant, name="y")
        b.keep(kept, y)
        b.output(b.op(OpKind.ADD, [y, x], ElementwiseAttrs(), quant=b.graph.tensor(kept).quant, name="z"))
        objects = schema()
        self.model = objects.ModelT.InitFromObj(objects.Model.GetRootAs(tflite_bytes(b.graph), 0))
        self.graph = self.model.subgraphs[0]
        names = ("once", "handle", "read", "add_y", "add_z", "assign")
        self.ops = dict(zip(names, self.graph.operators, strict=True))

    def order(self, *operators: Any) -> File:
        """Let the network consist of these operators (or names of ours), in this order."""
        self.graph.operators = [self.ops[op] if isinstance(op, str) else op for op in operators]
        return self

    def like(self, name: str, inputs: dict[int, int] | None = None, output: int | None = None) -> Any:
        """Another operator of the kind of ``name``, with some inputs and the output replaced by other tensors."""
        old, new = self.ops[name], schema().OperatorT()
        new.opcodeIndex, new.builtinOptions, new.builtinOptionsType = (
            old.opcodeIndex,
            old.builtinOptions,
            old.builtinOptionsType,
        )
        new.inputs, new.outputs = list(old.inputs), list(old.outputs) if output is None else [output]
        for position, tensor in (inputs or {}).items():
            new.inputs[position] = tensor
        return new

    def index(self, name: str) -> int:
        return next(i for i, tensor in enumerate(self.graph.tensors) if tensor.name == name.encode())

    def tensor(self, **fields: Any) -> int:
        """A new tensor like the variable's value, with other ``fields``."""
        new, old = schema().TensorT(), self.graph.tensors[self.index("y")]
        new.name, new.shape, new.type, new.quantization = b"again", list(old.shape), old.type, old.quantization
        new.buffer = 0
        for name, value in fields.items():
            setattr(new, name, value)
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1

    def data(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def read_after_assigning(f: File) -> File:
    again = f.tensor()
    read = f.like("read", output=again)
    return f.order("once", "handle", "read", "add_y", "assign", read, f.like("add_z", {0: again}))


def read_twice(f: File) -> File:
    again = f.tensor()
    return f.order(
        "once", "handle", "read", f.like("read", output=again), "add_y", f.like("add_z", {0: again}), "assign"
    )


def assigned_twice(f: File) -> File:
    return f.order("once", "handle", "read", "add_y", "assign", "add_z", f.like("assign", {1: f.index("z")}))


def never_assigned(f: File) -> File:
    return f.order("once", "handle", "read", "add_y", "add_z")


def assigned_before_it_is_read(f: File) -> File:
    y, again = f.index("y"), f.tensor()
    first = f.like("add_y", {1: f.index("t0")})
    return f.order(
        "once", "handle", first, f.like("assign", {1: y}), f.like("read", output=again), f.like("add_z", {0: again})
    )


def a_handle_twice(f: File) -> File:
    other = f.tensor(shape=[], type=f.graph.tensors[f.ops["handle"].outputs[0]].type, quantization=None)
    handle = f.like("handle", output=other)
    return f.order("once", "handle", "read", "add_y", "add_z", handle, f.like("assign", {0: other}))


RIGHT = [read_after_assigning, read_twice, assigned_twice, never_assigned, assigned_before_it_is_read, a_handle_twice]


@pytest.mark.parametrize("change", RIGHT, ids=lambda change: change.__name__)
def test_whatever_the_order_the_answers_are_those_of_tflite(change: Callable[[File], File]) -> None:
    data = change(File()).data()
    graph = parse_tflite(data)
    stateless = change in (never_assigned, assigned_before_it_is_read)
    assert len(graph.states) == (0 if stateless else 1)
    runs = runs_of(graph)
    wanted = run_builtin_ref_in_a_row(data, runs)
    assert_equal(answers(graph, runs), wanted)
    network = build(compile_graph(graph, CompileOptions(prefix=change.__name__)))
    assert_equal([network.run(inputs) for inputs in runs], wanted)


def initializer(change: Callable[[Any, File], None]) -> Callable[[File], File]:
    def edit(f: File) -> File:
        change(f.model.subgraphs[1], f)
        return f

    return edit


def computed_at_first(subgraph: Any, f: File) -> None:
    subgraph.tensors[subgraph.operators[1].inputs[1]].buffer = 0


def added_at_first(subgraph: Any, f: File) -> None:
    subgraph.operators.append(f.ops["add_y"])


def another_shape(subgraph: Any, f: File) -> None:
    tensor = subgraph.tensors[subgraph.operators[1].inputs[1]]
    tensor.shape = [1, 2, 6, 1]


def called_late(f: File) -> File:
    first = f.like("assign", {1: f.index("t0")})
    return f.order("handle", first, "once", "read", "add_y", "add_z", "assign")


def without_a_first_value(f: File) -> File:
    f.model.subgraphs = f.model.subgraphs[:1]
    return f.order("handle", "read", "add_y", "add_z", "assign")


def uncalled(f: File) -> File:
    return f.order("handle", f.like("add_y", {1: f.index("t0")}), "add_z")


def nowhere(f: File) -> File:
    f.ops["once"].builtinOptions.initSubgraphIndex = 5
    return f


def a_constant(f: File) -> File:
    buffer = schema().BufferT()
    buffer.data = np.zeros(12, np.uint8)
    f.model.buffers.append(buffer)
    return f.order(
        "once", "handle", "read", "add_y", "add_z", f.like("assign", {1: f.tensor(buffer=len(f.model.buffers) - 1)})
    )


def another_scale(f: File) -> File:
    return f.order("once", "handle", "read", "add_y", "add_z", f.like("assign", {1: f.index("t0")}))


def no_handle(f: File) -> File:
    return f.order("once", "read", "add_y", "add_z", "assign")


def read_otherwise(f: File) -> File:
    again = f.tensor(shape=[1, 4, 1, 3])
    return f.order("once", "handle", "read", "add_y", "assign", f.like("read", output=again), "add_z")


REFUSED: list[tuple[Callable[[File], File], str]] = [
    (initializer(computed_at_first), r"computes the initial value of variable 't1': make it constant"),
    (initializer(added_at_first), r"initializes variables by ADD: create them with constant initial values"),
    (initializer(another_shape), r"reads variable 't1', which begins as int8\[1, 2, 6, 1\]"),
    (called_late, r"initializes variables that are in use already: put it before all other operators"),
    (
        without_a_first_value,
        r"reads variable 't1' before anything is assigned to it: give the variable an initial value",
    ),
    (uncalled, r"has 2 subgraphs, only one is supported, and one that initializes variables"),
    (nowhere, r"calls subgraph 5, which does not exist"),
    (a_constant, r"assigns a constant to variable 't1': let the network read the constant itself"),
    (another_scale, r"assigns .* to variable 't1', .*keep type, shape and quantization"),
    (no_handle, r"uses a variable that no VAR_HANDLE names"),
    (read_otherwise, r"reads variable 't1' with another type, shape or quantization than it has"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_has_no_sense_is_refused_in_one_sentence(change: Callable[[File], File], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        parse_tflite(change(File()).data(), "net.tflite")
    assert "\n" not in str(caught.value) and str(caught.value).startswith("net.tflite: ")


@pytest.mark.parametrize(
    ("kind", "way_out"), [("WHILE", r"unroll the loop .*unroll=True"), ("IF", "convert the function")]
)
def test_control_flow_is_refused_with_a_way_out(kind: str, way_out: str) -> None:
    f = File()
    code = f.model.operatorCodes[f.ops["add_y"].opcodeIndex]
    code.builtinCode = getattr(schema().BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    with pytest.raises(ModelError, match=rf"\({kind}\) .*is not supported: {way_out}"):
        parse_tflite(f.data())
