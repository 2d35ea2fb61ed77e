"""Keras -> int8 TFLite through TensorFlow's converter, calibrated on pictures or arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.optional import silence, tensorflow

if TYPE_CHECKING:
    import keras


def quantize(model: keras.Model, samples: np.ndarray) -> bytes:
    """A full-int8 .tflite of a float model: weights per channel, activations by the range they take on ``samples``.

    ``samples`` is (N, ...) float32 as the model takes it. Raises ModelError where TensorFlow cannot convert.
    """
    tf = tensorflow("convert a network")
    signature = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
    specs = [tf.TensorSpec((1, *tensor.shape[1:]), tf.float32, name=tensor.name) for tensor in model.inputs]
    for spec in specs:
        if None in spec.shape:
            raise ModelError(
                f"input '{spec.name}' has the shape {tuple(spec.shape)} with unknown sizes: "
                "give the model a fixed input shape"
            )
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # the calibrator cannot read variables, so the weights become constants first
    frozen = convert_variables_to_constants_v2(signature.get_concrete_function(*specs))
    with silence():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8

    def representative() -> Iterator[list[Any]]:
        for sample in samples:
            yield [sample[None].astype(np.float32)]

    converter.representative_dataset = representative
    try:
        with silence():
            return converter.convert()
    except Exception as error:  # the converter raises whatever its C++ side raised
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"TensorFlow cannot convert this network to int8: {reason}") from error


def picture_samples(pixels: np.ndarray) -> np.ndarray:
    """Calibration input for networks that take (pixel - 128) / 128: (N, H, W, 3) uint8 -> float32.

    One pixel each is made black and white in the first picture, so that the input's range is exactly [-1, 127/128] and
    its int8 value exactly pixel - 128 whatever the pictures contain.
    """
    samples = pixels.astype(np.float32) / 128.0 - 1.0
    samples[0, 0, 0, :], samples[0, -1, -1, :] = -1.0, 127.0 / 128.0
    return samples
