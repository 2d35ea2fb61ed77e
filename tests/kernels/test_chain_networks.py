"""Whole networks: whatever the stages, the bytes are those of the layer-by-layer schedule and of the oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tinyengine import native, reference
from tinyengine.codegen import NetworkSource, generate
from tinyengine.codegen.generated import Generated
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.ir import Graph
from tinyengine.kernels.base import Form, Target
from tinyengine.kernels.select import roundings
from tinyengine.passes import optimize
from tinyengine.schedule.search import Schedule, planned
from tinyengine.schedule.space import NEVER, Space

from tests.helpers import networks
from tests.helpers.chained import random_network, random_path

GRAPHS = 12


@dataclass(eq=False)
class Scheduled(Generated):
    """Generated code, and how it rounds."""

    requant: str


def generated(graph: Graph, schedule: Schedule, prefix: str, requant: str) -> Scheduled:
    source = NetworkSource(graph, schedule.calls, schedule.plan, "0" * 16, prefix=prefix)
    return Scheduled(**vars(generate(source)), requant=requant)


def values_for(graph: Graph, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, graph.tensor(name).shape).astype(np.int8) for name in graph.input_tensors()]


@pytest.mark.slow
def test_stages_chosen_by_lot_give_the_oracles_bytes() -> None:
    """Random networks, random stages, input whole and by rows, rounded exactly and fast, under sanitizers."""
    models: list[Scheduled] = []
    inputs: list[list[np.ndarray]] = []
    chained = patched = pushed = 0
    for seed in range(GRAPHS):
        graph = optimize(random_network(seed))
        rng = np.random.default_rng(seed)
        for by_rows, requant in ((False, "exact"), (False, "fast"), (True, "exact"), (True, "fast")):
            space = Space(graph, Target(optimize="sram", requant=requant), pushed=by_rows)
            if by_rows and not any(space.options(0, NEVER)):
                continue
            schedule = planned(space, random_path(space, rng, patches=by_rows == (seed % 2 == 0)))
            chained += sum(len(call.operators) for call in schedule.calls if call.form is not Form.LAYER)
            patched += sum(len(call.operators) for call in schedule.calls if call.form is Form.PATCH)
            pushed += schedule.pushed
            models.append(generated(graph, schedule, f"n{len(models)}", requant))
            inputs.append(values_for(graph, len(models)))
    assert chained > 10 * GRAPHS
    assert patched > 2 * GRAPHS
    assert pushed > GRAPHS
    for model, values, outputs in zip(models, inputs, native.run_many(models, inputs), strict=True):
        rounded = roundings(model.graph, Target(requant=model.requant))
        for expected, got in zip(reference.run(model.graph, values, requant=rounded), outputs, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"{model.graph.name} {model.prefix}")


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("name", ["mcunet_like", "mobilenet_v3", "detector", "odd_rectangle", "odd_residual_input"])
def test_schedules_of_real_networks_agree(name: str) -> None:
    """What the search chooses for SRAM, for time below a cap, for rows: always the layers' bytes."""
    layers = compile_model(networks.path(name), CompileOptions(prefix="n_layers"))
    assert {call.form for call in layers.calls} == {Form.LAYER}
    small = compile_graph(layers.graph, CompileOptions(prefix="n_sram", optimize="sram"))
    cap = (small.plan.arena_bytes + layers.plan.arena_bytes) // 2
    compiled = [
        layers,
        small,
        *(
            compile_graph(layers.graph, options)
            for options in (
                CompileOptions(prefix="n_sram_rows", optimize="sram", input="rows"),
                CompileOptions(prefix="n_capped", sram=cap),
                CompileOptions(prefix="n_rows", input="rows"),
                CompileOptions(prefix="n_patches_rows", optimize="sram", input="rows", max_recompute=1.5),
            )
        ),
    ]
    arenas = {model.prefix: model.plan.arena_bytes for model in compiled}
    assert arenas["n_sram"] <= arenas["n_capped"] <= cap
    assert arenas["n_sram_rows"] <= arenas["n_sram"]
    assert arenas["n_patches_rows"] <= arenas["n_sram_rows"]
    values = values_for(layers.graph, 5)
    expected, *others = native.run_many(compiled, [values] * len(compiled))
    for model, outputs in zip(compiled[1:], others, strict=True):
        for want, got in zip(expected, outputs, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=model.prefix)
