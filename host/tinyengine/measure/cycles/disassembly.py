"""The instructions of a linked program, by address, and where its functions lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinyengine.measure.cycles.instructions import Instruction
from tinyengine.project.toolchain import disassemble, symbols

_LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)(?:\s+(.*))?$")


@dataclass(frozen=True)
class Function:
    """``size`` bytes of code from ``address`` on."""

    name: str
    address: int
    size: int

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.size


def instructions_of(program: Path) -> dict[int, Instruction]:
    """All instructions of an ELF file."""
    found: dict[int, Instruction] = {}
    for line in disassemble(program).splitlines():
        match = _LINE.match(line)
        if match and not match[2].startswith("."):  # .word and the like are constants between functions
            address = int(match[1], 16)
            mnemonic = match[2].removesuffix(".w").removesuffix(".n")
            operands = (match[3] or "").split("@")[0].split(";")[0].strip()
            found[address] = Instruction(address, mnemonic, operands)
    return found


def functions_of(program: Path) -> list[Function]:
    """All functions of an ELF file, static ones included."""
    return [Function(name, address & ~1, size) for name, kind, address, size in symbols(program) if kind in "tTwW"]
