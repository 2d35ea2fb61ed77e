"""Keras models from the zoo's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyengine.optional import tensorflow
from tinyengine.zoo.table import Network

if TYPE_CHECKING:
    import keras


def keras_model(network: Network, softmax: bool = True) -> keras.Model:
    """The network as a Keras model: float input (N, R, R, 3) around [-1, 1), output (N, classes).

    Convolutions carry no bias because batch normalization follows each of them. Layer names are those of
    :func:`tinyengine.zoo.table.convolutions`. Without ``softmax`` the outputs are logits, as training wants them.
    """
    keras = tensorflow("build a network of the zoo").keras
    layers = keras.layers

    def normalized(x: Any, name: str, activation: bool = True) -> Any:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activation else x

    def convolution(x: Any, name: str, channels: int, kernel: int = 1, stride: int = 1, activation: bool = True) -> Any:
        x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
        return normalized(x, name, activation)

    inputs = layers.Input((network.resolution, network.resolution, 3), name="image")
    x = convolution(inputs, "stem", network.stem, 3, 2)
    for index, block in enumerate(network.blocks):
        name, start = f"block{index}", x
        if block.expansion != 1:
            x = convolution(x, f"{name}_expand", x.shape[-1] * block.expansion)
        x = layers.DepthwiseConv2D(block.kernel, block.stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
        x = normalized(x, f"{name}_depthwise")
        x = convolution(x, f"{name}_project", block.channels, activation=False)
        if block.stride == 1 and start.shape[-1] == block.channels:
            x = layers.Add(name=f"{name}_add")([start, x])
    if network.head is not None:
        x = convolution(x, "head", network.head)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(network.classes, name="classifier")(x)
    if softmax:
        x = layers.Softmax(name="probability")(x)
    return keras.Model(inputs, x, name=network.name.replace(".", "_"))
