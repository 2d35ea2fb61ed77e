"""Random networks in the tiny-training format, shaped like those of the zoo; and that format's own arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.frontend.tiny_training import build_tiny_training
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.paths import shared_dir
from tinyengine.reference.windows import pad_picture, taps
from tinyengine.sizes import ceil_div
from tinyengine.zoo.table import Convolution, Network, convolutions, find

DEAD_SCALE = 2.0**-28


def tiny_graph(
    network: Network | str, classes: int = 10, resolution: int | None = None, seed: int = 0, gain: float = 1.0
) -> Graph:
    """A zoo network with random constants as a graph, imported through the tiny-training format."""
    network = find(network) if isinstance(network, str) else network
    network = replace(network, classes=classes, resolution=resolution or network.resolution)
    return build_tiny_training(*tiny_files(network, seed, gain=gain), network.name)


def tiny_files(
    network: Network, seed: int = 0, dead: int = 1, gain: float = 1.0
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(JSON, arrays) of a network whose activations use their range; ``dead`` channels per expanded layer are dead.

    What differs between two pictures shrinks from layer to layer, unless ``gain`` makes up for it.
    """
    rng = np.random.default_rng(seed)
    constants: dict[str, np.ndarray] = {}
    convs = {layer.name: layer for layer in convolutions(network)}
    quant = {"x": (float(2 / 255), 0)}

    def layer(name: str, key: str, clamped: bool) -> dict[str, Any]:
        shape = convs[key]
        x_scale, x_zero = quant["x"]
        y_scale, y_zero = (6 / 255, -128) if clamped else (float(rng.uniform(0.03, 0.08)), int(rng.integers(-20, 20)))
        constants.update(_constants(name, shape, x_scale, y_scale, rng, dead if clamped else 0, gain))
        params = {key: f"npz:{name}.{key}" for key in ("weight", "bias", "w_scales")}
        quant["x"] = (y_scale, y_zero)
        return {
            "in_channel": shape.in_channels,
            "in_shape": shape.in_size,
            "out_channel": shape.out_channels,
            "out_shape": shape.out_size,
            "kernel_size": [shape.kernel, shape.kernel],
            "stride": shape.stride,
            "groups": shape.in_channels if shape.kind == "depthwise" else 1,
            "depthwise": shape.kind == "depthwise",
            "act": None,
            "params": {**params, "x_scale": x_scale, "x_zero": x_zero, "y_scale": y_scale, "y_zero": y_zero},
        }

    description: dict[str, Any] = {"first_conv": layer("first_conv", "stem", True), "blocks": [], "feature_mix": None}
    channels = network.stem
    for index, block in enumerate(network.blocks):
        name, prefix, start = f"block{index}", f"blocks.{index}", quant["x"]
        entry: dict[str, Any] = {"pointwise1": None, "residual": None, "se": None}
        if block.expansion != 1:
            entry["pointwise1"] = layer(f"{prefix}.pointwise1", f"{name}_expand", True)
        entry["depthwise"] = layer(f"{prefix}.depthwise", f"{name}_depthwise", True)
        entry["pointwise2"] = layer(f"{prefix}.pointwise2", f"{name}_project", False)
        if block.stride == 1 and block.channels == channels:
            y = (1.3 * max(start[0], quant["x"][0]), int(rng.integers(-10, 10)))
            quant["x"] = y
            params = {"x_scale": start[0], "x_zero": start[1], "y_scale": y[0], "y_zero": y[1]}
            entry["residual"] = {"in_channel": channels, "in_shape": 0, "params": params}
        description["blocks"].append(entry)
        channels = block.channels
    description["classifier"] = layer("classifier", "classifier", False)
    return description, constants


def _constants(
    name: str, shape: Convolution, x_scale: float, y_scale: float, rng: np.random.Generator, dead: int, gain: float
) -> dict[str, np.ndarray]:
    inputs = 1 if shape.kind == "depthwise" else shape.in_channels
    weights = rng.integers(-127, 128, (shape.out_channels, inputs, shape.kernel, shape.kernel)).astype(np.int8)
    fan_in = inputs * shape.kernel**2
    real = gain * rng.uniform(0.5, 1.5, shape.out_channels) * 45 * y_scale / (73 * x_scale * 60 * fan_in**0.5)
    biases = rng.normal(0.0, 30.0, shape.out_channels) * y_scale / (x_scale * real)
    if dead:
        channels = rng.choice(shape.out_channels, dead, replace=False)
        weights[channels] = rng.integers(-1, 2, (dead, *weights.shape[1:]))
        real[channels] = DEAD_SCALE
        biases[channels] = rng.choice([-(2.0**31), 2.0**31 - 1], dead)
    return {
        f"{name}.weight": weights,
        f"{name}.bias": np.clip(np.round(biases), -(2**31), 2**31 - 1).astype(np.int32),
        f"{name}.w_scales": real.astype(np.float32),
    }


def float_semantics(op: Operator, graph: Graph, inputs: list[np.ndarray], biases: np.ndarray | None) -> np.ndarray:
    """Output of a convolution or a residual as the format defines it: one rounding of a float64; int8.

    ``biases`` are those of the file, before the importer touched them.
    """
    y = graph.tensor(op.outputs[0])
    if op.kind is OpKind.ADD:
        a, b = (graph.tensor(name) for name in op.inputs)
        total = (inputs[0].astype(float) - a.zero_point) * a.scale + (inputs[1].astype(float) - b.zero_point) * b.scale
        return np.clip(np.round(total / y.scale) + y.zero_point, -128, 127).astype(np.int8)
    assert biases is not None
    x, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    centred = inputs[0].astype(float) - x.zero_point
    w = inputs[1].astype(float)
    if op.kind is OpKind.FULLY_CONNECTED:
        sums = (w @ centred.reshape(-1))[None]
    else:
        assert isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs)
        window = op.attrs.window
        rows, columns = window.output_size(*x.shape[1:3])
        sums = np.zeros(y.shape[1:])
        for ky, kx, pixels in taps(pad_picture(centred[0], window, 0), window, rows, columns):
            sums += pixels * w[0, ky, kx] if op.kind is OpKind.DEPTHWISE_CONV_2D else pixels @ w[:, ky, kx].T
    assert weights.quant is not None
    real = x.scale * np.array(weights.quant.scale) / y.scale
    return np.clip(np.round((sums + biases) * real) + y.zero_point, -128, 127).astype(np.int8).reshape(y.shape)


def picture(graph: Graph, seed: int = 0) -> np.ndarray:
    """A smooth random int8 picture."""
    rng = np.random.default_rng(seed)
    shape = graph.tensor("input").shape
    coarse = rng.normal(0, 60, (1, ceil_div(shape[1], 4), ceil_div(shape[2], 4), shape[3]))
    fine = coarse.repeat(4, 1).repeat(4, 2)[:, : shape[1], : shape[2]] + rng.normal(0, 10, shape)
    return np.clip(fine, -128, 127).astype(np.int8)


def shared_network(name: str) -> Path:
    shared = shared_dir()
    path = shared / "models" / "tiny_training" / f"{name}.json" if shared else None
    if path is None or not path.is_file():
        pytest.skip("TINYENGINE_SHARED has no models/tiny_training")
    return path
