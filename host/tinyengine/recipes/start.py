"""What a training begins with: the weights of another run, or an int8 network that somebody has published.

An int8 network has its normalization folded into its convolutions. Training wants it back: behind each convolution one
is put whose statistics are measured on pictures and which changes nothing. A classifier for other classes is random, as
in any new network, and the features before it are scaled to a deviation for which its first steps do not diverge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tinyengine.convert.dequantize import RealLayer, real_layers
from tinyengine.convert.source import NETWORKS
from tinyengine.data.images import to_pixels
from tinyengine.errors import DataError, ModelError
from tinyengine.optional import tensorflow
from tinyengine.recipes.imagenet_start import take_weights
from tinyengine.recipes.teacher import TEACHERS
from tinyengine.supernet.file import Supernet, is_supernet, load_supernet
from tinyengine.supernet.weights import cut
from tinyengine.zoo.detector import OF_A_BOX, detector_convolutions
from tinyengine.zoo.export import load_weights
from tinyengine.zoo.table import NORM_EPSILON, Attention, Convolution, Network, convolutions

if TYPE_CHECKING:
    import keras

#: pictures on which the statistics of an int8 network are measured
MEASURED = 256
#: and those of one that is used at another resolution, whose own statistics stay what they are
MEASURED_ANEW = 1024
_BATCH = 64
_FEATURE_DEVIATION = 0.5


def begin(model: keras.Model, network: Network, start: Path, pictures: np.ndarray, seed: int = 0) -> bytes:
    """Give ``model`` (``keras_model(network, softmax=False)``) the weights of ``start``; returns their digest.

    ``start``: an int8 network (.tflite, or the .json of a tiny-training one), a super-network of which ``network`` is a
    part, a name of TEACHERS, or what ``load_weights`` reads. The number of classes may be another. Statistics are
    measured on some of ``pictures`` (N, S, S, 3), uint8. DataError or ModelError where the weights are of another
    architecture.
    """
    if str(start) in TEACHERS:
        _begin_with_imagenet(model, network, str(start), some_pictures(pictures, MEASURED, network.resolution, seed))
        return str(start).encode()
    if not start.is_file():
        raise DataError(f"the weights {start} do not exist")
    if is_supernet(start):
        _inherit(model, network, load_supernet(start), some_pictures(pictures, MEASURED_ANEW, network.resolution, seed))
    elif start.suffix.lower() in NETWORKS:
        _begin_with_network(model, network, start, some_pictures(pictures, MEASURED, network.resolution, seed))
    else:
        load_weights(model, start, other_classes=True)
    digest = hashlib.sha256(start.read_bytes())
    if start.suffix == ".json":
        digest.update(start.with_suffix(".npz").read_bytes())  # which holds its weights
    return digest.digest()


def some_pictures(pictures: np.ndarray, count: int, size: int, seed: int) -> np.ndarray:
    """At most ``count`` of (N, S, S, 3) uint8 pictures, drawn by ``seed``, at another size."""
    chosen = np.random.default_rng(seed).choice(len(pictures), min(count, len(pictures)), False)
    return np.stack([to_pixels(Image.fromarray(pictures[k]), size, size, 3) for k in np.sort(chosen)])


def _begin_with_imagenet(model: keras.Model, network: Network, name: str, pictures: np.ndarray) -> None:
    take_weights(model, network, name)
    measure_normalization(model, convolutions(network)[:-1], pictures)
    last = convolutions(network)[-2]
    taps = [_normalization(model, last).output, model.get_layer("average").output]
    means, deviations = _moments(model, taps, pictures, False)
    _new_classifier(model, network, means[-1], deviations[-1])


def _begin_with_network(model: keras.Model, network: Network, start: Path, pictures: np.ndarray) -> None:
    if any(isinstance(block, Attention) for block in network.blocks):
        raise ModelError(
            f"{start.name} does not say which of its layers are queries and which are keys: "
            "start with the run's best.npz or model.keras instead"
        )
    *layers, classifier = convolutions(network)
    real = real_layers(start)
    if len(real) not in (len(layers), len(layers) + 1):
        raise _other(start, network.name, f"{len(real)} layers with weights instead of {len(layers) + 1}")
    means, deviations = _unfold(model, layers, real, start, network.name, pictures, ["average"])
    if len(real) > len(layers) and real[-1].kernel.shape == (1, 1, classifier.in_channels, classifier.out_channels):
        _classifier(model, real[-1])
    else:
        _new_classifier(model, network, means[-1], deviations[-1])


def begin_detector(model: keras.Model, start: Path, pictures: np.ndarray, seed: int = 0) -> bool:
    """Give a detector (``zoo.detector``) the weights of an int8 one of the same architecture, which may find other
    classes; False where ``start`` (.tflite) has no convolution at its end or as many layers as no such detector has."""
    *layers, last = detector_convolutions(model)
    real = real_layers(start)
    if len(real) != len(layers) + 1 or real[-1].kernel.shape[:3] != (1, 1, last.in_channels):
        return False
    size = model.input.shape[1]
    _unfold(model, layers, real, start, model.name, some_pictures(pictures, MEASURED, size, seed))
    kernel, bias = model.get_layer(last.name).get_weights()
    same = real[-1].kernel.shape[-1] == last.out_channels
    shared = last.out_channels if same else OF_A_BOX
    kernel[..., :shared], bias[:shared] = real[-1].kernel[..., :shared], real[-1].bias[:shared]
    model.get_layer(last.name).set_weights([kernel, bias])
    return True


def _unfold(
    model: keras.Model,
    layers: Sequence[Convolution],
    real: Sequence[RealLayer],
    start: Path,
    name: str,
    pictures: np.ndarray,
    more: Sequence[str] = (),
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give each of ``layers`` its weights, and a normalization that changes nothing; means and deviations of their
    outputs, and of those of ``more`` layers."""
    for layer, its in zip(layers, real, strict=False):
        shape = layer.kernel_shape
        if its.kernel.shape != shape or its.stride != (layer.stride, layer.stride):
            ours, theirs = (
                f"{'x'.join(map(str, shape))} with stride {stride}"
                for shape, stride in ((shape, layer.stride), (its.kernel.shape, its.stride[0]))
            )
            raise _other(start, name, f"{layer.name} of {theirs} instead of {ours}")
    for layer, its in zip(layers, real, strict=False):
        ones = np.ones(len(its.bias))
        model.get_layer(layer.name).set_weights([its.kernel])
        # adds the bias and changes nothing else
        _normalization(model, layer).set_weights([ones * np.sqrt(1 + NORM_EPSILON), 0 * ones, -its.bias, ones])
    taps = [*(_normalization(model, layer).output for layer in layers), *(model.get_layer(n).output for n in more)]
    means, deviations = _moments(model, taps, pictures, False)
    for layer, its, mean, deviation in zip(layers, real, means, deviations, strict=False):
        variance = np.square(deviation)
        gamma = np.sqrt(variance + NORM_EPSILON)
        _normalization(model, layer).set_weights([gamma, mean, mean - its.bias, variance])
    return means, deviations


