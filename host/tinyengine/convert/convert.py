"""``tinyengine convert``: load, calibrate, quantize, measure, write."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tinyengine.convert.calibration import load_calibration
from tinyengine.convert.correct_bias import correct_biases
from tinyengine.convert.equalize import Equalized, equalize
from tinyengine.convert.keras import float_model
from tinyengine.convert.measure import FloatNetwork, LayerError, Measurement, measure, unfolded_normalizations
from tinyengine.convert.source import FloatSource, open_source
from tinyengine.data.metadata import ModelMetadata, PixelMapping, parse_mapping
from tinyengine.data.network_file import check_output, write_network
from tinyengine.data.samples import Arrays
from tinyengine.errors import ModelError
from tinyengine.frontend.tflite import parse_tflite
from tinyengine.ir import Graph
from tinyengine.progress import Progress, silent
from tinyengine.reference.tflite_runner import open_reference


@dataclass(slots=True)
class ConvertOptions:
    model: Path
    calibrate: Path
    out: Path
    mapping: str = "pixel/127.5-1"
    samples: int = 256
    layer_samples: int = 8
    equalize: bool = False
    correct_bias: bool = False
    input_shape: tuple[int, ...] | None = None  # of an ONNX file that leaves sizes open


@dataclass(slots=True)
class Conversion:
    """What ``--json`` prints. ``worst`` are the layers with the largest own error; decibels, larger is better."""

    out: Path
    bytes: int
    operators: dict[str, int]
    mapping: str
    unfolded: list[str]
    measurement: Measurement
    equalized: list[Equalized] = field(default_factory=list)
    corrected: int = 0
    worst: list[LayerError] = field(default_factory=list)


def convert(options: ConvertOptions, progress: Progress = silent) -> Conversion:
    """Write the int8 network and say what it cost; nothing is written when anything fails (TinyEngineError)."""
    check_output(options.out)
    mapping = parse_mapping(options.mapping)
    if mapping.quantized:
        raise ModelError(
            "pixel-128 is the int8 value; --mapping says what the float model takes, for example pixel/127.5-1"
        )
    progress(0, 5)
    model = open_source(options.model, options.input_shape)
    if len(model.input_shapes) != 1:
        raise ModelError(f"{options.model} has {len(model.input_shapes)} inputs: only models with one can be converted")
    progress(1, 5)
    given = load_calibration(options.calibrate, model.input_shapes[0][1:], mapping, options.samples)
    calibration = given.samples
    progress(2, 5)
    equalized: list[Equalized] = []
    if options.equalize:
        model, equalized = _equalized(model, calibration)
    floating = FloatNetwork(model.to_tflite(None), model.layer_names)
    content, corrected = model.to_tflite([calibration.values]), 0
    if options.correct_bias:
        content, corrected = correct_biases(content, floating, calibration.values)
    graph = parse_tflite(content, options.out.name)
    progress(3, 5)
    measurement = _measure(model, floating, graph, content, calibration, options)
    progress(4, 5)
    written_mapping = _mapping_of(graph, mapping)
    meaning = ModelMetadata(given.task, _class_names(calibration, graph)) if given.task else None
    if given.pictures and meaning:
        color = "luma" if model.input_shapes[0][-1] == 1 else "rgb"
        meaning = replace(meaning, mapping=written_mapping, color=color)
    write_network(options.out, content, meaning)
    progress(5, 5)
    return Conversion(
        options.out,
        len(content),
        dict(Counter(op.kind.name for op in graph.operators)),
        written_mapping.text,
        unfolded_normalizations(graph),
        measurement,
        equalized,
        corrected,
        sorted(measurement.layers, key=lambda layer: layer.own_db)[:3],
    )


def _equalized(model: FloatSource, calibration: Arrays) -> tuple[FloatSource, list[Equalized]]:
    network = getattr(model, "keras_model", None)
    if network is None:
        raise ModelError(f"{model.name} is no Keras model, and only those can be equalized: leave --equalize out")
    pairs = equalize(network, calibration.values)
    return float_model(network), pairs


def _measure(
    model: FloatSource,
    floating: FloatNetwork,
    graph: Graph,
    content: bytes,
    calibration: Arrays,
    options: ConvertOptions,
) -> Measurement:
    outputs = model.output_shapes
    known = len(outputs) == 1 and len(calibration.classes) == outputs[0][-1] and (calibration.labels >= 0).all()
    labels = calibration.labels if known else None
    int8 = open_reference(content, 1, len(outputs))
    return measure(graph, int8, floating, calibration.values, labels, options.layer_samples)


def _class_names(calibration: Arrays, graph: Graph) -> tuple[str, ...]:
    """The folder names of the calibration pictures, if the network has one output for each of them."""
    classes = calibration.classes
    return classes if [graph.tensor(port.tensor).elements for port in graph.outputs] == [len(classes)] else ()


def _mapping_of(graph: Graph, mapping: PixelMapping) -> PixelMapping:
    """pixel-128 where the int8 input comes out as exactly that, which the device computes fastest; else as given."""
    tensor = graph.tensor(graph.inputs[0].tensor)
    pixels = np.arange(256, dtype=np.uint8)
    plain = parse_mapping("pixel-128")
    given, usual = (each.to_int8(pixels, tensor.scale, tensor.zero_point) for each in (mapping, plain))
    return plain if np.array_equal(given, usual) else mapping
