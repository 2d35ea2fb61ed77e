"""Time under a given arena: what makes a schedule faster never makes it larger, and never computes something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinyengine import native, reference
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.cores import core
from tinyengine.kernels.base import Target
from tinyengine.kernels.streaming.chain import row_window
from tinyengine.kernels.streaming.flow import Flow
from tinyengine.kernels.work import Step, Work, batches, pairs_of, repeated, total
from tinyengine.passes import optimize
from tinyengine.schedule import cost, schedule
from tinyengine.schedule.hasten import hastened, tuned
from tinyengine.schedule.search import _plan, cheapest, lowest_peak, smallest
from tinyengine.schedule.space import NEVER, Option, Space

from tests.helpers.chained import random_network
from tests.helpers.graphs import block_network, random_inputs

SRAM = Target(optimize="sram")
FEW = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def space_of(seed: int) -> Space:
    graph = optimize(random_network(seed, blocks=1))
    space = Space(graph, SRAM, pushed=bool(seed % 2))
    return space if not space.pushed or any(space.options(0, NEVER)) else Space(graph, SRAM)


def operators_of(option: Option) -> list[str]:
    return [each.name for op in option.ops for each in op.ops]


def need_of(space: Space, option: Option) -> int:
    """From the rows of the operators alone."""
    pictures = [option.ops[0].x, *(op.y for op in option.ops)]
    skips = [None if op.skip is None else pictures.index(op.skip) for op in option.ops]
    windows = [row_window(*each) for each in zip(option.ops, skips, option.firsts, strict=True)]
    return space.chain_need(option.start, option.ops, Flow.of(windows))[0]


@FEW
@given(seed=st.integers(0, 999), data=st.data())
def test_a_tuned_chain_fits_and_is_no_slower(seed: int, data: st.DataObject) -> None:
    space = space_of(seed)
    chains = [option for start in range(space.size) for option in space.options(start, NEVER) if option.ops]
    chain = data.draw(st.sampled_from(chains))
    limit = chain.need + data.draw(st.sampled_from([0, 64, 500, 5000]))
    better = tuned(space, chain, limit)
    assert better.need <= limit
    assert better.need == need_of(space, better)
    assert better.cost <= chain.cost
    assert (better.start, better.stop, operators_of(better)) == (chain.start, chain.stop, operators_of(chain))
    before, after = (sum(cost.cycles(op.work, space.target) for op in each.ops) for each in (chain, better))
    assert chain.cost - better.cost == pytest.approx(before - after, abs=len(chain.ops))


@FEW
@given(seed=st.integers(0, 999), room=st.integers(0, 2000))
def test_a_hastened_schedule_still_fits(seed: int, room: int) -> None:
    space = space_of(seed)
    path = cheapest(space, lowest_peak(space), batch=1)
    limit = _plan(space, path).arena_bytes + room
    others = [cheapest(space, limit), cheapest(space, lowest_peak(space))]
    faster = hastened(space, path, others, limit, lambda changed: _plan(space, changed).arena_bytes <= limit)
    assert _plan(space, faster).arena_bytes <= limit
    assert sum(option.cost for option in faster) <= sum(option.cost for option in path)
    ends = [0, *(option.stop for option in faster)]
    assert [option.start for option in faster] == ends[:-1] and ends[-1] == space.size


def test_room_beside_the_largest_stage_is_used() -> None:
    """Operators of one chain make as many rows at a time as memory allows each of them, and give the same bytes."""
    compiled = compile_graph(block_network(side=12), CompileOptions(optimize="sram"))
    rows = [[item["rows"] for item in call.params["ops"].items] for call in compiled.planned if call.ops]
    assert any(len(set(chain)) > 1 for chain in rows)
    inputs = random_inputs(compiled.graph, 1)
    [got], [expected] = native.build(compiled).run(inputs), reference.run(compiled.graph, inputs)
    np.testing.assert_array_equal(got, expected)


def test_time_trades_scratch_memory_for_a_cap() -> None:
    """A little less than the fastest layers take costs less time than the smallest arena."""
    graph = optimize(block_network(side=20))
    fast, least = schedule(graph, Target()), smallest(Space(graph, SRAM))
    capped = schedule(graph, Target(), sram=fast.plan.arena_bytes - 4)
    assert least.plan.arena_bytes < capped.plan.arena_bytes < fast.plan.arena_bytes
    assert capped.cost < least.cost


def test_every_step_has_a_time_on_every_core() -> None:
    assert all(set(table) == set(Step) for table in cost.TABLES.values())
    work = Work({Step.QUAD_GROUP: 1000, Step.FIELD_TAPS: 1000, Step.GATHERED: 1000})
    times = {cpu: cost.cycles(work, CompileOptions(cpu=cpu).target) for cpu in ("cortex-m4", "cortex-m33", "cortex-m7")}
    assert times["cortex-m7"] < times["cortex-m33"] < times["cortex-m4"]
    assert {core(cpu).cycle_model for cpu in times} == set(cost.TABLES)


def test_batches_and_pairs() -> None:
    assert batches(10, 4) == [(2, 4), (1, 2)]
    assert batches(3, 4) == [(1, 3)]
    assert batches(8, 4) == [(2, 4)]
    assert pairs_of(25, 10) == (5 + 5 + 3, 3)
    assert total([repeated(Work({Step.BATCH: 2}), 3), Work({Step.BATCH: 1})]) == Work({Step.BATCH: 7})
