#!/usr/bin/env python3
"""What layers cost on a core: the coefficients with which `tinyengine search` estimates.

\b
    bench/layer_costs.py --cpu cortex-m4 --cpu cortex-m7    measure and write host/tinyengine/search/layer_costs.json

Random networks (parts of the super-networks of mbv2-w0.35 and mcunet-5fps) are counted by `tinyengine bench`, layer by
layer: cycles where the core has a model of them, else instructions. To each kind of layer a sum with coefficients of at
least 0 is fitted, so that relative errors are small. The last network of each core is left out of the fit and only
predicted. Counts are kept in .cache/layer_costs.jsonl under the digest of the kernels, so that a stopped run goes
on and changed kernels are counted anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import click
import numpy as np
from scipy.optimize import nnls
from tinyengine.cores import CORES, core
from tinyengine.measure.bench import bench
from tinyengine.paths import cache_dir, project_root
from tinyengine.search.cost import COSTS, REST, compiled, parts, total
from tinyengine.supernet.space import RESOLUTIONS, Space, grown
from tinyengine.zoo.table import Network, find

CPUS = ("cortex-m4", "cortex-m33", "cortex-m7", "cortex-m55")


def networks(count: int) -> list[Network]:
    """The largest part of a super-network, which has every kind of layer (kernels of 7x7 at both strides), and random
    parts of two super-networks in turn."""
    rng = np.random.default_rng(0)
    bases = [replace(find(name), resolution=112, classes=2) for name in ("mbv2-w0.35", "mcunet-5fps")]
    spaces = [Space(grown(base), RESOLUTIONS) for base in bases]
    return [spaces[1].largest(80), *(spaces[k % 2].random(rng) for k in range(count - 1))]


def count(network: Network, cpu: str) -> list[float]:
    """Cycles or instructions of each layer with a name, in the order of ``parts``, and of all."""
    has_model = core(cpu).cycle_model is not None
    report = bench(compiled(network, cpu), cycles=has_model)
    of = {layer.name: layer.cycles.estimate if layer.cycles else layer.instructions for layer in report.per_layer}
    total = report.cycles.estimate if report.cycles else report.instructions
    found = [of.get(name, 0) for name, _, _ in parts(network)]
    return [*found, total]


def fitted(features: list[tuple[float, ...]], costs: list[float]) -> list[float]:
    """Coefficients of at least 0 for the least relative errors."""
    x, y = np.array(features, float), np.array(costs, float)
    scale = np.maximum(np.abs(x / y[:, None]).max(0), 1e-30)
    found, _ = nnls(x / y[:, None] / scale, np.ones(len(y)))
    return [float(f"{value:.4g}") for value in found / scale]


@click.command(help=__doc__)
@click.option("--cpu", "cpus", type=click.Choice(list(CORES)), multiple=True, default=CPUS)
@click.option("--networks", "many", type=click.IntRange(3), default=6, show_default=True)
def main(cpus: tuple[str, ...], many: int) -> None:
    path = project_root() / "host" / "tinyengine" / "search" / COSTS
    table = json.loads(path.read_text()) if path.exists() else {}
    log = cache_dir() / "layer_costs.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {line["key"]: line["costs"] for line in lines}
    drawn = networks(many)
    library = [each.read_text() for each in sorted((project_root() / "lib" / "tinyengine").rglob("*.[chS]"))]
    for cpu in cpus:
        counted = []
        for network in drawn:
            digest = hashlib.sha256("".join([repr(network), cpu, *library]).encode()).hexdigest()
            if digest not in known:
                known[digest] = count(network, cpu)
                with log.open("a") as file:
                    file.write(json.dumps({"key": digest, "costs": known[digest]}) + "\n")
            counted.append(known[digest])
        rows: dict[str, list[tuple[tuple[float, ...], float]]] = {}
        for network, costs in zip(drawn[:-1], counted, strict=False):
            for (_, kind, features), cost in zip(parts(network), costs, strict=False):
                if cost:
                    rows.setdefault(kind, []).append((features, cost))
        entry = {kind: fitted(*map(list, zip(*found, strict=True))) for kind, found in sorted(rows.items())}
        sums = [sum(costs[:-1]) for costs in counted]
        entry[REST] = [round(float(np.mean([costs[-1] - s for costs, s in zip(counted, sums, strict=True)])))]
        table[cpu] = {"unit": "cycles" if core(cpu).cycle_model else "instructions", "coefficients": entry}
        errors = [total(network, entry) / costs[-1] - 1 for network, costs in zip(drawn, counted, strict=True)]
        shown = ", ".join(f"{100 * error:+.1f}" for error in errors)
        click.echo(f"{cpu}: errors of whole networks {shown} %, the last one left out of the fit")
        path.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
