"""Numbers that operators take as constant inputs or options: axes, paddings."""

from __future__ import annotations

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.graph import Tensor


def axis_of(context: Context, op: RawOperator, axis: int, x: Tensor) -> int:
    """An axis of ``x``, which the file may count from the end; ModelError for one that is not there."""
    rank = len(x.shape)
    if not -rank <= axis < rank:
        context.damaged(op, f"names axis {axis} of {rank}")
    return axis % rank


def one(context: Context, op: RawOperator, numbers: list[int], what: str) -> int:
    """The only one of ``numbers``, which are called ``what``; ModelError for any other count."""
    if len(numbers) != 1:
        context.damaged(op, f"has {len(numbers)} numbers as {what}")
    return numbers[0]


def paddings(context: Context, op: RawOperator, x: Tensor, position: int) -> tuple[tuple[int, int], ...]:
    """Before and behind each axis of ``x``, by the constant input at ``position``; ModelError where they are others."""
    numbers = context.integers(op, position, "paddings")
    if len(numbers) != 2 * len(x.shape) or min(numbers, default=0) < 0:
        context.damaged(op, f"has paddings {numbers} for {len(x.shape)} axes")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
