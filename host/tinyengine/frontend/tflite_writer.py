"""The IR back to ``.tflite``: for tests against TFLite's own kernels, and to export networks.

Explicit paddings become SAME or VALID where those say the same, otherwise a PAD before the operator; ports of float32
or uint8 get their QUANTIZE and DEQUANTIZE back. States become variables, which a second subgraph initializes. What
``load_tflite`` reads from the result computes the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers

from tinyengine.errors import UnsupportedOperatorError
from tinyengine.frontend.context import ATTENTION, CUSTOM, DETECTION, SIGNALS
from tinyengine.frontend.raw import camel_case, options_table
from tinyengine.ir.graph import DTYPES, Graph, Operator, Port, Quantization, State, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.operators.movement import shift_axis
from tinyengine.ir.operators.recurrent import GATE_SCALE, GATES
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    ArgAttrs,
    CumsumAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    GatherAttrs,
    LookupAttrs,
    LstmAttrs,
    MeanAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    SignalRfftAttrs,
    SignalSpectralSubtractionAttrs,
    StridedSliceAttrs,
    SvdfAttrs,
    TransposeAttrs,
    TransposeConvAttrs,
    Window,
    WindowAttrs,
    same_padding,
)

_ACTIVATIONS = {Activation.NONE: 0, Activation.RELU: 1, Activation.RELU_N1_TO_1: 2, Activation.RELU6: 3}
_DTYPES = {
    "float32": 0,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
    "uint64": 12,
    "resource": 13,
    "uint32": 15,
}
_TANH = 4
POT_SCALE = False
"""Whether an ADD or SUB of int16 is of the old kind, which shifts."""
_SAME, _VALID = 0, 1

# first operator versions that know int8, where that is not 1
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "TRANSPOSE_CONV": 4,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    **dict.fromkeys(("ADD", "SUB", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "LOGISTIC", "SOFTMAX"), 2),
    **dict.fromkeys(("PAD", "TRANSPOSE", "CONCATENATION", "STRIDED_SLICE", "RELU", "RELU6"), 2),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE", "GATHER"), 2),
    **dict.fromkeys(("TANH", "LOG_SOFTMAX", "L2_NORMALIZATION", "ARG_MAX", "ARG_MIN", "ABS", "RSQRT", "LEAKY_RELU"), 2),
    **dict.fromkeys(("EXP", "LOG", "SQRT"), 2),
    **dict.fromkeys(
        ("RESIZE_BILINEAR", "SLICE", "TILE", "MIRROR_PAD", "REVERSE_V2", "SPLIT", "SPLIT_V", "PACK", "UNPACK"), 2
    ),
    "BROADCAST_TO": 3,
    "BATCH_MATMUL": 2,
    **dict.fromkeys(("SUM", "REDUCE_MAX", "REDUCE_MIN", "PADV2", "FLOOR_MOD", "FLOOR_DIV"), 2),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
    "SVDF": 3,
}

_Fields = dict[str, int | float | bool | str | tuple[int, ...]]


@dataclass(frozen=True)
class _Options:
    """An option table: its class in the schema and its fields (a tuple becomes a vector of int32, a string one).

    Without a class: the options of a custom operator, which become a flexbuffer."""

    table: str
    fields: _Fields


@dataclass
class _File:
    """A subgraph that will be written: tensors and operators by index."""

    name: str
    tensors: list[Tensor] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    operators: list[tuple[str, list[int], list[int], _Options | None]] = field(default_factory=list)
    variable: set[str] = field(default_factory=set)  # tensors that TFLite keeps between runs by itself
    intermediates: dict[int, list[int]] = field(default_factory=dict)  # by operator: TFLite wants some, without need

    def add(self, tensor: Tensor) -> int:
        base, number = tensor.name, 1
        while tensor.name in self.index:
            number += 1
            tensor.name = f"{base}_{number}"
        self.index[tensor.name] = len(self.tensors)
        self.tensors.append(tensor)
        return self.index[tensor.name]

    def constant(self, name: str, values: object) -> int:
        """An int32 list such as axes or a shape."""
        data = np.array(values, np.int32)
        return self.add(Tensor(name, data.shape, "int32", None, data))

    def handle(self, state: State) -> int:
        """The variable that ``state`` becomes."""
        handle = self.add(Tensor(f"{state.tensor}_variable", (), "resource"))
        options = _Options("VarHandleOptions", {"SharedName": state.tensor})
        self.operators.append(("VAR_HANDLE", [], [handle], options))
        return handle


def write_tflite(graph: Graph, path: str | Path) -> None:
    """Write ``graph`` to a file; UnsupportedOperatorError if TFLite cannot express an operator."""
    Path(path).write_bytes(tflite_bytes(graph))


def tflite_bytes(graph: Graph) -> bytes:
    """``graph`` as the bytes of a ``.tflite`` file."""
    file = _File(graph.name)
    for tensor in graph.tensors.values():
        file.add(Tensor(tensor.name, tensor.shape, tensor.dtype, tensor.quant, tensor.data))
    inputs = [_port_index(file, graph, port, False) for port in graph.inputs]
    own = {name for op in graph.operators for name in _own_states(op)}
    states = [state for state in graph.states if state.tensor not in own]
    if states:
        file.operators.append(("CALL_ONCE", [], [], _Options("CallOnceOptions", {"InitSubgraphIndex": 1})))
    handles = [file.handle(state) for state in states]
    for handle, state in zip(handles, states, strict=True):
        file.operators.append(("READ_VARIABLE", [handle], [file.index[state.tensor]], None))
    for op in graph.operators:
        _add_operator(file, graph, op)
    for handle, state in zip(handles, states, strict=True):
        file.operators.append(("ASSIGN_VARIABLE", [handle, file.index[state.update]], [], None))
    outputs = [_port_index(file, graph, port, True) for port in graph.outputs]
    return _serialize([file, _initialization(graph, states)] if states else [file], inputs, outputs)


def _initialization(graph: Graph, states: list[State]) -> _File:
    """The subgraph that assigns the initial values."""
    file = _File("initialization")
    for state in states:
        tensor = graph.tensor(state.tensor)
        value = file.add(Tensor(f"{tensor.name}_initial", tensor.shape, tensor.dtype, tensor.quant, state.initial))
        file.operators.append(("ASSIGN_VARIABLE", [file.handle(state), value], [], None))
    return file


def _port_index(file: _File, graph: Graph, port: Port, output: bool) -> int:
    """The tensor outside: that of the graph, or one of the port's type behind a conversion."""
    inside = graph.tensor(port.tensor)
    if inside.dtype == port.dtype:
        return file.index[inside.name]
    outside = file.add(Tensor(f"{inside.name}_{port.dtype}", inside.shape, port.dtype, port.quant))
    ends = [[outside], [file.index[inside.name]]]
    kind = "DEQUANTIZE" if output and port.dtype == "float32" else "QUANTIZE"
    reads, writes = ends[::-1] if output else ends
    file.operators.append((kind, reads, writes, None))
    return outside


