"""A network of the zoo as an int8 .tflite file, with random or given weights."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyengine.convert.keras import picture_samples, quantize
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.network_file import check_output, write_network
from tinyengine.data.reader import read_pictures
from tinyengine.errors import DataError, ModelError
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.random_weights import random_samples, randomize
from tinyengine.zoo.table import Network

if TYPE_CHECKING:
    import keras

_SAMPLES = 32
_CALIBRATION_PICTURES = 512


def variant(
    network: Network, classes: int | None = None, resolution: int | None = None, head: int | None = None
) -> Network:
    """The network with some of its numbers changed; ModelError for numbers that make no network."""
    changed = replace(
        network,
        classes=network.classes if classes is None else classes,
        resolution=network.resolution if resolution is None else resolution,
        head=network.head if head is None else head,
    )
    if changed.classes < 2:
        raise ModelError(f"{changed.classes} classes are too few to tell anything apart: at least 2")
    if not 16 <= changed.resolution <= 512:
        raise ModelError(f"a resolution of {changed.resolution} is out of range: 16 to 512 pixels")
    if changed.head is not None and changed.head < 1:
        raise ModelError(f"a head of {changed.head} channels is none: leave --head-channels out")
    return changed


def export(
    network: Network,
    out: Path,
    weights: Path | None = None,
    samples: np.ndarray | None = None,
    seed: int = 0,
    classes: tuple[str, ...] = (),
) -> int:
    """Write ``out`` (.tflite) and its MODEL.json; returns the size of the .tflite in bytes.

    Without ``weights`` they are random. ``samples`` (N, R, R, 3) float32 in [-1, 127/128] calibrate the activations; by
    default they are random fields too, which is right for random weights only.
    """
    check_output(out)
    model = keras_model(network)
    rng = np.random.default_rng(seed)
    if samples is None:
        samples = random_samples((network.resolution, network.resolution, 3), _SAMPLES, rng)
    if weights is None:
        randomize(model, samples, rng)
    else:
        load_weights(model, weights)
    content = quantize(model, samples)
    write_network(out, content, ModelMetadata(classes=classes))
    return len(content)


def export_from_files(network: Network, out: Path, weights: Path | None, calibrate: Path | None, seed: int) -> int:
    """:func:`export` calibrated on a folder of pictures or an .npz, which trained weights need."""
    if weights is None:
        return export(network, out, seed=seed)
    if calibrate is None:
        raise DataError("trained weights need --calibrate with pictures (folder or .npz) that set the ranges")
    pictures = read_pictures(calibrate, _CALIBRATION_PICTURES).decoded(network.resolution)
    classes = pictures.classes if len(pictures.classes) == network.classes else ()
    return export(network, out, weights, picture_samples(pictures.values), seed, classes)


def load_weights(model: keras.Model, path: Path, other_classes: bool = False) -> None:
    """Weights of the same architecture, from a run of ``tinyengine fit`` (.npz) or Keras (.keras, .weights.h5).

    With ``other_classes`` a classifier (the last two weights) of another number of classes is left as it is.
    """
    if not path.is_file():
        raise DataError(f"the weights {path} do not exist")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                prefix = "average" if "average0" in arrays else "weight"
                values = [arrays[f"{prefix}{k}"] for k in range(len(model.weights))]
                if f"{prefix}{len(values)}" in arrays:
                    raise ValueError("it has more layers than the network")
                if prefix == "average" and "classes" in arrays:
                    values[-2:] = [value[..., : int(arrays["classes"])] for value in values[-2:]]
        elif path.suffix == ".keras":
            from tinyengine.optional import tensorflow

            values = [
                w.numpy() for w in tensorflow("read weights").keras.models.load_model(path, compile=False).weights
            ]
        else:
            model.load_weights(path)
            return
        if len(values) != len(model.weights):
            raise ValueError("it has another number of layers")
        same = [value.shape == tuple(weight.shape) for value, weight in zip(values, model.weights, strict=True)]
        if other_classes and not all(same[-2:]):
            values, same = values[:-2], same[:-2]
        if not all(same):
            raise ValueError("its shapes are others")
        for weight, value in zip(model.weights, values, strict=False):
            weight.assign(value)
    except (ValueError, KeyError, OSError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        meant = "" if other_classes else " with these classes and this head"
        raise DataError(f"{path} does not hold weights of {model.name}{meant}: {reason}") from error
