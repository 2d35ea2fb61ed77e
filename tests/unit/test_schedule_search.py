"""The search against all schedules of small networks, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
from tinyengine import native, reference
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import BudgetError
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import Window
from tinyengine.kernels import activation, conv, conv_fast, depthwise_fast, params
from tinyengine.kernels.base import CArray, Form, KernelCall, Target
from tinyengine.kernels.once import once_per_graph
from tinyengine.kernels.select import lower_generic
from tinyengine.kernels.streaming.rows import RowOp
from tinyengine.passes import optimize
from tinyengine.report.figures import network_figures
from tinyengine.schedule import schedule
from tinyengine.schedule.search import cheapest, lowest_peak, planned, smallest
from tinyengine.schedule.space import NEVER, Option, Space
from tinyengine.schedule.training import training_program
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme

from tests.helpers import training_networks
from tests.helpers.cases import FAMILIES, random_cases
from tests.helpers.chained import random_network
from tests.helpers.graphs import GraphBuilder, block_network, random_inputs

SRAM = Target(optimize="sram")
PLANNED = 30


def all_paths(space: Space, position: int = 0) -> Iterator[list[Option]]:
    """Every schedule of the space whose chains go row by row."""
    if position == space.size:
        yield []
        return
    for option in space.options(position, NEVER):
        if option.batch <= 1:
            for rest in all_paths(space, option.stop):
                yield [option, *rest]


@cache
def spaces() -> list[Space]:
    found = []
    for graph in (block_network(), random_network(1, blocks=1), random_network(4, blocks=1)):
        graph = optimize(graph)
        found += [Space(graph, SRAM), Space(graph, SRAM, pushed=True)]
    return [space for space in found if not space.pushed or any(space.options(0, NEVER))]


@pytest.fixture(scope="module", params=range(len(spaces())))
def space(request: pytest.FixtureRequest) -> Space:
    return spaces()[request.param]


def test_lowest_peak_and_cheapest_path_are_the_best_of_all(space: Space) -> None:
    paths = list(all_paths(space))
    assert len(paths) > 10
    peaks = [max(option.need for option in path) for path in paths]
    assert lowest_peak(space) == min(peaks)  # longer batches never need less
    for cap in sorted(set(peaks))[:8]:
        below = [sum(o.cost for o in path) for path, peak in zip(paths, peaks, strict=True) if peak <= cap]
        assert sum(option.cost for option in cheapest(space, cap, batch=1)) == min(below)
    assert cheapest(space, min(peaks) - 1) == []


@pytest.mark.slow
def test_no_schedule_has_a_smaller_arena(space: Space) -> None:
    """Every schedule, planned: none beats the search, and none needs less than its peak."""
    paths = list(all_paths(space))
    found = smallest(space).plan.arena_bytes
    smallest_of_all = min(paths, key=lambda path: max(option.need for option in path))
    assert found >= max(option.need for option in smallest_of_all) - 8
    paths.sort(key=lambda path: max(option.need for option in path))
    step = max(1, len(paths) // PLANNED)  # those with the lowest peaks first, and a sample of the others
    for path in [*paths[:PLANNED], *paths[::step]]:
        arena = planned(space, path).plan.arena_bytes
        assert arena >= max(option.need for option in path) - 8  # sizes were rounded up
        assert arena >= found


def test_time_leaves_layers_alone_unless_a_cap_forbids_them() -> None:
    graph = optimize(block_network())
    layers = schedule(graph, Target())
    assert {call.form for call in layers.calls} == {Form.LAYER}
    small = schedule(graph, SRAM)
    assert small.plan.arena_bytes < layers.plan.arena_bytes
    middle = (small.plan.arena_bytes + layers.plan.arena_bytes) // 2
    capped = schedule(graph, Target(), sram=middle)
    assert capped.plan.arena_bytes <= middle
    assert any(call.form is Form.STREAM for call in capped.calls)
    assert schedule(graph, Target(), sram=layers.plan.arena_bytes).plan.arena_bytes == layers.plan.arena_bytes


def test_a_cap_that_only_kernels_with_less_scratch_memory_meet_is_met() -> None:
    graph = optimize(block_network(side=36))
    cap = schedule(graph, SRAM, rows=True).plan.arena_bytes
    assert cap < smallest(Space(graph, Target(), pushed=True)).plan.arena_bytes
    assert schedule(graph, Target(), rows=True, sram=cap).plan.arena_bytes <= cap


def test_cap_below_the_smallest_arena_is_refused() -> None:
    need = compile_graph(block_network(), CompileOptions(optimize="sram")).plan.arena_bytes
    with pytest.raises(BudgetError, match=f"{need:,} bytes"):
        compile_graph(block_network(), CompileOptions(sram=need - 1))


def test_rows_keep_the_frame_out_of_the_arena() -> None:
    compiled = compile_graph(block_network(), CompileOptions(input="rows", optimize="sram"))
    name = compiled.graph.input_tensors()[0]
    assert compiled.plan.arena_bytes <= compile_graph(block_network(), CompileOptions(optimize="sram")).plan.arena_bytes
    assert name not in compiled.plan.addresses
    assert ".run = NULL" in compiled.sources["network.c"]
    report = network_figures(compiled)
    assert report["input"] == "rows"
    first = report["stages"][0]
    assert first["kind"] == "stream"
    assert first["macs_executed"] == first["macs"] > 0
    assert max(stage["sram_bytes"] for stage in report["stages"]) <= compiled.plan.arena_bytes


def test_network_that_cannot_take_rows_keeps_its_frame() -> None:
    """A network whose first operator needs all of the input."""
    b = GraphBuilder(1)
    b.output(b.dense(b.input(1, 6, 5, 4), 7))
    compiled = compile_graph(b.graph, CompileOptions(input="rows"))
    assert network_figures(compiled)["input"] == "frame"
    assert ".run = run" in compiled.sources["network.c"]


def test_two_inputs_keep_their_frames() -> None:
    b = GraphBuilder(2)
    b.output(b.binary(OpKind.ADD, b.input(1, 6, 5, 4), b.input(1, 6, 5, 4)))
    assert not schedule(optimize(b.graph), SRAM, rows=True).pushed


def test_a_row_that_is_added_before_it_comes_keeps_operators_apart() -> None:
    """The middle of the block never looks at the last row of its input, and pads itself back to the old height."""
    b = GraphBuilder(5, "late")
    x = b.conv(b.input(1, 6, 6, 4), 8, Window((1, 1)))
    inside = b.conv(x, 8, Window((1, 1), (2, 2)))
    inside = b.conv(inside, 8, Window((4, 4), pad=(3, 3, 3, 3)))
    b.output(b.binary(OpKind.ADD, x, inside))
    graph = optimize(b.graph)
    assert [op.kind for op in graph.operators] == [OpKind.CONV_2D] * 3 + [OpKind.ADD]
    space = Space(graph, SRAM, pushed=True)
    chains = [option for start in range(4) for option in space.options(start, NEVER) if option.ops]
    assert {(option.start, option.stop) for option in chains} == {(0, 1), (1, 2), (1, 3), (2, 3)}


def test_branches_are_no_chain() -> None:
    """Two convolutions of one picture stand one behind the other, but neither reads what the other makes."""
    b = GraphBuilder(5, "branches")
    x = b.conv(b.input(1, 16, 16, 4), 4, Window((1, 1)))
    b.output(b.binary(OpKind.ADD, b.conv(x, 4, Window((1, 1))), b.conv(x, 4, Window((1, 1)))))
    compiled = compile_graph(b.graph, CompileOptions(optimize="sram"))
    inputs = random_inputs(compiled.graph, 1)
    [got], [expected] = native.build(compiled).run(inputs), reference.run(compiled.graph, inputs)
    np.testing.assert_array_equal(got, expected)


def test_picture_wanted_behind_a_chain_ends_it() -> None:
    """A tensor that is an output of the network is never a ring."""
    b = GraphBuilder(5)
    inside = b.conv(b.input(1, 9, 9, 4), 6, Window((3, 3)))
    b.output(inside)
    b.output(b.depthwise(inside, Window((3, 3))))
    graph = optimize(b.graph)
    space = Space(graph, SRAM)
    assert all(option.stop == 1 for option in space.options(0, NEVER))
    assert schedule(graph, SRAM).plan.addresses.keys() >= {inside}


@contextmanager
def nobody_packs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks a call or a row operator for constants, or makes some, fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("packed")

    packers = [(CArray, "__init__"), (params, "array"), (conv_fast, "pack_weights"), (depthwise_fast, "pack_taps")]
    with monkeypatch.context() as patched:
        for kind in (KernelCall, RowOp):
            patched.setattr(kind, "params", property(refuse))
        for owner, packer in (*packers, (activation, "unary_lut"), (activation, "softmax_params")):
            patched.setattr(owner, packer, refuse)
        yield


@pytest.mark.parametrize("target", [SRAM, Target(), Target(requant="fast")], ids=str)
def test_planning_packs_nothing(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants are for code generation: no search, no plan, no replay wants them."""
    calls = []
    with nobody_packs(monkeypatch):
        for rows in (False, True):
            for cap in (None, 3000):
                calls += schedule(optimize(block_network()), target, rows=rows, sram=cap, max_recompute=1.5).calls
    assert len({call.form for call in calls}) > 1
    assert all(call.params or call.is_view for call in calls)  # and each packs when it is asked to


