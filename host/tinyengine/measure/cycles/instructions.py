"""Thumb instructions as a disassembler prints them, and what all cycle models ask of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

BRANCH = re.compile(r"(b|bl|bx|blx)(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?|cbn?z")
LOAD = re.compile(r"ldr(b|h|sb|sh)?t?")
STORE = re.compile(r"str(b|h)?t?")
DOUBLE = re.compile(r"(ldrd|strd)")
MULTIPLE = re.compile(r"v?(ldm|stm|push|pop)")
CONDITION = re.compile(r"(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)$")
IT = re.compile(r"it[te]{0,3}")


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly: mnemonic without width suffix, operands as text."""

    address: int
    mnemonic: str
    operands: str


@dataclass(frozen=True)
class Cycles:
    """From ``low`` to ``high``, most likely ``estimate``."""

    low: int = 0
    estimate: int = 0
    high: int = 0

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(self.low + other.low, self.estimate + other.estimate, self.high + other.high)

    def __mul__(self, times: int) -> Cycles:
        return Cycles(self.low * times, self.estimate * times, self.high * times)


def exactly(cycles: int) -> Cycles:
    return Cycles(cycles, cycles, cycles)


def plain(mnemonic: str) -> str:
    """Without the condition that an IT gave it; branches keep theirs."""
    if BRANCH.fullmatch(mnemonic):
        return mnemonic
    bare = CONDITION.sub("", mnemonic)
    known = LOAD.fullmatch(bare) or STORE.fullmatch(bare) or DOUBLE.fullmatch(bare) or MULTIPLE.match(bare)
    return bare if known or bare in ("udiv", "sdiv") else mnemonic


def is_branch(instruction: Instruction) -> bool:
    """Whether it may continue elsewhere than behind itself."""
    name, operands = instruction.mnemonic, instruction.operands
    if BRANCH.fullmatch(name) or name in ("tbb", "tbh"):
        return True
    return bool(re.match(r"pc\b", operands)) or ("pc" in operands and plain(name).startswith(("pop", "ldm")))


def list_length(operands: str) -> int:
    """Registers in braces, ranges included."""
    inside = operands[operands.index("{") + 1 : operands.index("}")]
    count = 0
    for item in inside.split(","):
        ends = re.findall(r"\d+", item) if "-" in item else []
        count += int(ends[1]) - int(ends[0]) + 1 if len(ends) == 2 else 1
    return count
