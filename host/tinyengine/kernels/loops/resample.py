"""Pixels between pixels: each output pixel is a weighted sum of four input pixels."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.text import Array, Value

Sources = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Per output row (or column): two input rows, and the weight of the second in 1/1024."""

BODY = """const int32_t *rows = p->rows, *columns = p->columns;
const int32_t channels = p->channels;
for (int32_t i = 0; i < p->height; i++, rows += 3) {
    for (int32_t j = 0; j < p->width; j++, columns += 3) {
        const int8_t *const a = in + rows[0] + columns[0], *const b = in + rows[1] + columns[0];
        const int8_t *const c = in + rows[0] + columns[1], *const d = in + rows[1] + columns[1];
        const int32_t down = rows[2], right = columns[2];
        for (int32_t k = 0; k < channels; k++) {
            const int32_t left_sum = a[k] * (1024 - down) + b[k] * down;
            const int32_t right_sum = c[k] * (1024 - down) + d[k] * down;
            const int32_t sum = left_sum * (1024 - right) + right_sum * right;
            *out++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
        }
    }
    columns = p->columns;
}"""


def resample(op: Operator, graph: Graph, rows: Sources, columns: Sources) -> KernelCall:
    """The call that makes the picture of ``op``."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    _, _, width, channels = x.shape
    line = width * channels
    values: dict[str, Value] = {"height": y.shape[1], "width": y.shape[2], "channels": channels}
    values["rows"], values["columns"] = _table(rows, line), _table(columns, channels)
    code = text.function("resize_bilinear", values, "const int8_t *in, int8_t *out", BODY.splitlines(), local=False)
    first, last = (np.add.outer(rows[i] * line, columns[i] * channels).ravel() for i in (0, 1))
    low = np.minimum(first, last)
    touched = walk.lines(low, np.maximum(first, last) + channels, y.nbytes, in_step=True)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)], "te_types.h")


def _table(sources: Sources, step: int) -> Array:
    """Offsets of both, and the weight, one behind the other."""
    first, second, weight = sources
    return Array("int32", lambda: np.stack([first * step, second * step, weight], axis=1))
