"""Whole networks: loader, passes and oracle together against TFLite's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.frontend import load_tflite
from tinyengine.ir.ports import to_inside
from tinyengine.passes import optimize
from tinyengine.reference import run

from tests.helpers import networks
from tests.helpers.graphs import random_inputs, to_outside
from tests.helpers.tflite_reference import require_tensorflow, run_builtin_ref


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("name", networks.names())
def test_networks_answer_as_tflite_does(name: str) -> None:
    require_tensorflow()
    path = networks.path(name)
    original = load_tflite(path)
    graph = optimize(original)
    for seed in range(3):
        inputs = random_inputs(original, seed)
        expected = run_builtin_ref(path, inputs)
        for mine, theirs in zip(run(original, inputs), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs, strict=True)
        inner = [to_inside(graph, port, x) for port, x in zip(graph.inputs, inputs, strict=True)]
        for port, value, theirs in zip(graph.outputs, run(graph, inner), expected, strict=True):
            np.testing.assert_array_equal(to_outside(graph, port, value).reshape(theirs.shape), theirs, strict=True)
