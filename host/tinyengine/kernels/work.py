"""What a kernel does that takes time, counted in steps of its loops; how long one takes on a core, ``schedule.cost``
knows.

Only what differs between the ways to compute an operator is counted: kernels that have no rival count nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from tinyengine.sizes import ceil_div


class Step(StrEnum):
    """One step each."""

    BATCH = "batch"  # a call of a layer, or a batch of rows of a row operator
    COPIED = "copied"  # a pixel that goes into a strip of a patch, or comes out of it
    # convolutions (te_conv_fast.h, te_conv_quads.h, te_conv_vectors.h)
    GATHERED = "gathered"  # a value of a column
    CONV_BLOCK = "conv_block"
    AIMED = "aimed"  # a run of values of a pixel whose window reaches beyond the picture's side, or begins a row
    CLIPPED = "clipped"  # a value of such a run that is copied
    QUAD_GROUP = "quad_group"  # of 4 values for 2 pixels x 4 channels
    QUAD_TILE = "quad_tile"  # of 2 pixels x 4 channels: its end
    QUAD_TILE_EXACT = "quad_tile_exact"
    QUAD_WEIGHT = "quad_weight"  # that is copied
    PAIR_GROUP = "pair_group"  # of 4 values for 2 pixels x 2 channels
    PAIR_TILE = "pair_tile"
    PAIR_TILE_EXACT = "pair_tile_exact"
    PAIR_WEIGHT = "pair_weight"  # that is widened
    NARROW_PIXEL = "narrow_pixel"
    NARROW_OUTPUT = "narrow_output"
    NARROW_OUTPUT_EXACT = "narrow_output_exact"
    VECTOR_GROUP = "vector_group"  # of 16 values for 2 pixels x 4 channels
    VECTOR_TILE = "vector_tile"
    VECTOR_TILE_EXACT = "vector_tile_exact"
    # depthwise convolutions as polynomials (te_depthwise_fast.h, te_depthwise_map.h)
    FIELD_CHANNEL = "field_channel"
    FIELD_STAGED = "field_staged"  # a value
    FIELD_ROW = "field_row"  # of outputs
    FIELD_PRODUCTS = "field_products"  # of a kernel row, for six outputs in a row
    FIELD_TAPS = "field_taps"  # a tap of those
    FIELD_OUTPUT = "field_output"
    FIELD_OUTPUT_EXACT = "field_output_exact"
    RING_CHANNEL = "ring_channel"  # beyond FIELD_CHANNEL: row by row
    RING_ROW = "ring_row"  # beyond FIELD_ROW
    # by products of pairs: single channels of te_depthwise_fast.h, te_depthwise_quads.h, te_depthwise_direct.h
    PLAIN_CHANNEL = "plain_channel"
    PLAIN_STAGED = "plain_staged"
    PLAIN_PRODUCT = "plain_product"
    PLAIN_OUTPUT = "plain_output"
    BAND_CHANNEL = "band_channel"  # a channel of a band of rows
    BAND_STAGED = "band_staged"
    BAND_MOVED = "band_moved"  # a pair of values of rows that the next band needs too
    BAND_ROWS = "band_rows"  # two rows of outputs
    BAND_BLOCK = "band_block"  # of some outputs in two rows
    BAND_OUTPUT = "band_output"
    BAND_OUTPUT_EXACT = "band_output_exact"
    DIRECT_PRODUCT = "direct_product"
    DIRECT_OUTPUT = "direct_output"
    # by vectors (te_depthwise_strips.h)
    VECTOR_STRIP = "vector_strip"  # of rows of four channels
    VECTOR_STAGED = "vector_staged"
    VECTOR_OUTPUT = "vector_output"


Work = Counter[Step]


def batches(rows: int, at_once: int) -> list[tuple[int, int]]:
    """How ``rows`` rows are made ``at_once`` at a time: (number of batches, rows of each)."""
    whole, rest = divmod(rows, at_once)
    return [(whole, at_once)] * bool(whole) + [(1, rest)] * bool(rest)


def repeated(work: Work, times: int) -> Work:
    """``times`` times the same."""
    return Work({step: count * times for step, count in work.items()})


def total(works: Iterable[Work]) -> Work:
    """All of them together."""
    result = Work()
    for work in works:
        result.update(work)
    return result


def pairs_of(pixels: int, block: int) -> tuple[int, int]:
    """Pairs of ``pixels`` in blocks of ``block``, an odd last one of a block counted as a pair; and the blocks."""
    whole, rest = divmod(pixels, block)
    return whole * ceil_div(block, 2) + ceil_div(rest, 2), whole + bool(rest)
