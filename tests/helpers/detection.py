"""The end of an object detector: boxes around a few places, so that they lie over each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, Operator, OpKind, Quantization
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.ops import DetectionAttrs, NoAttrs

from tests.helpers.graphs import GraphBuilder


def detection(
    seed: int, dtype: str, different: bool, boxes: int | None = None, **changes: float
) -> tuple[Graph, list[np.ndarray]]:
    """A network of DETECTION_POST_PROCESS, behind DEQUANTIZE for int8, and its inputs. ``different``: no two scores are
    equal, of which TFLite takes whichever its sorting leaves in front; ``changes``: attributes that are not drawn."""
    b = GraphBuilder(seed, "detection")
    rng = b.rng
    count = boxes or int(rng.integers(1, 40))
    classes = int(rng.integers(1, 6))
    columns = classes + int(rng.integers(2))
    attrs = DetectionAttrs(
        max_detections=int(rng.integers(1, 12)),
        max_classes_per_detection=int(rng.choice([1, 1, 2, classes, classes + 1])),
        nms_score_threshold=float(np.float32(rng.choice([0.0, 0.3, 1e-8]))),
        nms_iou_threshold=float(np.float32(rng.uniform(0.1, 1.0))),
        num_classes=classes,
        y_scale=10.0,
        x_scale=float(np.float32(rng.uniform(1, 12))),
        h_scale=5.0,
        w_scale=float(np.float32(rng.uniform(1, 8))),
        detections_per_class=int(rng.choice([1, 3, 100])),
        use_regular_nms=bool(rng.integers(2)),
    )
    attrs = replace(attrs, **changes)  # type: ignore[arg-type]
    places = rng.uniform(0.2, 0.8, (max(count // 5, 1), 2))[rng.integers(0, max(count // 5, 1), count)]
    anchors = np.concatenate([places + rng.normal(0, 0.02, (count, 2)), rng.uniform(0.05, 0.3, (count, 2))], 1)
    values = [rng.normal(0, 2, (1, count, 4 + int(rng.integers(0, 3)))), rng.uniform(0, 1, (1, count, columns))]
    if dtype == "int8":
        quants = [Quantization((float(np.float32(rng.uniform(0.02, 0.08))),), (int(rng.integers(-20, 20)),))]
        quants.append(Quantization((1 / 256,), (-128,)))
        bytes_ = [rng.integers(-128, 128, value.shape) for value in values]
        if different:
            bytes_[1] = rng.permutation(256)[np.arange(values[1].size) % 256].reshape(values[1].shape) - 128
        given = [value.astype(np.int8) for value in bytes_]
        names = [b.input(*value.shape, quant=quant) for value, quant in zip(given, quants, strict=True)]
        names = [b.op(OpKind.DEQUANTIZE, [name], NoAttrs(), dtype="float32") for name in names]
    else:
        if not different:
            values[1] = np.round(values[1] * 8) / 8
        given = [value.astype(np.float32) for value in values]
        names = [b.input(*value.shape, dtype="float32") for value in given]
    names.append(b.constant(anchors.astype(np.float32)))
    tensors = [b.graph.tensor(name) for name in names]
    shapes = DEFINITIONS[OpKind.DETECTION_POST_PROCESS].infer(attrs, tensors, [()] * 4)
    outputs = [b.tensor(shape, "float32") for shape in shapes]
    b.graph.operators.append(Operator(OpKind.DETECTION_POST_PROCESS, "detection", names, outputs, attrs))
    for name in outputs:
        b.output(name)
    return b.graph, given
