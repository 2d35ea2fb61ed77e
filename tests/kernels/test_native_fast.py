"""The fast native build (AVX2 twins) against the portable kernels: the same bytes, under sanitizers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Activation, Window
from tinyengine.native import build
from tinyengine.native.build import host_compiler, run_steps
from tinyengine.native.library import AVX2, REPLACED, library_sources, processor_macros
from tinyengine.step import Sample, Update
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme

from tests.helpers.graphs import GraphBuilder
from tests.helpers.training_networks import NETWORKS, Given, network, same

RELU6 = Activation.RELU6
POINT = Window((1, 1))


def even_lanes(b: GraphBuilder) -> None:
    """Channels in whole vectors: all depthwise kernels and strides, pictures with odd sides."""
    x = b.conv(b.input(1, 11, 9, 3), 16, same(3), RELU6)
    for kernel, stride in ((7, 1), (5, 2), (3, 1), (3, 2)):
        x = b.conv(x, 48, POINT, RELU6)
        x = b.conv(b.depthwise(x, same(kernel, stride), 1, RELU6), 32, POINT)
    b.output(b.dense(b.mean(x, (1, 2)), 6))


def rests(b: GraphBuilder) -> None:
    """Channels that leave a rest behind whole vectors, and a residual."""
    x = b.conv(b.input(1, 8, 8, 3), 24, same(3, 2), RELU6)
    y = b.conv(b.depthwise(b.conv(x, 40, POINT, RELU6), same(5), 1, RELU6), 24, POINT)
    x = b.binary(OpKind.ADD, x, y)
    y = b.conv(b.depthwise(b.conv(x, 56, POINT, RELU6), same(3, 2), 1, RELU6), 72, POINT)
    b.output(b.dense(b.mean(y, (1, 2)), 4))


def samples(graph: Graph, count: int, rate: float, batch: int = 1) -> list[Given]:
    """With momentum where they come in batches."""
    rng = np.random.default_rng(3)
    classes = trainable_layers(graph).classifier.out_channels
    shape = graph.tensor(graph.input_tensors()[0]).shape
    pictures = [rng.integers(-128, 128, shape, np.int8) for _ in range(count)]
    momentum = 0.9 if batch > 1 else 0.0
    return [
        (x, Sample(n % classes, classes), Update(rate, 7, n, momentum, batch, n % batch))
        for n, x in enumerate(pictures)
    ]


lanes = pytest.mark.skipif(
    "__AVX2__" not in processor_macros(host_compiler()), reason="this processor has no AVX2: there is one build only"
)


@pytest.mark.slow(but=2)
@lanes
@pytest.mark.parametrize("build_network", [*NETWORKS, even_lanes, rests], ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    "share,ratio,residual,rate,batch",
    [(1.0, 0.4, True, 0.03, 1), (1.0, 1.0, False, 0.03, 1), (0.5, 0.3, False, 1e6, 1), (1.0, 1.0, False, 0.03, 2)],
)
def test_the_same_steps(
    build_network: Callable[[GraphBuilder], None], share: float, ratio: float, residual: bool, rate: float, batch: int
) -> None:
    """``share`` of the convolutions is trained, the others run on the kernels of inference; the highest rate leaves the
    range that lanes round in."""
    graph = network(build_network, 5)
    count = len(trainable_layers(graph).convolutions)
    last = max(1, round(share * count))
    # a multiplier and a single channel are trained whole or not at all
    trained = range(count - last, count) if build_network not in NETWORKS[1:2] else ()
    scheme = UpdateScheme("some", last, {index: ratio for index in trained})
    compiled = compile_graph(graph, CompileOptions(train=scheme, residual=residual, velocity=batch > 1))
    assert compiled.training is not None
    size, given = compiled.training.layout.size, samples(graph, 4, rate, batch)
    assert run_steps(compiled, size, given, fast=True) == run_steps(compiled, size, given, sanitize=False)


@pytest.mark.slow
@lanes
@pytest.mark.parametrize("requant", ["exact", "fast"])
@pytest.mark.parametrize("build_network", [even_lanes, rests], ids=lambda build: build.__name__)
def test_the_same_inference(build_network: Callable[[GraphBuilder], None], requant: str) -> None:
    compiled = compile_graph(network(build_network, 6), CompileOptions(requant=requant))
    portable, fast = build(compiled), build(compiled, fast=True)
    for x, _, _ in samples(compiled.graph, 5, 0.0):
        for ours, theirs in zip(portable.run([x]), fast.run([x]), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_replacements_name_what_there_is() -> None:
    library = {path.name: path.read_text() for path in library_sources()}
    twins = "\n".join(path.read_text() for path in AVX2.glob("*.c"))
    for file, functions in REPLACED.items():
        assert file in library
        for name in functions:
            assert re.search(rf"\b{name}\b", library[file]), (file, name)
            assert re.search(rf"\b{name}\b", twins), name
