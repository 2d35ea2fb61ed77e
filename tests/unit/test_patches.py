"""Patches on the host: their operators, and the search for schedules that compute rows twice against all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Form, Target
from tinyengine.kernels.select import roundings
from tinyengine.kernels.streaming.chain import chain_call
from tinyengine.kernels.streaming.flow import Flow, RowWindow
from tinyengine.kernels.streaming.patch import Patches, strips_of
from tinyengine.kernels.streaming.rows import RowOp, row_op
from tinyengine.passes import optimize
from tinyengine.report.figures import network_figures
from tinyengine.schedule import schedule
from tinyengine.schedule.patched import Patched, _shifted
from tinyengine.schedule.recompute import Options, allowance, cheapest_within, least_work, options_below
from tinyengine.schedule.search import _smallest_within, lowest_peak, smallest, smallest_of_each
from tinyengine.schedule.space import NEVER, Option, Space
from tinyengine.schedule.sweep import sweep

from tests.helpers.cases import Draw
from tests.helpers.chain_cases import random_chain
from tests.helpers.graphs import GraphBuilder, block_network
from tests.helpers.turned import plain, turned_graph

SRAM = Target(optimize="sram")
FIGURES = (
    *("in_shape", "out_shape", "reach", "stride", "pad_top", "macs", "rows", "skip", "consumes", "order"),
    *("scratch_bytes", "activation_bytes", "note"),
)


def lowered_whole(op: RowOp, graph: Graph, target: Target, columns: int) -> RowOp | None:
    """``op``, which makes columns of strips, from a graph of these strips with turned weights."""
    names = [op.x, *(each.outputs[0] for each in op.ops)]
    strips = strips_of(op.ops, op.out_shape[1])
    shapes = {}
    for name, strip in zip(names, strips, strict=True):
        _, width, channels = graph.tensor(name).hwc()
        shapes[name] = width, strip.rows, channels
    if op.skip is not None:
        shapes[op.skip] = op.out_shape
    turned = turned_graph(op.ops, graph, shapes)
    if sorted(roundings(graph, target).keys() & set(names[1:])) != sorted(roundings(turned, target)):
        return None  # the turned picture has a kernel that rounds in another way; a strip rounds as its layer does
    return row_op(turned.operators, turned, target, x=op.x, rows=columns, consume=op.consumes)


@pytest.mark.parametrize("target", [SRAM, replace(SRAM, requant="fast"), Target(), Target(optimize="flash")], ids=str)
def test_operators_of_strips_are_those_of_turned_pictures(target: Target) -> None:
    """Sizes and constants, for any height of the strips and any number of columns."""
    compared = other = 0
    for seed in range(25):
        case = random_chain(Draw(np.random.default_rng([seed, 5])))
        patches = Patches(case.graph, target)
        for group in (group for group in case.groups if group.columns):
            for rows, columns in ((1, 1), (2, 3), (5, 1)):
                made = patches.patch(group.ops, group.x, rows, columns)
                assert made is not None and made.macs_per_batch == sum(op.macs for op in made.inside)
                for op in made.inside:
                    whole = lowered_whole(op, case.graph, target, columns)
                    if whole is None:
                        other += 1
                        continue
                    for name in FIGURES:
                        assert getattr(op, name) == getattr(whole, name), name
                    assert plain(op.params) == plain(whole.params)
                    compared += 1
    assert compared > 60 and other < (compared / 10 if target.requant == "fast" else 1)


def narrow_network() -> Graph:
    """Two inverted residual blocks over a wide picture: rings of rows are what costs."""
    b = GraphBuilder(7, "narrow")
    same = Window((3, 3), pad=(1, 1, 1, 1))
    x = b.conv(b.input(1, 24, 24, 3), 4, Window((3, 3), (2, 2), pad=(0, 1, 0, 1)))
    for stride in (1, 2):
        window = same if stride == 1 else Window((3, 3), (2, 2), pad=(0, 1, 0, 1))
        x = b.conv(b.depthwise(b.conv(x, 32, Window((1, 1))), window), 4, Window((1, 1)))
    b.output(x)
    return b.graph


@pytest.fixture(scope="module", params=[block_network, narrow_network])
def space(request: pytest.FixtureRequest) -> Space:
    return Space(optimize(request.param()), SRAM, pushed=True)


def all_paths(options: Options, position: int = 0) -> Iterator[list[Option]]:
    if position == len(options):
        yield []
        return
    for option in options[position]:
        for rest in all_paths(options, option.stop):
            yield [option, *rest]


def test_paths_are_the_best_of_all(space: Space) -> None:
    """Least peak for each cap on work, least time for each cap on both, against every path one by one."""
    rng = np.random.default_rng(1)
    options = options_below(Patched(space, NEVER), lowest_peak(space), NEVER)
    options = [[here[i] for i in sorted(rng.permutation(len(here))[:12])] for here in options]
    figures = [
        (max(o.need for o in path), sum(o.recomputed for o in path), sum(o.cost for o in path))
        for path in all_paths(options)
    ]
    assert len(figures) > 20 and len({work for _, work, _ in figures}) > 5
    for spare in sorted({work for _, work, _ in figures})[::5]:
        possible = [peak for peak, work, _ in figures if work <= spare]
        for peak in sorted(set(possible))[::4]:
            assert least_work(options, peak) == min(work for p, work, _ in figures if p <= peak)
            path = cheapest_within(options, peak, spare)
            assert max(o.need for o in path) <= peak and sum(o.recomputed for o in path) <= spare
            best = min(cost for p, work, cost in figures if p <= peak and work <= spare)
            assert sum(o.cost for o in path) == best
        assert least_work(options, min(possible) - 1) > spare
    assert cheapest_within(options, min(peak for peak, _, _ in figures) - 1, NEVER) == []


def test_chains_are_the_best_of_all(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels of Patched.options against every sequence of pieces from the pushed input on (a sample of them)."""
    monkeypatch.setattr("tinyengine.schedule.patched.MANY", NEVER)
    patched = Patched(space, NEVER)
    found = patched.options(0, NEVER, NEVER)

    def chains(position: int) -> Iterator[list]:
        for piece in patched._from(position, True):
            yield [piece]
            if piece.stop < space.size and space.narrow(piece.stop):
                for rest in chains(piece.stop):
                    yield [piece, *rest]

    every: dict[int, list[tuple[int, int]]] = {}
    rng = np.random.default_rng(2)
    for pieces in chains(0):
        if rng.random() < 0.05:
            windows: list[RowWindow] = []
            for piece in pieces:
                windows += _shifted(piece.windows, len(windows))
            need, _ = space.chain_need(0, [op for piece in pieces for op in piece.ops], Flow.of(windows))
            every.setdefault(pieces[-1].stop, []).append((need, sum(piece.macs for piece in pieces)))
    assert sum(map(len, every.values())) > 100
    for stop, chained in every.items():
        for need, work in chained:
            least = min(o.need for o in found if o.stop == stop and o.recomputed <= work)
            assert least <= need


