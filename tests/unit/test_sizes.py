"""Rounding up."""

from __future__ import annotations

from tinyengine.sizes import ceil_div, round_up


def test_ceil_div_counts_the_last_group_that_is_not_full() -> None:
    assert [ceil_div(count, 4) for count in range(6)] == [0, 1, 1, 1, 1, 2]


def test_round_up_keeps_multiples() -> None:
    assert [round_up(size, 4) for size in range(6)] == [0, 4, 4, 4, 4, 8]
