"""What the kernels cannot compute is refused in one sentence that names the operator and the way out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tinyengine.cores import ANY
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.ir import OpKind, Quantization
from tinyengine.ir.verify import verify
from tinyengine.kernels.base import LOWERINGS, Target
from tinyengine.kernels.select import lower, lower_generic

from tests.helpers.cases import OpCase, random_cases


def case(family: str, kind: OpKind | None = None) -> OpCase:
    """The first case of a family (with a given kind)."""
    return next(c for c in random_cases(3, family, 50) if kind in (None, c.graph.operators[0].kind))


def refuse(case: OpCase, *words: str) -> None:
    """Lowering raises UnsupportedOperatorError: one sentence with operator, index, remedy, and ``words``."""
    op = case.graph.operators[0]
    with pytest.raises(UnsupportedOperatorError) as caught:
        lower_generic(op, case.graph, Target())
    sentence = str(caught.value)
    assert sentence.startswith(f"{op.kind} '{op.name}' (operator 0, output 'y')")
    assert ": " in sentence and "\n" not in sentence
    for word in words:
        assert word in sentence


def change(case: OpCase, name: str, **fields: object) -> OpCase:
    """The case with another tensor ``name``."""
    case.graph.tensors[name] = replace(case.graph.tensors[name], **fields)
    return case


def test_a_batch_of_two() -> None:
    c = case("conv2d")
    refuse(change(c, "x", shape=(2, *c.graph.tensor("x").shape[1:])), "batch of 1")


def test_an_axis_beyond_16_bits() -> None:
    refuse(change(case("pool"), "x", shape=(1, 1, 70000, 1)), "65535")


def test_16_bit_activations() -> None:
    for family in ("conv2d", "depthwise", "fully_connected", "elementwise", "lut", "pool", "mean", "pad"):
        refuse(change(case(family), "y", dtype="int16"), "int16", "quantize")
    with pytest.raises(ModelError, match="mixes int16, int8"):  # no file comes as far as its kernel
        verify(change(case("softmax"), "x", dtype="int16").graph)


def test_weights_that_are_not_constant() -> None:
    refuse(change(case("fully_connected"), "w", data=None), "'w'", "constant")


def test_float_weights() -> None:
    refuse(change(case("conv2d"), "w", dtype="float32"), "float32", "int8")


def test_asymmetric_weights() -> None:
    c = case("depthwise")
    quant = c.graph.tensor("w").quant
    assert quant is not None
    refuse(change(c, "w", quant=replace(quant, zero_point=(3,) * len(quant.scale))), "zero point")


def test_an_accumulator_that_may_overflow() -> None:
    c = case("fully_connected")
    outputs = c.graph.tensor("w").shape[0]
    wide = np.full((outputs, 70000), 127, np.int8)
    change(c, "x", shape=(1, 70000))
    refuse(change(c, "w", data=wide, shape=wide.shape), "32-bit")


def test_concatenation_of_different_scales() -> None:
    c = case("concat")
    refuse(change(c, "x0", quant=Quantization((0.123,), (1,))), "'x0'", "scale")


def test_a_pool_over_padding_alone() -> None:
    c = case("pool")
    op = c.graph.operators[0]
    window = op.attrs.window
    op.attrs = replace(op.attrs, window=replace(window, pad=(window.kernel[0] + 1, 0, 0, 0)))
    refuse(c, "padding")


def test_softmax_with_an_unusual_scale() -> None:
    refuse(change(case("softmax"), "y", quant=Quantization((0.5,), (0,))), "1/256")


def test_two_constants() -> None:
    c = case("elementwise")
    for name in c.graph.operators[0].inputs:
        change(c, name, data=np.zeros(c.graph.tensor(name).shape, np.int8))
    refuse(c, "constant")


def test_float_where_no_kernel_takes_it() -> None:
    c = case("transpose_conv")
    for name in ("x", "y"):
        change(c, name, dtype="float32")
    with pytest.raises(ModelError, match="mixes float32, int8"):
        verify(c.graph)


def test_a_constant_that_no_kernel_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    c = next(c for c in random_cases(3, "elementwise", 50) if "k" not in c.graph.tensors)
    [op] = c.graph.operators
    call = lower_generic(op, c.graph, Target())
    monkeypatch.setitem(LOWERINGS.entries, (op.kind, None), lambda op, graph, target: call)
    assert lower(op, c.graph, Target(features=ANY)) is call
    change(c, call.inputs[0], data=c.inputs[0])
    with pytest.raises(UnsupportedOperatorError, match=rf"has the constant operand '{call.inputs[0]}': feed it as an"):
        lower(op, c.graph, Target(features=ANY))
