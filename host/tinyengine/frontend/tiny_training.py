"""Networks of the tiny-training format (a JSON of layers, a .npz of constants beside it) to the IR.

The format is that of int8 networks published for on-device training: a first convolution, inverted residual blocks
(``pointwise1``, ``depthwise``, ``pointwise2``, an optional residual addition), optionally a ``feature_mix``
convolution, the global average and a classifier. Its arithmetic is float: ``round(s_eff (W x + b)) + z``, clamped to
int8, and ``round(((x1 - z1) s1 + (x2 - z2) s2) / sy) + zy`` for a residual. The IR computes the same in TFLite's
fixed point, which rounds twice; docs/training.md says how often the two differ (by one).

Three things are not as TFLite would write them:

- paddings are kernel / 2 on every side, also with stride 2; rows and columns that no window reaches are left out;
- activations are clamps: a layer with ReLU6 has the output scale 6 / 255 and the zero point -128;
- *dead channels*, whose weights are all but zero, have a vanishing weight scale and biases at the limits of int32, so
  that bias plus sum would overflow. Their biases are pulled in by the largest sum, see ``safe_biases``.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import Graph, Operator, Port, Quantization, Tensor
from tinyengine.ir.ops import (
    Attrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    OpKind,
    PoolAttrs,
    Window,
)
from tinyengine.ir.verify import verify

_REFERENCE = "npz:"
_STAGES = ("pointwise1", "depthwise", "pointwise2")


def load_tiny_training(path: str | Path) -> Graph:
    """Read ``path`` (.json, with the .npz of the same name beside it); ModelError, one sentence, if it cannot be used.

    The graph has one int8 input (1, R, R, 3) and int8 logits (1, classes).
    """
    path = Path(path)
    try:
        description = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            constants = {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise ModelError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    except (ValueError, RecursionError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} and its .npz are not a tiny-training network: {error}") from error
    return build_tiny_training(description, constants, path.stem)


def build_tiny_training(description: dict[str, Any], constants: dict[str, np.ndarray], name: str) -> Graph:
    """As ``load_tiny_training`` for what the two files hold."""
    try:
        graph = _Builder(name, constants).build(description)
        verify(graph)
    except ModelError as error:
        raise type(error)(f"{name}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{name} is not a tiny-training network: {what}") from error
    return graph


def safe_biases(weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Biases for which bias + sum never leaves int32, whatever the input: int32 (O).

    ``weights`` is (O, ...) int8. A sum is at most 512 sum|w| with a zero point folded into the bias, so only biases
    closer than that to the limit move: those of dead channels, whose scale makes it a few hundredths of a step at most.
    """
    reach = 512 * np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1)
    limit = (1 << 31) - 1 - reach
    return np.clip(biases.astype(np.int64), -limit, limit).astype(np.int32)


