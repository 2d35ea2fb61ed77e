"""Options of custom operators, which are flexbuffers."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from flatbuffers import flexbuffers

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.ops import Attrs


def options(context: Context, op: RawOperator, attributes: type[Attrs]) -> dict[str, Any]:
    """Those that the fields of ``attributes`` are named after, in their types; what has a default may be left out."""
    wanted = fields(attributes)
    if not op.custom and all(field.default is not MISSING for field in wanted):
        return {}
    types = get_type_hints(attributes)
    values: dict[str, Any] = {}
    try:
        found = flexbuffers.GetRoot(bytearray(op.custom)).AsMap
        names = {key.AsKey for key in found.Keys}
        for field in wanted:
            if field.name in names or field.default is MISSING:
                value = found[field.name]
                values[field.name] = types[field.name](value.AsFloat if types[field.name] is float else value.AsInt)
    except Exception as error:  # the library meets damaged bytes with whatever struct and lists raise
        listed = ", ".join(field.name for field in wanted)
        context.damaged(op, f"has no options {listed} ({type(error).__name__})")
    return values
