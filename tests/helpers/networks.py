"""Int8 networks for the tests: built with Keras from fixed seeds, quantized by TFLite's converter, cached.

    names()                      all networks that can be asked for
    path("mobilenet_v2")         the .tflite file, built on first use

The weights are random but fit the data (tinyengine.zoo.random_weights): int8 activations really use their range, which
is what finds arithmetic bugs. The cache lies under ``paths.cache_dir()/networks``; its key covers TensorFlow's version
and the sources that decide the files.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tinyengine.convert import keras as keras_source
from tinyengine.convert.keras import quantize
from tinyengine.optional import tensorflow
from tinyengine.paths import cache_dir
from tinyengine.zoo import random_weights
from tinyengine.zoo.random_weights import random_samples, randomize

SAMPLES = 24


@dataclass(frozen=True, slots=True)
class _Recipe:
    build: Callable[[Any], Any]  # keras -> keras.Model
    about: str


_RECIPES: dict[str, _Recipe] = {}


def names(prefix: str = "") -> list[str]:
    """Networks whose name begins with ``prefix``: ``"one_"`` gives the networks of one operator."""
    return [name for name in _RECIPES if name.startswith(prefix)]


def about(name: str) -> str:
    """What the network is there for."""
    return _RECIPES[name].about


def path(name: str) -> Path:
    """The int8 .tflite file of a network; built (a few seconds) where the cache has none."""
    recipe = _RECIPES[name]
    folder = cache_dir() / "networks" / _key()
    target = folder / f"{name}.tflite"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    # several test processes may want the same network at once: one builds it, the others wait
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_file():
            partial = target.with_suffix(".partial")
            partial.write_bytes(_quantized(name, recipe))
            os.replace(partial, target)
    return target


def _key() -> str:
    digest = hashlib.sha256(version("tensorflow").encode())
    for source in (__file__, random_weights.__file__, keras_source.__file__):
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:16]


def _quantized(name: str, recipe: _Recipe) -> bytes:
    tf = tensorflow("build the networks of the tests")
    seed = zlib.crc32(name.encode())
    tf.keras.utils.set_random_seed(seed)
    model = recipe.build(tf.keras)
    rng = np.random.default_rng(seed)
    samples = random_samples(model.inputs[0].shape[1:], SAMPLES, rng)
    randomize(model, samples, rng)
    return quantize(model, samples)


def _network(name: str, about: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    def register(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _RECIPES[name] = _Recipe(build, about)
        return build

    return register


# ---- building blocks -------------------------------------------------------------------------------------------------


def _conv(
    keras: Any, x: Any, channels: int, kernel: Any = 1, stride: Any = 1, activation: str | None = "relu6", **more
):
    x = keras.layers.Conv2D(channels, kernel, stride, more.pop("padding", "same"), use_bias=False, **more)(x)
    return _activated(keras, keras.layers.BatchNormalization()(x), activation)


def _depthwise(keras: Any, x: Any, kernel: Any = 3, stride: Any = 1, activation: str | None = "relu6", **more):
    x = keras.layers.DepthwiseConv2D(kernel, stride, more.pop("padding", "same"), use_bias=False, **more)(x)
    return _activated(keras, keras.layers.BatchNormalization()(x), activation)


def _activated(keras: Any, x: Any, activation: str | None) -> Any:
    if activation is None:
        return x
    if activation == "hard_swish":
        return keras.layers.Activation(keras.activations.hard_silu)(x)
    return keras.layers.ReLU(6.0 if activation == "relu6" else None)(x)


def _inverted_residual(keras: Any, x: Any, expansion: int, channels: int, stride: int = 1, kernel: int = 3) -> Any:
    start = x
    if expansion != 1:
        x = _conv(keras, x, expansion * x.shape[-1])
    x = _depthwise(keras, x, kernel, stride)
    x = _conv(keras, x, channels, activation=None)
    return keras.layers.Add()([start, x]) if stride == 1 and start.shape[-1] == channels else x


def _squeeze_excite(keras: Any, x: Any, reduced: int, gate: str) -> Any:
    channels = x.shape[-1]
    s = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = keras.layers.Conv2D(reduced, 1, activation="relu")(s)
    s = keras.layers.Conv2D(channels, 1)(s)
    s = keras.layers.Activation(keras.activations.hard_sigmoid if gate == "hard" else keras.activations.sigmoid)(s)
    return keras.layers.Multiply()([x, s])


def _upsample(keras: Any, x: Any, factor: int) -> Any:
    # not UpSampling2D: Keras 3 writes that one with repetitions, which become TILE instead of RESIZE_NEAREST_NEIGHBOR
    return keras.ops.image.resize(x, (factor * x.shape[1], factor * x.shape[2]), interpolation="nearest")


def _classifier(keras: Any, x: Any, classes: int, softmax: bool = True) -> Any:
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes)(x)
    return keras.layers.Softmax()(x) if softmax else x


# ---- whole networks --------------------------------------------------------------------------------------------------


@_network("mobilenet_v1", "MobileNet of Keras, x0.25, 128x128, 10 classes")
def _mobilenet_v1(keras: Any) -> Any:
    return keras.applications.MobileNet((128, 128, 3), alpha=0.25, weights=None, classes=10)


@_network("mobilenet_v2", "MobileNetV2 of Keras, x0.35, 96x96, 10 classes")
def _mobilenet_v2(keras: Any) -> Any:
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)


@_network("resnet8", "ResNet-8 for 32x32 pictures, strided 1x1 shortcuts, average pool, 10 classes")
def _resnet8(keras: Any) -> Any:
    i = keras.Input((32, 32, 3))
    x = _conv(keras, i, 16, 3, activation="relu")
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = _conv(keras, x, channels, 3, stride, "relu")
        y = _conv(keras, y, channels, 3, activation=None)
        if stride != 1:
            x = keras.layers.Conv2D(channels, 1, stride)(x)
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    x = keras.layers.AveragePooling2D(8)(x)
    x = keras.layers.Dense(10)(keras.layers.Flatten()(x))
    return keras.Model(i, keras.layers.Softmax()(x))


@_network("mobilenet_v3", "squeeze-and-excitation with hard sigmoid, hard-swish, 5x5 depthwise, 96x96")
def _mobilenet_v3(keras: Any) -> Any:
    i = keras.Input((96, 96, 3))
    x = _conv(keras, i, 8, 3, 2, "hard_swish")
    for middle, channels, kernel, stride, excite, activation in (
        (8, 8, 3, 2, True, "relu"),
        (40, 16, 3, 2, False, "relu"),
        (56, 16, 3, 1, False, "relu"),
        (64, 24, 5, 2, True, "hard_swish"),
        (144, 24, 5, 1, True, "hard_swish"),
        (72, 28, 5, 1, True, "hard_swish"),
        (168, 48, 5, 2, True, "hard_swish"),
    ):
        start = x
        x = _conv(keras, x, middle, activation=activation)
        x = _depthwise(keras, x, kernel, stride, activation)
        if excite:
            x = _squeeze_excite(keras, x, max(8, middle // 4), "hard")
        x = _conv(keras, x, channels, activation=None)
        if stride == 1 and start.shape[-1] == channels:
            x = keras.layers.Add()([start, x])
    x = _conv(keras, x, 144, activation="hard_swish")
    return keras.Model(i, _classifier(keras, x, 10))


@_network("efficientnet", "squeeze-and-excitation with sigmoid, hard-swish, 64x64")
def _efficientnet(keras: Any) -> Any:
    i = keras.Input((64, 64, 3))
    x = _conv(keras, i, 12, 3, 2, "hard_swish")
    for expansion, channels, kernel, stride in (
        (1, 8, 3, 1),
        (6, 12, 3, 2),
        (6, 12, 3, 1),
        (6, 20, 5, 2),
        (6, 20, 5, 1),
    ):
        start = x
        if expansion != 1:
            x = _conv(keras, x, expansion * x.shape[-1], activation="hard_swish")
        x = _depthwise(keras, x, kernel, stride, "hard_swish")
        x = _squeeze_excite(keras, x, max(2, start.shape[-1] // 4), "sigmoid")
        x = _conv(keras, x, channels, activation=None)
        if stride == 1 and start.shape[-1] == channels:
            x = keras.layers.Add()([start, x])
    return keras.Model(i, _classifier(keras, _conv(keras, x, 80, activation="hard_swish"), 10))


@_network("detector", "two heads at two scales, nearest-neighbour upsampling, concatenation, 96x96")
def _detector(keras: Any) -> Any:
    i = keras.Input((96, 96, 3))
    x = _conv(keras, i, 8, 3, 2)
    x = _inverted_residual(keras, x, 4, 16, 2)
    fine = _inverted_residual(keras, x, 4, 24, 2)
    coarse = _inverted_residual(keras, fine, 4, 40, 2)
    coarse = _inverted_residual(keras, coarse, 4, 40)
    up = _upsample(keras, _conv(keras, coarse, 16), 2)
    joined = keras.layers.Concatenate()([up, fine])
    fine = _depthwise(keras, _conv(keras, joined, 32), 3)
    first = keras.layers.Conv2D(3 * 7, 1, name="fine")(fine)
    second = keras.layers.Conv2D(3 * 7, 1, name="coarse")(_conv(keras, coarse, 48, 3))
    return keras.Model(i, [first, keras.layers.Activation("sigmoid")(second)])


@_network("kws", "keyword spotting: input 49x10x1, first convolution 10x4 with stride 2, depthwise-separable")
def _kws(keras: Any) -> Any:
    i = keras.Input((49, 10, 1))
    x = _conv(keras, i, 32, (10, 4), 2, "relu")
    for _ in range(3):
        x = _conv(keras, _depthwise(keras, x, activation="relu"), 32, activation="relu")
    x = keras.layers.AveragePooling2D((25, 5))(x)
    return keras.Model(i, keras.layers.Softmax()(keras.layers.Dense(12)(keras.layers.Flatten()(x))))


@_network("autoencoder", "fully connected layers only")
def _autoencoder(keras: Any) -> Any:
    i = keras.Input((128,))
    x = i
    for units in (64, 64, 8, 64):
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(i, keras.layers.Dense(128)(x))


@_network("mcunet_like", "kernels 3, 5 and 7, strides on odd sizes, 56x56")
def _mcunet_like(keras: Any) -> Any:
    i = keras.Input((56, 56, 3))
    x = _conv(keras, i, 16, 3, 2)
    x = _inverted_residual(keras, x, 1, 8)
    for expansion, channels, stride, kernel in (
        (4, 16, 2, 5),
        (3, 16, 1, 3),
        (5, 24, 2, 7),
        (4, 24, 1, 7),
        (5, 40, 2, 3),
        (4, 40, 1, 5),
    ):
        x = _inverted_residual(keras, x, expansion, channels, stride, kernel)
    return keras.Model(i, _classifier(keras, x, 10, softmax=False))


# ---- odd ones --------------------------------------------------------------------------------------------------------


@_network("odd_rectangle", "non-square input 40x24, non-square kernels, strides that differ")
def _odd_rectangle(keras: Any) -> Any:
    i = keras.Input((40, 24, 3))
    x = _conv(keras, i, 10, (3, 5), (2, 1))
    x = _depthwise(keras, x, (5, 3))
    x = _conv(keras, x, 7, (1, 3), (1, 2), "relu")
    x = keras.layers.MaxPooling2D((2, 3), (2, 2), "same")(x)
    return keras.Model(i, keras.layers.Dense(5)(keras.layers.Flatten()(x)))


@_network("odd_dilated", "dilated convolution and depthwise convolution")
def _odd_dilated(keras: Any) -> Any:
    i = keras.Input((24, 24, 4))
    x = _conv(keras, i, 12, 3, dilation_rate=2)
    x = _depthwise(keras, x, 3, dilation_rate=2)
    x = _conv(keras, x, 9, 3, activation="relu", dilation_rate=3)
    return keras.Model(i, _classifier(keras, x, 4))


@_network("odd_valid", "VALID padding throughout, channels not divisible by 4")
def _odd_valid(keras: Any) -> Any:
    i = keras.Input((33, 31, 3))
    x = _conv(keras, i, 7, 3, 2, padding="valid")
    x = _depthwise(keras, x, 3, padding="valid")
    x = _conv(keras, x, 13, 5, padding="valid")
    x = keras.layers.MaxPooling2D(3, 2, "valid")(x)
    x = _depthwise(keras, x, 3, 2, padding="valid")
    return keras.Model(i, _classifier(keras, x, 3))


@_network("odd_depthwise_first", "depthwise convolution with multiplier 4 as the first layer")
def _odd_depthwise_first(keras: Any) -> Any:
    i = keras.Input((32, 32, 3))
    x = _depthwise(keras, i, 5, 2, depth_multiplier=4)
    x = _depthwise(keras, _conv(keras, x, 6), 3, depth_multiplier=2)
    return keras.Model(i, _classifier(keras, _conv(keras, x, 11), 5))


@_network("odd_residual_input", "the network's input is added again after three layers")
def _odd_residual_input(keras: Any) -> Any:
    i = keras.Input((20, 20, 8))
    x = _conv(keras, i, 24)
    x = _conv(keras, _depthwise(keras, x, 3), 8, activation=None)
    x = keras.layers.Add()([i, x])
    y = keras.layers.Subtract()([x, _conv(keras, x, 8, 3)])
    return keras.Model(i, _classifier(keras, keras.layers.Multiply()([x, y]), 4))


@_network("odd_output_inside", "an output that other layers still read, and the same tensor used three times")
def _odd_output_inside(keras: Any) -> Any:
    i = keras.Input((16, 16, 4))
    x = _conv(keras, i, 8, 3)
    y = keras.layers.Add()([x, x])
    z = keras.layers.Concatenate()([x, y, x])
    return keras.Model(i, [keras.layers.ReLU()(y), _conv(keras, z, 5, 3, 2), keras.layers.MaxPooling2D(2)(x)])


@_network("odd_concat_axes", "concatenation along rows and columns, upsampling by 3, strided slice")
def _odd_concat_axes(keras: Any) -> Any:
    i = keras.Input((12, 12, 6))
    x = _conv(keras, i, 8, 3, 2)
    y = _upsample(keras, x, 3)[:, :12, 6:12, :]
    z = keras.layers.Concatenate(axis=1)([_conv(keras, i, 8)[:, :, 2:8, :], y])
    z = keras.layers.Concatenate(axis=2)([z, z])
    return keras.Model(i, _conv(keras, z, 6, 3, 2))


@_network("odd_pad", "explicit asymmetric padding before convolution, depthwise convolution and pooling")
def _odd_pad(keras: Any) -> Any:
    i = keras.Input((27, 30, 3))
    x = _conv(keras, keras.layers.ZeroPadding2D(((0, 1), (1, 1)))(i), 8, 3, 2, padding="valid")
    x = _depthwise(keras, keras.layers.ZeroPadding2D(2)(x), 5, 2, padding="valid")
    x = keras.layers.MaxPooling2D(2)(keras.layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    return keras.Model(i, _classifier(keras, x, 6))


@_network("odd_pools", "average pools that are not global, with padding and overlap")
def _odd_pools(keras: Any) -> Any:
    i = keras.Input((30, 30, 3))
    x = keras.layers.AveragePooling2D(3, 2, "same")(_conv(keras, i, 10, 3))
    x = keras.layers.MaxPooling2D(3, 1, "same")(x)
    x = keras.layers.AveragePooling2D((2, 5), (1, 2), "valid")(x)
    return keras.Model(i, _classifier(keras, x, 4))


@_network("odd_large_head", "1000 classes")
def _odd_large_head(keras: Any) -> Any:
    i = keras.Input((16, 16, 3))
    x = _conv(keras, _conv(keras, i, 16, 3, 2), 64, 3, 2)
    return keras.Model(i, _classifier(keras, x, 1000))


# ---- one operator each -----------------------------------------------------------------------------------------------


def _one(name: str, shape: tuple[int, ...], layer: Callable[[Any, Any], Any]) -> None:
    def build(keras: Any) -> Any:
        i = keras.Input(shape)
        return keras.Model(i, layer(keras, i))

    _RECIPES[f"one_{name}"] = _Recipe(build, f"a network of one operator: {name}")


_one("conv", (9, 11, 5), lambda k, x: k.layers.Conv2D(7, 3, padding="same")(x))
_one("conv_relu6_stride", (12, 12, 3), lambda k, x: k.layers.ReLU(6.0)(k.layers.Conv2D(6, 3, 2, padding="same")(x)))
_one("pointwise", (7, 5, 13), lambda k, x: k.layers.Conv2D(9, 1)(x))
_one("pointwise_stride", (8, 8, 6), lambda k, x: k.layers.Conv2D(10, 1, 2)(x))
_one("depthwise", (10, 9, 6), lambda k, x: k.layers.DepthwiseConv2D(3, padding="same")(x))
_one("depthwise_stride", (14, 14, 8), lambda k, x: k.layers.DepthwiseConv2D(7, 2, padding="same")(x))
_one("dense", (37,), lambda k, x: k.layers.Dense(11)(x))
_one("average_pool", (12, 12, 5), lambda k, x: k.layers.AveragePooling2D(4)(x))
_one("max_pool", (12, 12, 5), lambda k, x: k.layers.MaxPooling2D(2)(x))
_one("mean", (9, 7, 12), lambda k, x: k.layers.GlobalAveragePooling2D()(x))
_one("add", (6, 6, 4), lambda k, x: k.layers.Add()([x, x]))
_one("softmax", (23,), lambda k, x: k.layers.Softmax()(x))
_one("sigmoid", (5, 5, 3), lambda k, x: k.layers.Activation("sigmoid")(x))
_one("hard_swish", (6, 6, 8), lambda k, x: k.layers.Activation(k.activations.hard_silu)(x))
_one("relu", (6, 6, 8), lambda k, x: k.layers.ReLU()(x))
_one("upsample", (5, 4, 3), lambda k, x: _upsample(k, x, 2))
_one("pad", (6, 5, 3), lambda k, x: k.layers.ZeroPadding2D(((1, 2), (0, 3)))(x))
