"""Along one axis: each output is made of all values up to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import CumsumAttrs
from tinyengine.kernels import access
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Value, Values


@dataclass(frozen=True)
class Scan:
    """C expressions: ``next`` of the new ``sum`` from it and the value ``x``, ``result`` of the output from ``sum``,
    ``start`` of the first sum."""

    what: str
    next: str
    result: str
    values: Values = field(default_factory=dict)
    start: str = "0"


def scan(op: Operator, graph: Graph, loop: Scan, header: str) -> KernelCall:
    """The call that walks the only input of ``op`` along the axis of its attributes, from either end."""
    attrs = op.attrs
    assert isinstance(attrs, CumsumAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    depth, step = x.shape[attrs.axis], prod(x.shape[attrs.axis + 1 :])
    values: dict[str, Value] = {"outer": prod(x.shape[: attrs.axis]), "depth": depth, "step": step}
    values |= loop.values
    turned = "depth - 1 - d" if attrs.reverse else "d"
    steps = [f"y = {loop.result};", f"sum = {loop.next};"]
    body = [
        "for (int32_t o = 0; o < outer; o++) {",
        "    for (int32_t i = 0; i < step; i++) {",
        f"        {text.working_type(x.dtype)} sum = {loop.start};",
        "        for (int32_t d = 0; d < depth; d++) {",
        f"            const int32_t at = (o * depth + {turned}) * step + i;",
        f"            {text.read('x', x.dtype, 'in[at]')}",
        f"            {text.working_type(y.dtype)} y;",
        *(f"            {line}" for line in (steps if attrs.exclusive else steps[::-1])),
        f"            {text.write(y.dtype, 'out[at]')}",
        "        }",
        "    }",
        "}",
    ]
    code = text.function(loop.what, values, f"const {C_TYPES[x.dtype]} *in, {C_TYPES[y.dtype]} *out", body)
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], header)
