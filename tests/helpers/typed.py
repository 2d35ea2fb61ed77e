"""Two operators that the package does not have: several outputs, every dtype, with kernels in C of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.ir import Graph, Operator, OpKind, Port, Quantization, State, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import Definition
from tinyengine.ir.ops import NoAttrs
from tinyengine.kernels.access import blocks
from tinyengine.kernels.base import KernelCall, Overlap, Target, lowering
from tinyengine.reference.registry import oracle

DIVIDE, COLLECT = cast(OpKind, "TEST_DIVIDE"), cast(OpKind, "TEST_COLLECT")
"""x to 300 * x in int16 and x / 4 in float32; these, an uint8 and a further int16 to sums in int32 and in int16."""

HEADER = """#include <stdint.h>

typedef struct te_test_params {
    uint32_t count;
} te_test_params;

void te_test_divide(const te_test_params *p, const int8_t *x, int16_t *many, float *parts);
void te_test_collect(const te_test_params *p, const int16_t *many, const float *parts, const uint8_t *extra,
                     const int16_t *before, int32_t *sum, int16_t *next);
"""

SOURCE = """#include "te_test.h"

void te_test_divide(const te_test_params *p, const int8_t *x, int16_t *many, float *parts) {
    for (uint32_t i = 0; i < p->count; i++) {
        const int8_t value = x[i];
        many[i] = (int16_t)(300 * value);
        parts[i] = (float)value / 4.0f;
    }
}

void te_test_collect(const te_test_params *p, const int16_t *many, const float *parts, const uint8_t *extra,
                     const int16_t *before, int32_t *sum, int16_t *next) {
    for (uint32_t i = 0; i < p->count; i++) {
        const int32_t total = 1000 * many[i] + (int32_t)(4.0f * parts[i]) + extra[i] + before[i];
        next[i] = (int16_t)(before[i] / 2 + many[i] / 4);
        sum[i] = total;
    }
}
"""


class _Divide(Definition[NoAttrs]):
    kind = DIVIDE
    scaleless = True
    signatures = ("int8 -> int16 x float32",)

    def shapes(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: object) -> list[tuple[int, ...]]:
        return [inputs[0].shape] * 2


class _Collect(Definition[NoAttrs]):
    kind = COLLECT
    scaleless = True
    signatures = ("int16 x float32 x uint8 x int16 -> int32 x int16",)

    def shapes(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: object) -> list[tuple[int, ...]]:
        return [inputs[0].shape] * 2


DEFINITIONS[DIVIDE], DEFINITIONS[COLLECT] = _Divide(), _Collect()


@oracle(DIVIDE)
def _divide(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    [x] = inputs
    return [300 * x.astype(np.int16), x.astype(np.float32) / 4]


@oracle(COLLECT)
def _collect(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    many, parts, extra, before = (x.astype(np.int32) for x in (inputs[0], 4 * inputs[1], *inputs[2:]))
    return [1000 * many + parts + extra + before, np.trunc(before / 2) + np.trunc(many / 4)]


@lowering(DIVIDE, COLLECT)
def _lower(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Element by element. A C compiler keeps the order of reads and writes only where one type is a byte's, or both
    are the same."""
    inputs, outputs = ([graph.tensor(name) for name in names] for names in (op.inputs, op.outputs))
    index = np.arange(inputs[0].elements)

    def walk(tensor: Tensor) -> tuple[np.ndarray, np.ndarray]:
        size = tensor.nbytes // tensor.elements
        return size * index, size * (index + 1)

    access = blocks([walk(tensor) for tensor in inputs], *(walk(tensor) for tensor in outputs))
    rules = [
        Overlap(access.distance(i, k)) if x.dtype == y.dtype or "int8" in x.dtype else None
        for k, y in enumerate(outputs)
        for i, x in enumerate(inputs)
    ]
    return KernelCall(
        op,
        f"te_{op.kind.lower()}",
        "te_test.h",
        "te_test_params",
        lambda: {"count": inputs[0].elements},
        inputs=op.inputs,
        outputs=op.outputs,
        overlaps=tuple(rules),
        access=access,
    )


def typed_graph(elements: int = 12) -> Graph:
    """x in int8 and extra in uint8 -> the parts in float32 and the sum in int32; a state in int16."""
    graph = Graph("typed")
    unit = Quantization((1.0,), (0,))
    for name, dtype in (
        ("x", "int8"),
        ("extra", "uint8"),
        ("before", "int16"),
        ("many", "int16"),
        ("parts", "float32"),
        ("sum", "int32"),
        ("next", "int16"),
    ):
        graph.tensors[name] = Tensor(name, (1, elements), dtype, unit if dtype.endswith("int8") else None)
    graph.operators = [
        Operator(DIVIDE, "divide", ["x"], ["many", "parts"], NoAttrs()),
        Operator(COLLECT, "collect", ["many", "parts", "extra", "before"], ["sum", "next"], NoAttrs()),
    ]
    graph.inputs = [Port("x", "x", "int8", unit), Port("extra", "extra", "uint8", unit)]
    graph.outputs = [Port("parts", "parts", "float32"), Port("sum", "sum", "int32"), Port("next", "next", "int16")]
    graph.states = [State("before", "next", np.arange(elements, dtype=np.int16).reshape(1, -1) * 1000 - 5000)]
    return graph


def typed_model(prefix: str = "typed", **options: str) -> CompiledModel:
    """The network with the C of its operators."""
    model = compile_graph(typed_graph(), CompileOptions(prefix=prefix, **options))  # type: ignore[arg-type]
    text = model.sources[f"{prefix}.c"].replace('"tinyengine/te_test.h"', '"te_test.h"')
    return replace(model, sources=model.sources | {f"{prefix}.c": text, "te_test.h": HEADER, "te_test.c": SOURCE})
