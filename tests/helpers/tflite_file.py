"""Files of operators that the IR does not have, written as TFLite has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tinyengine.frontend import tflite_writer as writer
from tinyengine.frontend.raw import options_table
from tinyengine.ir import Quantization, Tensor

QUANT = Quantization((0.05,), (3,))


def values(name: str, *shape: int) -> Tensor:
    """An int8 tensor."""
    return Tensor(name, shape, "int8", QUANT)


def numbers(name: str, data: object) -> Tensor:
    """A constant of int32."""
    array = np.array(data, np.int32)
    return Tensor(name, array.shape, "int32", None, array)


Step = tuple[str, Sequence[Tensor], Sequence[Tensor], Mapping[str, object]]
"""Kind, inputs, outputs, options."""


def tflite_file(*steps: Step) -> bytes:
    """Operators in order. Inputs of the file: what no operator writes; outputs: what none reads."""
    file = writer._File("file")
    known: dict[str, int] = {}
    written, read = [], []

    def index(tensor: Tensor) -> int:
        if tensor.name not in known:
            known[tensor.name] = file.add(tensor)
        return known[tensor.name]

    inputs = []
    for kind, sources, results, options in steps:
        for tensor in sources:
            if tensor.data is None and tensor.name not in (*written, *(t.name for t in inputs)):
                inputs.append(tensor)
            read.append(tensor.name)
        written += [tensor.name for tensor in results]
        table = writer._Options(options_table(kind), dict(options)) if options else None  # type: ignore[arg-type]
        file.operators.append((kind, [*map(index, sources)], [*map(index, results)], table))
    outputs = [known[name] for name in written if name not in read]
    return writer._serialize([file], [*map(index, inputs)], outputs)
