"""A tensor within another one: around it a value, or what another tensor has there."""

from __future__ import annotations

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import PadAttrs
from tinyengine.kernels import access
from tinyengine.kernels.axes import dense_strides
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.text import Value


def filled(op: Operator, graph: Graph, value: float) -> KernelCall:
    """The call of a PAD by a value of the tensors' own type."""
    assert isinstance(op.attrs, PadAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    first = sum(before * step for (before, _), step in zip(op.attrs.pads, dense_strides(y.shape), strict=True))
    values: dict[str, Value] = {"total": y.elements, "first": first}
    values["value"] = float(value) if y.dtype == "float32" else int(value)
    pointer = C_TYPES[y.dtype]
    body = [f"for (int32_t i = 0; i < total; i++) out[i] = ({pointer})value;", "int32_t at = first;"]
    body += _inside(x.shape, y.shape, "in", values)
    code = text.function("pad", values, f"const {pointer} *in, {pointer} *out", body)
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], "te_types.h")


def updated(op: Operator, graph: Graph) -> KernelCall:
    """The call of a DYNAMIC_UPDATE_SLICE: input 0 as a whole, then input 1 over it."""
    operands, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    x, part = operands[:2]
    values: dict[str, Value] = {"bytes": y.nbytes, "axes": len(x.shape)}
    values["room"] = [n - m for n, m in zip(x.shape, part.shape, strict=True)]
    values["stride"] = [*dense_strides(x.shape)]
    values |= {f"in{i}": text.constant(t) for i, t in enumerate(operands) if t.is_constant}
    body = ["memmove(out, in0, (size_t)bytes);", "int32_t at = 0;"]
    body += ["for (int32_t i = 0; i < axes; i++) at += te_clamp(in2[i], 0, p->room[i]) * p->stride[i];"]
    body += _inside(part.shape, x.shape, "in1", values)
    given = [(i, t) for i, t in enumerate(operands) if not t.is_constant]
    arguments = [f"const {C_TYPES[t.dtype]} *in{i}" for i, t in given] + [f"{C_TYPES[y.dtype]} *out"]
    code = text.function("update", values, ", ".join(arguments), body)
    # The whole input is read before a byte is written, the others behind that.
    reads = [([0, t.nbytes], [t.nbytes, t.nbytes]) if t is x else ([0, 0], [0, t.nbytes]) for _, t in given]
    touched = access.blocks(reads, ([0, 0], [y.nbytes, y.nbytes]))  # type: ignore[arg-type]
    rules = [access.overlap(touched, index, y.nbytes) if t is x else None for index, (_, t) in enumerate(given)]
    return text.call(op, code, values, [t for _, t in given], touched, rules)


def _inside(shape: tuple[int, ...], around: tuple[int, ...], source: str, values: dict[str, Value]) -> list[str]:
    """The loops that copy ``source`` of ``shape`` into an output of shape ``around``, from element ``at`` onwards."""
    axes = walk.merge(shape, [dense_strides(shape), dense_strides(around)]) or [(1, (1, 1))]
    values["size"], values["step"] = [size for size, _ in axes], walk.increments(axes, 1)
    inner = [f"out[at] = {source}[n++];"]
    return ["int32_t n = 0;", *text.nest(len(axes), "i", "size", inner, lambda axis: [f"at += p->step[{axis}];"])]
