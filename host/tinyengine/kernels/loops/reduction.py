"""Over axes: many elements become one, in one or more passes over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyengine.ir import Graph, Operator
from tinyengine.kernels.axes import dense_strides
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.text import Value, Values

HEADER = "te_requant.h"


@dataclass(frozen=True)
class Pass:
    """A walk over all elements of a group: C statements for each (``x``), and behind the walk.

    ``writes``: the statements assign ``y`` for each element, so the output has the input's shape; else the statements
    behind the last walk assign ``y`` once."""

    each: tuple[str, ...]
    after: tuple[str, ...] = ()
    writes: bool = False


@dataclass(frozen=True)
class Reduction:
    """What is computed for one group of elements. ``start``: C statements that declare what the passes share;
    ``values``: what they compute with besides."""

    what: str
    start: tuple[str, ...]
    passes: tuple[Pass, ...]
    values: Values = field(default_factory=dict)


def reduction(op: Operator, graph: Graph, axes: Sequence[int], loop: Reduction) -> KernelCall:
    """The call that reduces the only input of ``op`` over ``axes`` (non-negative)."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    strides = dense_strides(x.shape)
    kept, reduced = (
        walk.merge([x.shape[i] for i in chosen], [[strides[i] for i in chosen]])
        for chosen in ([i for i in range(len(x.shape)) if i not in axes], axes)
    )
    kept, reduced = kept or [(1, (0,))], reduced or [(1, (0,))]
    rewrites = any(part.writes for part in loop.passes)
    assert not rewrites or (len(reduced) == 1 and reduced[0][1] in ((1,), (0,))), "rewritten groups are lines"
    values: dict[str, Value] = dict(loop.values)
    values["kept"], values["kept_step"] = [size for size, _ in kept], walk.increments(kept, 0)
    values["reduced"], values["reduced_step"] = [size for size, _ in reduced], walk.increments(reduced, 0)

    inner = [f"{text.working_type(y.dtype)} y;", *loop.start]
    for part in loop.passes:
        each = [text.read("x", x.dtype, "in[o]"), *part.each]
        each += [text.write(y.dtype, "out[n]"), "n++;"] if part.writes else []
        walked = text.nest(len(reduced), "r", "reduced", each, lambda axis: [f"o += p->reduced_step[{axis}];"])
        inner += ["{", "    int32_t o = at;", *(f"    {line}" for line in walked), "}", *part.after]
    inner += [] if rewrites else [text.write(y.dtype, "out[n]"), "n++;"]
    body = ["int32_t n = 0, at = 0;"]
    body += text.nest(len(kept), "k", "kept", inner, lambda axis: [f"at += p->kept_step[{axis}];"])

    code = text.function(loop.what, values, f"const {C_TYPES[x.dtype]} *in, {C_TYPES[y.dtype]} *out", body)
    size = x.nbytes // x.elements
    first = walk.offsets([(n, steps[0]) for n, steps in kept]) * size
    reach = (sum((n - 1) * steps[0] for n, steps in reduced) + 1) * size
    touched = walk.lines(first, first + reach, y.nbytes, in_step=rewrites and x.dtype == y.dtype)
    rule = walk.rule(touched, 0, x.dtype, y.dtype, y.nbytes)
    return text.call(op, code, values, [x], touched, [rule], HEADER)
