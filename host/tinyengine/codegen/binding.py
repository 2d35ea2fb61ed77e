"""Constants as a file: bytes that the program finds at run time, instead of arrays that are linked with it.

In a parameter stands where an array lies in the file, until ``<prefix>_bind`` adds where the file lies in memory. So
parameters are variables then. The file begins with the network's hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyengine.codegen.storage import Storage
from tinyengine.kernels.base import C_TYPES, CArray, CState, CStruct, CValue
from tinyengine.sizes import round_up

ALIGNMENT = 4


@dataclass(frozen=True)
class ConstantsFile:
    """``content``, and where the arrays lie in it, by their symbols."""

    content: bytes
    offsets: Mapping[str, int]


def constants_file(model_hash: str, arrays: Mapping[str, CArray]) -> ConstantsFile:
    """All ``arrays``, by their symbols, behind the 16 digits of ``model_hash``."""
    content, offsets = bytearray(model_hash.encode("ascii")), {}
    for symbol, array in arrays.items():
        content += bytes(round_up(len(content), ALIGNMENT) - len(content))
        offsets[symbol] = len(content)
        content += array.data.astype(array.data.dtype.newbyteorder("<")).tobytes()
    return ConstantsFile(bytes(content), offsets)


def array_paths(value: CValue) -> Iterator[str]:
    """Which members of a parameter point to arrays: ``.conv.weights``, ``.parts[1].bias``, ..."""
    if isinstance(value, CArray):
        yield ""
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (f".{key}{path}" for path in array_paths(item))
    elif isinstance(value, Sequence) and not isinstance(value, (str, CStruct, CState)):
        for index, item in enumerate(value):
            yield from (f"[{index}]{path}" for path in array_paths(item))


def address_macros(own: Storage, arrays: Mapping[str, CArray], file: ConstantsFile, in_code: set[str]) -> str:
    """What the symbols of ``arrays`` stand for: places in the file, for those ``in_code`` places in memory."""
    lines = [f"extern const uint8_t *{own.bound};\n"]
    for symbol, array in arrays.items():
        ctype, offset = C_TYPES[array.data.dtype.name], file.offsets[symbol]
        place = f"({own.bound} + {offset})" if symbol in in_code else f"(uintptr_t){offset}"
        lines.append(f"#define {symbol} ((const {ctype} *){place})")
    return "\n".join(lines) + "\n"


def bind_declaration(own: Storage) -> str:
    return (
        "/* Before anything else: where the file of constants lies, aligned to 4. */\n"
        f"void {own.prefix}_bind(const void *weights);\n\n"
    )


def bind_function(own: Storage, pointers: Sequence[str]) -> str:
    """The definition of ``<prefix>_bind``, which moves ``pointers`` from where the file was to where it is."""
    listing = "".join(f"    &{pointer},\n" for pointer in pointers)
    move = f"""    static void *const pointers[] = {{
{listing}    }};
    const uintptr_t distance = (uintptr_t)weights - (uintptr_t){own.bound};
    for (uint32_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {{
        uintptr_t place;
        memcpy(&place, pointers[i], sizeof place);
        place += distance;
        memcpy(pointers[i], &place, sizeof place);
    }}
"""
    return f"""const uint8_t *{own.bound};

void {own.prefix}_bind(const void *weights) {{
{move if pointers else ""}    {own.bound} = weights;
}}
"""
