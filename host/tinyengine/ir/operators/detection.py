"""The last operator of object detectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isfinite

from tinyengine.ir.graph import Tensor
from tinyengine.ir.operators.base import MAX_SIZE, Contradiction, Definition, Shape
from tinyengine.ir.ops import DetectionAttrs, OpKind

CORNERS = 4
"""Values of a box."""


class DetectionPostProcess(Definition[DetectionAttrs], kind=OpKind.DETECTION_POST_PROCESS):
    """As TFLite's, which has float32 inside; of equal scores the first box or class comes first. What it leaves as its
    memory was, behind the last detection, is zero."""

    signatures = tuple(
        f"{boxes} x {scores} x float32 -> float32 x float32 x float32 x float32"
        for boxes, scores in product(("float32", "int8"), repeat=2)
    )

    def fits(self, attrs: DetectionAttrs, x: Tensor) -> bool:
        listed = attrs.max_detections * attrs.max_classes_per_detection
        counts = (attrs.max_detections, attrs.max_classes_per_detection, attrs.detections_per_class, attrs.num_classes)
        return (
            min(counts) >= 1
            and max(listed, attrs.detections_per_class) <= MAX_SIZE
            and 0 < attrs.nms_iou_threshold <= 1
            and all(scale and isfinite(scale) for scale in attrs.scales)
            and isfinite(attrs.nms_score_threshold)
        )

    def shapes(self, attrs: DetectionAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        boxes, scores, anchors = (tensor.shape for tensor in inputs)
        count = boxes[1] if len(boxes) == 3 else 0
        given = attrs.num_classes, attrs.num_classes + 1
        matched = len(scores) == 3 and scores[:2] == (1, count) and scores[2] in given and anchors == (count, CORNERS)
        if not count or boxes[0] != 1 or boxes[2] < CORNERS or not matched:
            found = f"boxes {list(boxes)}, scores {list(scores)}, anchors {list(anchors)}"
            raise Contradiction(f"has {found} for {attrs.num_classes} classes")
        listed = attrs.max_detections * attrs.max_classes_per_detection
        return [(1, listed, CORNERS), (1, listed), (1, listed), (1,)]
