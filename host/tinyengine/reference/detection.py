"""The last operator of object detectors: boxes from numbers, and the best of those that lie over each other."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, twofold
from tinyengine.ir.operators.detection import CORNERS
from tinyengine.ir.ops import DetectionAttrs
from tinyengine.reference.registry import oracle

F = np.float32


@oracle(OpKind.DETECTION_POST_PROCESS)
def detection_post_process(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """All in float32."""
    attrs = op.attrs
    assert isinstance(attrs, DetectionAttrs)
    encoded, scores = (_real(graph, name, x)[0] for name, x in zip(op.inputs[:2], inputs[:2], strict=True))
    boxes = _decoded(attrs, encoded, inputs[2])
    scores = scores[:, scores.shape[1] - attrs.num_classes :]
    found = (_regular if attrs.use_regular_nms else _fast)(attrs, boxes, scores)
    apart = 1 if attrs.use_regular_nms else attrs.max_classes_per_detection
    size = attrs.max_detections * attrs.max_classes_per_detection
    corners, classes, values = np.zeros((1, size, CORNERS), F), np.zeros((1, size), F), np.zeros((1, size), F)
    for i, (box, numbers) in enumerate(found):
        for place, number in enumerate(numbers, i * apart):
            corners[0, place], classes[0, place], values[0, place] = boxes[box], number, scores[box, number]
    return [corners, classes, values, np.array([len(found)], F)]


def _real(graph: Graph, name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype == np.float32:
        return x
    tensor = graph.tensor(name)
    return (x.astype(np.int32) - tensor.zero_point).astype(F) * F(tensor.scale)


@np.errstate(all="ignore")
def _decoded(attrs: DetectionAttrs, encoded: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Corners (N, 4): least y and x, largest y and x."""
    zero = np.zeros_like(anchors[:, :2])
    scales = np.broadcast_to(np.array(attrs.scales, F), anchors.shape)
    size = twofold.Twofold(anchors[:, 2:], zero)
    moved = twofold.multiply(twofold.divide(encoded[:, :2], scales[:, :2]), size)
    middle = twofold.add(moved, twofold.Twofold(anchors[:, :2], zero)).high
    factor, power = twofold.exp(twofold.divide(encoded[:, 2:CORNERS], scales[:, 2:]))
    half = twofold.scaled(twofold.multiply(factor, size).high, power - 1)
    return np.concatenate([middle - half, middle + half], axis=1)


def _fast(attrs: DetectionAttrs, boxes: np.ndarray, scores: np.ndarray) -> list[tuple[int, list[int]]]:
    """Boxes and their best classes, by the first of which they count. What is no number is none of them, but hides all
    others where it comes first."""
    hidden = np.isnan(scores[:, 0])
    counted = np.where(hidden, np.float32(np.nan), np.where(np.isnan(scores), -np.inf, scores).max(axis=1))
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, : attrs.max_classes_per_detection]
    return [
        (box, [number for number in ranked[box].tolist() if not np.isnan(scores[box, number])])
        for box in _apart(attrs, boxes, counted, attrs.max_detections)
    ]


def _regular(attrs: DetectionAttrs, boxes: np.ndarray, scores: np.ndarray) -> list[tuple[int, list[int]]]:
    """Boxes, each with one class, class by class."""
    found = [
        (box, number)
        for number in range(attrs.num_classes)
        for box in _apart(attrs, boxes, scores[:, number], attrs.detections_per_class)
    ]
    best = sorted(found, key=lambda pair: -scores[pair])[: attrs.max_detections]
    return [(box, [number]) for box, number in best]


@np.errstate(all="ignore")
def _apart(attrs: DetectionAttrs, boxes: np.ndarray, scores: np.ndarray, most: int) -> list[int]:
    """Numbers of the best boxes, none of which lies over a better one."""
    ranked = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= F(attrs.nms_score_threshold)]
    found: list[int] = []
    for box in ranked:
        if len(found) == most:
            break
        if not any(_overlap(boxes[other], boxes[box]) > F(attrs.nms_iou_threshold) for other in found):
            found.append(box)
    return found


def _overlap(a: np.ndarray, b: np.ndarray) -> np.float32:
    """Intersection over union."""
    first, second = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    if first <= 0 or second <= 0:
        return F(0)
    lengths = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), F(0))
    both = lengths[0] * lengths[1]
    return F(both / (first + second - both))
