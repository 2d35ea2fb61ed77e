"""Operators whose results are known before the network runs: whatever follows sees constants of the file.

FILL and ZEROS_LIKE of known shapes (what an unrolled recurrent layer begins with), and what converts or turns
constants: the DEQUANTIZE of weights that are stored in 8 or 16 bits, the DENSIFY of sparse ones, a TRANSPOSE.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator, RawTensor
from tinyengine.ir.graph import Quantization
from tinyengine.ir.ports import quantize_array
from tinyengine.ir.verify import MAX_ELEMENTS

Turn = Callable[[Context, RawOperator, np.ndarray], np.ndarray]
TURNS: dict[str, Turn] = {
    "TRANSPOSE": lambda context, op, x: x.transpose(context.integers(op, 1, "permutation")),
    "EXPAND_DIMS": lambda context, op, x: np.expand_dims(x, context.integers(op, 1, "axis")[0]),
    "SQUEEZE": lambda context, op, x: x.squeeze(tuple(op.options["SqueezeDims"]) or None),
}
"""What only turns a constant around."""


def fold_known_result(context: Context, op: RawOperator) -> bool:
    """Make the output of ``op`` a constant if all that it depends on is known; False if it is not."""
    if len(op.outputs) != 1 or not op.inputs or context.input_index(op, 0) is None:
        return False
    if op.kind == "FILL":
        return _fill(context, op)
    first = context.required(op, 0)
    if op.kind == "ZEROS_LIKE":
        shape = context.activation(op, 0, tuple(DTYPES)).shape if not first.data.size else first.shape
        context.known(op, np.zeros(shape, np.int8))
        return True
    if not first.data.size:
        return False
    if op.kind in ("DEQUANTIZE", "QUANTIZE"):
        context.known(op, _converted(context, op, first))
    elif op.kind == "DENSIFY":
        context.known(op, context.values(op, first))
    elif op.kind in TURNS and len(first.scale) <= 1 and first.dtype not in ("INT32", "INT64"):
        try:
            context.known(op, TURNS[op.kind](context, op, context.values(op, first)))
        except (ValueError, IndexError) as error:
            context.damaged(op, f"turns a constant as it cannot be ({error})")
    else:
        return False
    return True


DTYPES = ("int8", "int16", "int32", "float32", "bool")


def _fill(context: Context, op: RawOperator) -> bool:
    """Of small lists of integers, the importer knows the numbers themselves (``shape_arithmetic``)."""
    if context.is_computed(op, 0) or context.is_computed(op, 1):
        return False
    if context.output(op).dtype in ("INT32", "INT64"):
        return False
    shape = tuple(context.integers(op, 0, "shape"))
    if any(n < 1 for n in shape) or prod(shape) > MAX_ELEMENTS:
        context.damaged(op, f"fills the shape {list(shape)}")
    value = context.values(op, context.required(op, 1))
    if value.size != 1:
        context.damaged(op, f"fills with {value.size} values")
    context.known(op, np.full(shape, value.reshape(-1)[0]))
    return True


def _converted(context: Context, op: RawOperator, x: RawTensor) -> np.ndarray:
    """A constant in another type."""
    values, output = context.values(op, x), context.output(op)
    if output.dtype == "FLOAT32" and x.dtype in ("FLOAT16", "FLOAT32"):
        return values.astype(np.float32)
    if output.dtype == "FLOAT32" and x.scale:
        axis = [1] * max(values.ndim, 1)
        if len(x.scale) > 1:
            axis[x.axis] = -1
        scale = np.array(x.scale, np.float32).reshape(axis)
        zero = np.array(x.zero_point or (0,) * len(x.scale), np.int32).reshape(axis)
        return (scale * (values.astype(np.int32) - zero).astype(np.float32)).reshape(values.shape)
    if x.dtype == "FLOAT32" and len(output.scale) == len(output.zero_point) == 1 and output.dtype in ("INT8", "INT16"):
        return quantize_array(values, Quantization(output.scale, output.zero_point), output.dtype.lower())
    context.unsupported(
        op,
        f"makes {output.dtype.lower()} of the {x.dtype.lower()} constant '{x.name}'",
        "convert the model again with TensorFlow's own quantizer",
        x.index,
    )
