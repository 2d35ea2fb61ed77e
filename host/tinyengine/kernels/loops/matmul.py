"""Products of two matrices."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.operators.elementwise import matmul_requant
from tinyengine.ir.ops import MatmulAttrs
from tinyengine.kernels import access
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Array, Value

BODY = """for (int32_t n = 0; n < batch; n++) {
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            const int8_t *a = in0 + first0[n] + i * line0, *b = in1 + first1[n] + j * line1;
            int32_t sum = 0;
            for (int32_t k = 0; k < depth; k++, a += step0, b += step1) sum += (*a - zero0) * (*b - zero1);
            *out++ = (int8_t)te_clamp(te_scale(sum, factor, shift) + zero, -128, 127);
        }
    }
}"""

FLOAT_BODY = """for (int32_t n = 0; n < batch; n++) {
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            const float *a = in0 + first0[n] + i * line0, *b = in1 + first1[n] + j * line1;
            float sum = 0.0f;
            for (int32_t k = 0; k < depth; k++, a += step0, b += step1) sum += *a * *b;
            *out++ = sum;
        }
    }
}"""


def matmul(op: Operator, graph: Graph) -> KernelCall:
    """The call for two inputs, either of which may be a constant."""
    assert isinstance(op.attrs, MatmulAttrs)
    operands, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    rows, columns = y.shape[-2:]
    depth = prod(operands[0].shape[-2:]) // rows
    values: dict[str, Value] = {"batch": prod(y.shape[:-2]), "rows": rows, "columns": columns, "depth": depth}
    real = y.dtype == "float32"
    if not real:
        requant = matmul_requant(graph, op)
        values |= {"factor": int(requant.multiplier[0]), "shift": int(requant.shift[0]), "zero": requant.zero}
        values |= {f"zero{i}": tensor.zero_point for i, tensor in enumerate(operands)}
    # along a line of products the left matrix is walked by columns, the right one by rows
    for i, (tensor, along) in enumerate(zip(operands, (not op.attrs.adj_x, op.attrs.adj_y), strict=True)):
        values[f"line{i}"], values[f"step{i}"] = steps(tensor, along)
        values[f"first{i}"] = Array("int32", lambda tensor=tensor: first_elements(tensor, y))  # type: ignore[misc]
        if tensor.data is not None:
            values[f"in{i}"] = text.constant(tensor)
    given = [(i, tensor) for i, tensor in enumerate(operands) if tensor.data is None]
    pointer = f"{C_TYPES[y.dtype]} *"
    arguments = ", ".join([*(f"const {pointer}in{i}" for i, _ in given), f"{pointer}out"])
    what, body = ("matmul_f32", FLOAT_BODY) if real else ("matmul", BODY)
    code = text.function(what, values, arguments, body.splitlines())
    inputs = [tensor for _, tensor in given]
    whole = [(np.array([0]), np.array([tensor.nbytes])) for tensor in (*inputs, y)]
    touched = access.blocks(whole[:-1], whole[-1])
    return text.call(op, code, values, inputs, touched, [None] * len(inputs), macs=y.elements * depth)


def first_elements(tensor: Tensor, y: Tensor) -> np.ndarray:
    """Where the matrix for each of the output's begins in ``tensor``."""
    size = prod(tensor.shape[-2:])
    number = np.arange(prod(tensor.shape[:-2])).reshape(tensor.shape[:-2])
    return np.broadcast_to(number, y.shape[:-2]).ravel() * size


def steps(tensor: Tensor, along: bool) -> tuple[int, int]:
    """From a line of products to the next, and along it, where lines are rows (``along``) or columns of ``tensor``."""
    last = tensor.shape[-1]
    return (last, 1) if along else (1, last)
