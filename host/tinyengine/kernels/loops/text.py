"""The C of generated loops: parameter structs, functions, nested loops over axes; and the call of such a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.ir import Operator, Tensor
from tinyengine.kernels.base import C_TYPES, Access, CArray, CValue, KernelCall, Overlap

NAME = "@NAME@"
"""Stands in a text for the name of its function, which follows from the text."""


@dataclass(frozen=True)
class Array:
    """A constant array of ``dtype`` that is made only when code is generated."""

    dtype: str
    make: Callable[[], np.ndarray]


Value = int | float | list[int] | Array
Values = Mapping[str, Value]
"""What a loop computes with, by the names that its C has for it: int32_t, float, arrays."""


@dataclass(frozen=True)
class Function:
    """A function and its parameters' type as C."""

    name: str
    text: str

    @property
    def params_type(self) -> str:
        return f"{self.name}_params"


def function(what: str, values: Values, arguments: str, body: Sequence[str], local: bool = True) -> Function:
    """``static void loop_<what>_<digest>(const ..._params *p, <arguments>)``; with ``local`` all values but lists are
    locals of their names."""
    fields = [f"    {_field(name, value)};" for name, value in values.items()]
    text = "\n".join(
        [
            "typedef struct " + f"{NAME}_params {{",
            *fields,
            f"}} {NAME}_params;\n",
            f"static void {NAME}(const {NAME}_params *p, {arguments}) {{",
            *(f"    {line}" for line in [*_hidden(arguments), *(_locals(values) if local else ()), *body]),
            "}\n",
        ]
    )
    name = f"loop_{what}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    return Function(name, text.replace(NAME, name))


def _hidden(arguments: str) -> list[str]:
    """Where the pointers of ``arguments`` point, a C compiler shall not know (te_types.h)."""
    names = [argument.rsplit("*", 1)[1].strip() for argument in arguments.split(",") if "*" in argument]
    return [f"TE_HIDE({name});" for name in names]


def packed(values: Values) -> dict[str, CValue]:
    """The parameter struct."""
    out: dict[str, CValue] = {}
    for name, value in values.items():
        if isinstance(value, Array):
            out[name] = CArray(name, np.ascontiguousarray(value.make(), value.dtype).ravel())
        else:
            out[name] = [*value] if isinstance(value, list) else value
    return out


def constant(tensor: Tensor) -> Array:
    """The values of a constant."""
    data = tensor.data
    assert data is not None
    return Array(tensor.dtype, lambda: data)


def call(
    op: Operator,
    code: Function,
    values: Values,
    inputs: Sequence[Tensor],
    access: Access,
    overlaps: Sequence[Overlap | None],
    header: str = "te_requant.h",
    macs: int = 0,
) -> KernelCall:
    """The call of ``code``, which makes the only output of ``op`` from ``inputs``; ``header``: what its text needs."""
    return KernelCall(
        op,
        code.name,
        header,
        code.params_type,
        lambda: packed(values),
        inputs=[tensor.name for tensor in inputs],
        outputs=[op.outputs[0]],
        overlaps=tuple(overlaps),
        access=access,
        macs=macs,
        note="generated",
        code=code.text,
    )


def _field(name: str, value: Value) -> str:
    if isinstance(value, Array):
        return f"const {C_TYPES[value.dtype]} *{name}"
    if isinstance(value, list):
        return f"int32_t {name}[{len(value)}]"
    return f"{'float' if isinstance(value, float) else 'int32_t'} {name}"


def _locals(values: Values) -> Iterator[str]:
    """An output of bytes may alias the parameters as far as C is concerned, so they are read once."""
    for name, value in values.items():
        if isinstance(value, Array):
            yield f"const {C_TYPES[value.dtype]} *const {name} = p->{name};"
        elif not isinstance(value, list):
            yield f"const {'float' if isinstance(value, float) else 'int32_t'} {name} = p->{name};"


def nest(axes: int, index: str, size: str, inner: Sequence[str], after: Callable[[int], Sequence[str]]) -> list[str]:
    """``axes`` loops, one in the other, around ``inner``; ``after(axis)`` ends the body of that axis' loop."""
    lines = list(inner)
    for axis in reversed(range(axes)):
        counter = f"{index}{axis}"
        lines = [
            f"for (int32_t {counter} = 0; {counter} < p->{size}[{axis}]; {counter}++) {{",
            *(f"    {line}" for line in [*lines, *after(axis)]),
            "}",
        ]
    return lines


def working_type(dtype: str) -> str:
    """The C type that values of ``dtype`` are computed in."""
    return "float" if dtype == "float32" else "int32_t"


def read(name: str, dtype: str, place: str) -> str:
    """A value as a local."""
    return f"const {working_type(dtype)} {name} = {place};"


def write(dtype: str, place: str) -> str:
    """The local ``y`` to memory."""
    cast = "" if dtype in ("int32", "float32") else f"({C_TYPES[dtype]})"
    return f"{place} = {cast}y;"