def _add_operator(file: _File, graph: Graph, op: Operator) -> None:
    """Irregular operators below; of others the attributes are the options of the same names."""
    inputs = [file.index[name] for name in op.inputs]
    output = graph.tensor(op.outputs[0])
    if op.kind is OpKind.SHIFT:
        _add_shift(file, graph, op)
        return
    if isinstance(op.attrs, LstmAttrs | SvdfAttrs):
        _add_recurrent(file, graph, op)
        return
    if f"{CUSTOM}{op.kind}" in (*SIGNALS, DETECTION, ATTENTION):
        _add_custom(file, graph, op)
        return
    kind: str = op.kind.value
    if not hasattr(tflite.BuiltinOperator, kind):
        raise UnsupportedOperatorError(f"{op.kind} '{op.name}' is none of TFLite's operators")
    fields: _Fields = {}
    match op.attrs:
        case WindowAttrs(window=window):
            padding = _padding(window, graph.tensor(op.inputs[0]))
            if padding is None:
                inputs[0], padding = _explicit_pad(file, graph, op, window), _VALID
            fields = {"Padding": padding, "StrideH": window.stride[0], "StrideW": window.stride[1]}
            if isinstance(op.attrs, PoolAttrs):
                if op.attrs.half_up:
                    raise UnsupportedOperatorError(f"{op.kind} '{op.name}' rounds as TFLite's of uint8 alone")
                fields |= {"FilterHeight": window.kernel[0], "FilterWidth": window.kernel[1]}
            else:
                fields |= {"DilationHFactor": window.dilation[0], "DilationWFactor": window.dilation[1]}
            if isinstance(op.attrs, DepthwiseConv2DAttrs):
                fields["DepthMultiplier"] = op.attrs.multiplier
        case TransposeConvAttrs(window=window):
            shape = file.constant(f"{op.name}_shape", output.shape)
            inputs = [shape, inputs[1], inputs[0], inputs[2]]
            fields = {"Padding": _transposed_padding(op, window, output)}
            fields |= {"StrideH": window.stride[0], "StrideW": window.stride[1]}
        case FullyConnectedAttrs():
            fields = {"KeepNumDims": len(output.shape) != 2}
        case MeanAttrs(axes=axes, keep_dims=keep):
            inputs.append(file.constant(f"{op.name}_axes", axes))
            fields = {"KeepDims": keep}
        case PadAttrs(pads=pads, value=value):
            inputs.append(file.constant(f"{op.name}_paddings", pads))
            if value is not None:
                kind, data = "PADV2", np.array([value], DTYPES[output.dtype])
                inputs.append(file.add(Tensor(f"{op.name}_value", (1,), output.dtype, output.quant, data)))
        case CumsumAttrs(axis=axis, exclusive=exclusive, reverse=reverse):
            inputs.append(file.constant(f"{op.name}_axis", axis))
            fields = {"Exclusive": exclusive, "Reverse": reverse}
        case GatherAttrs():
            inputs, fields = _gather(file, graph, op)
        case LookupAttrs(axis=axis):
            kind, inputs, fields = "GATHER", inputs[::-1], {"Axis": axis}
        case ArgAttrs(axis=axis):
            inputs.append(file.constant(f"{op.name}_axis", axis))
            fields = {"OutputType": _DTYPES[output.dtype]}
        case TransposeAttrs(perm=perm):
            inputs.append(file.constant(f"{op.name}_permutation", perm))
        case StridedSliceAttrs() as attrs:
            dropped = _dropped_axes(op, attrs, output.shape)
            # TFLite takes one element of a dropped axis forwards, whatever its stride says
            strides = [1 if axis in dropped else s for axis, s in enumerate(attrs.stride)]
            ends = [b + c * s for b, s, c in zip(attrs.begin, strides, attrs.count, strict=True)]
            inputs += [
                file.constant(f"{op.name}_begin", attrs.begin),
                file.constant(f"{op.name}_end", ends),
                file.constant(f"{op.name}_strides", strides),
            ]
            # an end before the first element has no index, so it is masked
            masked = [axis for axis, end in enumerate(ends) if end < 0]
            fields = {"EndMask": _bits(masked), "ShrinkAxisMask": _bits(dropped)}
        case ActivationAttrs(activation=activation):
            kind = activation.value.upper()
        case attrs:
            names = [field.name for field in dataclasses.fields(attrs) if field.name != "activation"]
            fields = {camel_case(name): getattr(attrs, name) for name in names}
    if kind.startswith("RESIZE_"):
        inputs.append(file.constant(f"{op.name}_size", output.shape[1:3]))
    elif kind == "RESHAPE":
        inputs.append(file.constant(f"{op.name}_shape", output.shape))
        fields = {"NewShape": output.shape}
    if hasattr(op.attrs, "activation") and not isinstance(op.attrs, ActivationAttrs):
        fields["FusedActivationFunction"] = _ACTIVATIONS[op.attrs.activation]
    if output.dtype == "int16":
        if kind in ("ADD", "SUB"):
            fields["PotScaleInt16"] = POT_SCALE
        elif op.kind in WEIGHTED and op.kind is not OpKind.DEPTHWISE_CONV_2D:
            fields["QuantizedBiasType"] = _DTYPES[graph.tensor(op.inputs[2]).dtype]
    options = _Options(options_table(kind), fields) if fields else None
    file.operators.append((kind, inputs, [file.index[name] for name in op.outputs], options))


