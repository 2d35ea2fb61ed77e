"""TFLite_Detection_PostProcess."""

from __future__ import annotations

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.custom import options
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.graph import Tensor
from tinyengine.ir.ops import DetectionAttrs

_BOXES, _SCORES, _ANCHORS = range(3)


def detection_post_process(context: Context, op: RawOperator) -> None:
    """Anchors that the file has in int8 become float32; shapes of outputs may be left out."""
    if len(op.inputs) != 3:
        context.damaged(op, f"has {len(op.inputs)} inputs instead of 3")
    inputs = [context.activation(op, position) for position in (_BOXES, _SCORES)]
    attrs = DetectionAttrs(**options(context, op, DetectionAttrs))
    context.add(op, [*inputs, _anchors(context, op)], attrs, shapes_left_out=True)


def _anchors(context: Context, op: RawOperator) -> Tensor:
    raw = context.required(op, _ANCHORS)
    if raw.dtype != "INT8" or not raw.data.size:
        return context.activation(op, _ANCHORS)
    given = context.constant(op, raw)
    assert given.data is not None
    real = (given.data.astype(np.int32) - given.zero_point).astype(np.float32) * np.float32(given.scale)
    return context.invent(Tensor(f"{given.name}_real", given.shape, "float32", None, real))
