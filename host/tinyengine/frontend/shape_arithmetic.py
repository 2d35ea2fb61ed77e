"""Shape computations of converters, done at compile time.

A model exported with a free batch size computes the shape for its RESHAPE at run time: SHAPE, STRIDED_SLICE, PACK on
int32. With the batch fixed to 1 all of that is constant.
"""

from __future__ import annotations

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.frontend.slices import resolve_slice

MAX_ELEMENTS = 64


def fold_shape_arithmetic(context: Context, op: RawOperator) -> bool:
    """Evaluate ``op`` if it only computes with shapes; False if it is an operator on activations."""
    match op.kind:
        case "SHAPE":
            result = np.array(context.activation(op, 0).shape, np.int32)
        case "PACK":
            parts = [_known(context, op, i) for i in range(len(op.inputs))]
            if not parts or any(p is None or p.ndim for p in parts) or op.options["Axis"] != 0:
                return False
            result = np.array(parts, np.int32)
        case "STRIDED_SLICE" if _known(context, op, 0) is not None:
            vector = _known(context, op, 0)
            assert vector is not None
            part, shape = resolve_slice(context, op, vector.shape)
            indices = [b + s * np.arange(c) for b, s, c in zip(part.begin, part.stride, part.count, strict=True)]
            result = vector[np.ix_(*indices)].reshape(shape)
        case _:
            return False
    if result.size > MAX_ELEMENTS:
        context.damaged(op, "computes a shape with too many axes")
    context.folded[context.output(op).index] = result
    return True


def _known(context: Context, op: RawOperator, position: int) -> np.ndarray | None:
    """An int32 input whose value is known, or None."""
    tensor = context.required(op, position)
    if tensor.index in context.folded:
        return context.folded[tensor.index]
    if tensor.dtype == "INT32" and 0 < tensor.data.size <= 4 * MAX_ELEMENTS:
        return context.values(op, tensor)
    return None