def _gather(file: _File, graph: Graph, op: Operator) -> tuple[list[int], _Fields]:
    """Inputs and options of the last GATHER of one per axis that is not taken as it is; the others are written."""
    assert isinstance(op.attrs, GatherAttrs)
    x = graph.tensor(op.inputs[0])
    shape, index = list(x.shape), file.index[x.name]
    chosen = [(axis, taken) for axis, taken in enumerate(op.attrs.indices) if taken is not None]
    chosen = chosen or [(0, tuple(range(shape[0])))]
    for axis, taken in chosen:
        inputs = [index, file.constant(f"{op.name}_indices", taken)]
        fields: _Fields = {"Axis": axis}
        shape[axis] = len(taken)
        if axis != chosen[-1][0]:
            index = file.add(Tensor(f"{op.name}_axis", tuple(shape), x.dtype, x.quant))
            file.operators.append(("GATHER", inputs, [index], _Options(options_table("GATHER"), fields)))
    return inputs, fields


def _add_shift(file: _File, graph: Graph, op: Operator) -> None:
    """A slice of the window, joined with what is new."""
    window, news = (graph.tensor(name) for name in op.inputs)
    axis = shift_axis(window, news)
    begin = tuple(news.shape[axis] if a == axis else 0 for a in range(len(window.shape)))
    count = tuple(n - b for n, b in zip(window.shape, begin, strict=True))
    kept = file.add(Tensor(f"{op.name}_kept", count, window.dtype, window.quant))
    bounds = [("begin", begin), ("end", window.shape), ("strides", (1,) * len(begin))]
    ranges = [file.constant(f"{op.name}_{name}", values) for name, values in bounds]
    file.operators.append(("STRIDED_SLICE", [file.index[window.name], *ranges], [kept], None))
    options = _Options("ConcatenationOptions", {"Axis": axis})
    file.operators.append(("CONCATENATION", [kept, file.index[news.name]], [file.index[op.outputs[0]]], options))


