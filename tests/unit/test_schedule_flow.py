"""When rows of a chain are computed: the closed form against the literal rule, and rings against rows that get lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tinyengine.kernels.streaming.flow import (
    EarlyAddition,
    Flow,
    RowEvent,
    RowWindow,
    capacities,
    resident_access,
    simulate,
)
from tinyengine.kernels.streaming.rows import Order

Chain = list[RowWindow]


@st.composite
def drawn(draw: st.DrawFn) -> Chain:
    """Chains of one to six operators over pictures of 1 to 24 rows, with residuals where heights agree, even if what is
    added comes too late."""
    windows: Chain = []
    heights = [draw(st.integers(1, 24))]
    for index in range(draw(st.integers(1, 6))):
        rows = heights[-1]
        if draw(st.integers(0, 9)) == 0:
            windows.append(RowWindow(rows, rows, accumulates=True, order=draw(st.sampled_from(Order))))
            heights.append(1)
            continue
        reach = draw(st.integers(1, 7))
        stride = draw(st.integers(1, 3))
        pad_top = draw(st.integers(0, reach - 1))
        pad_bottom = draw(st.integers(max(0, reach - rows - pad_top), max(reach - 1, reach - rows - pad_top)))
        out = (rows + pad_top + pad_bottom - reach) // stride + 1
        skips = [p for p in range(index + 1) if heights[p] == out]
        skip = draw(st.sampled_from(skips)) if skips and draw(st.booleans()) else None
        batch = draw(st.integers(1, 4))
        windows.append(
            RowWindow(
                rows,
                out,
                reach,
                stride,
                pad_top,
                skip,
                rows=batch,
                first=draw(st.integers(1, batch)),
                consumes=draw(st.booleans()),
                order=draw(st.sampled_from(Order)),
            )
        )
        heights.append(out)
    return windows


def possible(windows: Chain) -> bool:
    try:
        simulate(windows)
    except EarlyAddition:
        return False
    return True


def chains() -> st.SearchStrategy[Chain]:
    return drawn().filter(possible)


# 4 rows -> 2 without the last one -> their sum -> 4 rows of padding and that, to which the first picture is added
LATE_ROW = [
    RowWindow(4, 2, reach=1, stride=2),
    RowWindow(2, 2, accumulates=True),
    RowWindow(1, 4, reach=4, pad_top=3, skip=0),
]


@settings(max_examples=150, deadline=None)
@given(drawn())
@example(LATE_ROW)
def test_rows_that_are_added_before_they_come_are_refused(windows: Chain) -> None:
    if possible(windows):
        Flow.of(windows)
    else:
        with pytest.raises(EarlyAddition):
            Flow.of(windows)


def test_the_row_that_came_too_late() -> None:
    """The last row of the first picture is not there when it is added: a ring would give another one."""
    assert not possible(LATE_ROW)
    assert possible([LATE_ROW[0], LATE_ROW[1], replace(LATE_ROW[2], skip=None)])


@settings(max_examples=150, deadline=None)
@given(chains())
def test_closed_form_equals_the_rule(windows: Chain) -> None:
    assert list(Flow.of(windows).keep) == capacities(windows, simulate(windows))


@settings(max_examples=150, deadline=None)
@given(chains(), st.integers(1, 40), st.integers(1, 40))
def test_distance_is_that_of_the_accesses(windows: Chain, in_bytes: int, out_bytes: int) -> None:
    access = resident_access(windows, simulate(windows), in_bytes, out_bytes)
    assert Flow.of(windows).distance(in_bytes, out_bytes) == max(0, access.distance(0))


def replay_rings(windows: Chain, events: list[RowEvent], keep: list[int]) -> bool:
    """Whether every row that an event reads still lies in its ring of ``keep`` rows."""
    rings: list[dict[int, int]] = [{} for _ in keep]

    def has(picture: int, low: int, high: int) -> bool:
        return all(rings[picture].get(row % keep[picture]) == row for row in range(low, high))

    seen = [0] * len(keep)
    for event in events:
        for picture, ring in enumerate(rings):
            for row in range(seen[picture], event.arrived[picture]):
                ring[row % keep[picture]] = row
            seen[picture] = event.arrived[picture]
        window = windows[event.index]
        if not has(event.index, int(window.lowest[event.batch]), int(window.need[event.batch])):
            return False
        start, end = int(window.starts[event.batch]), int(window.ends[event.batch])
        if window.skip is not None and not has(window.skip, start, end):
            return False
    return True


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(chains())
def test_rings_hold_every_row_and_are_no_larger(windows: Chain) -> None:
    events = simulate(windows)
    keep = capacities(windows, events)
    assert replay_rings(windows, events, keep)
    for picture, rows in enumerate(keep):
        if rows > 1 and not any(window.consumes for window in windows):
            shorter = [rows - 1 if p == picture else k for p, k in enumerate(keep)]
            assert not replay_rings(windows, events, shorter)


def test_order_is_depth_first() -> None:
    """A 3x3 window over 4 rows, then a 1x1: a row goes on before the next one is made."""
    windows = [RowWindow(4, 4, 3, 1, 1), RowWindow(4, 4)]
    assert [(event.index, event.batch) for event in simulate(windows)] == [
        *((0, 0), (1, 0), (0, 1), (1, 1)),
        *((0, 2), (1, 2), (0, 3), (1, 3)),  # both come with the last row of the input
    ]
    assert capacities(windows, simulate(windows)) == [3, 1]


def test_residual_block_runs_in_place() -> None:
    """Expand, 7x7 depthwise, project and add: the output may lie exactly over the input."""
    windows = [RowWindow(20, 20), RowWindow(20, 20, 7, 1, 3, skip=0, order=Order.IN_STEP)]
    flow = Flow.of(windows)
    assert flow.keep == (4, 7)
    assert flow.distance(96, 96) == 0


def test_operator_that_alternates_needs_distance() -> None:
    """One row, less the byte that is written when everything has been read."""
    windows = [RowWindow(5, 5, order=Order.INTERLEAVED)]
    assert Flow.of(windows).distance(8, 8) == 7


def test_batches_arrive_together() -> None:
    windows = [RowWindow(8, 8, rows=4, first=2), RowWindow(8, 8, 3, 1, 1)]
    events = simulate(windows)
    np.testing.assert_array_equal(windows[0].ends, [2, 6, 8])
    assert [event.arrived[1] for event in events if event.index == 1] == [2, 6, 6, 6, 6, 8, 8, 8]
    assert capacities(windows, events)[1] == 6


def test_a_window_that_never_fills_is_refused() -> None:
    with pytest.raises(ValueError, match="stops early"):
        Flow.of([RowWindow(4, 2), RowWindow(3, 3)])
    with pytest.raises(ValueError, match="stops early"):
        simulate([RowWindow(4, 2), RowWindow(3, 3)])
