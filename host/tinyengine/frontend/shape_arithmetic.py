"""Shape computations of converters, done at compile time.

A model exported with a free batch size computes at run time what its operators need to know of shapes: SHAPE, and
whatever makes other numbers of it. With the batch fixed to 1 all of that is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.frontend.slices import resolve_slice

MAX_ELEMENTS = 64

Fold = Callable[[RawOperator, list[np.ndarray]], np.ndarray]
"""From the values of all inputs to that of the only output, int32 or whatever becomes int32."""


def _over(axes: np.ndarray) -> tuple[int, ...]:
    return tuple(int(axis) for axis in axes.reshape(-1))


def _slice(op: RawOperator, x: list[np.ndarray]) -> np.ndarray:
    begin, size = x[1].reshape(-1).tolist(), x[2].reshape(-1).tolist()
    return x[0][tuple(slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True))]


def _modest(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``shape``, if so few elements can be one."""
    if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"{list(shape)} has too many elements")
    return shape


def _range(op: RawOperator, x: list[np.ndarray]) -> np.ndarray:
    numbers = range(*(int(v.reshape(-1)[0]) for v in x))
    return np.array(numbers[: MAX_ELEMENTS + 1], np.int64)


def _tile(op: RawOperator, x: list[np.ndarray]) -> np.ndarray:
    _modest((x[0].size, *_over(x[1])))
    return np.tile(x[0], _over(x[1]))


def _squeeze(op: RawOperator, x: list[np.ndarray]) -> np.ndarray:
    return x[0].squeeze(tuple(op.options["SqueezeDims"]) or None)


FOLDS: dict[str, Fold] = {
    "PACK": lambda op, x: np.stack(x, int(op.options["Axis"])),
    "CONCATENATION": lambda op, x: np.concatenate(x, int(op.options["Axis"])),
    "SLICE": _slice,
    "GATHER": lambda op, x: np.take(x[0], x[1], int(op.options["Axis"])),
    "RESHAPE": lambda op, x: x[0].reshape(x[1].reshape(-1) if len(x) > 1 else op.options["NewShape"]),
    "EXPAND_DIMS": lambda op, x: np.expand_dims(x[0], int(x[1].reshape(-1)[0])),
    "SQUEEZE": _squeeze,
    "CAST": lambda op, x: x[0],
    "FILL": lambda op, x: np.full(_modest(_over(x[0])), x[1].reshape(-1)[0]),
    "RANGE": _range,
    "TILE": _tile,
    "BROADCAST_ARGS": lambda op, x: np.array(np.broadcast_shapes(_over(x[0]), _over(x[1]))),
    "BROADCAST_TO": lambda op, x: np.broadcast_to(x[0], _modest(_over(x[1]))),
    "REDUCE_PROD": lambda op, x: np.prod(x[0], _over(x[1]), keepdims=bool(op.options["KeepDims"])),
    "SUM": lambda op, x: np.sum(x[0], _over(x[1]), keepdims=bool(op.options["KeepDims"])),
    "REDUCE_MAX": lambda op, x: np.max(x[0], _over(x[1]), keepdims=bool(op.options["KeepDims"])),
    "REDUCE_MIN": lambda op, x: np.min(x[0], _over(x[1]), keepdims=bool(op.options["KeepDims"])),
    "ADD": lambda op, x: x[0] + x[1],
    "SUB": lambda op, x: x[0] - x[1],
    "MUL": lambda op, x: x[0] * x[1],
    "DIV": lambda op, x: np.trunc(x[0] / x[1]),
    "FLOOR_DIV": lambda op, x: x[0] // x[1],
    "FLOOR_MOD": lambda op, x: x[0] % x[1],
    "MINIMUM": lambda op, x: np.minimum(x[0], x[1]),
    "MAXIMUM": lambda op, x: np.maximum(x[0], x[1]),
    "NEG": lambda op, x: -x[0],
    "ABS": lambda op, x: np.abs(x[0]),
}


def fold_shape_arithmetic(context: Context, op: RawOperator) -> bool:
    """Evaluate ``op`` if it only computes with shapes; False if it is an operator on activations."""
    if op.kind == "SHAPE":
        result = np.array(context.activation(op, 0).shape, np.int64)
    elif (known := _known_inputs(context, op)) is None:
        return False
    elif op.kind == "STRIDED_SLICE":
        part, shape = resolve_slice(context, op, known[0].shape)
        indices = [b + s * np.arange(c) for b, s, c in zip(part.begin, part.stride, part.count, strict=True)]
        result = known[0][np.ix_(*indices)].reshape(shape)
    elif (fold := FOLDS.get(op.kind)) is not None:
        try:
            result = np.asarray(fold(op, known))
        except (ValueError, IndexError, ZeroDivisionError) as error:
            context.damaged(op, f"computes a shape that cannot be ({error})")
    else:
        return False
    if result.size > MAX_ELEMENTS:
        context.damaged(op, "computes a shape with too many axes")
    context.folded[context.output(op).index] = result.astype(np.int32)
    return True


def _known_inputs(context: Context, op: RawOperator) -> list[np.ndarray] | None:
    """The values of all inputs, if they are int32 and known; None for an operator on anything else."""
    values = [_known(context, op, i) for i in range(len(op.inputs))]
    known = [value for value in values if value is not None]
    if not values or len(known) < len(values) or context.output(op).dtype not in ("INT32", "INT64"):
        return None
    return known


def _known(context: Context, op: RawOperator, position: int) -> np.ndarray | None:
    """An integer input whose value is known, or None."""
    index = context.input_index(op, position)
    if index is None:
        return None
    tensor = context.raw_tensor(op, index)
    if index in context.folded:
        return context.folded[index].astype(np.int64)
    sizes = {"INT32": 4, "INT64": 8}
    if tensor.dtype in sizes and 0 < tensor.data.size <= sizes[tensor.dtype] * MAX_ELEMENTS:
        return context.values(op, tensor).astype(np.int64)
    return None
