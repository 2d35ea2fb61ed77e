"""Rewrites of the IR that keep every output bit."""

from __future__ import annotations

from collections.abc import Callable

from tinyengine.ir.graph import Graph
from tinyengine.ir.verify import verify
from tinyengine.passes.activation import fuse_activation
from tinyengine.passes.border import move_conversions_to_border
from tinyengine.passes.constants import fold_constants
from tinyengine.passes.dead import remove_dead_code
from tinyengine.passes.detections import detect_in_bytes
from tinyengine.passes.islands import islands_to_tables
from tinyengine.passes.layer_norm import fuse_layer_norm
from tinyengine.passes.one_channel import depthwise_of_one_channel
from tinyengine.passes.pad import fold_pad
from tinyengine.passes.split_channels import merge_split_depthwise
from tinyengine.passes.transpose import fold_transpose_into_dense, sink_transposes, transposes_to_views
from tinyengine.passes.views import merge_views
from tinyengine.passes.windows_over_time import shift_windows
from tinyengine.passes.zero_ends import keep_zero_ends

Pass = Callable[[Graph], Graph]
"""Returns a new graph; the given one stays as it is."""

PASSES: list[Pass] = [
    remove_dead_code,
    move_conversions_to_border,
    islands_to_tables,
    fold_constants,
    fuse_layer_norm,
    detect_in_bytes,
    fuse_activation,
    sink_transposes,
    fold_transpose_into_dense,
    transposes_to_views,
    merge_views,
    fold_pad,
    merge_split_depthwise,
    depthwise_of_one_channel,
    shift_windows,
    keep_zero_ends,
]


def optimize(graph: Graph, observer: Callable[[str, Graph], None] | None = None) -> Graph:
    """``graph`` after all passes; ``observer`` sees each pass's name and result. A pass that would leave no operator,
    because all of them belong to the border, does nothing.

    UnsupportedOperatorError if an input is converted to int8 in two ways.
    """
    for step in PASSES:
        changed = step(graph)
        graph = changed if changed.operators else graph
        verify(graph)
        if observer is not None:
            observer(step.__name__, graph)
    return graph