def test_more_work_buys_smaller_arenas_and_no_cap_is_exceeded(space: Space) -> None:
    caps = [1.0, 1.1, 1.3, 2.0]
    found = list(smallest_of_each(space, caps))
    nominal = sum(call.macs for call in found[0].calls)
    for cap, each in zip(caps, found, strict=True):
        executed = sum(call.macs_executed for call in each.calls)
        assert sum(call.macs for call in each.calls) == nominal
        assert executed <= cap * nominal
        assert executed == nominal or any(call.form is Form.PATCH for call in each.calls)
    arenas = [each.plan.arena_bytes for each in found]
    assert arenas == sorted(arenas, reverse=True)
    assert arenas[-1] < arenas[0]


def test_more_columns_at_a_time_save_time_only(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = allowance(space, 1.5)
    patched, arena = Patched(space, spare), smallest(space).plan.arena_bytes
    fast = _smallest_within(patched, arena, spare)
    monkeypatch.setattr("tinyengine.schedule.search._hastened", lambda patched, found, path: found)
    plain = _smallest_within(patched, arena, spare)
    assert fast is not None and plain is not None
    assert fast.plan.arena_bytes <= plain.plan.arena_bytes < arena
    assert fast.plan.activation_peak_bytes <= plain.plan.activation_peak_bytes
    assert fast.cost <= plain.cost


def test_recomputation_only_where_a_cap_needs_it() -> None:
    graph = optimize(narrow_network())
    plain = schedule(graph, SRAM, rows=True).plan.arena_bytes
    least = schedule(graph, SRAM, rows=True, max_recompute=2.0).plan.arena_bytes
    assert least < plain
    allowed = schedule(graph, Target(), rows=True, sram=plain, max_recompute=2.0)
    assert all(call.form is not Form.PATCH for call in allowed.calls)
    needed = schedule(graph, Target(), rows=True, sram=(plain + least) // 2, max_recompute=2.0)
    assert needed.plan.arena_bytes <= (plain + least) // 2
    assert any(call.form is Form.PATCH for call in needed.calls)


def test_reports_name_patches_and_their_work() -> None:
    options = CompileOptions(input="rows", optimize="sram", max_recompute=2.0)
    compiled = compile_graph(narrow_network(), options)
    report = network_figures(compiled)
    patches = [stage for stage in report["stages"] if stage["kind"] == "patch"]
    assert patches and all(stage["macs_executed"] > stage["macs"] for stage in patches)
    assert report["macs"] < report["macs_executed"] <= 2.0 * report["macs"]
    assert "for patch" in report["bottleneck"]


def test_bottlenecks_name_the_windows_of_patches() -> None:
    graph = narrow_network()
    op = Patches(graph, SRAM).patch(graph.operators[1:4], rows=4, columns=4)
    assert op is not None
    call = chain_call([op], graph)
    windows = [part for part in call.scratch_parts if "window of a patch over" in part.what]
    assert [part.size for part in windows] == [6 * 4 * 4, 6 * 6 * 32]  # columns of 6 rows: 4 at a time, 4 and a halo
    ends = [part.offset + part.size for part in call.scratch_parts]
    assert all(end <= part.offset for end, part in zip(ends, call.scratch_parts[1:], strict=False))
    assert ends[-1] == call.scratch_bytes


def test_front_has_points_with_recomputation() -> None:
    front = sweep(optimize(narrow_network()), Target(), rows=True, caps=2, recompute=[1.2, 2.0])
    works = [point.recomputation for point in front]
    assert min(works) == 1.0 < max(works) <= 2.0
    assert front[0].recomputation > 1.0  # the smallest arena
