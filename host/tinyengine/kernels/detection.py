"""DETECTION_POST_PROCESS on te_detection.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.operators.detection import CORNERS
from tinyengine.ir.ops import DetectionAttrs
from tinyengine.kernels import access
from tinyengine.kernels.base import CArray, CValue, KernelCall, ScratchPart, Target, lowering
from tinyengine.kernels.checks import unsupported
from tinyengine.sizes import round_up

SIZE = 4
"""Bytes of a float32."""


@lowering(OpKind.DETECTION_POST_PROCESS)
def lower_detection(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Only boxes are decoded whose turn comes."""
    attrs = op.attrs
    assert isinstance(attrs, DetectionAttrs)
    encodings, scores, anchors = (graph.tensor(name) for name in op.inputs)
    data = anchors.data
    if data is None:
        raise unsupported(op, graph, f"computes its anchors '{anchors.name}'", "make them constant")
    if encodings.is_constant or scores.is_constant:
        raise unsupported(op, graph, "reads constant boxes or scores", "remove it from the network")
    boxes = encodings.shape[1]
    regular = attrs.use_regular_nms

    def pack() -> dict[str, CValue]:
        return {
            "encodings": _values(encodings),
            "scores": _values(scores),
            "boxes": boxes,
            "row": encodings.shape[2],
            "columns": scores.shape[2],
            "background": scores.shape[2] - attrs.num_classes,
            "detections": attrs.max_detections,
            "per_box": attrs.max_classes_per_detection,
            "per_class": attrs.detections_per_class if regular else 0,
            "least_score": float(np.float32(attrs.nms_score_threshold)),
            "most_overlap": float(np.float32(attrs.nms_iou_threshold)),
            "scales": [float(np.float32(scale)) for scale in attrs.scales],
            "anchors": CArray("anchors", np.ascontiguousarray(data, np.float32).ravel()),
        }

    sizes = [SIZE * boxes, round_up(2 * boxes, SIZE)]
    if regular:
        sizes.append(SIZE * CORNERS * min(boxes, attrs.detections_per_class))
    starts = np.cumsum([0, *sizes]).tolist()
    names = ("scores", "candidates", "boxes of a class")
    read, written = ([graph.tensor(name).nbytes for name in names] for names in (op.inputs[:2], op.outputs))
    start = np.zeros(1, np.int64)
    return KernelCall(
        op,
        "te_detection_f32",
        "te_detection.h",
        "te_detection_params",
        pack,
        inputs=op.inputs[:2],
        outputs=list(op.outputs),
        scratch_bytes=starts[-1],
        scratch_parts=tuple(ScratchPart(*part) for part in zip(starts, sizes, names)),  # noqa: B905 - two or three
        overlaps=(None,) * (2 * len(written)),
        access=access.blocks([(start, start + n) for n in read], *((start, start + n) for n in written)),
    )


def _values(tensor: Tensor) -> dict[str, CValue]:
    """te_detection_values."""
    if tensor.dtype == "float32":
        return {"scale": 1.0, "zero": 0, "bytes": 0}
    return {"scale": float(np.float32(tensor.scale)), "zero": tensor.zero_point, "bytes": 1}
