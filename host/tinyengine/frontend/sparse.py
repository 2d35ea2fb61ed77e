"""Sparse constants of .tflite files made dense: a device reads every weight anyway, in the order of its loop.

A file stores the elements of a sparse tensor in an order of its own: along each level, one axis or the inside of a
block of one, either all indices follow each other or lists tell which are there. Format: schema.fbs of TensorFlow
Lite, table SparsityParameters.
"""

from __future__ import annotations

from math import prod

import numpy as np
import tflite

from tinyengine.errors import ModelError
from tinyengine.ir.verify import MAX_ELEMENTS

_LISTS = {
    tflite.SparseIndexVector.Int32Vector: tflite.Int32Vector,
    tflite.SparseIndexVector.Uint16Vector: tflite.Uint16Vector,
    tflite.SparseIndexVector.Uint8Vector: tflite.Uint8Vector,
}


def dense_bytes(data: np.ndarray, shape: tuple[int, ...], sparsity: tflite.SparsityParameters) -> np.ndarray:
    """The stored elements ``data`` (uint8, as the file has them) among zeros, as the uint8 of a tensor of ``shape``.

    ModelError where the lists contradict each other or ``shape``.
    """
    order = np.atleast_1d(sparsity.TraversalOrderAsNumpy()).tolist()
    blocks = np.atleast_1d(sparsity.BlockMapAsNumpy()).tolist() if sparsity.BlockMapLength() else []
    rank, levels = len(shape), sparsity.DimMetadataLength()
    fits = rank + len(blocks) == levels and sorted(order) == list(range(levels)) and all(0 <= b < rank for b in blocks)
    if not fits or not 0 < prod(shape) <= MAX_ELEMENTS:
        raise _damaged()
    sizes = [0] * levels  # of levels with lists unknown
    index = np.zeros((levels, 1), np.int64)
    for level, axis in enumerate(order):
        metadata = sparsity.DimMetadata(level)
        if metadata.Format() == tflite.DimensionType.DENSE:
            sizes[axis] = metadata.DenseSize()
            index = _all_follow(index, axis, sizes[axis], prod(shape))
        else:
            index = _listed(index, axis, metadata, prod(shape))
    for inside, axis in enumerate(blocks, rank):  # the index of an axis counts its blocks so far
        if not sizes[inside]:
            raise _damaged()
        index[axis] = index[axis] * sizes[inside] + index[inside]
    count = index.shape[1]
    width = data.size // count if count else 1
    outside = index[:rank] >= np.reshape(shape, (rank, 1))
    if data.size != count * width or width not in (1, 2, 4, 8) or outside.any():
        raise _damaged()
    dense = np.zeros((*shape, width), np.uint8)
    dense[tuple(index[:rank])] = data.reshape(count, width)
    return dense.reshape(-1)


def _all_follow(index: np.ndarray, axis: int, size: int, most: int) -> np.ndarray:
    if not 0 < size <= most or index.shape[1] * size > most:
        raise _damaged()
    longer = np.repeat(index, size, axis=1)
    longer[axis] = np.tile(np.arange(size), index.shape[1])
    return longer


def _listed(index: np.ndarray, axis: int, metadata: tflite.DimensionMetadata, most: int) -> np.ndarray:
    """Of node i of the level before, the indices from segments[i] to segments[i + 1] of a list are there."""
    segments = _numbers(metadata.ArraySegmentsType(), metadata.ArraySegments())
    listed = _numbers(metadata.ArrayIndicesType(), metadata.ArrayIndices())
    counts = np.diff(segments)
    consistent = segments.size == index.shape[1] + 1 and segments[0] == 0 and segments[-1] == listed.size
    if not consistent or (counts < 0).any() or (listed < 0).any() or listed.size > most:
        raise _damaged()
    longer = np.repeat(index, counts, axis=1)
    longer[axis] = listed
    return longer


def _numbers(kind: int, table: object) -> np.ndarray:
    if kind not in _LISTS or table is None:
        raise _damaged()
    vector = _LISTS[kind]()
    vector.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    return np.atleast_1d(vector.ValuesAsNumpy()).astype(np.int64)[: vector.ValuesLength()]


def _damaged() -> ModelError:
    return ModelError("a sparse constant contradicts its own lists: the file is damaged, convert the model again")
