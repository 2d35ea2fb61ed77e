"""From a network and labelled pictures to an update scheme that fits the SRAM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.compiler import CompileOptions, compile_graph, prepare
from tinyengine.cores import core
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.samples import Arrays, Pictures
from tinyengine.errors import DataError
from tinyengine.finetune.schemes.choose import Found, choose_within
from tinyengine.finetune.schemes.contribution import RATIOS, Contributions, measure
from tinyengine.finetune.schemes.probe import NativeProbe
from tinyengine.finetune.session import TuneOptions
from tinyengine.ir import Graph
from tinyengine.progress import Activity, Progress, part, silent
from tinyengine.sizes import ceil_div
from tinyengine.training.accounting import scheme_cost
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.state import state_layout

HELD_OUT = 1 / 3
"""Share of the samples that measures accuracy."""


@dataclass(frozen=True)
class SchemeOptions:
    """``sram``: bytes for arena and trained state. ``deepest``: trailing convolutions that may be trained, None: half
    of them. ``seeds``: trainings that each measurement averages."""

    sram: int
    cpu: str = "cortex-m7"
    samples: int = 600
    epochs: float = 2.0
    rate: float = 0.003
    deepest: int | None = None
    seeds: int = 1
    ratios: tuple[float, ...] = RATIOS
    residual: bool = False


@dataclass(frozen=True)
class SchemeResult:
    """``held_out``: how many samples accuracies were measured with."""

    contributions: Contributions
    found: Found
    held_out: int


def find_scheme(
    graph: Graph,
    metadata: ModelMetadata,
    pictures: Pictures,
    options: SchemeOptions,
    checkpoint: Path | None = None,
    activity: Activity = silent,
) -> SchemeResult:
    """Measure what training each part gives, and choose the parts that give most within ``options.sram``.

    ``pictures`` have labels (``data.samples.labelled``). DataError if nothing fits.
    """
    layers = trainable_layers(graph)
    count = len(layers.convolutions)
    deepest = min(options.deepest or ceil_div(count, 2), count)
    train, held_out = _samples(graph, metadata, pictures, options.samples, part(activity, "pictures"))
    probe = NativeProbe(
        graph,
        train,
        held_out,
        deepest,
        TuneOptions(len(pictures.classes), options.epochs, options.rate),
        options.seeds,
        part(activity, "features"),
    )
    contributions = measure(
        layers,
        probe,
        deepest,
        options.ratios,
        progress=part(activity, "contributions"),
        checkpoint=checkpoint,
    )
    prepared = prepare(graph, len(pictures.classes))
    base = CompileOptions(
        cpu=options.cpu,
        input="rows",
        requant=core(options.cpu).requant,
        optimize="sram",
        classes=len(pictures.classes),
        residual=options.residual,
    )

    def estimate(scheme: UpdateScheme) -> int:
        """The state, and what is kept for the backward pass: masks and saved inputs."""
        cost = scheme_cost(layers, scheme)
        return state_layout(prepared, scheme, options.residual).size + (cost.mask_bits + cost.activation_bits) // 8

    found = choose_within(
        contributions,
        count,
        estimate,
        lambda scheme: compile_graph(graph, replace(base, train=scheme)).sram_bytes,
        options.sram,
        progress=part(activity, "evolution"),
    )
    return SchemeResult(contributions, found, len(held_out.labels))


def _samples(
    graph: Graph, metadata: ModelMetadata, pictures: Pictures, count: int, progress: Progress
) -> tuple[Arrays, Arrays]:
    """At most ``count`` pictures as inputs, evenly over the classes as far as they go, in two parts."""
    rng = np.random.default_rng(0)
    queues = [rng.permutation(np.flatnonzero(pictures.labels == label)) for label in range(len(pictures.classes))]
    share = ceil_div(count, len(queues))
    chosen = rng.permutation(np.concatenate([queue[:share] for queue in queues]))
    cut = len(chosen) - round(len(chosen) * HELD_OUT)
    if cut < len(queues) or cut == len(chosen):
        raise DataError(f"{len(chosen)} pictures are too few to train with and to measure accuracy: at least 30")
    tensor = graph.tensor(graph.input_tensors()[0])
    form = InputForm(tensor.hwc(), tensor.scale, tensor.zero_point, metadata)
    inputs = pictures.take(chosen).inputs(form, progress)
    return inputs.take(np.arange(cut)), inputs.take(np.arange(cut, len(chosen)))