@pytest.mark.parametrize("gradients", ["int16", "float32"])
@pytest.mark.parametrize("build", training_networks.NETWORKS)
def test_planning_a_training_step_packs_nothing(
    build: Callable[[GraphBuilder], None], gradients: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = optimize(training_networks.network(build, 1))
    count = len(trainable_layers(graph).convolutions)
    scheme = UpdateScheme("all", count, dict.fromkeys(range(count), 1.0))
    with nobody_packs(monkeypatch):
        calls = training_program(graph, scheme, Target(), gradients=gradients).schedule.calls
    assert {call.role for call in calls} == {"forward", "keep", "loss", "backward"}
    assert all(call.params or call.is_view for call in calls)


@pytest.mark.parametrize("family", FAMILIES)
def test_lowering_packs_nothing(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = [case.graph for case in random_cases(1, family, 20)]
    with nobody_packs(monkeypatch):
        calls = [lower_generic(op, graph, Target()) for graph in graphs for op in graph.operators]
    assert all(call.params or call.is_view for call in calls)


def test_generic_kernels_look_at_their_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    weights_of = conv.weights_of
    monkeypatch.setattr(conv, "weights_of", lambda op, graph: asked.append(op.name) or weights_of(op, graph))
    graph = block_network()
    for _ in range(3):
        for op in graph.operators:
            lower_generic(op, graph, Target())
    assert asked and len(asked) == len(set(asked))


def test_an_analysis_is_made_once_for_a_graph_that_stays_as_it_is() -> None:
    seen = []

    @once_per_graph
    def analysis(op: Operator, graph: Graph, wide: bool = False, turned: bool = False) -> int:
        seen.append((wide, turned))
        return len(seen)

    graph = block_network()
    op = next(op for op in graph.operators if op.kind is OpKind.CONV_2D)
    for _ in range(2):
        assert [analysis(op, graph), analysis(op, graph, wide=True), analysis(op, graph, turned=True)] == [1, 2, 3]
    weights = graph.tensor(op.inputs[1])
    with pytest.raises(ValueError, match="read-only"):
        weights.data[:] = 0
    weights.data = np.zeros_like(weights.data)
    with pytest.raises(AssertionError, match="has changed since it was analysed"):
        analysis(op, graph)
