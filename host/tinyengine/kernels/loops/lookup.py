"""Runs of a table by indices that the network computes."""

from __future__ import annotations

from math import prod

from tinyengine.ir import Graph, Operator
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Value

BODY = """const uint8_t *from = (const uint8_t *)table;
uint8_t *to = out;
for (int32_t i = 0; i < outer; i++, from += size * run) {
    const int32_t *at = in;
    for (int32_t j = 0; j < count; j++, to += run) {
        const int32_t index = te_clamp(*at++, 0, size - 1);
        memcpy(to, from + index * run, (size_t)run);
    }
}"""


def lookup(op: Operator, graph: Graph, axis: int) -> KernelCall:
    """The call for indices (input 0) into a table (input 1, a constant or not) along ``axis``."""
    indices, table, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    size = y.nbytes // y.elements
    outer = prod(table.shape[:axis])
    values: dict[str, Value] = {
        "outer": outer,
        "size": table.shape[axis],
        "count": indices.elements,
        "run": prod(table.shape[axis + 1 :]) * size,
    }
    arguments, inputs = "const int32_t *in, void *out", [indices]
    if table.data is not None:
        values["table"] = text.constant(table)
    else:
        arguments, inputs = "const int32_t *in, const void *table, void *out", [indices, table]
    code = text.function("lookup", values, arguments, BODY.splitlines())
    whole = [([0], [tensor.nbytes]) for tensor in inputs]
    touched = access.blocks(whole, ([0], [y.nbytes]))  # type: ignore[arg-type]
    return text.call(op, code, values, inputs, touched, [None] * len(inputs))
