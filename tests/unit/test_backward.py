"""Gradients: the float oracle against TensorFlow and finite differences, the integers against the float oracle."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.errors import UnsupportedOperatorError
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import (
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    MeanAttrs,
    NoAttrs,
    PoolAttrs,
    Window,
)
from tinyengine.reference import run
from tinyengine.reference.backward import real
from tinyengine.reference.backward.loss import exp_negative, loss_gradient, softmax
from tinyengine.reference.windows import pad_picture, taps
from tinyengine.training.autodiff import plan_scheme
from tinyengine.training.factors import clamp_range, pool_counts
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme

from tests.helpers.gradients import LABEL, NETWORKS, assorted, everything, inverted_residuals, sample, seeded
from tests.helpers.graphs import GraphBuilder

# --- against TensorFlow ---


def tensorflow_gradients(graph: Graph, values: dict[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
    """Gradients by TensorFlow's tape over the dequantized network; roundings pass gradients straight through."""
    tf = pytest.importorskip("tensorflow")
    constants = {t.name: tf.Variable(t.data.astype(float)) for t in graph.constants() if t.data is not None}
    layer = trainable_layers(graph).classifier

    def through(real_value, name: str, op: Operator):
        """The integers of the forward pass, with the gradient of ``real_value`` where they are not clamped."""
        low, high = clamp_range(op, graph)
        y = values[name].astype(float)
        free = tf.where((y > low) & (y < high), real_value, tf.stop_gradient(real_value))
        return free + tf.stop_gradient(y - free)

    with tf.GradientTape() as tape:
        q = {name: tf.constant(values[name].astype(float)) for name in graph.input_tensors()}
        logits = None
        for op in graph.operators:
            x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
            x_real = (q[x.name] - x.zero_point) * x.scale
            if op.kind in real.WEIGHTED:
                w_quant = graph.tensor(op.inputs[1]).quant
                assert w_quant is not None
                scales = np.broadcast_to(np.array(w_quant.scale), graph.tensor(op.inputs[2]).shape)
                w, b = constants[op.inputs[1]], constants[op.inputs[2]] * scales * x.scale
                match op.attrs:
                    case Conv2DAttrs(window=window):
                        kernel = tf.einsum(
                            "ak,bl,okli->abio", *spreads(window), w * scales[:, None, None, None]
                        )  # TensorFlow has no gradient of dilated convolutions
                        out = tf.nn.conv2d(padded(tf, x_real, window), kernel, window.stride, "VALID")
                    case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
                        kernel = tf.reshape(w * scales, (*window.kernel, x.shape[-1], multiplier))
                        strides = (1, *window.stride, 1)
                        out = tf.nn.depthwise_conv2d(padded(tf, x_real, window), kernel, strides, "VALID")
                    case _:
                        out = tf.reshape(x_real, (1, -1)) @ tf.transpose(w * scales[:, None])
                out = out + b
                if op is layer.op:
                    logits = out
                    break
            else:
                match op.attrs:
                    case ElementwiseAttrs():
                        other = graph.tensor(op.inputs[1])
                        out = x_real + (q[other.name] - other.zero_point) * other.scale
                    case PoolAttrs(window=window):
                        ones = tf.ones_like(x_real)
                        sums = [
                            tf.nn.avg_pool2d(padded(tf, v, window), window.kernel, window.stride, "VALID")
                            for v in (x_real, ones)
                        ]
                        out = sums[0] / sums[1]
                    case MeanAttrs(axes=axes, keep_dims=keep):
                        out = tf.reduce_mean(x_real, axes, keepdims=keep)
                    case _:
                        assert isinstance(op.attrs, NoAttrs)
                        q[y.name] = tf.reshape(q[x.name], y.shape)
                        continue
            q[y.name] = through(out / y.scale + y.zero_point, y.name, op)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits([LABEL], logits)
    found = tape.gradient(loss, [constants[name] for name in names])
    return {name: value.numpy() for name, value in zip(names, found, strict=True)}