class _Builder:
    """Appends layers to a graph; ``_last`` is the tensor the next layer reads."""

    def __init__(self, name: str, constants: dict[str, np.ndarray]) -> None:
        self._graph = Graph(name)
        self._constants = constants
        self._last = ""

    def build(self, description: dict[str, Any]) -> Graph:
        first = description["first_conv"]
        size, channels = int(first["in_shape"]), int(first["in_channel"])
        self._last = self._activation("input", (1, size, size, channels), _quantization(first, "x"))
        self._graph.inputs.append(Port("input", "input", "int8", self._graph.tensor("input").quant))
        self._convolution("first_conv", first)
        for index, block in enumerate(description["blocks"]):
            self._block(f"blocks_{index}", block)
        if description.get("feature_mix"):
            self._convolution("feature_mix", description["feature_mix"])
        self._average()
        self._classifier(description["classifier"])
        self._graph.outputs.append(Port(self._last, "logits", "int8", self._graph.tensor(self._last).quant))
        return self._graph

    # --- layers ---

    def _block(self, name: str, block: dict[str, Any]) -> None:
        start = self._last
        if block.get("se"):
            raise ModelError(f"block {name} has squeeze-and-excitation, which this format's importer does not know")
        for stage in _STAGES:
            if block.get(stage):
                self._convolution(f"{name}_{stage}", block[stage])
        if block.get("residual"):
            output = _quantization(block["residual"])
            self._append(
                OpKind.ADD, f"{name}_add", [start, self._last], ElementwiseAttrs(), self._shape(self._last), output
            )

    def _convolution(self, name: str, layer: dict[str, Any]) -> None:
        self._check_input(name, layer)
        if layer.get("act"):
            raise ModelError(f"layer {name} has the activation '{layer['act']}', but clamps should express it")
        window = _window(layer)
        weights = self._constant(layer, "weight", np.int8)
        channels = int(layer["out_channel"])
        depthwise = bool(layer["depthwise"])
        groups = channels if depthwise else 1
        if layer["groups"] != groups or weights.shape != (channels, layer["in_channel"] // groups, *window.kernel):
            raise ModelError(f"layer {name} has weights of shape {list(weights.shape)} and {layer['groups']} groups")
        attrs: Attrs
        if depthwise:
            kind, attrs = OpKind.DEPTHWISE_CONV_2D, DepthwiseConv2DAttrs(window)
            data, axis = weights.transpose(1, 2, 3, 0), 3  # (O, 1, K, K) -> (1, K, K, O)
        else:
            kind, attrs = OpKind.CONV_2D, Conv2DAttrs(window)
            data, axis = weights.transpose(0, 2, 3, 1), 0  # OIHW -> OHWI
        shape = (1, int(layer["out_shape"]), int(layer["out_shape"]), channels)
        parameters = self._parameters(name, layer, weights, data, axis)
        self._append(kind, name, [self._last, *parameters], attrs, shape, _quantization(layer))

    def _average(self) -> None:
        _, rows, columns, channels = self._shape(self._last)
        quant = self._graph.tensor(self._last).quant
        assert quant is not None
        attrs = PoolAttrs(Window((rows, columns)))
        self._append(OpKind.AVERAGE_POOL_2D, "average", [self._last], attrs, (1, 1, 1, channels), quant)

    def _classifier(self, layer: dict[str, Any]) -> None:
        self._check_input("classifier", layer)
        weights = self._constant(layer, "weight", np.int8)
        data = weights.reshape(len(weights), -1)
        parameters = self._parameters("classifier", layer, weights, data, 0)
        shape = (1, len(weights))
        inputs = [self._last, *parameters]
        self._append(OpKind.FULLY_CONNECTED, "classifier", inputs, FullyConnectedAttrs(), shape, _quantization(layer))

    # --- parts ---

    def _shape(self, tensor: str) -> tuple[int, ...]:
        return self._graph.tensor(tensor).shape

    def _activation(self, name: str, shape: tuple[int, ...], quant: Quantization) -> str:
        self._graph.tensors[name] = Tensor(name, shape, "int8", quant)
        return name

    def _append(
        self, kind: OpKind, name: str, inputs: list[str], attrs: Attrs, shape: tuple[int, ...], quant: Quantization
    ) -> None:
        self._last = self._activation(f"{name}_out", shape, quant)
        self._graph.operators.append(Operator(kind, name, inputs, [self._last], attrs))

    def _constant(self, layer: dict[str, Any], key: str, dtype: type) -> np.ndarray:
        reference = layer["params"][key]
        if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
            raise ModelError(f"'{key}' should name an array of the .npz, such as npz:first_conv.weight")
        name = reference.removeprefix(_REFERENCE)
        if name not in self._constants:
            raise ModelError(f"the .npz has no array '{name}'")
        array = self._constants[name]
        if array.dtype != dtype:
            raise ModelError(f"array '{name}' is {array.dtype} instead of {np.dtype(dtype)}")
        return array

    def _parameters(
        self, name: str, layer: dict[str, Any], weights: np.ndarray, data: np.ndarray, axis: int
    ) -> list[str]:
        """Names of the weight and bias tensors of a layer; ``data`` is ``weights`` in the IR's layout."""
        biases = self._constant(layer, "bias", np.int32)
        scales = self._constant(layer, "w_scales", np.float32)
        if biases.shape != (len(weights),) or scales.shape != (len(weights),):
            raise ModelError(f"layer {name} has {len(weights)} outputs, {biases.size} biases, {scales.size} scales")
        x_scale = _quantization(layer, "x").scale[0]
        zeros = (0,) * len(scales)
        quant = Quantization(tuple(scales.tolist()), zeros, axis if len(scales) > 1 else None)
        bias_scales = (scales * np.float32(x_scale)).tolist()
        bias_quant = Quantization(tuple(bias_scales), zeros, 0 if len(scales) > 1 else None)
        tensors = [
            Tensor(f"{name}_weights", data.shape, "int8", quant, np.ascontiguousarray(data)),
            Tensor(f"{name}_bias", biases.shape, "int32", bias_quant, safe_biases(weights, biases)),
        ]
        self._graph.tensors.update({tensor.name: tensor for tensor in tensors})
        return [tensor.name for tensor in tensors]

    def _check_input(self, name: str, layer: dict[str, Any]) -> None:
        if self._graph.tensor(self._last).quant != _quantization(layer, "x"):
            raise ModelError(f"layer {name} expects another quantization than the layer before it gives")


def _window(layer: dict[str, Any]) -> Window:
    """Half a kernel of padding on every side, less the pixels after the end that no window reaches."""
    kernel = (int(layer["kernel_size"][0]), int(layer["kernel_size"][1]))
    stride, size, out = int(layer["stride"]), int(layer["in_shape"]), int(layer["out_shape"])
    before = (kernel[0] // 2, kernel[1] // 2)
    after = [max((out - 1) * stride + k - size - b, 0) for k, b in zip(kernel, before, strict=True)]
    return Window(kernel, (stride, stride), pad=(before[0], after[0], before[1], after[1]))


def _quantization(layer: dict[str, Any], side: str = "y") -> Quantization:
    """Scales are rounded to float32, so that an exported .tflite computes the same."""
    params = layer["params"]
    return Quantization((float(np.float32(params[f"{side}_scale"])),), (int(params[f"{side}_zero"]),))