def _add_custom(file: _File, graph: Graph, op: Operator) -> None:
    """An operator whose options are a flexbuffer; one that keeps a state does so by itself, and begins with zeros."""
    own = _own_states(op)
    _require_own(graph, op)
    fields: _Fields = {field.name: getattr(op.attrs, field.name) for field in dataclasses.fields(op.attrs)}
    for name in ("skip_lowest", "floor"):  # which TFLite Micro's operators have not
        if fields.pop(name, 0):
            raise UnsupportedOperatorError(f"{op.kind} '{op.name}' has a {name}, which TFLite Micro's has not")
    if isinstance(op.attrs, SignalRfftAttrs):
        fields["T"] = _DTYPES[graph.tensor(op.inputs[0]).dtype]
    elif isinstance(op.attrs, SignalSpectralSubtractionAttrs):  # TFLite Micro finds options by their order alone
        fields["num_channels"] = graph.tensor(op.inputs[0]).elements
    inputs = [file.index[name] for name in op.inputs if name not in own]
    outputs = [file.index[name] for name in op.outputs]
    file.operators.append((f"{CUSTOM}{op.kind}", inputs, outputs, _Options("", fields)))


def _require_own(graph: Graph, op: Operator) -> None:
    """UnsupportedOperatorError unless the states of ``op`` are those that TFLite's operator keeps by itself."""
    for name in _own_states(op):
        [state] = [state for state in graph.states if state.tensor == name]
        tensor = graph.tensor(name)
        zero = tensor.zero_point if tensor.quant is not None else 0
        if state.update not in op.outputs or (state.initial != zero).any():
            raise UnsupportedOperatorError(f"{op.kind} '{op.name}' keeps other values than TFLite's does")


def _own_states(op: Operator) -> list[str]:
    """States that TFLite has as variable tensors among an operator's inputs."""
    match op.attrs:
        case LstmAttrs():
            return op.inputs[1:3]
        case SvdfAttrs() | SignalSpectralSubtractionAttrs():
            return op.inputs[1:2]
    return []


