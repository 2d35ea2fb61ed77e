"""What a model of an in-order core needs to know of an instruction: its kind, and its registers by their use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tinyengine.measure.cycles.instructions import (
    DOUBLE,
    LOAD,
    MULTIPLE,
    STORE,
    Instruction,
    is_branch,
    list_length,
    plain,
)

NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12", "r13": "sp", "r14": "lr", "r15": "pc"}
NUMBERS = {"sp": 13, "lr": 14, "pc": 15}
REGISTER = re.compile(r"\b(?:r\d+|sb|sl|fp|ip|sp|lr|pc|s\d+|d\d+)\b")
MULTIPLY = re.compile(r"sml|smmla|smmls|smmul|smul|smuad|smusd|mla|mls|mul|umull|umlal|umaal")
LONG = re.compile(r"smull|umull|smlal|umlal|umaal")
PARALLEL = re.compile(r"[su]xta?[bh]|pkh|[su]sat|[su]h?add|[su]h?sub|q[ad]|qsub|uq|bfi|bfc|[su]bfx|rev|clz|rbit|sel")
COMPARE = re.compile(r"cmp|cmn|tst|teq")
SHIFTED = re.compile(r"\b(lsl|lsr|asr|ror|rrx)\b")
FLAGS = "flags"


class Kind(StrEnum):
    """What part of the core executes an instruction."""

    PLAIN = "plain"
    LOAD = "load"
    STORE = "store"
    LOADS = "loads"  # of several words
    STORES = "stores"
    MULTIPLY = "multiply"
    PARALLEL = "parallel"  # bytes and halfwords, saturation, fields of bits
    TRANSFER = "transfer"  # between core and FPU
    FLOAT = "float"
    DIVISION = "division"
    BRANCH = "branch"


@dataclass(frozen=True)
class Use:
    """An instruction. ``sums``: registers that a multiplication adds to; ``shifted``: needed early, by the shifter,
    and if ``right`` not to be shifted left; ``bank``: 0 or 1, which half of a double word a load with a constant offset
    reads, of those from ``address``."""

    kind: Kind
    written: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()  # of the address
    shifted: tuple[str, ...] = ()
    right: bool = False
    words: int = 1  # that a load or store moves
    bank: int | None = None


def registers(text: str) -> tuple[str, ...]:
    """Registers in ``text``, each under one name, ranges as their ends."""
    return tuple(NAMES.get(name, name) for name in REGISTER.findall(text))


def use_of(instruction: Instruction) -> Use:
    """How ``instruction`` uses the core."""
    name, operands = plain(instruction.mnemonic), instruction.operands
    if MULTIPLE.match(name):
        return _multiple(name, operands)
    memory = (
        LOAD.fullmatch(name) or STORE.fullmatch(name) or DOUBLE.fullmatch(name) or name.startswith(("vldr", "vstr"))
    )
    if memory:
        return _memory(name, operands)
    if is_branch(instruction):
        return Use(Kind.BRANCH, read=(*registers(operands), FLAGS))
    found = registers(operands)
    if name.startswith("vmov"):
        half = len(found) // 2 if len(found) > 2 else 1
        return Use(Kind.TRANSFER, found[:half], found[half:])
    if name.startswith("v"):
        return Use(Kind.FLOAT, found[:1], found)
    if name in ("udiv", "sdiv"):
        return Use(Kind.DIVISION, found[:1], found[-2:])
    if COMPARE.match(name):
        return Use(Kind.PLAIN, (FLAGS,), found, shifted=found[-1:] if SHIFTED.search(operands) else ())
    if MULTIPLY.match(name):
        return _multiplication(name, found)
    return _data(name, operands, found)


def _multiple(name: str, operands: str) -> Use:
    words = list_length(operands)
    base, listed = operands.split("{", 1)
    address = registers(base) or ("sp",)
    updated = address if "!" in base or name.lstrip("v").startswith(("push", "pop")) else ()
    moved = _listed(listed.rstrip("}"))
    if name.lstrip("v").startswith(("ldm", "pop")):
        return Use(Kind.LOADS, moved, address=address, updated=updated, words=words)
    return Use(Kind.STORES, read=moved, address=address, updated=updated, words=words)


def _listed(items: str) -> tuple[str, ...]:
    found: list[str] = []
    for item in items.split(","):
        ends = registers(item)
        if len(ends) == 2:
            letter = "r" if ends[0] in NUMBERS or ends[0][0] == "r" else ends[0][0]
            first, last = (NUMBERS.get(end) or int(end.lstrip("rsd")) for end in ends)
            found += [NAMES.get(f"{letter}{n}", f"{letter}{n}") for n in range(first, last + 1)]
        else:
            found += ends
    return tuple(found)


def _memory(name: str, operands: str) -> Use:
    values, _, rest = operands.partition("[")
    inside, _, behind = rest.partition("]")
    address, moved = registers(inside), registers(values)
    updated = address[:1] if behind.strip() else ()
    offset = re.search(r"#(-?\d+)", inside)
    bank = (int(offset[1]) if offset else 0) >> 2 & 1 if len(address) == 1 else None
    if name.startswith(("ldr", "vldr")):
        kind = Kind.LOADS if name == "ldrd" else Kind.LOAD
        return Use(kind, moved, address=address, updated=updated, words=len(moved), bank=bank)
    kind = Kind.STORES if name == "strd" else Kind.STORE
    return Use(kind, read=moved, address=address, updated=updated, words=len(moved))


def _multiplication(name: str, found: tuple[str, ...]) -> Use:
    if LONG.match(name) and len(found) == 4:
        adds = "lal" in name or name == "umaal"
        return Use(Kind.MULTIPLY, found[:2], found[2:], sums=found[:2] if adds else ())
    return Use(Kind.MULTIPLY, found[:1], found[1:3] if len(found) > 2 else found, sums=found[3:])


def _data(name: str, operands: str, found: tuple[str, ...]) -> Use:
    written, read = found[:1], found[1:] or found[:1]
    if name.startswith(("bfi", "bfc", "movt")):
        read = found
    early = SHIFTED.search(operands) or name.startswith(("pkh", "bfi"))
    sets_flags = name.endswith("s") and name != "movs"
    kind = Kind.PARALLEL if PARALLEL.match(name) else Kind.PLAIN
    shifted = found[-1:] if early and len(found) > 1 else ()
    right = bool(shifted) and "lsl" not in operands
    return Use(kind, (*written, *((FLAGS,) if sets_flags else ())), read, shifted=shifted, right=right)
