"""States, from the graph to the generated C in this process and in the firmware."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.device import open_device
from tinyengine.device.client import OBJECT_OUTPUT
from tinyengine.device.errors import RefusedError, RestartedError
from tinyengine.device.framing import Op, Status
from tinyengine.device.recognition import Recognizer
from tinyengine.errors import BudgetError, ModelError
from tinyengine.ir import OpKind, State
from tinyengine.ir.ops import ElementwiseAttrs
from tinyengine.ir.printer import format_graph
from tinyengine.ir.verify import verify
from tinyengine.kernels.base import arrays_in
from tinyengine.native.build import build, run_many
from tinyengine.passes import optimize
from tinyengine.reference import Session, run
from tinyengine.report.figures import network_figures

from tests.helpers.graphs import GraphBuilder, small_graph
from tests.helpers.native_device import build_compiled, native_device
from tests.helpers.stateful import (
    NETWORKS,
    accumulator,
    compiled,
    deep,
    delay_line,
    exchanged,
    expected,
    stateful,
    streamed,
)

OPTIONS = [{}, {"optimize": "sram"}, {"optimize": "flash"}, {"requant": "fast"}]


def test_the_oracle_carries_states_over_and_resets_them() -> None:
    model = compiled(accumulator)
    graph = model.graph
    inputs, outputs = expected(model)
    session = Session(graph)
    for values, wanted in zip(inputs, outputs, strict=True):
        before = session.states
        [got] = session.run(values)
        np.testing.assert_array_equal(got, wanted[0])
        assert not np.array_equal(session.states[graph.states[0].tensor], before[graph.states[0].tensor])
    session.reset()
    np.testing.assert_array_equal(session.run(inputs[0])[0], run(graph, inputs[0])[0])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("network_of", NETWORKS, ids=lambda network_of: network_of.__name__)
def test_generated_code_answers_as_the_oracle_run_after_run(network_of: Callable, options: dict[str, str]) -> None:
    model = compiled(network_of, **options)
    inputs, outputs = expected(model)
    network = build(model)
    for _ in range(2):
        for values, wanted in zip(inputs, outputs, strict=True):
            for got, array in zip(network.run(values), wanted, strict=True):
                np.testing.assert_array_equal(got, array)
        network.reset()


def test_streams_read_states_and_compute_their_next_values() -> None:
    layers, streams = compiled(streamed), compiled(streamed, optimize="sram")
    assert any(call.form == "stream" for call in streams.calls)
    assert streams.plan.arena_bytes < layers.plan.arena_bytes
    assert streams.states_bytes == layers.states_bytes == 2 * 20 * 20 * 4


def test_generated_code_is_clean_under_sanitizers() -> None:
    models = [compiled(network_of) for network_of in NETWORKS]
    cases = [expected(model) for model in models]
    for (_, outputs), got in zip(cases, run_many(models, [inputs[0] for inputs, _ in cases]), strict=True):
        for array, wanted in zip(got, outputs[0], strict=True):
            np.testing.assert_array_equal(array, wanted)


def test_passes_keep_states_and_what_they_become() -> None:
    graph = stateful(exchanged)
    unread = replace(graph.states[0], tensor="idle", update="idle")
    graph.tensors["idle"] = replace(graph.tensor(graph.states[0].tensor), name="idle")
    graph.states.append(unread)
    optimized = optimize(graph)
    assert optimized.states == graph.states and "idle" in optimized.tensors


def test_an_activation_is_not_fused_into_what_a_state_keeps() -> None:
    b = GraphBuilder(1)
    x, kept = b.input(1, 2, 2, 4), b.state(1, 2, 2, 4)
    y = b.op(OpKind.MUL, [x, x], ElementwiseAttrs(), quant=b.quant())
    b.graph.tensor(kept).quant = b.graph.tensor(y).quant
    b.keep(kept, y)
    b.output(b.relu(y, same=True))
    b.output(b.binary(OpKind.ADD, kept, x))
    optimized = optimize(b.graph)
    assert [op.kind for op in optimized.operators] == [OpKind.MUL, OpKind.RELU, OpKind.ADD]


def test_a_printed_graph_names_states() -> None:
    text = format_graph(stateful(accumulator))
    assert "  state  t1 int8[1x4x4x8]" in text and "at first -3, then t2" in text
    assert "at first -12" in format_graph(stateful(delay_line))


def wrong_update(graph):
    graph.states[0] = replace(graph.states[0], update="nowhere")


def wrong_shape(graph):
    graph.states[0] = replace(graph.states[0], initial=np.zeros((1, 4, 4, 7), np.int8))


def wrong_type(graph):
    graph.states[0] = replace(graph.states[0], initial=np.zeros((1, 4, 4, 8), np.int16))


def wrong_quantization(graph):
    update = graph.tensor(graph.states[0].update)
    update.quant = replace(update.quant, scale=(1.0,))


def an_input(graph):
    graph.states.append(State(graph.inputs[0].tensor, graph.states[0].update, graph.states[0].initial))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (wrong_update, "the next value of the network's state 't1' is not computed by any operator"),
        (wrong_shape, r"begins with int8\[1, 4, 4, 7\] and becomes 't2' .* must be the same"),
        (wrong_type, r"begins with int16\[1, 4, 4, 8\]"),
        (wrong_quantization, "quantizations must be the same"),
        (an_input, "state 't0' is missing, constant, an input or named twice"),
    ],
)
def test_states_that_make_no_sense_are_refused(spoil: Callable, message: str) -> None:
    graph = stateful(accumulator)
    spoil(graph)
    with pytest.raises(ModelError, match=message):
        verify(graph)


def test_what_states_take_is_reported_and_counts() -> None:
    plain, model = compile_graph(small_graph()), compiled(deep)
    assert network_figures(plain)["states_bytes"] == plain.states_bytes == 0
    assert network_figures(model)["states_bytes"] == 2 * 12 * 12 * 8
    assert model.sram_bytes == model.plan.arena_bytes + model.states_bytes
    with pytest.raises(BudgetError, match=r"activations and 2,304 bytes \(2.2 KB\) of states, but only"):
        compile_graph(stateful(deep), CompileOptions(sram=model.states_bytes + 1024))


def test_initial_values_take_flash_only_where_they_differ() -> None:
    same, different = compiled(accumulator), compiled(delay_line)
    assert "initial" not in same.sources["accumulator_weights.c"]
    assert "(accumulator_states + 0))[i] = -3;" in same.sources["accumulator.c"]
    assert "const int8_t delay_line_000_initial_t1[48]" in different.sources["delay_line_weights.c"]
    arrays = {id(array): array.data.nbytes for call in different.calls for array in arrays_in(call.params)}
    assert different.weight_bytes == 48 + sum(arrays.values())


@pytest.mark.parametrize("values", [[-np.inf] * 3, [np.nan] * 3, [np.inf, -1.5, np.nan]], ids=str)
def test_float_states_may_begin_with_what_is_no_number(values: list[float]) -> None:
    b = GraphBuilder(1, "endless")
    b.output(b.logistic(b.input(1, 4)))
    kept = b.tensor((1, 3), "float32")
    b.graph.states.append(State(kept, kept, np.array([values], np.float32)))
    b.output(kept)
    np.testing.assert_array_equal(build(compile_graph(b.graph)).run([np.zeros((1, 4), np.int8)])[1], [values])


def test_what_does_not_go_with_states_is_refused() -> None:
    with pytest.raises(ModelError, match="keeps states, which only whole runs change: compile it with --input frame"):
        compiled(deep, input="rows")
    with pytest.raises(ModelError, match="a training step does not go back through: compile it without --train"):
        compiled(deep, train="last-0")


def test_rows_of_a_frame_and_a_profile_carry_states_like_a_run() -> None:
    text = compiled(exchanged).sources["exchanged.c"]
    body = text[text.index("static void keep_states(void)") :]
    assert body.count("memcpy(") >= 3  # a detour for one of the two
    assert text.count("    keep_states();\n") == 2  # run, run_profiled


def test_firmware_carries_states_and_rewinds(tmp_path: Path) -> None:
    model = compile_graph(stateful(deep))
    inputs, outputs = expected(model)
    with native_device(executable=build_compiled(model, tmp_path)) as native, open_device(native.url) as device:
        assert device.identity.has_states
        for _ in range(2):
            for values, wanted in zip(inputs, outputs, strict=True):
                got = device.infer(values[0][0]).outputs
                np.testing.assert_array_equal(got[0], wanted[0].reshape(got[0].shape))
                device.statistics(clear=True)  # paints the arena
            device.rewind()
        device.infer(inputs[0][0])
        device.profile()  # leaves initial values
        np.testing.assert_array_equal(device.infer(inputs[0][0]).outputs[0], outputs[0][0].reshape(-1))


def test_an_output_in_the_bytes_of_a_state_is_gone_after_a_rewind(tmp_path: Path) -> None:
    model = compile_graph(stateful(accumulator))
    inputs, outputs = expected(model)
    with native_device(executable=build_compiled(model, tmp_path)) as native, open_device(native.url) as device:
        device.infer(inputs[0][0])
        assert device.connection.download(OBJECT_OUTPUT, 0, 128) == outputs[0][0].tobytes()
        device.rewind()
        with pytest.raises(RefusedError) as refused:
            device.connection.download(OBJECT_OUTPUT, 0, 128)
        assert refused.value.status == Status.NOT_THERE


def test_states_that_were_lost_are_reported_once(tmp_path: Path) -> None:
    model = compile_graph(stateful(accumulator))
    inputs, outputs = expected(model)

    def restart() -> None:
        with contextlib.suppress(RestartedError):
            device.connection.request(Op.RESET)

    with native_device(executable=build_compiled(model, tmp_path)) as native, open_device(native.url) as device:

        def agrees(run: int) -> None:
            got = device.infer(inputs[run][0]).outputs[0]
            np.testing.assert_array_equal(got, outputs[run][0].reshape(got.shape))

        agrees(0)
        operations: list[Callable[[], object]] = [device.statistics, device.profile, device.negotiate_baud]
        for operation in [*operations, lambda: device.echo(b"x"), lambda: None]:
            restart()
            operation()  # connects again, or infer does
            with pytest.raises(RestartedError, match="states are lost"):
                device.infer(inputs[1][0])
            agrees(0)
        for way in (device.rewind, device.reset):
            restart()
            device.statistics()
            way()  # the caller knows
            agrees(0)
            agrees(1)


def test_pictures_begin_anew_but_those_of_a_stream_go_on(tmp_path: Path) -> None:
    model = compile_graph(stateful(deep))
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 12, 3), np.uint8))
    with native_device(executable=build_compiled(model, tmp_path)) as native, open_device(native.url) as device:
        board = Recognizer(device)

        def alone() -> list[int]:
            return board.recognize("", picture).inference.outputs[0].tolist()

        def streamed() -> list[list[int]]:
            return [r.inference.outputs[0].tolist() for r in board.stream(iter([("", picture)] * 3))]

        first, stream = alone(), streamed()
        assert alone() == first == stream[0] != stream[1]
        assert streamed() == stream


def test_a_network_without_states_has_nothing_to_rewind(tmp_path: Path) -> None:
    executable = build_compiled(compile_graph(small_graph()), tmp_path)
    with native_device(executable=executable) as native, open_device(native.url) as device:
        assert not device.identity.has_states
        with pytest.raises(RefusedError, match="keeps no states"):
            device.rewind()
