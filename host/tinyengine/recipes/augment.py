"""Augmentation of a batch of pictures inside the training graph, reproducible from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyengine.data.box_pictures import IGNORED


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures are changed; every amount may be 0."""

    min_area: float = 0.5  # smallest share of the picture that a crop keeps
    aspect: float = 1.33  # a crop may be stretched by up to this factor
    brightness: float = 0.25  # of the full range
    contrast: float = 0.35  # factors 1 - c to 1 + c
    saturation: float = 0.5  # factors 1 - s to 1 + s
    gray: float = 0.08  # share of the pictures turned gray
    cutout: float = 0.0  # share of the pictures that lose a square of up to half their side
    mixup: float = 0.0  # share of the batches whose pictures are blended in pairs


def augment(pixels: Any, targets: Any, resolution: int, how: Augmentation, seed: Any) -> tuple[Any, Any]:
    """Crop, flip and recolour: (N, S, S, 3) uint8 -> (N, R, R, 3) float32 in [-1, 1), with the (N, K) targets.

    ``seed`` is an int32 pair; the same seed gives the same batch. The crop is sampled at twice the resolution and
    averaged 2x2, which stands for the antialiasing that pictures get when they are resized for inference.
    """
    import tensorflow as tf  # the caller has checked that it is there; anything else here would be traced

    count = tf.shape(pixels)[0]
    keys = tf.unstack(tf.random.experimental.stateless_split(seed, 12))
    uniform = _uniform(tf, count, keys)
    rows, columns = _window(tf, uniform, how)
    x = _recolored(tf, _crop(tf, pixels, rows, columns, resolution) / 128.0 - 1.0, uniform, how)

    if how.cutout > 0:
        x = _cut_out(tf, x, resolution, how.cutout, uniform(9, 0.0, 1.0, 4))
    if how.mixup > 0:
        mixed, share = tf.unstack(tf.random.stateless_uniform((2,), keys[10]))
        share = tf.where(mixed < how.mixup, share, 1.0)
        x = share * x + (1 - share) * tf.reverse(x, [0])
        targets = share * targets + (1 - share) * tf.reverse(targets, [0])
    return x, targets