def _inherit(model: keras.Model, network: Network, supernet: Supernet, pictures: np.ndarray) -> None:
    """Give ``model`` its parts of the super-network's weights, the statistics measured on ``pictures``."""
    for name, (kernel, *vectors) in cut(supernet.space, network, supernet.layers).items():
        if name != "classifier":
            model.get_layer(name).set_weights([kernel])
            model.get_layer(f"{name}_bn").set_weights(vectors)
        elif len(supernet.classes) == network.classes:
            model.get_layer(name).set_weights([kernel, *vectors])
    measure_normalization(model, convolutions(network)[:-1], pictures)


def _classifier(model: keras.Model, its: RealLayer) -> None:
    model.get_layer("classifier").set_weights([its.kernel[0, 0], its.bias])


def _new_classifier(model: keras.Model, network: Network, mean: np.ndarray, deviation: np.ndarray) -> None:
    """``mean``, ``deviation`` are those of the averaged features. All convolutions that add to them are scaled, and
    those that read them on the way take the scale back."""
    scale = _FEATURE_DEVIATION / np.maximum(deviation, 1e-3)
    writers, readers = _last_stream(network)
    for layer in writers:
        gamma, beta, *statistics = _normalization(model, layer).get_weights()
        beta = beta - mean if layer is writers[-1] else beta
        _normalization(model, layer).set_weights([gamma * scale, beta * scale, *statistics])
    for layer in readers:
        (kernel,) = model.get_layer(layer.name).get_weights()
        model.get_layer(layer.name).set_weights([kernel / scale[:, None]])


