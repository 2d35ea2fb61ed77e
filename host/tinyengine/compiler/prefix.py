"""Names that the symbols and files of a generated network may begin with."""

from __future__ import annotations

import re
from pathlib import Path

from tinyengine.errors import ToolError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_TAKEN = frozenset(
    re.findall(
        r"\w+",
        """
        alignas alignof and asm auto bool break case catch char class compl concept const continue constexpr
        decltype default delete do double else enum explicit export extern false float for friend goto if
        import inline int long module mutable namespace new noexcept not nullptr operator or private protected
        public register requires restrict return short signed sizeof static struct switch template this throw
        true try typedef typeid typename typeof union unsigned using virtual void volatile while xor

        assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdarg stdatomic
        stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar unistd wchar wctype

        begin evaluate finish inputs keep_states layers nobody outputs push_rows reset reset_states run
        run_profiled step trainer

        arm avr i386 linux main memcpy memmove memset te unix
        """,
    )
)
"""Keywords of C and C++; headers of the C library, which <prefix>.h would hide; names within the generated file; macros
and functions that a compiler knows."""


def check_prefix(name: str) -> None:
    """ToolError for a name that C, the C library, the kernels or the generated code itself have a use for."""
    if not _NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot begin names in C: give --prefix a letter, followed by up to 39 letters, digits and _"
        )
    if name in _TAKEN or name.lower().startswith("te_"):
        other = f"network_{name}" if name.lower().startswith("te_") else f"{name}_network"
        raise ToolError(f"{name} means something else in C or in tinyengine's library: use --prefix {other}")


def prefix_of(model: Path) -> str:
    """The prefix of a network whose user has given none: what its file is called, as far as C allows."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", model.name.split(".")[0]).strip("_").lower()[:30].rstrip("_")
    if not name or not name[0].isalpha():
        name = f"network_{name}".rstrip("_")
    if name.startswith("te_"):
        return f"network_{name}"
    return f"{name}_network" if name in _TAKEN else name
