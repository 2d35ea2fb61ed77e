"""What a device has to know to make boxes of a detector's outputs."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.compiler.options import CompileOptions
from tinyengine.data.box_plan import BoxPlan, plan_boxes
from tinyengine.data.metadata import parse_metadata
from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Tensor


@dataclass(frozen=True)
class _Output:
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


def box_plan(graph: Graph, metadata_json: str, options: CompileOptions) -> BoxPlan | None:
    """None for what is no detector, for one whose outputs are not of 8 bits, so that the host makes the boxes, and for
    a network whose constants are a file. DataError where the outputs are not what the MODEL.json says."""
    if metadata_json == "{}" or options.bound:
        return None
    metadata = parse_metadata(metadata_json, "the network's MODEL.json")
    if metadata.task != "detection" or metadata.boxes is None:
        return None
    outputs = [_output(graph.tensor(port.tensor)) for port in graph.outputs]
    rows, columns, *_ = (*graph.tensor(graph.inputs[0].tensor).shape[1:], 1, 1)
    return plan_boxes(outputs, metadata.boxes, (rows, columns), len(metadata.classes))


def check_trained(name: str, metadata_json: str, options: CompileOptions) -> None:
    """ModelError where a detector is to be trained on a device."""
    if options.train is not None and parse_metadata(metadata_json, "the network's MODEL.json").task == "detection":
        raise ModelError(
            f"{name} finds boxes, and a training step on a device learns which class one picture shows, by the cross "
            "entropy of a classifier: leave --train out, and go on training it on a PC by tinyengine fit --task "
            "detection --start"
        )


def _output(tensor: Tensor) -> _Output:
    scale, zero = tensor.quant.scalar() if tensor.quant else (1.0, 0)
    return _Output(tensor.shape[1:], tensor.dtype, scale, zero)
