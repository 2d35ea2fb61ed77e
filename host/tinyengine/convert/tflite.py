"""Float .tflite and ONNX -> int8 TFLite through the quantizer of TensorFlow's converter, as Keras models go.

Files whose weights alone are small (int8 as "dynamic range" quantization leaves them, or float16) are float networks
too: their weights become float32 again first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.convert.keras import first_line
from tinyengine.errors import ModelError
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.onnx.file import onnx_network
from tinyengine.frontend.raw import RawModel, RawTensor, read_raw
from tinyengine.optional import silence, tensorflow

_QUANTIZED = ("INT8", "UINT8", "INT16")
_WEIGHTS = {"INT8": "i1", "UINT8": "u1", "FLOAT16": "<f2"}


@dataclass(slots=True)
class FloatTflite:
    """A .tflite that computes in float32, with float32 weights; shapes have batch 1 in front."""

    name: str
    content: bytes
    input_shapes: list[tuple[int, ...]]
    output_shapes: list[tuple[int, ...]]

    @property
    def layer_names(self) -> list[str]:
        """None of their own: the tensors have them."""
        return []

    def to_tflite(self, samples: Sequence[np.ndarray] | None) -> bytes:
        """As :meth:`tinyengine.convert.keras.FloatModel.to_tflite`."""
        return self.content if samples is None else _quantize(self, samples)


def content_of(path: Path, input_shape: tuple[int, ...] | None = None) -> bytes:
    """The network in the file as a .tflite; ``input_shape``: of an ONNX file that leaves sizes open."""
    if input_shape is None:
        return network_bytes(path)
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path} says itself what the shape of its input is: leave --input-shape out")
    return onnx_network(path.read_bytes(), path.name, input_shape)


def is_float(content: bytes) -> bool:
    """Whether the network computes in float32 only, whatever its weights are. ModelError if it is no .tflite."""
    return _computes_float(read_raw(content))


def load_float_tflite(path: Path, input_shape: tuple[int, ...] | None = None) -> FloatTflite:
    """A file that is, holds or can be written as a .tflite. ModelError where its inputs cannot be calibrated."""
    content = content_of(path, input_shape)
    raw = read_raw(content)
    inputs = [_fixed(raw.tensors[index]) for index in raw.inputs]
    content = _with_float_weights(content, raw)
    with silence():
        interpreter = tensorflow("convert a network").lite.Interpreter(model_content=content)
        outputs = [tuple(int(n) for n in detail["shape"]) for detail in interpreter.get_output_details()]
    return FloatTflite(path.stem, content, inputs, outputs)


def _computes_float(raw: RawModel) -> bool:
    computed = [raw.tensors[index].dtype for op in raw.operators for index in op.outputs]
    return "FLOAT32" in computed and not any(dtype in _QUANTIZED for dtype in computed)


def _fixed(tensor: RawTensor) -> tuple[int, ...]:
    if tensor.dtype != "FLOAT32":
        raise ModelError(
            f"input '{tensor.name}' is {tensor.dtype.lower()}: only models with float32 inputs can be quantized"
        )
    if any(n < 1 for n in tensor.signature[1:]) or tensor.shape[:1] != (1,):
        sizes = "x".join("?" if size < 1 else str(size) for size in tensor.signature)
        raise ModelError(f"input '{tensor.name}' has the shape {sizes}: export the model with batch 1 and fixed sizes")
    return tensor.shape


def _with_float_weights(content: bytes, raw: RawModel) -> bytes:
    """Small constants that float operators read, as float32; DEQUANTIZE of constants disappears."""
    constants = {tensor.index for tensor in raw.tensors if tensor.dtype in _WEIGHTS and tensor.data.size}
    expanded = [op for op in raw.operators if op.kind == "DEQUANTIZE" and op.inputs[0] in constants]
    if not constants:
        return content
    tensorflow("convert a network")
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    for index in constants:
        tensor = graph.tensors[index]
        # a buffer may be shared, and the other tensor may be another type
        model.buffers.append(type(model.buffers[0])())
        model.buffers[-1].data = np.frombuffer(_real(raw.tensors[index]).tobytes(), np.uint8)
        tensor.buffer, tensor.type, tensor.quantization = len(model.buffers) - 1, 0, None
    replaced = {op.outputs[0]: op.inputs[0] for op in expanded}
    for op in graph.operators:
        op.inputs = [replaced.get(int(index), int(index)) for index in op.inputs]
        options: Any = op.builtinOptions
        if hasattr(options, "asymmetricQuantizeInputs"):
            options.asymmetricQuantizeInputs = False
    dropped = {op.index for op in expanded}
    graph.operators = [op for index, op in enumerate(graph.operators) if index not in dropped]
    # the interpreter asks for kernels of codes that nobody uses, too, and lacks that of DEQUANTIZE from float16
    used = sorted({op.opcodeIndex for subgraph in model.subgraphs for op in subgraph.operators})
    model.operatorCodes = [model.operatorCodes[code] for code in used]
    for op in (op for subgraph in model.subgraphs for op in subgraph.operators):
        op.opcodeIndex = used.index(op.opcodeIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _real(tensor: RawTensor) -> np.ndarray:
    """float32 values of small weights."""
    values = tensor.data.view(_WEIGHTS[tensor.dtype]).reshape(tensor.shape).astype(np.float32)
    if not tensor.scale:
        return values
    shape = [1] * values.ndim
    if len(tensor.scale) > 1:
        shape[tensor.axis] = len(tensor.scale)
    scale, zero = (np.array(each, np.float32).reshape(shape) for each in (tensor.scale, tensor.zero_point or (0,)))
    return (values - zero) * scale


def _quantize(model: FloatTflite, samples: Sequence[np.ndarray]) -> bytes:
    tf = tensorflow("convert a network")
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    def representative() -> Iterator[list[np.ndarray]]:
        for values in zip(*samples, strict=True):
            yield [value[None].astype(np.float32) for value in values]

    try:
        with silence():
            calibrated = Calibrator(model.content).calibrate(representative)
            return bytes(
                mlir_quantize(calibrated, fully_quantize=True, input_data_type=tf.int8, output_data_type=tf.int8)
            )
    except Exception as error:  # it raises whatever its C++ side raised
        raise ModelError(f"TensorFlow cannot convert {model.name} to int8: {first_line(error)}") from error
