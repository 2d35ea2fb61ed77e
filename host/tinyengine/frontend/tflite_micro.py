"""What TFLite Micro computes: its built-in operators and the types of activations that their kernels take.

After the registrations and kernels of github.com/tensorflow/tflite-micro (reference kernels, as in the package
tflite-micro of 2025). A type counts where the kernel computes in it; weights, indices and shapes do not.
"""

from __future__ import annotations

_FLOAT, _INT8 = ("float32",), ("float32", "int8")
_INT16 = (*_INT8, "int16")
_INT32 = (*_INT16, "int32")
_COMPARED = (*_INT32, "int64", "bool")
ANY = ("any",)
"""Operators that move bytes, or hold other operators."""

OPERATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("CEIL", "COS", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "LOG"), _FLOAT),
    **dict.fromkeys(("NEG", "ROUND", "SIN", "SQRT", "SQUARE"), _FLOAT),
    **dict.fromkeys(("ADD_N", "ARG_MAX", "ARG_MIN", "BATCH_TO_SPACE_ND", "CUMSUM", "DEPTH_TO_SPACE"), _INT8),
    **dict.fromkeys(("ELU", "EMBEDDING_LOOKUP", "EXP", "GATHER", "GATHER_ND", "HARD_SWISH"), _INT8),
    **dict.fromkeys(("L2_NORMALIZATION", "LOG_SOFTMAX", "MIRROR_PAD", "PRELU", "REDUCE_MAX", "REDUCE_MIN"), _INT8),
    **dict.fromkeys(("RELU6", "RESIZE_BILINEAR", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SVDF"), _INT8),
    **dict.fromkeys(("ABS", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"), _INT16),
    **dict.fromkeys(("FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MEAN", "RELU", "RSQRT"), _INT16),
    **dict.fromkeys(("SELECT_V2", "SOFTMAX", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"), _INT16),
    **dict.fromkeys(("UNIDIRECTIONAL_SEQUENCE_LSTM",), _INT16),
    **dict.fromkeys(("ADD", "CONCATENATION", "MAXIMUM", "MINIMUM", "MUL", "PACK", "PAD", "PADV2"), _INT32),
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "SLICE", "SPLIT", "SPLIT_V", "SQUARED_DIFFERENCE"), _INT32),
    **dict.fromkeys(("STRIDED_SLICE", "SUB", "UNPACK"), _INT32),
    **dict.fromkeys(
        ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"), (*_INT32, "int64", "bool")
    ),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "REDUCE_ALL"), ("bool",)),
    "CAST": (*_INT32, "uint8", "uint32", "bool"),
    "DIV": (*_INT8, "int32"),
    "DEQUANTIZE": ("int8", "int16", "uint8"),
    "QUANTIZE": (*_INT32, "uint8"),
    "REVERSE_V2": (*_INT32, "uint8", "int64", "bool"),
    "ZEROS_LIKE": ("float32", "int8", "int32", "int64"),
    **dict.fromkeys(("ASSIGN_VARIABLE", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "DYNAMIC_UPDATE_SLICE"), ANY),
    **dict.fromkeys(("EXPAND_DIMS", "FILL", "IF", "READ_VARIABLE", "RESHAPE", "SHAPE", "SQUEEZE"), ANY),
    **dict.fromkeys(("VAR_HANDLE", "WHILE"), ANY),
}
"""Types of activations by TFLite's name of the operator."""

CUSTOM = frozenset({"TFLite_Detection_PostProcess", "CIRCULAR_BUFFER"})
"""Custom operators that it brings, beside those of its signal library."""

SIGNAL = "Signal"
"""What the names of the custom operators of its signal library begin with."""


def computes(kind: str, dtype: str) -> bool:
    """Whether TFLite Micro has a kernel for the operator ``kind`` (as ``RawOperator.kind``) on ``dtype``."""
    custom = kind.removeprefix("custom operator ")
    if custom != kind:
        return custom in CUSTOM or custom.startswith(SIGNAL)
    types = OPERATORS.get(kind, ())
    return types == ANY or dtype in types
