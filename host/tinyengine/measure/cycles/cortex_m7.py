"""Cycles of Thumb instructions on a Cortex-M7, for tightly coupled memories or caches that hit: a small model of an
in-order core that issues up to two instructions per cycle.

Arm documents no timings. The rules are those that two public projects measured on an STM32H743: the pipeline cycle
test of github.com/jnk0le/random, and cortex_m7.py of the super-optimizer SLOTHY (github.com/slothy-optimizer/slothy):

- loads and stores of n words take n / 2 cycles, rounded up, and pair with nothing;
- one multiplication per cycle, which pairs with a load but not with a store; its result is there 2 cycles later, 1
  later where another one adds to it;
- two loads pair if they read different halves of a double word behind the same register;
- SXTB16, PKH, SSAT, BFI and the like: one per cycle, as the older of a pair; not beside another shift;
- a load's result is there 2 cycles later, of a byte or halfword 3; arithmetic takes it one cycle later than addresses
  and shifts need it;
- an access that is not aligned takes 3 more.

Branches are predicted: ``low`` and the estimate let a taken one cost nothing more, ``high`` one cycle, and waits for
all results at the end of a block of instructions. Latencies do not cross blocks otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyengine.measure.cycles.in_order import Kind, Use, use_of
from tinyengine.measure.cycles.instructions import IT, Cycles, Instruction

REFILL = Cycles(0, 0, 1)
"""Behind a taken branch, which itself takes a place in a pair."""

UNALIGNED = 3
"""Per access that blocks.c counts one cycle for."""

DIVISION = Cycles(2, 6, 11)
"""Beyond the cycle in which it is issued."""

FLOAT_LATENCY = 3
ALONE = (Kind.LOADS, Kind.STORES, Kind.DIVISION)


def block_cycles(block: Sequence[Instruction]) -> Cycles:
    """Cycles of instructions that run one behind the other, without the refill behind a branch at their end."""
    uses = [(i.mnemonic, use_of(i)) for i in block if not IT.fullmatch(i.mnemonic)]
    divisions = sum(use.kind is Kind.DIVISION for _, use in uses)
    pipeline = _Pipeline()
    for name, use in uses:
        pipeline.issue(name, use)
    issued, ready = pipeline.end()
    return Cycles(
        issued + divisions * DIVISION.low,
        issued + divisions * DIVISION.estimate,
        ready + divisions * DIVISION.high,
    )


class _Pipeline:
    """The cycle that is being filled, what it holds, and when results are there: for arithmetic (``late``), for the
    address unit and the shifter (``early``), for a multiplication that adds to them (``sums``)."""

    def __init__(self) -> None:
        self._now = 0
        self._slots: list[Use] = []
        self._late: dict[str, int] = {}
        self._early: dict[str, int] = {}
        self._sums: dict[str, int] = {}

    def issue(self, name: str, use: Use) -> None:
        """Put the next instruction into the first cycle in which it may run."""
        self._wait(self._start(use))
        while self._slots and not _pairs(self._slots, use):
            self._wait(self._now + 1)
        self._slots.append(use)
        late, early, sums = _latencies(name, use)
        for index, register in enumerate(use.written):
            behind = index // 2 if use.kind is Kind.LOADS else 0
            self._late[register] = self._now + behind + late
            self._early[register] = self._now + behind + early
            self._sums[register] = self._now + behind + sums
        for register in use.updated:
            self._late[register] = self._early[register] = self._sums[register] = self._now + 1
        if use.kind in ALONE:
            self._wait(self._now + (use.words + 1) // 2)

    def end(self) -> tuple[int, int]:
        """The cycle after the last that was begun, and the one in which all results are there."""
        issued = self._now + bool(self._slots)
        return issued, max([issued, *self._late.values()])

    def _wait(self, cycle: int) -> None:
        if cycle > self._now:
            self._now, self._slots = cycle, []

    def _start(self, use: Use) -> int:
        times = [self._early.get(r, 0) for r in use.address]
        if use.kind is Kind.MULTIPLY:
            times += [self._early.get(r, 0) for r in use.read]
        elif use.kind not in (Kind.STORE, Kind.STORES):
            times += [self._late.get(r, 0) for r in use.read]
        for register in use.shifted:
            early = self._early.get(register, 0)
            times.append(early + (early > 0 and early == self._late.get(register)))
        times += [self._sums.get(r, 0) for r in use.sums]
        return max(times, default=0)


def _pairs(slots: Sequence[Use], use: Use) -> bool:
    """Whether ``use`` may be issued beside what the cycle holds."""
    if len(slots) == 2 or use.kind in ALONE or slots[0].kind in ALONE or use.kind is Kind.PARALLEL:
        return False
    older = slots[0]
    heavy = (Kind.MULTIPLY, Kind.STORE)
    if older.kind in heavy and use.kind in heavy:
        return False
    if older.kind is Kind.LOAD and use.kind is Kind.LOAD:
        banks = older.bank is not None and use.bank is not None and older.bank != use.bank
        return banks and older.address == use.address
    if older.kind is use.kind and use.kind in (Kind.TRANSFER, Kind.FLOAT):
        return False
    return not (use.shifted and (older.shifted or older.kind is Kind.PARALLEL))


def _latencies(name: str, use: Use) -> tuple[int, int, int]:
    """Cycles until arithmetic, addresses, and a multiplication that adds to it may read the result."""
    if use.kind is Kind.LOAD:
        return (2, 3, 3) if name.startswith(("ldrb", "ldrh", "ldrs")) else (1, 2, 2)
    if use.kind is Kind.LOADS:
        return 1, 2, 2
    if use.kind is Kind.MULTIPLY:
        return 2, 2, 1
    if use.kind in (Kind.TRANSFER, Kind.FLOAT):
        return FLOAT_LATENCY, FLOAT_LATENCY, FLOAT_LATENCY
    if use.kind is Kind.PARALLEL and name.startswith(("ssat", "usat", "q")):
        return 2, 2, 2
    return 1, 1, 1
