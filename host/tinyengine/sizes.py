"""Sizes in bytes: KB and K mean 1024 bytes, MB and M 1024 KB. Counts of things: K and M mean a thousand, a million.

Also rounding up, for everybody.
"""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "K": 1024, "KB": 1024, "KIB": 1024, "M": 1 << 20, "MB": 1 << 20, "MIB": 1 << 20}


def ceil_div(count: int, size: int) -> int:
    """How many groups of ``size`` hold ``count`` things: the quotient rounded up."""
    return -(-count // size)


def round_up(size: int, grain: int) -> int:
    """The smallest multiple of ``grain`` that is not less than ``size``."""
    return -(-size // grain) * grain


def parse_size(text: str) -> int:
    """Bytes of ``65536``, ``64K``, ``64KB``, ``1.5M``; ValueError with a sentence otherwise."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not match or match[2].upper() not in _UNITS:
        raise ValueError(f"{text!r} is not a size: write bytes, or a number with K or M (1K = 1024 bytes)")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def parse_count(text: str) -> int:
    """Things, not bytes, of ``7000000``, ``7M``, ``7.5M``, ``800K``; ValueError with a sentence otherwise."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KkMm]?)\s*", text)
    if not match:
        raise ValueError(f"{text!r} is not a count: write a number, or one with K or M (a thousand, a million)")
    return round(float(match[1]) * {"": 1, "K": 1_000, "M": 1_000_000}[match[2].upper()])


def format_size(count: int) -> str:
    """``count`` bytes for a person: bytes below 1 KB, else KB with one decimal."""
    return f"{count} bytes" if count < 1024 else f"{count / 1024:.1f} KB"


def exact_size(count: int) -> str:
    """``count`` bytes without rounding, for figures that are compared with a cap."""
    return f"{count:,} bytes" if count < 1024 else f"{count:,} bytes ({count / 1024:.1f} KB)"
