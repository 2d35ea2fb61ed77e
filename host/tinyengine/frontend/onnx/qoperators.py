"""Quantized operators of ONNX (QLinearConv and its like) as what QDQ files have instead: the float operator between
DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _Form:
    """``kind``: the float operator. ``read``: places of values that are followed by their scale and zero point;
    ``written``: that of the output's scale. ``bias``: place of int32 biases, whose scale is the product of the first
    two; -1 for none."""

    kind: str
    read: tuple[int, ...]
    written: int
    bias: int = -1


_FORMS = {
    "QLinearConv": _Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": _Form("MatMul", (0, 3), 6),
    "QGemm": _Form("Gemm", (0, 3), 7, 6),
    "QLinearAdd": _Form("Add", (0, 3), 6),
    "QLinearMul": _Form("Mul", (0, 3), 6),
    "QLinearAveragePool": _Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": _Form("GlobalAveragePool", (0,), 3),
    "QLinearSigmoid": _Form("Sigmoid", (0,), 3),
    "QLinearLeakyRelu": _Form("LeakyRelu", (0,), 3),
    "QLinearSoftmax": _Form("Softmax", (0,), 3),
}
_OURS = ("channels_last", "opset")
"""Attributes that only the quantized operators have."""


def spread(package: Any, nodes: Sequence[Any], constants: dict[str, np.ndarray]) -> list[Any]:
    """``nodes`` without quantized operators; biases in real values are added to ``constants``."""
    result: list[Any] = []
    for node in nodes:
        form = _FORMS.get(node.op_type)
        if node.op_type == "QLinearConcat":
            places = tuple(range(2, len(node.input), 3))
            result += _parts(package, node, _Form("Concat", places, 0), constants)
        elif form is not None and not _is_channels_last(node):
            result += _parts(package, node, form, constants)
        else:
            result.append(node)
    return result


def _rows_are_outputs(node: Any) -> bool:
    """Whether the channels of its weights, which may have a scale each, lie along axis 0."""
    return node.op_type == "QLinearConv" or any(each.name == "transB" and each.i for each in node.attribute)


def _is_channels_last(node: Any) -> bool:
    return any(each.name == "channels_last" and each.i for each in node.attribute)


def _parts(package: Any, node: Any, form: _Form, constants: dict[str, np.ndarray]) -> list[Any]:
    make, given, output = package.helper.make_node, list(node.input), node.output[0]
    nodes, inputs = [], []
    for place in form.read:
        name = f"{output}_real_{place}"
        axis = 0 if place and _rows_are_outputs(node) else 1
        nodes.append(make("DequantizeLinear", _named(given[place : place + 3]), [name], node.name, axis=axis))
        inputs.append(name)
    if 0 <= form.bias < len(given) and given[form.bias]:
        real = _biases(given, form, constants)
        if real is None:
            return [node]
        name = f"{output}_real_bias"
        constants[name] = real
        inputs.append(name)
    attributes = [each for each in node.attribute if each.name not in _OURS]
    middle = make(form.kind, inputs, [f"{output}_real"], node.name)
    middle.attribute.extend(attributes)
    scale = _named(given[form.written : form.written + 2])
    return [*nodes, middle, make("QuantizeLinear", [f"{output}_real", *scale], [output], node.name)]


def _named(names: list[str]) -> list[str]:
    """Without those left out at the end."""
    return names if names[-1] else names[:-1]


def _biases(given: list[str], form: _Form, constants: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """In real values; None where something of them is computed."""
    x, weights = form.read
    names = (given[form.bias], given[x + 1], given[weights + 1])
    if any(name not in constants for name in names):
        return None
    levels, scale, by = (np.asarray(constants[name]) for name in names)
    return (levels.astype(np.float64) * scale * by.reshape(-1)).astype(np.float32)
