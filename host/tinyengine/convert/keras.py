"""Keras and SavedModel -> int8 TFLite through TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyengine.convert.linear_attention import fuse_linear_attention
from tinyengine.errors import ModelError
from tinyengine.optional import silence, tensorflow

if TYPE_CHECKING:
    import keras


@dataclass(slots=True)
class FloatModel:
    """A float model with its weights as constants, ready for the converter; shapes have batch 1 in front."""

    name: str
    function: Any  # a TensorFlow ConcreteFunction
    input_shapes: list[tuple[int, ...]]
    output_shapes: list[tuple[int, ...]]
    keras_model: Any = None  # keras.Model, where it came from one

    @property
    def layer_names(self) -> list[str]:
        """None of their own: TensorFlow's converter names the tensors after the layers."""
        return []

    def to_tflite(self, samples: Sequence[np.ndarray] | None) -> bytes:
        """:func:`to_tflite`."""
        return to_tflite(self, samples)


def load_model(path: Path) -> FloatModel:
    """A .keras or .h5 file. Raises ModelError with one sentence for one that is none."""
    tf = tensorflow("convert a network")
    try:
        with silence():
            model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its parts raise
        raise ModelError(f"Keras cannot read {path}: {first_line(error)}") from error
    return float_model(model)


def float_model(model: keras.Model) -> FloatModel:
    """A Keras model in memory; ModelError where its inputs have unknown sizes or it does not compute in float32."""
    tf = tensorflow("convert a network")
    for layer in model.layers:
        if getattr(layer, "compute_dtype", "float32") in ("float16", "bfloat16", "float64"):
            raise ModelError(
                f"the model computes in {layer.compute_dtype} (layer '{layer.name}'): "
                "save it again under the dtype policy float32"
            )
    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    specs = _specs(shapes, {tensor.name: str(tensor.dtype) for tensor in model.inputs})
    function = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
    frozen = _freeze(model.name, function, specs)
    frozen.keras_model = model
    return frozen


def to_tflite(model: FloatModel, samples: Sequence[np.ndarray] | None) -> bytes:
    """A .tflite of the model: full int8 with activations calibrated on ``samples``, or float32 where that is None.

    ``samples`` holds one array (N, ...) float32 per input, of the shapes that the model takes without batch. Weights
    are quantized per output channel. Raises ModelError where TensorFlow cannot convert.
    """
    tf = tensorflow("convert a network")

    def representative() -> Iterator[list[np.ndarray]]:
        assert samples is not None
        for values in zip(*samples, strict=True):
            yield [value[None].astype(np.float32) for value in values]

    try:
        with silence():
            converter = tf.lite.TFLiteConverter.from_concrete_functions([model.function])
            if samples is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.int8
                converter.representative_dataset = representative
            return converter.convert()
    except Exception as error:  # the converter raises whatever its C++ side raised
        raise ModelError(f"TensorFlow cannot convert {model.name} to int8: {first_line(error)}") from error


def quantize(model: keras.Model, samples: np.ndarray) -> bytes:
    """A full-int8 .tflite of a Keras model with one input; ``samples`` is (N, ...) float32 as the model takes it.

    ReLU linear attention becomes an operator of ours, which TFLite does not have."""
    return fuse_linear_attention(to_tflite(float_model(model), [samples]))


def picture_samples(pixels: np.ndarray) -> np.ndarray:
    """Calibration input for networks that take (pixel - 128) / 128: (N, H, W, 3) uint8 -> float32.

    One pixel each is made black and white in the first picture, so that the input's range is exactly [-1, 127/128] and
    its int8 value exactly pixel - 128 whatever the pictures contain.
    """
    samples = pixels.astype(np.float32) / 128.0 - 1.0
    samples[0, 0, 0, :], samples[0, -1, -1, :] = -1.0, 127.0 / 128.0
    return samples


def load_saved_model(path: Path) -> FloatModel:
    """A SavedModel folder. Raises ModelError with one sentence for one that is none."""
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path} is a folder without saved_model.pb: give a SavedModel folder or a .keras file")
    tf = tensorflow("convert a network")
    try:
        with silence():
            loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise ModelError(f"TensorFlow cannot read the SavedModel {path}: {first_line(error)}") from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ModelError(f"the SavedModel {path} has no signature serving_default: export the model with one")
    inputs = signature.structured_input_signature[1]
    shapes = {}
    for name, spec in inputs.items():
        if spec.shape.rank is None:
            raise ModelError(f"input '{name}' has no known shape: give the model a fixed input shape")
        shapes[name] = tuple(spec.shape.as_list()[1:])
    specs = _specs(shapes, {name: spec.dtype.name for name, spec in inputs.items()})
    function = tf.function(lambda *x: signature(**dict(zip(inputs, x, strict=True))))
    return _freeze(path.name, function, specs)


def _specs(shapes: dict[str, tuple[int | None, ...]], dtypes: dict[str, str]) -> list[Any]:
    """One TensorSpec with batch 1 per input; ModelError where a size is unknown or the dtype is not float32."""
    tf = tensorflow("convert a network")
    for name, shape in shapes.items():
        if None in shape:
            sizes = "x".join("?" if size is None else str(size) for size in shape)
            raise ModelError(f"input '{name}' has the dynamic shape {sizes}: give the model a fixed input shape")
        if dtypes[name] != "float32":
            raise ModelError(f"input '{name}' is {dtypes[name]}: only models with float32 inputs can be quantized")
    return [tf.TensorSpec((1, *shape), tf.float32, name=name) for name, shape in shapes.items()]


def _freeze(name: str, function: Any, specs: list[Any]) -> FloatModel:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # the calibrator cannot read variables, so the weights become constants first
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(*specs))
    outputs = [tuple(tensor.shape.as_list()) for tensor in frozen.outputs]
    return FloatModel(name, frozen, [tuple(spec.shape.as_list()) for spec in specs], outputs)


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
