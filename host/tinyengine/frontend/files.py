"""The bytes of a TFLite flatbuffer, whatever file they lie in: a ``.tflite``, the C array that people link in, ONNX."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tinyengine.errors import ModelError
from tinyengine.frontend.onnx.file import onnx_network

MAX_FILE_BYTES = 1 << 29
"""No microcontroller holds half a gigabyte: a larger file is a mistake."""

MARK = b"TFL3"
_COMMENTS = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_ARRAY = re.compile(r"(\w+)\s*\[[^\]]*\][^={};]*=\s*\{([^{}]*)\}")
_VALUE = re.compile(r"[+-]?(?:0x[0-9a-f]+|\d+)(?=[ul]*$)", re.IGNORECASE)


def network_bytes(path: Path) -> bytes:
    """The flatbuffer in the file ``path``. ModelError, which names the file, if it cannot be read or holds none."""
    try:
        if path.is_dir():
            raise ModelError(f"{path} is a directory: name the .tflite or .lm file in it")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path.name} has {path.stat().st_size} bytes, far too many for a microcontroller")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    return WRAPPINGS[path.suffix.lower()](data, path.name) if path.suffix.lower() in WRAPPINGS else data


def c_array(data: bytes, file_name: str) -> bytes:
    """The network among the arrays that a C or C++ file defines; ModelError if there is none, or more than one.

    Arrays are understood as ``xxd -i`` and the vendors' tools write them: whole numbers, decimal or hexadecimal.
    """
    text = _COMMENTS.sub(lambda match: '""' if match[0].startswith('"') else " ", data.decode("utf-8", "replace"))
    arrays = {name: _bytes_of(values) for name, values in _ARRAY.findall(text)}
    networks = {name: content for name, content in arrays.items() if content is not None and content[4:8] == MARK}
    if len(networks) == 1:
        return next(iter(networks.values()))
    if networks:
        raise ModelError(
            f"{file_name} holds {len(networks)} networks ({', '.join(networks)}): leave one of the arrays in the file"
        )
    what = f"holds {len(arrays)} arrays, none of which is" if arrays else "defines no array that is"
    raise ModelError(
        f"{file_name} {what} a TensorFlow Lite model (no TFL3 mark): name the file in which the array's numbers stand"
    )


def _bytes_of(values: str) -> bytes | None:
    """The numbers between an array's braces, which may be signed; None if they are not bytes."""
    texts = [text for text in map(str.strip, values.split(",")) if text]
    found = [_VALUE.match(text) for text in texts]
    if not all(found):
        return None
    try:
        numbers = [_number(match[0]) for match in found if match]
        return bytes(number & 0xFF for number in numbers) if all(-129 < n < 256 for n in numbers) else None
    except ValueError:  # 089 is no number in C
        return None


def _number(text: str) -> int:
    octal = len(text) > 1 and text[0] == "0" and text.isdigit()
    return int(text, 8 if octal else 0)


C_SUFFIXES = (".h", ".hpp", ".c", ".cc", ".cpp", ".cxx")
WRAPPINGS: dict[str, Callable[[bytes, str], bytes]] = {".onnx": onnx_network, **dict.fromkeys(C_SUFFIXES, c_array)}
"""By suffix, how the flatbuffer is found in, or made of, a file (its bytes, its name) that is not one itself."""
