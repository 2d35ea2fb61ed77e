"""Cycles of Thumb instructions on a Cortex-M33, for memories without wait states: a small model of an in-order core
that issues one instruction per cycle.

Arm documents no timings. What two public projects measured on an RP2350, whose cores are Cortex-M33, is the source: the
pipeline cycle test of github.com/jnk0le/random, and cortex_m33.py of the super-optimizer SLOTHY
(github.com/slothy-optimizer/slothy):

- a load takes 1 cycle, its result is there 2 cycles later; loads and stores of n words take n;
- a multiplication takes 1, its result is there 2 later, 1 later where another one adds to it;
- a taken branch takes 3 with what it empties;
- packing and parallel additions: 2 later. SXTB16 and SSAT were not measured, and are taken for the same.

A range says what that leaves open: ``low`` has all results of such instructions 1 cycle later and branches that empty
one cycle less, ``high`` waits for all results at the end of a block of instructions and empties one more. Latencies do
not cross blocks otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyengine.measure.cycles.in_order import Kind, Use, use_of
from tinyengine.measure.cycles.instructions import IT, Cycles, Instruction

REFILL = Cycles(1, 2, 3)
"""Behind a taken branch, which itself takes 1."""

UNALIGNED = 1
"""As in cortex_m4.py: not measured."""

DIVISION = Cycles(1, 6, 10)
"""Beyond the cycle in which it is issued."""

FLOAT_LATENCY = 3
FIELDS = ("bf", "ubfx", "sbfx")


def block_cycles(block: Sequence[Instruction]) -> Cycles:
    """Cycles of instructions that run one behind the other, without the refill behind a branch at their end."""
    uses = [(i.mnemonic, use_of(i)) for i in block if not IT.fullmatch(i.mnemonic)]
    folded = len(block) - len(uses)
    divisions = sum(use.kind is Kind.DIVISION for _, use in uses)
    low, _ = _run(uses, 1)
    estimate, ready = _run(uses, 2)
    fixed = (
        divisions * DIVISION.low,
        folded + divisions * DIVISION.estimate,
        folded + divisions * DIVISION.high,
    )
    return Cycles(low, estimate, ready) + Cycles(*fixed)


def _run(uses: Sequence[tuple[str, Use]], parallel: int) -> tuple[int, int]:
    """The cycle after the last one was issued, and the one in which all results are there."""
    now, ready, summed = 0, dict[str, int](), dict[str, int]()
    for name, use in uses:
        later = use.kind is Kind.STORE  # what is stored is needed one cycle later than the address
        times = [ready.get(r, 0) for r in use.address] + [ready.get(r, 0) - later for r in use.read]
        start = max([now, *times, *(summed.get(r, 0) for r in use.sums)])
        latency, sum_latency = _latencies(name, use, parallel)
        for index, register in enumerate(use.written):
            behind = index if use.kind is Kind.LOADS else 0
            ready[register], summed[register] = start + behind + latency, start + behind + sum_latency
        for register in use.updated:
            ready[register] = summed[register] = start + 1
        now = start + (use.words if use.kind in (Kind.LOADS, Kind.STORES) else 1)
    return now, max([now, *ready.values()])


def _latencies(name: str, use: Use, parallel: int) -> tuple[int, int]:
    """Cycles until the result may be read, and until a multiplication may add to it."""
    if use.kind in (Kind.LOAD, Kind.LOADS, Kind.MULTIPLY):
        return 2, 1
    if use.kind is Kind.FLOAT:
        return FLOAT_LATENCY, FLOAT_LATENCY
    if use.kind is Kind.PARALLEL and not name.startswith(FIELDS):
        return parallel, parallel
    if use.kind is Kind.PLAIN and use.right:
        return parallel, parallel
    return 1, 1
