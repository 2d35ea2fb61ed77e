#!/usr/bin/env python3
"""A scheme for mcunet-5fps within the SRAM of the 99kb scheme, from the measurements of ``tinyengine search-scheme``.

    sets.py $TINYENGINE_SHARED/data/transfer_signdigits10.npz training.npz
    tinyengine search-scheme mcunet-5fps.tflite --data training.npz --sram 140436 --samples 900 --deepest 22 \\
        --checkpoint search.json -o any.json        (may be stopped when search.json has all 75 measurements)
    find_scheme.py mcunet-5fps.tflite search.json 140436 found.json

It is the same evolution, but that plans some 400 schemes, ten seconds each. Here the arena is estimated: what a scheme
keeps for its backward pass, plus a constant that is corrected by planning the winner, until a winner fits.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.passes import optimize
from tinyengine.training.accounting import scheme_cost
from tinyengine.training.head import replace_head
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.search.contribution import measure
from tinyengine.training.search.evolve import evolve
from tinyengine.training.state import state_layout

CLASSES, DEEPEST, TRIALS = 10, 22, 8


def _measured_before(scheme: UpdateScheme) -> float:
    raise DataError(f"the checkpoint lacks a measurement: {scheme}")


def main(model: Path, checkpoint: Path, limit: int, target: Path) -> None:
    graph = load_tflite(model)
    layers = trainable_layers(graph)
    contributions = measure(layers, _measured_before, DEEPEST, checkpoint=checkpoint)
    prepared = optimize(replace_head(graph, CLASSES))
    options = CompileOptions(cpu="cortex-m7", input="rows", requant="fast", optimize="sram", classes=CLASSES)

    def state(scheme: UpdateScheme) -> int:
        return state_layout(prepared, scheme).size

    def kept(scheme: UpdateScheme) -> int:
        """Masks and saved inputs, which lie in the arena."""
        cost = scheme_cost(layers, scheme)
        return (cost.mask_bits + cost.activation_bits) // 8

    constant = 0
    for _ in range(TRIALS):
        found = evolve(
            contributions,
            len(layers.convolutions),
            lambda scheme, constant=constant: state(scheme) + kept(scheme) + constant,
            limit,
        )
        compiled = compile_graph(graph, replace(options, train=found.scheme))
        taken = compiled.plan.arena_bytes + compiled.state_bytes
        print(f"{found.scheme}: {100 * found.score:.1f} points, {taken} bytes as planned", flush=True)
        if taken <= limit:
            target.write_text(found.scheme.to_json())
            return
        constant = compiled.plan.arena_bytes - kept(found.scheme)
    raise SystemExit("no scheme fits")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
