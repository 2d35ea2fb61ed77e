"""What a wrong detector costs: which cells of its grid stand for which box, and how far off they are."""

from __future__ import annotations

import math
from typing import Any

from tinyengine.data.box_pictures import COUNTS, IGNORED
from tinyengine.optional import tensorflow
from tinyengine.zoo.detector import REACH, SIZE

NEAR = 1.5
"""Cells whose middles are so near to a box's centre, in each direction and inside it, answer for it."""
BOX_WEIGHT = 2.0


class BoxLoss:
    """Of a detector's outputs (N, rows, columns, 5 or 5 + ``classes``), by TensorFlow."""

    def __init__(self, classes: int) -> None:
        self._tf, self._classes = tensorflow("train a detector"), classes

    def of(self, outputs: Any, targets: Any) -> Any:
        """Quality focal loss of the score (Li et al., 2020: its target is how well the box fits), 1 - GIoU of the boxes
        (Rezatofighi et al., 2019) and the cross entropy of the classes, per cell that answers for a box.

        ``targets``: boxes (N, K, 6), as ``data.box_pictures`` has them with zeros behind."""
        tf = self._tf
        rows, columns = outputs.shape[1:3]
        cells = tf.reshape(outputs, (-1, rows * columns, outputs.shape[3]))
        there = tf.where(tf.reduce_any(targets[..., 5] != 0, axis=0))[:, 0]  # of crowds' many places few are taken
        targets = tf.gather(targets, tf.concat([[0], there], axis=0), axis=1)
        answers, silent, own = self.assigned(targets, rows, columns)
        count = tf.maximum(tf.reduce_sum(answers), 1.0)
        shared, fit = self._fit(self.decoded(cells, rows, columns), own)
        quality = tf.stop_gradient(shared) * answers
        chance = tf.sigmoid(cells[..., 4])
        score = tf.nn.sigmoid_cross_entropy_with_logits(quality, cells[..., 4]) * tf.square(quality - chance)
        loss = tf.reduce_sum(score * (1 - silent)) / count + BOX_WEIGHT * tf.reduce_sum((1 - fit) * answers) / count
        if self._classes > 1:
            wanted = tf.cast(own[..., 4], tf.int32)
            entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, cells[..., 5:])
            loss += tf.reduce_sum(entropy * answers) / count
        return loss

    def _middles(self, rows: int, columns: int) -> Any:
        """(cells, 2): x and y, in cells."""
        tf = self._tf
        x, y = tf.meshgrid(tf.range(columns, dtype=tf.float32) + 0.5, tf.range(rows, dtype=tf.float32) + 0.5)
        return tf.stack([tf.reshape(x, (-1,)), tf.reshape(y, (-1,))], axis=1)

    def decoded(self, cells: Any, rows: int, columns: int) -> Any:
        """Edges (N, cells, 4) as ``data.boxes`` computes them."""
        tf = self._tf
        grid = tf.constant([columns, rows], tf.float32)
        centre = (self._middles(rows, columns) + REACH * (tf.sigmoid(cells[..., :2]) - 0.5)) / grid
        half = tf.exp(tf.clip_by_value(cells[..., 2:4], -8.0, math.log(1 / min(SIZE)) + 1)) * tf.constant(SIZE) / 2
        return tf.concat([centre - half, centre + half], axis=2)

    def assigned(self, boxes: Any, rows: int, columns: int) -> tuple[Any, Any, Any]:
        """Of each cell: 1 where it answers for a box; 1 where its score counts neither way; the box (N, cells, 6),
        the smallest of those that claim it."""
        tf = self._tf
        grid = tf.constant([columns, rows], tf.float32)
        middles = self._middles(rows, columns)[None, :, None]
        low, high = (edge[:, None] * grid for edge in (boxes[..., :2], boxes[..., 2:4]))
        centre = (low + high) / 2
        inside = tf.reduce_all((middles > low) & (middles < high), axis=3)
        near = tf.reduce_all(tf.abs(middles - centre) < NEAR, axis=3) & inside
        there = tf.reduce_all(tf.floor(centre) == tf.floor(middles), axis=3)
        counts = (boxes[..., 5] == COUNTS)[:, None]
        claims = counts & (near | there)
        area = tf.reduce_prod(high - low, axis=3)
        smallest = tf.argmin(tf.where(claims, area, 1e9), axis=2)
        answers = tf.cast(tf.reduce_any(claims, axis=2), tf.float32)
        ignored = tf.reduce_any((inside | there) & (boxes[..., 5] == IGNORED)[:, None], axis=2)
        return answers, tf.cast(ignored, tf.float32) * (1 - answers), tf.gather(boxes, smallest, batch_dims=1)

    def _fit(self, edges: Any, wanted: Any) -> tuple[Any, Any]:
        """Intersection over union, and its generalization."""
        tf = self._tf

        def area(low: Any, high: Any) -> Any:
            return tf.reduce_prod(tf.maximum(high - low, 0.0), axis=2)

        (low, high), (wanted_low, wanted_high) = ((box[..., :2], box[..., 2:4]) for box in (edges, wanted))
        both = area(tf.maximum(low, wanted_low), tf.minimum(high, wanted_high))
        union = area(low, high) + area(wanted_low, wanted_high) - both + 1e-9
        hull = area(tf.minimum(low, wanted_low), tf.maximum(high, wanted_high)) + 1e-9
        return both / union, both / union - (hull - union) / hull