def spreads(window: Window) -> list[np.ndarray]:
    """Where the taps of a dilated kernel lie in one with zeros between them: (reach, kernel) ones, rows and columns."""
    return [
        np.eye((kernel - 1) * dilation + 1)[:, ::dilation]
        for kernel, dilation in zip(window.kernel, window.dilation, strict=True)
    ]


def padded(tf, x, window: Window):
    top, bottom, left, right = window.pad
    return tf.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_tensorflows(name: str) -> None:
    graph = NETWORKS[name]()
    plan = everything(graph)
    values = run(graph, [sample(graph)], keep_all=True)
    gradients = real.backward(graph, plan, values, seeded(graph, values))
    parameters = [p for step in plan.steps for p in step.parameters]
    assert len(parameters) == 2 * len(trainable_layers(graph).all)
    expected = tensorflow_gradients(graph, values, parameters)
    for parameter in parameters:
        scale = np.abs(expected[parameter]).max()
        assert scale > 0, parameter
        np.testing.assert_allclose(gradients[parameter] / scale, expected[parameter] / scale, atol=1e-5)


def test_some_outputs_are_clamped_inside_the_int8_range() -> None:
    """So that the comparison above sees masks at work."""
    graph = assorted()
    values = run(graph, [sample(graph)], keep_all=True)
    clamped = {op.name: 1 - real.clamp_mask(op, graph, values[op.outputs[0]]).mean() for op in graph.operators[:5]}
    assert sum(share > 0.05 for share in clamped.values()) >= 3, clamped
    assert clamp_range(graph.operators[0], graph)[0] > -128


# --- against finite differences ---


