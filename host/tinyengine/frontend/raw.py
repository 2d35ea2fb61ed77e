"""The flatbuffer of a .tflite file as plain Python values: nothing understood yet, everything within bounds.

A file may be cut or damaged anywhere. The flatbuffer library follows offsets blindly, so every failure below it
(struct.error, IndexError, ...) is turned into one ModelError here, and no length that a file claims is believed
beyond the size of the file. Array data stay views of the file's bytes, but for constants of 4 bits, which
become int8, and sparse ones, which become dense.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import flatbuffers
import numpy as np
import tflite
from tflite import Model

from tinyengine.errors import ModelError
from tinyengine.frontend.sparse import dense_bytes

MAX_RANK = 8
MAX_SUBGRAPHS = 64
"""Most subgraphs that are read: one with the network, one that initializes its variables, bodies of loops."""
MAX_LIST = 1 << 16
"""Longest list of integers or scales (channels of a tensor, inputs of an operator) that is believed."""


@dataclass(frozen=True, eq=False)
class RawTensor:
    """A tensor as the file describes it; ``dtype`` in TFLite's spelling (INT8, FLOAT32, ...), INT8 for a constant of
    INT4."""

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]  # as ``shape``, with -1 where the size is decided at run time
    dtype: str
    data: np.ndarray  # uint8, empty if not a constant
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    legacy: bool = False  # the file has uint8 for this int8 (frontend/legacy.py)


@dataclass(frozen=True)
class RawOperator:
    """An operator: kind in TFLite's spelling, tensor indices (-1: left out), options (also lists) by field name."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    intermediates: tuple[int, ...] = ()
    custom: bytes = b""  # options of a custom operator, in whatever form it has them


@dataclass(frozen=True)
class RawModel:
    """The main subgraph; ``others``: the subgraphs that its operators may call, from number 1 on."""

    tensors: list[RawTensor]
    operators: list[RawOperator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    others: tuple[RawModel, ...] = ()


_OPTIONS = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), "ReducerOptions"),
    **dict.fromkeys(("REDUCE_ALL", "REDUCE_ANY"), "ReducerOptions"),
    "PADV2": "PadV2Options",
    "L2_NORMALIZATION": "L2NormOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "SVDF": "SVDFOptions",
}
"""The tables of options that are not named after their operator."""

_KINDS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if not k.startswith("_")}
_DTYPES = {v: k for k, v in vars(tflite.TensorType).items() if not k.startswith("_")}


def read_raw(data: bytes | bytearray) -> RawModel:
    """Read a .tflite file's bytes; ModelError if they are not one."""
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise ModelError("this is not a TensorFlow Lite model (no TFL3 mark): tinyengine convert makes one of others")
    try:
        return _read_model(data)
    except ModelError:
        raise
    except Exception as error:  # the flatbuffer library meets damaged bytes with whatever struct and numpy raise
        raise ModelError(
            f"the file is damaged or cut short ({type(error).__name__} while reading it): copy or convert it again"
        ) from error


def _read_model(data: bytes | bytearray) -> RawModel:
    model = Model.GetRootAs(data, 0)
    limit = len(data) // 4  # every element of a vector of tables takes an offset of four bytes
    if model.Version() != 3:
        raise ModelError(f"the model has schema version {model.Version()}, only 3 is understood: convert it again")
    subgraphs = _bounded(model.SubgraphsLength(), limit)
    if not 1 <= subgraphs <= MAX_SUBGRAPHS:
        raise ModelError(
            f"the model has {subgraphs} subgraphs, only 1 to {MAX_SUBGRAPHS} are read: export the inference function "
            "alone, without control flow"
        )
    codes = [_kind(model.OperatorCodes(i)) for i in range(_bounded(model.OperatorCodesLength(), limit))]
    main, *others = (_read_subgraph(model, model.Subgraphs(i), codes, len(data)) for i in range(subgraphs))
    return replace(main, others=tuple(others))


def _read_subgraph(model: Model, graph: tflite.SubGraph, codes: list[str], size: int) -> RawModel:
    limit = size // 4
    tensors = [_read_tensor(model, graph.Tensors(i), i, size) for i in range(_bounded(graph.TensorsLength(), limit))]
    operators = [_read_operator(graph.Operators(i), i, codes) for i in range(_bounded(graph.OperatorsLength(), limit))]
    return RawModel(tensors, operators, _integers(graph.InputsAsNumpy()), _integers(graph.OutputsAsNumpy()))


def _bounded(length: int, limit: int) -> int:
    if length > limit:
        raise ModelError("the file is damaged: a list in it claims an impossible length; convert the model again")
    return length


def _integers(vector: np.ndarray | int) -> tuple[int, ...]:
    """A flatbuffer vector of integers as a tuple; the library returns the integer 0 for an absent one."""
    return () if isinstance(vector, int) else tuple(vector[: _bounded(len(vector), MAX_LIST)].tolist())


def _floats(vector: np.ndarray | int) -> tuple[float, ...]:
    """A flatbuffer vector of float32 as exact Python floats."""
    return () if isinstance(vector, int) else tuple(vector[: _bounded(len(vector), MAX_LIST)].tolist())


def _kind(code: tflite.OperatorCode) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        custom = code.CustomCode()
        return f"custom operator {_printable(custom)}"
    return _KINDS.get(number, f"operator code {number}")