def _add_recurrent(file: _File, graph: Graph, op: Operator) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, SVDF: their states are tensors that TFLite keeps, and begin with real zeros."""
    _require_own(graph, op)
    index = [file.index[name] for name in op.inputs]
    file.variable.update(_own_states(op))
    if isinstance(op.attrs, LstmAttrs):
        x, hidden, cell, *constants = index
        inputs = [x, *constants[:8], -1, -1, -1, *constants[8:], -1, -1, hidden, cell, -1, -1, -1, -1]
        steps_first = graph.tensor(op.inputs[0]).shape[0] != 1
        fields: _Fields = {
            "FusedActivationFunction": _TANH,
            "CellClip": op.attrs.cell_clip,
            "TimeMajor": steps_first,
        }
        quant = Quantization((GATE_SCALE,), (0,))
        between = [Tensor(f"{op.name}_{i}", (), "int16", quant) for i in range(GATES)]
        between.append(Tensor(f"{op.name}_hidden", (), "int8", graph.tensor(op.inputs[1]).quant))
        if graph.tensor(op.inputs[0]).dtype != "float32":
            file.intermediates[len(file.operators)] = [file.add(tensor) for tensor in between]
    else:
        assert isinstance(op.attrs, SvdfAttrs)
        x, state_index, *constants = index
        inputs, state_tensor = [x, *constants, state_index], file.tensors[state_index]
        state_tensor.shape = (1, state_tensor.elements)  # ours is (memory, filters)
        fields = {"Rank": op.attrs.rank, "FusedActivationFunction": _ACTIVATIONS[Activation.RELU]}
    outputs = [file.index[op.outputs[0]]]
    file.operators.append((op.kind.value, inputs, outputs, _Options(options_table(op.kind), fields)))


def _padding(window: Window, x: Tensor) -> int | None:
    """SAME or VALID, if one of them gives the window's paddings."""
    if not any(window.pad):
        return _VALID
    same = same_padding(window.kernel, window.stride, window.dilation, x.shape[1], x.shape[2])
    return _SAME if window.pad == same else None


def _transposed_padding(op: Operator, window: Window, output: Tensor) -> int:
    """SAME or VALID, which of a transposed convolution say what lies in front of the output."""
    before = window.pad[::2]
    if before == (0, 0):
        return _VALID
    if before != same_padding(window.kernel, window.stride, (1, 1), output.shape[1], output.shape[2])[::2]:
        raise UnsupportedOperatorError(f"{op.kind} '{op.name}' has paddings {window.pad}: not SAME, not VALID")
    return _SAME


def _explicit_pad(file: _File, graph: Graph, op: Operator, window: Window) -> int:
    """The input of a convolution with a PAD before it, for paddings that are neither SAME nor VALID."""
    if isinstance(op.attrs, PoolAttrs):
        raise UnsupportedOperatorError(f"{op.kind} '{op.name}' has paddings {window.pad}: not SAME, not VALID")
    x = graph.tensor(op.inputs[0])
    top, bottom, left, right = window.pad
    shape = (1, x.shape[1] + top + bottom, x.shape[2] + left + right, x.shape[3])
    padded = file.add(Tensor(f"{op.name}_padded", shape, x.dtype, x.quant))
    paddings = file.constant(f"{op.name}_paddings", ((0, 0), (top, bottom), (left, right), (0, 0)))
    file.operators.append(("PAD", [file.index[x.name], paddings], [padded], None))
    return padded


