"""Custom operators of TFLite Micro's signal library."""

from __future__ import annotations

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.custom import options
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.graph import State, Tensor
from tinyengine.ir.operators.signal import FFT_LENGTHS
from tinyengine.ir.ops import OpKind, SignalRfftAttrs

INTEGERS = ("INT16", "INT32")
"""Types that are transformed."""


def signal(context: Context, op: RawOperator) -> None:
    """Attributes have the names that they have in the file."""
    definition = context.definition(op)
    assert definition is not None
    if definition.kind is OpKind.SIGNAL_RFFT and (dtype := context.required(op, 0).dtype) not in INTEGERS:
        context.unsupported(op, f"transforms {dtype.lower()}", "transform int16 or int32", op.inputs[0])
    inputs = [context.activation(op, position) for position in range(len(op.inputs))]
    for position in definition.constants:
        if position < len(inputs) and not inputs[position].is_constant:
            context.unsupported(
                op, f"computes its table '{inputs[position].name}'", "make it constant", op.inputs[position]
            )
    attrs = definition.attributes(**options(context, op, definition.attributes))
    if isinstance(attrs, SignalRfftAttrs) and attrs.fft_length not in FFT_LENGTHS:
        lengths = f"{FFT_LENGTHS[0]} to {FFT_LENGTHS[-1]}"
        context.unsupported(op, f"transforms {attrs.fft_length} samples", f"take a power of two from {lengths}")
    if definition.kind is not OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION:
        context.add(op, inputs, attrs)
        return
    if len(op.outputs) != 2:
        context.damaged(op, f"has {len(op.outputs)} outputs instead of two")
    estimate = context.raw_tensor(op, op.outputs[1])
    noise = context.invent(Tensor(f"{estimate.name}_before", estimate.shape, "uint32"))
    context.add(op, [*inputs, noise], attrs)
    update = context.computed(op, estimate)
    context.graph.states.append(State(noise.name, update.name, np.zeros(update.shape, np.uint32)))
