"""Training in integers: block floating point, gradients against the float oracle, roundings of updates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.ir import Graph
from tinyengine.ir.ops import Window
from tinyengine.reference import run
from tinyengine.reference.backward import block_float, integer, real
from tinyengine.reference.backward.block_float import BlockFloat
from tinyengine.reference.backward.integer import ParameterGradient
from tinyengine.reference.backward.update import (
    random_bits,
    stochastic_round,
    update_residual,
    update_steps,
    update_stochastic,
)
from tinyengine.training.factors import headroom, layer_multiplier, multiplier_of, scaling
from tinyengine.training.layers import trainable_layers
from tinyengine.training.selection import dead_channels, weight_scales

from tests.helpers.gradients import NETWORKS, everything, sample, seeded
from tests.helpers.graphs import GraphBuilder

# --- block floating point ---


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=6), st.integers(-60, 30))
def test_normalized_pixels_are_within_half_a_step(sums: list[int], exponent: int) -> None:
    total = np.array([sums], np.int64)
    pixel = block_float.normalize(total, exponent)
    step = 2.0 ** int(pixel.exponent[0])
    # the largest magnitude may round up to 2**15, which int16 does not have
    assert np.abs(pixel.real() - np.ldexp(total.astype(float), exponent)).max() <= step
    assert np.abs(pixel.mantissa).max() <= 32768
    if total.any():
        assert np.abs(pixel.mantissa).max() >= 1 << 14
    else:
        assert pixel.exponent[0] == block_float.ZERO_EXPONENT


def test_roundings_are_the_documented_ones() -> None:
    assert block_float.shift_right(np.array([3, -3, 5, -5, 6]), 1).tolist() == [2, -1, 3, -2, 3]
    assert block_float.shift_right(np.array([7, -7]), 0).tolist() == [7, -7]
    assert block_float.shift_right(np.array([32767 * 32767, -32768 * 32767]), 99).tolist() == [0, 0]
    pixel = block_float.normalize(np.array([[3 << 15, -3]]), 4)
    assert (pixel.mantissa.tolist(), pixel.exponent.tolist()) == ([[24576, -1]], [6])
    pixel = block_float.normalize(np.array([[65535, 2]]), 0)  # 32767.5 would round to 2**15
    assert (pixel.mantissa.tolist(), pixel.exponent.tolist()) == ([[32767, 1]], [1])
    pixel = block_float.normalize(np.array([[5, -2]]), 0)
    assert (pixel.mantissa.tolist(), pixel.exponent.tolist()) == ([[20480, -8192]], [-12])


def test_a_multiplier_is_relative_to_the_largest_channel() -> None:
    factor = multiplier_of(np.array([0.75, 0.25, 0.0, 1e-9]))
    assert (factor.value.tolist(), factor.exponent) == ([24576, 8192, 0, 0], 0)
    assert multiplier_of(np.array([0.99999999])).value.tolist() == [32767]


def test_sums_of_two_gradients() -> None:
    a = BlockFloat(np.array([[20000, -7]]), np.array([3]))
    b = BlockFloat(np.array([[-20000, 24000]]), np.array([0]))
    total = block_float.add(a, b)
    np.testing.assert_allclose(total.real(), a.real() + b.real(), atol=2.0 ** total.exponent[0])
    zero = BlockFloat(np.zeros((1, 2), np.int64), np.array([block_float.ZERO_EXPONENT]))
    np.testing.assert_array_equal(block_float.add(a, zero).real(), a.real())


def test_pixels_beyond_int8_exponents_vanish_or_saturate() -> None:
    tiny = block_float.normalize(np.array([[20000]]), -140)
    assert not tiny.mantissa.any() and tiny.exponent[0] == -128
    huge = block_float.normalize(np.array([[-20000]]), 130)
    assert (huge.mantissa.tolist(), huge.exponent.tolist()) == ([[-32767]], [127])


# --- gradients ---


@pytest.mark.parametrize("name", NETWORKS)
def test_integer_gradients_are_the_real_ones_to_four_digits(name: str) -> None:
    graph: Graph = NETWORKS[name]()
    plan = everything(graph)
    for seed in range(3):
        values = run(graph, [sample(graph, seed)], keep_all=True)
        expected = real.backward(graph, plan, values, seeded(graph, values))
        found = integer.backward(graph, plan, values, seeded(graph, values))
        assert set(found.parameters) == {p for step in plan.steps for p in step.parameters}
        assert set(found.parameters) | set(found.activations) == set(expected)
        for parameter, gradient in found.parameters.items():
            living = living_part(graph, parameter)
            error = np.linalg.norm((gradient.real() - expected[parameter])[living])
            assert error <= 1e-3 * np.linalg.norm(expected[parameter][living]), parameter


def living_part(graph: Graph, parameter: str) -> tuple[object, ...]:
    """Index of what belongs to channels that are not dead."""
    for layer in trainable_layers(graph).all:
        living = ~dead_channels(layer)
        if parameter == layer.bias.name or (parameter == layer.weights.name and not layer.depthwise):
            return (living,)
        if parameter == layer.weights.name:
            return (..., living)
    raise AssertionError(f"{parameter} is no parameter")


@pytest.mark.parametrize("name", NETWORKS)
def test_sums_fit_the_promised_widths(name: str) -> None:
    """Input gradients in int32 for any weights; scaled gradients in int16."""
    graph: Graph = NETWORKS[name]()
    values = run(graph, [sample(graph)], keep_all=True)
    plan = everything(graph)
    found = integer.backward(graph, plan, values, seeded(graph, values))
    for value in found.activations.values():
        assert np.abs(value.mantissa).max() <= 32768
        assert value.exponent.min() >= -128 and value.exponent.max() <= 127
    for step in plan.steps:
        if step.op.kind in real.WEIGHTED:
            g = found.activations[step.op.outputs[0]]
            scaled, _ = block_float.scale_aligned(g, layer_multiplier(step.op, graph), headroom(step.op, graph))
            assert np.abs(scaled).max() <= 32767 >> headroom(step.op, graph)


@pytest.mark.parametrize(("outputs", "kernel", "bits"), [(512, 1, 0), (513, 1, 1), (1024, 1, 1), (120, 3, 2)])
def test_headroom_keeps_input_gradients_in_32_bits(outputs: int, kernel: int, bits: int) -> None:
    build = GraphBuilder()
    build.conv(build.input(1, kernel, kernel, 2), outputs, Window((kernel, kernel)))
    assert headroom(build.graph.operators[0], build.graph) == bits
    assert outputs * kernel**2 * 128 * (32767 >> bits) < 1 << 31


# --- updates ---


def test_random_bits_are_repeatable_even_and_differ_by_step_and_seed() -> None:
    bits = random_bits(7, 3, 0, 1 << 16)
    np.testing.assert_array_equal(bits[1001:1100], random_bits(7, 3, 1001, 99))
    assert bits.min() >= 0 and bits.max() < 1 << 16
    assert bits.mean() == pytest.approx(32767.5, rel=0.01) and bits.std() == pytest.approx(65536 / 12**0.5, rel=0.01)
    for other in (random_bits(8, 3, 0, 1 << 16), random_bits(7, 4, 0, 1 << 16), np.roll(bits, 1)):
        assert abs(np.corrcoef(bits, other)[0, 1]) < 0.02


def test_random_bits_are_the_documented_hash() -> None:
    """Computed step by step with Python's integers."""

    def mix(x: int) -> int:
        x = (x ^ (x >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
        x = (x ^ (x >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
        return x ^ (x >> 16)

    key = mix((123456789 + 42 * 0x9E3779B9) & 0xFFFFFFFF)
    hashes = [mix((key + pair * 0x9E3779B9) & 0xFFFFFFFF) for pair in range(5)]
    expected = [half for value in hashes for half in (value & 0xFFFF, value >> 16)]
    assert random_bits(123456789, 42, 0, 10).tolist() == expected


@pytest.mark.parametrize("d", [0.01, -0.01, 0.5, -0.75, 3.3, -100.2])
def test_stochastic_rounding_is_right_on_average(d: float) -> None:
    count = 1 << 16
    rounded = stochastic_round(np.full(count, d, np.float32), random_bits(1, 0, 0, count))
    assert set(np.unique(rounded)) <= {np.floor(d), np.ceil(d)}
    assert rounded.mean() == pytest.approx(d, abs=4 * (0.5 / count**0.5))


def test_updates_saturate() -> None:
    weights = np.array([-128, 127, 100, -100, 5], np.int8)
    d = np.array([3.0, -3.0, -1e9, 1e30, 2.0], np.float32)
    bits = np.full(5, 65535)
    bits[-1] = 0
    assert update_stochastic(weights, d, bits).tolist() == [-128, 127, 127, -128, 3]
    biases = np.array([2**31 - 2, -(2**31), 7, 0], np.int32)
    d = np.array([-40000.0, 1e30, 20000.75, -1e30], np.float32)
    assert update_stochastic(biases, d, np.zeros(4, np.int64)).tolist() == [2**31 - 1, -(2**31), 7 - 20000, 2**30]


def zero_mean_walk(update: Callable[[np.ndarray, np.ndarray, int], np.ndarray], steps: int = 1000) -> float:
    """Norm after ``steps`` zero-mean updates of 0.01 steps, relative to the norm before; odd number of weights."""
    rng = np.random.default_rng(0)
    start = rng.normal(0, 30, 4001).round().clip(-127, 127).astype(np.int8)
    weights = start
    for step in range(steps):
        weights = update(weights, rng.choice([-0.01, 0.01], len(weights)).astype(np.float32), step)
    return float(np.linalg.norm(weights.astype(float)) / np.linalg.norm(start.astype(float)))


def test_small_zero_mean_updates_leave_the_norm_of_the_weights() -> None:
    """The rounding that the device must have; a C cast, which truncates, loses most of the norm."""
    assert zero_mean_walk(lambda w, d, step: update_stochastic(w, d, random_bits(5, step, 0, len(w)))) == pytest.approx(
        1, abs=0.015
    )
    residuals = np.zeros(4001, np.int8)

    def with_residual(weights: np.ndarray, d: np.ndarray, step: int) -> np.ndarray:
        nonlocal residuals
        weights, residuals = update_residual(weights, residuals, d)
        return weights

    assert zero_mean_walk(with_residual) == pytest.approx(1, abs=0.005)
    assert zero_mean_walk(lambda w, d, step: (w - d).astype(np.int8)) < 0.3


def test_small_updates_add_up() -> None:
    """1000 steps of 0.01 in one direction are 10, with either rounding."""
    weights = np.zeros(4000, np.int8)
    wide, residuals = np.zeros(4000, np.int8), np.zeros(4000, np.int8)
    d = np.full(4000, 0.01, np.float32)
    for step in range(1000):
        weights = update_stochastic(weights, d, random_bits(0, step, 0, 4000))
        wide, residuals = update_residual(wide, residuals, d)
    assert weights.mean() == pytest.approx(-10, abs=0.2)
    # 0.01 is 2.56 / 256, which the residual byte holds as 3 / 256
    assert (wide == round(-1000 * 3 / 256)).all()


@given(st.integers(-128, 127), st.integers(-128, 127), st.floats(-1e6, 1e6, width=32))
def test_the_residual_byte_is_a_16_bit_number(weight: int, residual: int, d: float) -> None:
    found, rest = update_residual(np.array([weight], np.int8), np.array([residual], np.int8), np.array([d], np.float32))
    exact = np.clip(weight + residual / 256 - np.clip(d, -16384, 16384), -128, 127.5)
    assert abs(int(found[0]) + int(rest[0]) / 256 - exact) <= 1 / 256


def test_scaling_makes_integer_steps_real_ones_and_freezes_dead_channels() -> None:
    """w - lr * dL/dw in real numbers, whatever the scale of the integers is."""
    layer = trainable_layers(NETWORKS["inverted residuals"]()).convolutions[4]
    scales, dead = weight_scales(layer), dead_channels(layer)
    assert dead.any() and layer.depthwise
    gradient = ParameterGradient(np.full(layer.weights.shape, 1000, np.int64), -20)
    steps = update_steps(gradient, scaling(layer, bias=False), 0.01, axis=3)
    assert not steps[..., dead].any()
    real_gradient = gradient.real() / scales  # by the real weight
    np.testing.assert_allclose((steps * scales)[..., ~dead], (0.01 * real_gradient)[..., ~dead], rtol=1e-6)
    bias_gradient = ParameterGradient(np.full(layer.out_channels, 77, np.int64), -20)
    steps = update_steps(bias_gradient, scaling(layer, bias=True), 0.01, axis=0)
    bias_scales = scales * layer.x.scale
    np.testing.assert_allclose(
        (steps * bias_scales)[~dead], (0.01 * bias_gradient.real() / bias_scales)[~dead], rtol=1e-6
    )
    assert not steps[dead].any()