def _last_stream(network: Network) -> tuple[list[Convolution], list[Convolution]]:
    """The convolutions whose sum the averaged features are, and those that read a part of this sum."""
    layers = {layer.name: layer for layer in convolutions(network)}
    if network.head is not None:
        return [layers["head"]], []
    writers: list[Convolution] = []
    readers: list[Convolution] = []
    for index in reversed(range(len(network.blocks))):
        expand, project = layers.get(f"block{index}_expand"), layers[f"block{index}_project"]
        first = expand or layers[f"block{index}_depthwise"]
        writers.insert(0, project)
        if first.in_channels != project.out_channels or first.in_size != project.in_size:
            break
        readers.append(first)
    return writers, readers


def _normalization(model: keras.Model, layer: Convolution) -> keras.Layer:
    return model.get_layer(f"{layer.name}_bn")


def measure_normalization(model: keras.Model, layers: Sequence[Convolution], pictures: np.ndarray) -> None:
    """Replace the statistics of the normalizations behind ``layers`` by those on uint8 ``pictures`` of the model's
    size: what a network that was trained at another resolution needs, where features are larger or smaller."""
    means, deviations = _moments(model, [model.get_layer(layer.name).output for layer in layers], pictures, True)
    for layer, mean, deviation in zip(layers, means, deviations, strict=True):
        gamma, beta, _, _ = _normalization(model, layer).get_weights()
        _normalization(model, layer).set_weights([gamma, beta, mean, np.square(deviation)])


def narrow(model: keras.Model, wide: keras.Model, pictures: np.ndarray) -> None:
    """Give a detector the weights of one whose blocks have more channels between their convolutions. Of these, those
    are kept that say most: by the deviation of what comes out of the depthwise convolution, and by how much the last
    one makes of it. Normalizations are measured anew on ``pictures`` (N, R, R, 3), uint8."""
    layers = detector_convolutions(model)
    inner = [layer for layer in layers if layer.kind == "depthwise" and layer.name.startswith("block")]
    taps = [wide.get_layer(f"{layer.name}_relu6").output for layer in inner]
    kept = {}
    for layer, deviation in zip(inner, _moments(wide, taps, pictures, False)[1], strict=True):
        block = layer.name.removesuffix("_depthwise")
        gamma, _, _, variance = wide.get_layer(f"{block}_project_bn").get_weights()
        made = wide.get_layer(f"{block}_project").get_weights()[0][0, 0] * (gamma / np.sqrt(variance + NORM_EPSILON))
        says = deviation * np.sqrt(np.square(made).sum(1))
        kept[block] = np.sort(np.argsort(-says, kind="stable")[: layer.out_channels])
    for name, its in ((layer.name, layer) for layer in model.layers if layer.weights):
        block, _, role = name.removesuffix("_bn").partition("_")
        values = wide.get_layer(name).get_weights()
        if block in kept:
            axis = {"expand": -1, "depthwise": -2, "project": -2}[role]
            if name.endswith("_bn"):
                values = values if role == "project" else [value[kept[block]] for value in values]
            else:
                values = [np.take(values[0], kept[block], axis)]
        its.set_weights(values)
    measure_normalization(model, layers[:-1], pictures)


def _moments(
    model: keras.Model, tensors: list[Any], pictures: np.ndarray, training: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Means and standard deviations per channel of some of the model's tensors, on uint8 pictures of its size;
    ``training``: with the statistics of each batch, which changes those of the model."""
    taps = tensorflow("measure normalization").keras.Model(model.input, tensors)
    sums = [np.zeros((2, tensor.shape[-1])) for tensor in tensors]
    for first in range(0, len(pictures), _BATCH):
        batch = pictures[first : first + _BATCH].astype(np.float32) / 128 - 1
        for total, output in zip(sums, taps(batch, training=training), strict=True):
            values = np.asarray(output, np.float32)
            axes = tuple(range(values.ndim - 1))
            total += len(batch) * np.stack([values.mean(axes, np.float64), np.square(values).mean(axes, np.float64)])
    moments = [total / len(pictures) for total in sums]
    return [m[0] for m in moments], [np.sqrt(np.maximum(m[1] - m[0] ** 2, 0)) for m in moments]


def _other(start: Path, name: str, difference: str) -> ModelError:
    return ModelError(
        f"{start.name} does not have the architecture {name}: it has {difference}; give --arch its own "
        "(tinyengine zoo list)"
    )
