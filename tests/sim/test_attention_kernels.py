"""Products of activations, softmax and layer normalization of odd shapes, as networks get them: the bytes of the oracle
on simulated cores."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.cores import core
from tinyengine.kernels.base import Target
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.reference import run

from tests.helpers import needs
from tests.helpers.batch import build_batch
from tests.helpers.cases import random_cases
from tests.helpers.layer_norm import layer_norm, rows_of

CASES = 48


@pytest.mark.slow(but=1)
@needs.thorough_cores
def test_operators_of_attention_equal_the_oracle(cpu: str) -> None:
    target = Target(core(cpu).features)
    families = ("batch_matmul", "softmax", "linear_attention")
    batches = [build_batch(random_cases(3, family, CASES), family, "tight", target=target) for family in families]
    functions = {call.function for batch in batches for call in batch.calls}
    assert {"te_matmul_s8", "te_softmax_fast_s8", "te_linear_attention_s8"} <= functions
    with BenchImage(batches, cpu) as image:
        results = image.run([Job(i, batch.inputs) for i, batch in enumerate(batches)], exact=False)
    assert all(result.guards_intact for result in results)
    for batch, result in zip(batches, results, strict=True):
        batch.check(result.outputs)


@pytest.mark.slow(but=1)
@needs.thorough_cores
def test_layer_norm_of_any_width_equals_the_oracle(cpu: str) -> None:
    graphs = [layer_norm(seed, (1, 5, channels)) for seed, channels in enumerate((1, 2, 5, 7, 12, 30))]
    options = [CompileOptions(cpu=cpu, requant="exact", prefix=f"norm{i}") for i in range(len(graphs))]
    compiled = [compile_graph(graph, each) for graph, each in zip(graphs, options, strict=True)]
    assert all([call.function for call in each.calls] == ["te_layer_norm_s8"] for each in compiled)
    jobs = [(i, rows_of(graph, number)) for i, graph in enumerate(graphs) for number in range(6)]
    with BenchImage(compiled, cpu) as image:
        results = image.run([Job(i, x) for i, x in jobs], exact=False)
    for (i, x), result in zip(jobs, results, strict=True):
        assert result.guards_intact
        np.testing.assert_array_equal(result.outputs[0], run(graphs[i], x)[0])