def _printable(name: bytes | None) -> str:
    """A name that is safe in messages and C comments: letters, digits and a few marks, of bounded length.

    Converters join the names of operators that they fuse with semicolons; the first says enough.
    """
    text = (name or b"")[:400].decode("utf-8", errors="replace").split(";")[0]
    clean = "".join(c if c.isascii() and (c.isalnum() or c in "_./:-+") else "_" for c in text)
    return clean[:160]


def _read_tensor(model: Model, tensor: tflite.Tensor, index: int, size: int) -> RawTensor:
    shape = _integers(tensor.ShapeAsNumpy())
    signature = _integers(tensor.ShapeSignatureAsNumpy()) or shape
    if len(shape) > MAX_RANK or len(signature) != len(shape):
        raise ModelError(f"tensor {index} has a shape that makes no sense: the file is damaged, convert it again")
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis = 0
    dtype = _DTYPES.get(tensor.Type(), f"type {tensor.Type()}")
    data = _buffer(model, tensor.Buffer(), index, size)
    if dtype == "INT4" and data.size:
        dtype, data = "INT8", _unpacked(data, shape)
    sparsity = tensor.Sparsity()
    if sparsity is not None and data.size:
        data = dense_bytes(data, shape, sparsity)
    quantization = tensor.Quantization()
    if quantization is not None:
        scale = _floats(quantization.ScaleAsNumpy())
        zero_point = _integers(quantization.ZeroPointAsNumpy())
        axis = quantization.QuantizedDimension()
    return RawTensor(
        index,
        _printable(tensor.Name()) or f"tensor_{index}",
        shape,
        signature,
        dtype,
        data,
        scale,
        zero_point,
        axis,
    )


def _unpacked(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bytes of two values each, the first in the low half, as int8 in uint8; as many as ``shape`` has, if it fits."""
    values = np.stack([data & 15, data >> 4], axis=1).ravel()
    count = prod(shape)
    if count > 0 and count % 2 and count == values.size - 1:  # the last half is filling
        values = values[:count]
    return (values ^ 8) - np.uint8(8)


def _buffer(model: Model, number: int, tensor: int, size: int) -> np.ndarray:
    if not 0 <= number < _bounded(model.BuffersLength(), size // 4):
        raise ModelError(f"tensor {tensor} points to buffer {number}, which does not exist: convert the model again")
    buffer = model.Buffers(number)
    data = buffer.DataAsNumpy()
    if isinstance(data, int):
        if buffer.Offset() > 1:
            raise ModelError("the model keeps its weights outside the flatbuffer (over 2 GB): use a smaller model")
        return np.empty(0, np.uint8)
    return data


def _read_operator(op: tflite.Operator, index: int, codes: list[str]) -> RawOperator:
    code = op.OpcodeIndex()
    if not 0 <= code < len(codes):
        raise ModelError(f"operator {index} has code {code}, which does not exist: convert the model again")
    options = _read_options(codes[code], op.BuiltinOptions())
    inputs, outputs, between = (
        _integers(values) for values in (op.InputsAsNumpy(), op.OutputsAsNumpy(), op.IntermediatesAsNumpy())
    )
    custom = op.CustomOptionsAsNumpy()
    return RawOperator(
        index, codes[code], inputs, outputs, options, between, b"" if isinstance(custom, int) else custom.tobytes()
    )


def camel_case(name: str) -> str:
    """``resize_nearest`` and ``RESIZE_NEAREST`` as the schema writes it: ResizeNearest."""
    return "".join(part.capitalize() for part in name.split("_")).replace("2d", "2D")


def options_table(kind: str) -> str:
    """Name of the table of options that an operator has in the schema, if it has any."""
    return _OPTIONS.get(kind, f"{camel_case(kind)}Options")


@functools.cache
def _fields(table: str) -> list[tuple[str, str]]:
    """(field, name of the method that reads it) of a table of options; lists are read by another method, as arrays."""
    methods = [name for name in vars(getattr(tflite, table, object)) if name[0].isupper()]
    lists = {name.removesuffix("AsNumpy") for name in methods if name.endswith("AsNumpy")}
    parts = {f"{name}{end}" for name in lists for end in ("AsNumpy", "Length", "IsNone")}
    plain = [n for n in methods if n not in parts and n != "Init" and not n.startswith(("GetRootAs", table))]
    return [(name, f"{name}AsNumpy" if name in lists else name) for name in plain]


def option_names(kind: str) -> set[str]:
    """Names of an operator's options, as ``RawOperator.options`` has them."""
    return {field for field, _ in _fields(options_table(kind))}


def _read_options(kind: str, table: flatbuffers.table.Table | None) -> dict[str, Any]:
    """Options by field name. A missing table stands for the schema's defaults, which an empty table reads as well."""
    fields = _fields(options_table(kind))
    reader = _table(options_table(kind), table) if fields else None
    values = {field: getattr(reader, method)() for field, method in fields}
    return {field: _integers(values[field]) if method != field else values[field] for field, method in fields}


# a flatbuffer table without fields: 4 bytes vtable (its size 4, the table's size 4), then the offset back to it
_EMPTY_TABLE = bytes((4, 0, 4, 0, 4, 0, 0, 0))


def _table(class_name: str, table: flatbuffers.table.Table | None) -> Any:
    """``table`` seen through one of the schema's option classes."""
    reader = getattr(tflite, class_name)()
    if table is None:
        reader.Init(_EMPTY_TABLE, 4)
    else:
        reader.Init(table.Bytes, table.Pos)
    return reader