def _dropped_axes(op: Operator, attrs: StridedSliceAttrs, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of one element that the output's ``shape`` lacks."""
    ones = [axis for axis, count in enumerate(attrs.count) if count == 1]
    for dropped in combinations(ones, max(len(attrs.count) - len(shape), 0)):
        if tuple(c for axis, c in enumerate(attrs.count) if axis not in dropped) == shape:
            return dropped
    raise UnsupportedOperatorError(f"{op.kind} '{op.name}' writes shape {shape}, which a slice of TFLite cannot")


def _bits(axes: Iterable[int]) -> int:
    return sum(1 << axis for axis in axes)


# --- flatbuffer ---


def _serialize(files: list[_File], inputs: list[int], outputs: list[int]) -> bytes:
    """``inputs``, ``outputs``: of the first subgraph; the others have none."""
    builder = flatbuffers.Builder(1 << 16)
    codes = sorted({kind for file in files for kind, _, _, _ in file.operators})
    buffers = [_table(builder, "Buffer", {})]
    borders = [(inputs, outputs), *(([], []) for _ in files[1:])]
    subgraphs = [_subgraph(builder, file, codes, buffers, *ends) for file, ends in zip(files, borders, strict=True)]
    model = _table(
        builder,
        "Model",
        {
            "Version": 3,
            "OperatorCodes": _offsets(builder, [_code(builder, kind) for kind in codes]),
            "Subgraphs": _offsets(builder, subgraphs),
            "Description": builder.CreateString("tinyengine"),
            "Buffers": _offsets(builder, buffers),
        },
    )
    builder.Finish(model, b"TFL3")
    return bytes(builder.Output())


def _subgraph(
    builder: flatbuffers.Builder,
    file: _File,
    codes: list[str],
    buffers: list[int],
    inputs: list[int],
    outputs: list[int],
) -> int:
    """Write a subgraph; its constants are appended to ``buffers``."""
    tensors = []
    for tensor in file.tensors:
        number = 0
        if tensor.data is not None:
            builder.StartVector(1, tensor.data.nbytes, 16)  # weights are read in place, so they are aligned
            builder.head -= tensor.data.nbytes
            values = np.ascontiguousarray(tensor.data)
            raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
            builder.Bytes[builder.head : builder.head + len(raw)] = raw
            data = builder.EndVector()
            number = len(buffers)
            buffers.append(_table(builder, "Buffer", {"Data": data}))
        tensors.append(_tensor(builder, tensor, number, tensor.name in file.variable))
    operators = [
        _operator(builder, codes.index(kind), i, o, options, file.intermediates.get(number, []))
        for number, (kind, i, o, options) in enumerate(file.operators)
    ]
    return _table(
        builder,
        "SubGraph",
        {
            "Tensors": _offsets(builder, tensors),
            "Inputs": _int32s(builder, inputs),
            "Outputs": _int32s(builder, outputs),
            "Operators": _offsets(builder, operators),
            "Name": builder.CreateString(file.name),
        },
    )


def _table(builder: flatbuffers.Builder, name: str, fields: dict[str, int | float | bool]) -> int:
    """Write one table through the schema's functions <name>Start, <name>Add<Field>, <name>End."""
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(builder, value)
    return getattr(tflite, f"{name}End")(builder)


def _int32s(builder: flatbuffers.Builder, values: list[int] | tuple[int, ...]) -> int:
    return builder.CreateNumpyVector(np.array(values, np.int32))


def _field(builder: flatbuffers.Builder, value: int | float | bool | str | tuple[int, ...]) -> int | float | bool:
    """A field of an option table: the value itself, or where it has been written."""
    if isinstance(value, str):
        return builder.CreateString(value)
    return _int32s(builder, value) if isinstance(value, tuple) else value


def _offsets(builder: flatbuffers.Builder, values: list[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return builder.EndVector()


def _code(builder: flatbuffers.Builder, kind: str) -> int:
    custom = kind.removeprefix(CUSTOM)
    number = getattr(tflite.BuiltinOperator, kind if custom == kind else "CUSTOM")
    fields = {"DeprecatedBuiltinCode": min(number, 127), "Version": _VERSIONS.get(kind, 1), "BuiltinCode": number}
    if custom != kind:
        fields["CustomCode"] = builder.CreateString(custom)
    return _table(builder, "OperatorCode", fields)


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int, variable: bool) -> int:
    fields: dict[str, int | float | bool] = {
        "Shape": _int32s(builder, tensor.shape),
        "Name": builder.CreateString(tensor.name),
        "Type": _DTYPES[tensor.dtype],
        "Buffer": buffer,
        "IsVariable": variable,
    }
    if tensor.quant is not None:
        parts: dict[str, int | float | bool] = {
            "Scale": builder.CreateNumpyVector(np.array(tensor.quant.scale, np.float32)),
            "ZeroPoint": builder.CreateNumpyVector(np.array(tensor.quant.zero_point, np.int64)),
            "QuantizedDimension": tensor.quant.axis or 0,
        }
        fields["Quantization"] = _table(builder, "QuantizationParameters", parts)
    return _table(builder, "Tensor", fields)


def _operator(
    builder: flatbuffers.Builder,
    code: int,
    inputs: list[int],
    outputs: list[int],
    options: _Options | None,
    intermediates: list[int],
) -> int:
    fields: dict[str, int | float | bool] = {
        "OpcodeIndex": code,
        "Inputs": _int32s(builder, inputs),
        "Outputs": _int32s(builder, outputs),
    }
    if intermediates:
        fields["Intermediates"] = _int32s(builder, intermediates)
    if options is not None and not options.table:
        fields["CustomOptions"] = builder.CreateByteVector(bytes(flexbuffers.Dumps(options.fields)))
    elif options is not None:
        values = {key: _field(builder, value) for key, value in options.fields.items()}
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, options.table)
        fields["BuiltinOptions"] = _table(builder, options.table, values)
    return _table(builder, "Operator", fields)
