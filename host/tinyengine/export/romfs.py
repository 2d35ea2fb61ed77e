"""Images of MicroPython's read-only file system, whose files code reads where they lie in flash.

What a kernel reads must be aligned, and others' writers put files wherever the one before ends: here each begins at a
multiple of 16. The format: records of kind, length, content, whose numbers are base 128, most significant digit first.
"""

from __future__ import annotations

from collections.abc import Mapping

ALIGNMENT = 16
_MAGIC = b"\xd2\xcd\x31"
_PADDING, _VERBATIM, _FILE = b"\x01", b"\x02", b"\x05"
_DIGITS = 4


def romfs(files: Mapping[str, bytes]) -> bytes:
    """An image with ``files``, by their names (ASCII, no folders)."""
    start = len(_MAGIC) + _DIGITS
    content = b""
    for name, data in files.items():
        label = bytes([len(name)]) + name.encode("ascii")
        head = len(_FILE) + _DIGITS + len(label) + len(_VERBATIM) + _DIGITS
        content += _padding(-(start + len(content) + head) % ALIGNMENT)
        record = label + _VERBATIM + _number(len(data)) + data
        content += _FILE + _number(len(record)) + record
    if (start + len(content)) % 2:
        content += _padding(3)  # images have an even length
    return _MAGIC + _number(len(content)) + content


def _padding(count: int) -> bytes:
    """A record that readers skip, of ``count`` bytes, or of 16 more where one cannot be so short."""
    if count == 0:
        return b""
    count += ALIGNMENT if count < 2 else 0
    return _PADDING + bytes([count - 2]) + bytes(count - 2)


def _number(value: int) -> bytes:
    """``value`` with so many digits that where files lie does not depend on their sizes."""
    digits = [value >> 7 * place & 0x7F for place in reversed(range(_DIGITS))]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])