def augment_boxes(
    pixels: Any, boxes: Any, resolution: int, how: Augmentation, mosaic: float, seed: Any
) -> tuple[Any, Any]:
    """:func:`augment` (without cutout and mixup) of pictures with boxes (N, K, 6), as ``data.box_pictures`` has them
    with zeros behind: (N, R, R, 3), and boxes (N, 4 K, 6).

    ``mosaic``: the share of the pictures that are put together from four, each of half the size. A box that a crop
    leaves too little of counts as IGNORED, one that it leaves nothing of becomes zeros.
    """
    import tensorflow as tf

    keys = tf.unstack(tf.random.experimental.stateless_split(seed, 12))
    count = tf.shape(pixels)[0]
    uniform = _uniform(tf, count, keys)
    (top, bottom), (left, right) = rows, columns = _window(tf, uniform, how)
    x = _recolored(tf, _crop(tf, pixels, rows, columns, resolution) / 128.0 - 1.0, uniform, how)

    first = tf.stack([left, top], axis=1)[:, None]
    side = tf.stack([right - left, bottom - top], axis=1)[:, None]  # negative where the picture is flipped
    ends = (boxes[..., :2] - first) / side, (boxes[..., 2:4] - first) / side
    low, high = tf.minimum(*ends), tf.maximum(*ends)
    inner_low, inner_high = (tf.clip_by_value(end, 0.0, 1.0) for end in (low, high))
    area = tf.reduce_prod(inner_high - inner_low, axis=2)
    share = area / tf.maximum(tf.reduce_prod(high - low, axis=2), 1e-9)
    state = tf.where((share < _LEAST_SHARE) | (area < _LEAST_AREA), IGNORED, boxes[..., 5])
    state = tf.where((area <= 0) | (boxes[..., 5] == 0), 0.0, state)
    boxes = tf.concat([inner_low, inner_high, boxes[..., 4:5], state[..., None]], axis=2) * tf.abs(state)[..., None]

    half = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    four = [tf.roll(half, k, 0) for k in range(4)]
    together = tf.concat([tf.concat(four[:2], axis=2), tf.concat(four[2:], axis=2)], axis=1)
    scale = tf.constant([0.5, 0.5, 0.5, 0.5, 1.0, 1.0])
    moved = []
    for k in range(4):
        shift = tf.constant([k % 2, k // 2, k % 2, k // 2, 0, 0], tf.float32) / 2
        theirs = tf.roll(boxes, k, 0)
        moved.append(theirs * scale + shift * tf.abs(theirs[..., 5:]))
    alone = tf.concat([boxes, *(tf.zeros_like(boxes) for _ in range(3))], axis=1)
    chosen = (uniform(11, 0.0, 1.0) < mosaic)[:, None, None]
    return tf.where(chosen[..., None], together, x), tf.where(chosen, tf.concat(moved, axis=1), alone)


_LEAST_SHARE = 0.3
_LEAST_AREA = 0.001
"""Of a box that a crop has cut, to its own and to the picture's area."""


def _uniform(tf: Any, count: Any, keys: Any) -> Any:
    """Random numbers for each of ``count`` pictures, by the number of a key."""

    def uniform(key: int, low: float, high: float, *shape: int) -> Any:
        return tf.random.stateless_uniform((count, *shape), keys[key], low, high)

    return uniform


def _window(tf: Any, uniform: Any, how: Augmentation) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """(top, bottom), (left, right) of the crops, (N,) shares; left and right change places where a picture is
    flipped."""
    area = uniform(0, how.min_area, 1.0)
    stretch = tf.exp(uniform(1, -1.0, 1.0) * 0.5 * tf.math.log(how.aspect))
    height = tf.minimum(tf.sqrt(area) * stretch, 1.0)
    width = tf.minimum(tf.sqrt(area) / stretch, 1.0)
    top, left = uniform(2, 0.0, 1.0) * (1 - height), uniform(3, 0.0, 1.0) * (1 - width)
    right = left + width
    flip = uniform(4, 0.0, 1.0) < 0.5
    left, right = tf.where(flip, right, left), tf.where(flip, left, right)
    return (top, top + height), (left, right)


def _recolored(tf: Any, x: Any, uniform: Any, how: Augmentation) -> Any:
    gray = tf.reduce_mean(x, axis=3, keepdims=True)
    keep_colour = uniform(5, 1 - how.saturation, 1 + how.saturation, 1, 1, 1)
    keep_colour = tf.where(uniform(6, 0.0, 1.0, 1, 1, 1) < how.gray, 0.0, keep_colour)
    x = gray + (x - gray) * keep_colour
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = mean + (x - mean) * uniform(7, 1 - how.contrast, 1 + how.contrast, 1, 1, 1)
    x = x + 2 * uniform(8, -how.brightness, how.brightness, 1, 1, 1)
    return tf.clip_by_value(x, -1.0, 127 / 128)


def _crop(tf: Any, pixels: Any, rows: tuple[Any, Any], columns: tuple[Any, Any], resolution: int) -> Any:
    """(N, S, S, 3) uint8 -> (N, R, R, 3) float32: each picture between two (N,) shares of its height and its width.

    Bilinear samples at twice the resolution, averaged 2x2. Both are linear, separably, so that two matrix products do
    them: half the time of TensorFlow's crop_and_resize.
    """
    size = pixels.shape[1]
    places = tf.range(size, dtype=tf.float32)

    def matrix(first: Any, last: Any) -> Any:
        share = tf.linspace(0.0, 1.0, 2 * resolution)
        at = (first[:, None] + (last - first)[:, None] * share) * (size - 1)
        bilinear = tf.nn.relu(1 - tf.abs(at[:, :, None] - places))  # (N, 2R, S)
        return tf.reduce_mean(tf.reshape(bilinear, (-1, resolution, 2, size)), axis=2)

    x = tf.matmul(matrix(*rows), tf.reshape(tf.cast(pixels, tf.float32), (-1, size, size * 3)))
    x = tf.transpose(tf.reshape(x, (-1, resolution, size, 3)), (0, 2, 1, 3))
    x = tf.matmul(matrix(*columns), tf.reshape(x, (-1, size, resolution * 3)))
    return tf.transpose(tf.reshape(x, (-1, resolution, resolution, 3)), (0, 2, 1, 3))


def _cut_out(tf: Any, x: Any, resolution: int, share: float, chance: Any) -> Any:
    """Paint a square of 1/8 to 1/2 of the side gray in ``share`` of the pictures; ``chance`` is (N, 4) uniform."""
    side = tf.where(chance[:, 0] < share, (0.125 + 0.375 * chance[:, 1]) * resolution, 0.0)[:, None]
    axis = tf.range(resolution, dtype=tf.float32)[None, :]

    def inside(centre: Any) -> Any:
        return tf.abs(axis - centre[:, None] * resolution) < side / 2

    hole = inside(chance[:, 2])[:, :, None] & inside(chance[:, 3])[:, None, :]
    return tf.where(hole[..., None], 0.0, x)
