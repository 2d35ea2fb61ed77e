"""C literals for constants: deterministic, exact, and short enough to read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tinyengine.kernels.base import C_TYPES, CArray, CState, CStruct, CValue

LINE_WIDTH = 110


def identifier(text: str) -> str:
    """``text`` as part of a C identifier: lower case, words joined by underscores."""
    slug = re.sub(r"[^0-9a-zA-Z]+", "_", text).strip("_").lower()
    return slug[-40:].strip("_") or "unnamed"


def string_literal(text: str) -> str:
    """A C string literal of ``text`` in UTF-8, ASCII only: other bytes, and a second ? in a row, as octal escapes."""
    special = {0x22: '\\"', 0x5C: "\\\\"}
    out = ""
    for byte in text.encode("utf-8", "replace"):
        plain = 0x20 <= byte < 0x7F and not (byte == 0x3F and out.endswith("?"))
        out += special.get(byte) or (chr(byte) if plain else f"\\{byte:03o}")
    return f'"{out}"'


def float_literal(value: float) -> str:
    """An IEEE single constant, written in hexadecimal so that no digit is lost."""
    number = np.float32(value)
    if not np.isfinite(number):
        return "-" * bool(np.signbit(number)) + ('__builtin_nanf("")' if np.isnan(number) else "__builtin_inff()")
    return f"{float(number).hex()}f"


def integer_literal(value: int) -> str:
    """A decimal constant; the most negative int32 has no literal of its own in C."""
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def scalar(value: int | float | str) -> str:
    """One initializer: numbers as literals, strings verbatim (a C expression)."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, (float, np.floating)):
        return float_literal(float(value))
    return integer_literal(int(value))


Pointed = CArray | CStruct | CState
"""What a parameter may point to."""


def initializer(value: CValue, symbol_of: Callable[[Pointed], str], indent: int = 4) -> str:
    """A (nested) designated initializer; for what it points to stand the expressions of ``symbol_of``."""
    if isinstance(value, Pointed):
        return symbol_of(value)
    if isinstance(value, Mapping):
        parts = [f".{key} = {initializer(item, symbol_of, indent + 4)}" for key, item in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = [initializer(item, symbol_of, indent + 4) for item in value]
    else:
        return scalar(value)
    flat = "{" + ", ".join(parts) + "}"
    if len(flat) + indent <= LINE_WIDTH and "\n" not in flat:
        return flat
    pad = " " * indent
    return "{\n" + "".join(f"{pad}{part},\n" for part in parts) + " " * (indent - 4) + "}"


def array_definition(symbol: str, data: np.ndarray, attribute: str) -> str:
    """``const <type> symbol[n] attribute = {...};`` aligned to 4 bytes."""
    name, values = data.dtype.name, data.ravel().tolist()
    if name.startswith("uint"):
        digits = data.dtype.itemsize * 2
        words = [f"0x{v:0{digits}x}" for v in values]
    elif name == "float32":
        words = [float_literal(v) for v in values]
    else:
        words = [integer_literal(v) for v in values]
    lines: list[str] = []
    line = "   "
    for word in words:
        if len(line) + len(word) + 2 > LINE_WIDTH:
            lines.append(line)
            line = "   "
        line += f" {word},"
    lines.append(line)
    body = "\n".join(lines)
    return f"const {C_TYPES[name]} {symbol}[{data.size}] {attribute} __attribute__((aligned(4))) = {{\n{body}\n}};\n"
