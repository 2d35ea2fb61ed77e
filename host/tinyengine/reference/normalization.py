"""LAYER_NORM: its parts, one after the other."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.normalization import LayerNormAttrs
from tinyengine.reference.registry import ORACLES, oracle


@oracle(OpKind.LAYER_NORM)
def layer_norm(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Exactly what TFLite computes for them."""
    assert isinstance(op.attrs, LayerNormAttrs)
    parts = op.attrs.parts
    values = dict(zip(op.inputs, inputs, strict=True))
    for part in parts.operators:
        entry = ORACLES.of(part, parts)
        assert entry is not None, part.kind
        given = [values[name] if name in values else parts.tensor(name).data for name in part.inputs]
        result = entry.function(part, parts, given)  # type: ignore[arg-type]
        [name] = part.outputs
        values[name] = np.asarray(result).reshape(parts.tensor(name).shape)
    return values[op.outputs[0]]
