"""Pieces of parameter structs that many kernels share (include/tinyengine/te_types.h)."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Tensor
from tinyengine.ir.ops import Window
from tinyengine.ir.requant import Requant
from tinyengine.kernels.base import C_TYPES, CArray, CState, CValue
from tinyengine.training.state import StatePart


def extent(shape: tuple[int, ...]) -> dict[str, CValue]:
    """te_hwc of (rows, columns, channels)."""
    return dict(zip("hwc", shape, strict=True))


def hwc(tensor: Tensor) -> dict[str, CValue]:
    """te_hwc of a (1, H, W, C) tensor."""
    return extent(tensor.shape[1:])


def window(value: Window) -> dict[str, CValue]:
    """te_window."""
    return {
        "kh": value.kernel[0],
        "kw": value.kernel[1],
        "sh": value.stride[0],
        "sw": value.stride[1],
        "dh": value.dilation[0],
        "dw": value.dilation[1],
        "pad_top": value.pad[0],
        "pad_left": value.pad[2],
    }


def requant(value: Requant) -> dict[str, CValue]:
    """te_requant, with its arrays in flash."""
    return {
        "multiplier": CArray("multiplier", value.multiplier.astype(np.int32)),
        "shift": CArray("shift", value.shift.astype(np.int8)),
        "zero": value.zero,
        "min": value.low,
        "max": value.high,
        "per_tensor": int(value.per_tensor),
    }


def array(suffix: str, data: np.ndarray, dtype: str, shared: bool = False) -> CArray:
    """A flat constant; the values must fit ``dtype``. ``shared`` as CArray has it."""
    flat = np.ascontiguousarray(data).ravel()
    info = np.iinfo(dtype)
    assert flat.size == 0 or (flat.min() >= info.min and flat.max() <= info.max), f"{suffix} does not fit {dtype}"
    return CArray(suffix, flat.astype(dtype), shared)


def wrap_int32(values: np.ndarray) -> np.ndarray:
    """int64 -> int32 modulo 2**32, as the device's accumulators add."""
    return np.asarray(values, np.int64).astype(np.int32)


def state_pointer(part: StatePart, constant: bool = True, first: int = 0) -> CState:
    """The address of value ``first`` of a part of the trained state."""
    const = "const " if constant else ""
    return CState(f"{const}{C_TYPES[part.dtype]}", part.offset + first * np.dtype(part.dtype).itemsize)
