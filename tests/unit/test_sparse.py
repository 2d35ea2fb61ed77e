"""Sparse constants: the dense ones that TFLite makes of them, whatever order, blocks and lists a file has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.raw import read_raw
from tinyengine.ir import Tensor
from tinyengine.reference import run

from tests.helpers.edited import edited, schema
from tests.helpers.graphs import random_inputs
from tests.helpers.tflite_file import tflite_file
from tests.helpers.tflite_reference import run_builtin_ref


@dataclass(frozen=True)
class Layout:
    """Levels from the outermost on, axes of blocks behind the ``rank`` axes; which levels have lists."""

    order: tuple[int, ...]
    blocks: dict[int, int]  # axis: size
    listed: tuple[bool, ...]  # by level


def stored(dense: np.ndarray, layout: Layout) -> tuple[np.ndarray, list[tuple[int, list[int], list[int]]]]:
    """The elements that a file keeps, and for each level (dense size or 0, segments, indices)."""
    shape, blocks = dense.shape, list(layout.blocks)
    split = [n // layout.blocks.get(axis, 1) for axis, n in enumerate(shape)] + [layout.blocks[axis] for axis in blocks]
    outer = dense.reshape([m for axis, n in enumerate(split[: dense.ndim]) for m in (n, layout.blocks.get(axis, 1))])
    place = [2 * axis for axis in range(dense.ndim)] + [2 * axis + 1 for axis in blocks]
    rest = [axis for axis in range(outer.ndim) if axis not in place]
    tree = outer.transpose([*(place[level] for level in layout.order), *rest])
    tree = tree.reshape([split[level] for level in layout.order])
    nodes, levels = [()], []
    for depth, listed in enumerate(layout.listed):
        following: list[tuple[int, ...]] = []
        segments, indices = [0], []
        for node in nodes:
            here = [i for i in range(tree.shape[depth]) if not listed or tree[(*node, i)].any()]
            following += [(*node, i) for i in here]
            indices += here
            segments.append(len(indices))
        nodes = following
        levels.append((0, segments, indices) if listed else (tree.shape[depth], [], []))
    return np.array([tree[node] for node in nodes], dense.dtype), levels


def sparse_file(dense: np.ndarray, layout: Layout, width: int) -> bytes:
    """x + DENSIFY(constant), the constant in ``layout`` with lists of integers of ``width`` bytes."""
    x, y = Tensor("x", dense.shape, "float32"), Tensor("y", dense.shape, "float32")
    constant, whole = Tensor("c", dense.shape, "float32", None, dense), Tensor("d", dense.shape, "float32")
    data = tflite_file(("DENSIFY", [constant], [whole], {}), ("ADD", [x, whole], [y], {"FusedActivationFunction": 0}))
    file = schema()
    kind = {1: "Uint8Vector", 2: "Uint16Vector", 4: "Int32Vector"}[width]

    def numbers(values: list[int]) -> Any:
        vector = getattr(file, f"{kind}T")()
        vector.values = values
        return vector

    def edit(model: Any) -> None:
        tensor = next(t for t in model.subgraphs[0].tensors if t.name in (b"c", "c"))
        elements, levels = stored(dense, layout)
        model.buffers[tensor.buffer].data = elements.view(np.uint8)
        tensor.sparsity = file.SparsityParametersT()
        tensor.sparsity.traversalOrder = list(layout.order)
        tensor.sparsity.blockMap = list(layout.blocks) or None
        tensor.sparsity.dimMetadata = []
        for size, segments, indices in levels:
            metadata = file.DimensionMetadataT()
            metadata.format, metadata.denseSize = (0, size) if size else (1, 0)
            if not size:
                metadata.arraySegmentsType = metadata.arrayIndicesType = getattr(file.SparseIndexVector, kind)
                metadata.arraySegments, metadata.arrayIndices = numbers(segments), numbers(indices)
            tensor.sparsity.dimMetadata.append(metadata)

    return edited(data, edit)


def case(seed: int) -> tuple[np.ndarray, Layout, int]:
    """TFLite itself takes blocks inside of all levels of axes only, and never has lists inside of blocks."""
    r = np.random.default_rng(seed)
    rank = int(r.integers(1, 4))
    blocks = {axis: int(r.integers(2, 4)) for axis in range(rank) if r.random() < 0.4}
    shape = [int(r.integers(1, 5)) * blocks.get(axis, 1) for axis in range(rank)]
    dense = np.float32(r.normal(size=shape) * (r.random(shape) < 0.4))
    dense.flat[0] = 1  # a constant of zeros alone has no bytes
    order = (*r.permutation(rank).tolist(), *range(rank, rank + len(blocks)))
    listed = tuple(bool(r.random() < 0.6) and level < rank for level in order)
    return dense, Layout(order, blocks, listed), int(r.choice([1, 2, 4]))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30))
def test_any_layout_is_the_dense_constant(seed: int) -> None:
    dense, layout, width = case(seed)
    raw = read_raw(sparse_file(dense, layout, width))
    constant = next(t for t in raw.tensors if t.data.size)
    np.testing.assert_array_equal(constant.data.view(np.float32).reshape(dense.shape), dense)


@pytest.mark.parametrize(
    "layout",
    [Layout((0, 1, 2), {}, (False, False, True)), Layout((0, 1, 2, 3), {2: 4}, (False, False, True, False))],
)
def test_tflite_computes_the_same(layout: Layout) -> None:
    dense = np.zeros((1, 3, 8), np.float32)
    dense[0, 0, 1:4], dense[0, 2, 7] = (1, -2, 3), 0.5
    model = sparse_file(dense, layout, 1)
    graph = parse_tflite(model)
    inputs = random_inputs(graph, 1)
    np.testing.assert_array_equal(run(graph, inputs)[0], run_builtin_ref(model, inputs)[0])
    np.testing.assert_array_equal(run(graph, inputs)[0], inputs[0] + dense)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30))
def test_damaged_lists_are_one_sentence(seed: int) -> None:
    r = np.random.default_rng(seed)
    data = bytearray(sparse_file(*case(seed)))
    for _ in range(3):
        data[int(r.integers(8, len(data)))] = int(r.integers(256))
    try:
        parse_tflite(bytes(data))
    except ModelError as error:
        assert "\n" not in str(error)
