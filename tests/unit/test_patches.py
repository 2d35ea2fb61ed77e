"""Patches on the host: figures of drafts, and the search for schedules that compute rows twice against all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Target
from tinyengine.kernels.streaming.chain import chain_call
from tinyengine.kernels.streaming.flow import Flow, RowWindow
from tinyengine.kernels.streaming.patch import Drafts, patch_op
from tinyengine.passes import optimize
from tinyengine.report.figures import network_figures
from tinyengine.schedule import StageKind, schedule
from tinyengine.schedule.patched import Patched, _shifted
from tinyengine.schedule.recompute import Options, allowance, cheapest_within, least_work, options_below
from tinyengine.schedule.search import _smallest_within, lowest_peak, smallest, smallest_of_each
from tinyengine.schedule.space import NEVER, Option, Space
from tinyengine.schedule.sweep import sweep

from tests.helpers.cases import Draw
from tests.helpers.chain_cases import random_chain
from tests.helpers.graphs import GraphBuilder, block_network

SRAM = Target(optimize="sram")
FIGURES = (
    "in_shape",
    "out_shape",
    "reach",
    "stride",
    "pad_top",
    "macs",
    "rows",
    "columns",
    "scratch_bytes",
    "activation_bytes",
    "strip_macs",
    "order",
)


@pytest.mark.parametrize("requant", ["exact", "fast"])
def test_drafts_have_the_figures_of_the_patches(requant: str) -> None:
    target = Target(optimize="sram", requant=requant)
    compared = 0
    for seed in range(25):
        case = random_chain(Draw(np.random.default_rng([seed, 5])))
        drafts = Drafts(case.graph, target)
        for group in (group for group in case.groups if group.columns):
            for rows, columns in ((1, 1), (2, 3), (5, 1)):
                made = patch_op(group.ops, case.graph, target, x=group.x, rows=rows, columns=columns)
                draft = drafts.patch(group.ops, group.x, rows, columns)
                assert made is not None and draft is not None
                for name in FIGURES:
                    assert getattr(draft[0], name) == getattr(made, name), name
                compared += 1
    assert compared > 30


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
    nominal = sum(stage.macs for stage in found[0].stages)
    for cap, each in zip(caps, found, strict=True):
        executed = sum(stage.macs_executed for stage in each.stages)
        assert sum(stage.macs for stage in each.stages) == nominal
        assert executed <= cap * nominal
        assert executed == nominal or any(stage.kind is StageKind.PATCH for stage in each.stages)
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
    assert all(stage.kind is not StageKind.PATCH for stage in allowed.stages)
    needed = schedule(graph, Target(), rows=True, sram=(plain + least) // 2, max_recompute=2.0)
    assert needed.plan.arena_bytes <= (plain + least) // 2
    assert any(stage.kind is StageKind.PATCH for stage in needed.stages)


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
    op = patch_op(graph.operators[1:4], graph, SRAM, rows=4, columns=4)
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