def relaxed_loss(graph: Graph, x: np.ndarray, constants: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Cross-entropy of the network without its roundings, and all its (real) values."""
    layer = trainable_layers(graph).classifier
    values = {**constants, graph.input_tensors()[0]: x.astype(float)}
    for op in graph.operators:
        first, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        centred = values[first.name] - first.zero_point
        match op.attrs:
            case ElementwiseAttrs():
                other = graph.tensor(op.inputs[1])
                out = centred * first.scale + (values[other.name] - other.zero_point) * other.scale
            case PoolAttrs(window=window):
                total = sum(p for _, _, p in taps(pad_picture(centred[0], window, 0), window, *y.shape[1:3]))
                out = total / pool_counts(op, graph)[..., None] * first.scale
            case MeanAttrs(axes=axes):
                out = centred.mean(axis=axes) * first.scale
            case NoAttrs():
                values[y.name] = values[first.name].reshape(y.shape)
                continue
            case _:
                acc = accumulators(op, centred, values[op.inputs[1]]) + values[op.inputs[2]]
                out = acc.reshape(y.shape) * real.effective_scales(op, graph) * y.scale
        if op is layer.op:
            logits = out.reshape(-1)
            return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[LABEL]), values
        values[y.name] = np.clip((out / y.scale + y.zero_point).reshape(y.shape), *clamp_range(op, graph))
    raise AssertionError("the network has no classifier")


def accumulators(op: Operator, centred: np.ndarray, w: np.ndarray) -> np.ndarray:
    match op.attrs:
        case Conv2DAttrs(window=window):
            patches = taps(pad_picture(centred[0], window, 0), window, *window.output_size(*centred.shape[1:3]))
            return sum(p @ w[:, ky, kx].T for ky, kx, p in patches)
        case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
            picture = pad_picture(np.repeat(centred[0], multiplier, axis=-1), window, 0)
            return sum(
                p * w[0, ky, kx] for ky, kx, p in taps(picture, window, *window.output_size(*centred.shape[1:3]))
            )
        case _:
            return w @ centred.reshape(-1)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_finite_differences(name: str) -> None:
    graph = NETWORKS[name]()
    plan = everything(graph)
    constants = {t.name: t.data.astype(float) for t in graph.constants() if t.data is not None}
    x = sample(graph)
    _, values = relaxed_loss(graph, x, constants)
    layer = trainable_layers(graph).classifier
    logits = accumulators(layer.op, values[layer.x.name] - layer.x.zero_point, values[layer.weights.name])
    logits = (logits + layer.bias.data) * real.effective_scales(layer.op, graph) * layer.y.scale
    exps = np.exp(logits.reshape(-1) - logits.max())
    gradients = real.backward(graph, plan, values, loss_gradient(exps / exps.sum(), LABEL, layer.y.scale))
    rng = np.random.default_rng(0)
    for parameter in [p for step in plan.steps for p in step.parameters]:
        steepest = np.abs(gradients[parameter]).argmax()
        for index in {int(steepest), *rng.integers(0, gradients[parameter].size, 3).tolist()}:
            at = np.unravel_index(index, gradients[parameter].shape)
            step = 1e-3 if parameter.endswith("bias") or len(at) == 1 else 1e-5
            losses = []
            for sign in (1, -1):
                moved = constants[parameter].copy()
                moved[at] += sign * step
                losses.append(relaxed_loss(graph, x, {**constants, parameter: moved})[0])
            scale = np.abs(gradients[parameter]).max()
            assert scale > 0, parameter
            assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(gradients[parameter][at], abs=1e-4 * scale)


# --- what is differentiated ---


def test_gradients_that_lead_nowhere_are_not_computed() -> None:
    graph = inverted_residuals()
    layers = trainable_layers(graph)
    plan = plan_scheme(graph, UpdateScheme("last-layer"))
    assert [step.op for step in plan.steps] == [layers.classifier.op]
    assert plan.steps[0].inputs == () and plan.mask_bits(graph) == 0
    assert plan.saved_inputs == (layers.classifier.x.name,)

    plan = plan_scheme(graph, UpdateScheme("s", 3, {13: 0.5}))
    first = plan.steps[-1]
    assert first.op is layers.convolutions[-3].op and first.inputs == () and not first.saves_input
    assert plan.saved_inputs == (layers.classifier.x.name, layers.convolutions[13].x.name)
    assert plan.mask_bits(graph) == sum(layer.y.elements for layer in layers.convolutions[-3:])


def test_a_residual_is_followed_only_where_something_is_trained() -> None:
    graph = inverted_residuals()
    layers = trainable_layers(graph)
    add = [op for op in graph.operators if op.kind is OpKind.ADD][-1]
    plan = plan_scheme(graph, UpdateScheme("s", 4))  # the last block and one convolution before its residual
    (step,) = [step for step in plan.steps if step.op is add]
    assert step.inputs == (layers.convolutions[-4].y.name,)


def test_an_operator_without_gradient_is_named_with_the_way_out() -> None:
    build = GraphBuilder(3)
    a = build.conv(build.input(1, 8, 8, 2), 4, Window((3, 3), pad=(1, 1, 1, 1)))
    b = build.conv(build.pool(OpKind.MAX_POOL_2D, a, Window((2, 2), (2, 2))), 4, Window((1, 1)))
    build.output(build.dense(b, 3))
    graph = build.graph
    plan_scheme(graph, UpdateScheme("s", 1))
    with pytest.raises(UnsupportedOperatorError) as error:
        plan_scheme(graph, UpdateScheme("s", 2))
    pool, second = graph.operators[1].name, graph.operators[2].name
    assert str(error.value) == (
        f"MAX_POOL_2D '{pool}' has no gradient: convolution 1 ('{second}') is the earliest that can be trained"
    )


# --- the loss ---


def test_our_exponential_is_exact_to_a_few_units_in_the_last_place() -> None:
    x = np.concatenate([-np.logspace(-6, 1.93, 2000), [0.0]]).astype(np.float32)
    ours = np.array([exp_negative(v) for v in x])
    np.testing.assert_allclose(ours, np.exp(x.astype(float)), rtol=4e-7)
    assert exp_negative(np.float32(0)) == 1 and exp_negative(np.float32(-90)) == 0


def test_softmax_sums_to_one_and_survives_large_logits() -> None:
    p = softmax(np.array([1000.0, 998.0, -1000.0], np.float32))
    np.testing.assert_allclose(p, [0.880797, 0.119203, 0.0], atol=1e-6)
    assert loss_gradient(p, 0, 0.5).sum() == pytest.approx(0, abs=1e-7)
