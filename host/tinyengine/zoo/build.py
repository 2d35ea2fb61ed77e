"""Keras models from the zoo's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyengine.optional import tensorflow
from tinyengine.zoo.table import EPSILON, Attention, Block, Network

if TYPE_CHECKING:
    import keras


def keras_model(network: Network, softmax: bool = True) -> keras.Model:
    """The network as a Keras model: float input (N, R, R, 3) around [-1, 1), output (N, classes).

    Convolutions carry no bias because batch normalization follows each of them. Layer names are those of
    :func:`tinyengine.zoo.table.convolutions`. Without ``softmax`` the outputs are logits, as training wants them.
    """
    keras = tensorflow("build a network of the zoo").keras
    layers = keras.layers
    build = Builder()
    inputs = layers.Input((network.resolution, network.resolution, 3), name="image")
    x = build.convolution(inputs, "stem", network.stem, 3, 2)
    for index, block in enumerate(network.blocks):
        x = build.block(x, index, block)
    if network.head is not None:
        x = build.convolution(x, "head", network.head)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(network.classes, name="classifier")(x)
    if softmax:
        x = layers.Softmax(name="probability")(x)
    return keras.Model(inputs, x, name=network.name.replace(".", "_"))


class Builder:
    """Appends layers to a Keras tensor, each convolution with its normalization."""

    def __init__(self) -> None:
        self._layers = tensorflow("build a network of the zoo").keras.layers

    def convolution(
        self, x: Any, name: str, channels: int, kernel: int = 1, stride: int = 1, activation: bool = True
    ) -> Any:
        x = self._layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
        return self._normalized(x, name, activation)

    def depthwise(self, x: Any, name: str, kernel: int, stride: int) -> Any:
        x = self._layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=name)(x)
        return self._normalized(x, name)

    def block(self, x: Any, index: int, block: Block | Attention) -> Any:
        """The network's block of that number."""
        name, start = f"block{index}", x
        if isinstance(block, Attention):
            query, key = (self.convolution(x, f"{name}_{part}", block.width) for part in ("query", "key"))
            value = self.convolution(x, f"{name}_value", block.width, activation=False)
            mixed = linear_attention(query, key, value, block.heads)
            x = self.convolution(mixed, f"{name}_project", start.shape[-1], activation=False)
            return self._layers.Add(name=f"{name}_add")([start, x])
        if block.expansion != 1:
            x = self.convolution(x, f"{name}_expand", x.shape[-1] * block.expansion)
        x = self.depthwise(x, f"{name}_depthwise", block.kernel, block.stride)
        x = self.convolution(x, f"{name}_project", block.channels, activation=False)
        if block.stride == 1 and start.shape[-1] == block.channels:
            x = self._layers.Add(name=f"{name}_add")([start, x])
        return x

    def _normalized(self, x: Any, name: str, activation: bool = True) -> Any:
        x = self._layers.BatchNormalization(name=f"{name}_bn")(x)
        return self._layers.ReLU(6.0, name=f"{name}_relu6")(x) if activation else x


def linear_attention(query: Any, key: Any, value: Any, heads: int) -> Any:
    """y = q (K^T V) / (q K^T 1 + EPSILON) of each pixel's query q and all pixels' keys K and values V, head by head.

    All are Keras tensors (N, H, W, C), a head C / ``heads`` neighbouring channels. Where no query and no key is
    negative, y is a mean of the values but for EPSILON. Its products grow with the pixels, not with their square.
    """
    ops = tensorflow("build a network of the zoo").keras.ops
    _, rows, columns, channels = value.shape

    def split(x: Any, axes: tuple[int, ...]) -> Any:
        return ops.transpose(ops.reshape(x, (-1, rows * columns, heads, channels // heads)), axes)

    queries, values = split(query, (0, 2, 1, 3)), split(value, (0, 2, 1, 3))
    keys = split(key, (0, 2, 3, 1))
    mixed = ops.matmul(queries, ops.matmul(keys, values))
    total = ops.matmul(queries, ops.sum(keys, axis=3, keepdims=True))
    shares = ops.transpose(mixed / (total + EPSILON), (0, 2, 1, 3))
    return ops.reshape(shares, (-1, rows, columns, channels))
