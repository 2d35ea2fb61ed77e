"""Candidates that are asked before the generic kernels, on cores with the features that they require.

Each returns None where it does not apply: another shape, a range check that fails.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyengine.cores import ANY, DSP, MVE
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.kernels.activation import lower_softmax_fast
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.conv_fast import lower_conv_fast
from tinyengine.kernels.conv_parts import lower_conv_groups, lower_transpose_conv_fast
from tinyengine.kernels.dense_fast import lower_dense_fast, lower_single_pixel
from tinyengine.kernels.dense_long import lower_dense_long
from tinyengine.kernels.depthwise_column import lower_depthwise_column
from tinyengine.kernels.depthwise_direct import lower_depthwise_direct
from tinyengine.kernels.depthwise_fast import lower_depthwise_fast
from tinyengine.kernels.depthwise_quads import lower_depthwise_quads
from tinyengine.kernels.depthwise_strips import lower_depthwise_strips
from tinyengine.kernels.elementwise_fast import lower_add_fast
from tinyengine.kernels.layers_int16 import lower_conv_int16, lower_dense_int16, lower_depthwise_int16
from tinyengine.kernels.matmul import lower_matmul_fast
from tinyengine.kernels.mul_fast import lower_mul_fast, lower_mul_scalar
from tinyengine.kernels.scalar import lower_scalar

FastLowering = Callable[[Operator, Graph, Target], KernelCall | None]

FAST_LOWERINGS: dict[tuple[OpKind, str], list[tuple[frozenset[str], FastLowering]]] = {  # by kind and leading dtype
    (OpKind.ADD, "int8"): [(DSP, lower_add_fast)],
    (OpKind.SUB, "int8"): [(DSP, lower_add_fast)],
    (OpKind.MUL, "int8"): [(ANY, lower_mul_scalar), (DSP, lower_mul_fast)],
    (OpKind.BATCH_MATMUL, "int8"): [(DSP, lower_matmul_fast)],
    (OpKind.CONV_2D, "int8"): [
        (DSP, lower_single_pixel),
        (DSP, lower_conv_fast),
        (DSP, lower_conv_groups),
        (ANY, lower_scalar),
    ],
    (OpKind.DEPTHWISE_CONV_2D, "int8"): [
        (MVE, lower_depthwise_strips),
        (DSP, lower_depthwise_column),
        (DSP, lower_depthwise_quads),
        (DSP, lower_depthwise_direct),
        (DSP, lower_depthwise_fast),
        (ANY, lower_scalar),
    ],
    (OpKind.CONV_2D, "int16"): [(DSP, lower_conv_int16)],
    (OpKind.DEPTHWISE_CONV_2D, "int16"): [(DSP, lower_depthwise_int16)],
    (OpKind.FULLY_CONNECTED, "int16"): [(DSP, lower_dense_int16)],
    (OpKind.SOFTMAX, "int8"): [(DSP, lower_softmax_fast)],
    (OpKind.TRANSPOSE_CONV, "int8"): [(DSP, lower_transpose_conv_fast)],
    (OpKind.FULLY_CONNECTED, "int8"): [(DSP, lower_dense_long), (DSP, lower_dense_fast), (ANY, lower_scalar)],
}
