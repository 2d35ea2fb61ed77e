"""Cycles of Thumb instructions on a Cortex-M4, from Arm's documentation of its instruction timings (the instruction set
summary and the load/store timings of the Technical Reference Manual, DDI 0439), for memories without wait states.

What the documentation leaves open becomes a range:

- P, the cycles to refill the pipeline behind a taken branch: 1 to 3, by the target's alignment and width and by how
  early the core can guess it. The estimate takes 2.
- A division takes 2 to 12 cycles by its operands. The estimate takes 7.
- IT may be folded into the instruction before it: 0 or 1. The estimate takes 1.

Accesses that are not aligned depend on addresses: blocks.c counts what they cost. Not in the model: a literal load's
contention with the fetch, and everything outside the core.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinyengine.measure.cycles.instructions import (
    DOUBLE,
    IT,
    LOAD,
    MULTIPLE,
    STORE,
    Cycles,
    Instruction,
    exactly,
    is_branch,
    list_length,
    plain,
)

FLOAT_CYCLES = {"vdiv": 14, "vsqrt": 14, "vmla": 3, "vmls": 3, "vfma": 3, "vfms": 3, "vldr": 2, "vstr": 2}
NO_RESULT = re.compile(r"(cmp|cmn|tst|teq|nop|bkpt|dsb|dmb|isb|cps|msr|svc)")

REFILL = Cycles(1, 2, 3)
"""P, behind a taken branch."""

UNALIGNED = 1
"""Cycles of an unaligned access, per cycle that blocks.c counts for it."""


def block_cycles(block: Sequence[Instruction]) -> Cycles:
    """Cycles of instructions that run one behind the other, without the refill behind a branch at their end."""
    total = Cycles()
    before: Instruction | None = None
    for instruction in block:
        total += _cycles(instruction, before)
        before = instruction
    return total


def _cycles(instruction: Instruction, before: Instruction | None) -> Cycles:
    name = plain(instruction.mnemonic)
    if IT.fullmatch(name):
        return Cycles(0, 1, 1)
    if name in ("udiv", "sdiv"):
        return Cycles(2, 7, 12)
    if name in ("tbb", "tbh"):
        return exactly(3)  # load and addition; the refill comes on top
    if MULTIPLE.match(name):
        return exactly(1 + list_length(instruction.operands))
    if DOUBLE.fullmatch(name):
        return exactly(3 + _stall(instruction, before))
    if LOAD.fullmatch(name):
        pipelined = before is not None and _is_load(before) and not _feeds_address(before, instruction)
        return exactly((1 if pipelined else 2) + _stall(instruction, before))
    if STORE.fullmatch(name):
        pipelined = before is not None and _is_load(before) and not _feeds_address(before, instruction)
        return exactly((1 if pipelined or not _register_offset(instruction) else 2) + _stall(instruction, before))
    if name == "vmov" and instruction.operands.count(",") > 1:
        return exactly(2)  # two registers of the core
    return exactly(next((cycles for start, cycles in FLOAT_CYCLES.items() if name.startswith(start)), 1))


def _is_load(instruction: Instruction) -> bool:
    return bool(LOAD.fullmatch(plain(instruction.mnemonic)))


def _address_registers(instruction: Instruction) -> set[str]:
    inside = re.search(r"\[([^\]]*)\]", instruction.operands)
    return set(re.findall(r"\b(?:r\d+|sp|lr|ip|fp|sl|sb)\b", inside[1])) if inside else set()


def _register_offset(instruction: Instruction) -> bool:
    return len(_address_registers(instruction)) > 1


def _first_register(instruction: Instruction) -> str:
    return instruction.operands.split(",", 1)[0].strip()


def _feeds_address(before: Instruction, instruction: Instruction) -> bool:
    """Whether the register that the load ``before`` fills is part of this address."""
    return _first_register(before) in _address_registers(instruction)


def _stall(instruction: Instruction, before: Instruction | None) -> int:
    """1 where a data processing instruction just before makes part of the address: nothing forwards it."""
    if before is None:
        return 0
    name = plain(before.mnemonic)
    memory = LOAD.fullmatch(name) or STORE.fullmatch(name) or DOUBLE.fullmatch(name) or MULTIPLE.match(name)
    if memory or NO_RESULT.match(name) or IT.fullmatch(name) or is_branch(before):
        return 0
    return int(_first_register(before) in _address_registers(instruction))
