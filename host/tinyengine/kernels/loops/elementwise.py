"""Element by element, inputs broadcast as NumPy does."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyengine.ir import Graph, Operator
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.text import Value, Values

HEADER = "te_requant.h"


@dataclass(frozen=True)
class Elementwise:
    """What is computed for one element.

    ``body``: C statements that assign ``y`` from ``x0``, ``x1``, ... (int32_t, or float for float32; ``y`` likewise)
    and from ``values``, by their names. ``what``: a word for it.
    """

    what: str
    body: tuple[str, ...]
    values: Values = field(default_factory=dict)


def elementwise(op: Operator, graph: Graph, loop: Elementwise, header: str = HEADER) -> KernelCall:
    """The call that computes the only output of ``op`` from all its inputs; constant inputs come with the code.

    ``header``: what the body needs."""
    operands, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    axes = walk.merge(y.shape, [walk.broadcast_strides(t.shape, y.shape) for t in (*operands, y)])
    along = [t.elements == y.elements for t in operands]
    stepped = [i for i, t in enumerate(operands) if not along[i] and t.elements > 1]
    if not stepped:  # everything is walked alongside the output, or is one value
        axes = [(y.elements, (1,) * (len(operands) + 1))]
    values: dict[str, Value] = dict(loop.values)
    values |= {f"in{i}": text.constant(t) for i, t in enumerate(operands) if t.is_constant}
    values["size"] = [size for size, _ in axes]
    values |= {f"step{i}": walk.increments(axes, i) for i in stepped}

    places = [f"in{i}[{'n' if along[i] else f'at{i}' if i in stepped else '0'}]" for i in range(len(operands))]
    inner = [text.read(f"x{i}", t.dtype, places[i]) for i, t in enumerate(operands)]
    inner += [f"{text.working_type(y.dtype)} y;", *loop.body, text.write(y.dtype, "out[n]"), "n++;"]
    body = ["int32_t n = 0;", *(f"int32_t at{i} = 0;" for i in stepped)]
    body += text.nest(len(axes), "i", "size", inner, lambda axis: [f"at{i} += p->step{i}[{axis}];" for i in stepped])

    given = [(i, t) for i, t in enumerate(operands) if not t.is_constant]
    arguments = [f"const {C_TYPES[t.dtype]} *in{i}" for i, t in given] + [f"{C_TYPES[y.dtype]} *out"]
    code = text.function(loop.what, values, ", ".join(arguments), body)
    size = y.nbytes // y.elements
    sizes = [t.nbytes // t.elements if along[i] else None for i, t in given]
    touched = walk.elements(y.elements, sizes, [t.nbytes for _, t in given], size)
    rules = [
        walk.rule(touched, index, t.dtype, y.dtype, y.nbytes) if along[i] else None
        for index, (i, t) in enumerate(given)
    ]
    return text.call(op, code, values, [t for _, t in given], touched, rules, header)
