"""Estimates of time: cycles that a core takes for the steps of its kernels (kernels/work.py).

Fitted to what ``tinyengine bench --cycles`` reports, layer by layer: over a network the sum is off by 3 %, of a single
layer, as a rule, by 10 % at most (tests/sim/test_cycle_estimate.py).
"""

from __future__ import annotations

from tinyengine.kernels.base import Target
from tinyengine.kernels.work import Step, Work

CORTEX_M4: dict[Step, float] = {
    Step.BATCH: 350,
    Step.COPIED: 50,
    Step.GATHERED: 1.45,
    Step.CONV_BLOCK: 150,
    Step.AIMED: 200,
    Step.CLIPPED: 10,
    Step.QUAD_GROUP: 31,
    Step.QUAD_TILE: 59,
    Step.QUAD_TILE_EXACT: 93,
    Step.QUAD_WEIGHT: 0.7,
    Step.PAIR_GROUP: 18.2,
    Step.PAIR_TILE: 33,
    Step.PAIR_TILE_EXACT: 52,
    Step.PAIR_WEIGHT: 1.54,
    Step.NARROW_PIXEL: 20,
    Step.NARROW_OUTPUT: 15.6,
    Step.NARROW_OUTPUT_EXACT: 18.5,
    Step.VECTOR_GROUP: 14,
    Step.VECTOR_TILE: 20,
    Step.VECTOR_TILE_EXACT: 26,
    Step.FIELD_CHANNEL: 60,
    Step.FIELD_STAGED: 3.1,
    Step.FIELD_ROW: 10,
    Step.FIELD_PRODUCTS: 6.5,
    Step.FIELD_TAPS: 2.9,
    Step.FIELD_OUTPUT: 10,
    Step.FIELD_OUTPUT_EXACT: 12.5,
    Step.RING_CHANNEL: 250,
    Step.RING_ROW: 80,
    Step.PLAIN_CHANNEL: 1500,
    Step.PLAIN_STAGED: 10,
    Step.PLAIN_PRODUCT: 10,
    Step.PLAIN_OUTPUT: 30,
    Step.BAND_CHANNEL: 70,
    Step.BAND_STAGED: 2.4,
    Step.BAND_MOVED: 4.5,
    Step.BAND_ROWS: 36,
    Step.BAND_BLOCK: 74,
    Step.BAND_OUTPUT: 5.6,
    Step.BAND_OUTPUT_EXACT: 7.6,
    Step.DIRECT_PRODUCT: 6,
    Step.DIRECT_OUTPUT: 15,
    Step.VECTOR_STRIP: 120,
    Step.VECTOR_STAGED: 0.5,
    Step.VECTOR_OUTPUT: 10,
}
"""Cycles of one step on a Cortex-M4; of steps that it has no kernel for, instructions of a Cortex-M55."""

SHARES: dict[str, dict[str, float]] = {
    "cortex_m33": {"quad_group": 0.95, "quad_tile": 0.94, "narrow": 1.05, "field": 0.8, "band": 0.9},
    "cortex_m7": {"quad_group": 0.55, "quad_tile": 0.68, "narrow": 0.8, "field": 0.48, "band": 0.63},
}
"""By cycle model, the cycles that steps take there, as parts of a Cortex-M4's: by how their names begin."""

REMAINING = {"cortex_m33": 0.9, "cortex_m7": 0.6}
"""Those of the other steps."""

ALIKE = ("field_output", "field_staged", "plain")
"""Steps that take about as long on all cores: bytes, one at a time."""


def _table(model: str) -> dict[Step, float]:
    shares = dict.fromkeys(ALIKE, 1.0) | SHARES[model]
    return {
        step: cycles * next((share for start, share in shares.items() if step.startswith(start)), REMAINING[model])
        for step, cycles in CORTEX_M4.items()
    }


TABLES = {"cortex_m4": CORTEX_M4} | {model: _table(model) for model in SHARES}


def cycles(work: Work, target: Target) -> int:
    """About what a core with ``target``'s timings takes for ``work``. A core whose timings nobody knows is taken for a
    Cortex-M4; a Cortex-M55's vectors are counted in instructions."""
    table = TABLES[target.cycle_model or "cortex_m4"]
    return round(sum(count * table[step] for step, count in work.items()))
