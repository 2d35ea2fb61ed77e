"""``tinyengine search``: survey, evolution, measurement of the best, and the file of the one that won."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.boards import Board
from tinyengine.data.reader import read_pictures
from tinyengine.errors import DataError
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import simulated
from tinyengine.progress import Activity, part, silent
from tinyengine.search import proxy
from tinyengine.search.checkpoint import Checkpoint
from tinyengine.search.cost import Budget, Costs, compiled, estimate, judge
from tinyengine.search.evolve import Plan, Scored, evolve, front
from tinyengine.search.pairs import Pair, Survey, survey
from tinyengine.search.space import RESOLUTIONS, WIDTHS
from tinyengine.zoo.arch_file import save_architecture
from tinyengine.zoo.table import Network

MEASURED = 6
"""Members of the front, the best first, whose instructions and flash are counted on the simulated core."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """``resolution`` and ``width`` replace step 1. ``out`` must end in .json."""

    board: Board
    budget: Budget
    data: Path
    out: Path
    plan: Plan
    samples: int = 50
    resolution: int | None = None
    width: float | None = None
    run: Path = Path("runs/search")
    resume: bool = False
    measure: bool = True


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What ``--json`` prints. ``estimate_error``: largest relative error of the estimate against what was judged
    (sram, flash) and counted (instructions)."""

    out: Path
    board: str
    budget: Budget
    classes: int
    survey: Survey
    pair: Pair
    scored: int
    front: list[Scored]
    best: Scored
    estimate_error: dict[str, float]


def search(options: SearchOptions, activity: Activity = silent) -> SearchResult:
    """Run the whole search. Raises TinyEngineError; the output appears only when everything succeeded."""
    if options.out.suffix != ".json":
        raise DataError(f"the output {options.out} must end in .json")
    classes = _pictures(options.data, min(RESOLUTIONS))[1].shape[1]
    resolutions = (options.resolution,) if options.resolution else RESOLUTIONS
    widths = (options.width,) if options.width else WIDTHS
    found = survey(
        options.budget,
        classes,
        options.samples,
        options.plan.seed,
        resolutions,
        widths,
        part(activity, "resolutions and widths"),
    )
    pair = found.pairs[0]
    batch, targets = _pictures(options.data, pair.resolution)
    checkpoint = Checkpoint(options.run, _fingerprint(options, pair, batch, targets), options.resume)
    scored = evolve(
        pair,
        options.budget,
        classes,
        options.plan,
        lambda network: judge(network, options.board.cpu),
        lambda network: proxy.score(network, batch, targets),
        dict(checkpoint.known),
        checkpoint.add,
        part(activity, "evolution"),
    )
    members = front(scored)
    if options.measure and simulated(options.board.cpu):
        members = _measured(members, options, classes, activity)
    kept = [each for each in members if options.budget.holds(each.costs)]
    best = max(kept or members, key=lambda each: each.score)
    network = best.architecture.network(classes, options.out.stem)
    network = replace(network, about=f"found by tinyengine search for {options.board.name}")
    figures = {"costs": asdict(best.costs), "score": best.score, "proxy": proxy.NAME, "measured": best.measured}
    save_architecture(network, options.out, figures)
    errors = _errors(scored, members, classes)
    board = options.board.name
    return SearchResult(options.out, board, options.budget, classes, found, pair, len(scored), members, best, errors)


def _pictures(path: Path, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, R, R, 3) float32 in [-1, 1) and targets (N, classes) for the score; DataError where too few."""
    data = read_pictures(path, proxy.PICTURES).decoded(resolution)
    if len(data) < proxy.PICTURES or len(data.classes) < 2:
        raise DataError(f"{path} holds {len(data)} pictures: the score needs {proxy.PICTURES} of at least two classes")
    order = np.random.default_rng(0).permutation(len(data))
    return data.values[order].astype(np.float32) / 128 - 1, data.targets(0.5)[order]


def _measured(members: list[Scored], options: SearchOptions, classes: int, activity: Activity) -> list[Scored]:
    counted = []
    for number, each in enumerate(members):
        if number < MEASURED:
            activity("counting instructions", number, min(MEASURED, len(members)))
            figures = bench(compiled(_network(each, classes), options.board.cpu), profile=False)
            costs = Costs(figures.macs, figures.instructions, figures.arena_bytes, figures.flash_bytes.total)
            each = replace(each, costs=costs, measured=True)
        counted.append(each)
    return counted


def _errors(scored: list[Scored], members: list[Scored], classes: int) -> dict[str, float]:
    """Largest relative errors of the estimate, of the bytes over all scored, of the instructions over the counted."""

    def worst(entries: list[Scored], field: str) -> float:
        errors = [
            abs(getattr(estimate(_network(each, classes)), field) / getattr(each.costs, field) - 1) for each in entries
        ]
        return round(max(errors, default=0.0), 4)

    counted = [each for each in members if each.measured]
    errors = {"sram": worst(scored, "sram"), "flash": worst(counted or scored, "flash")}
    return errors | ({"instructions": worst(counted, "instructions")} if counted else {})


def _network(each: Scored, classes: int) -> Network:
    return each.architecture.network(classes)


def _fingerprint(options: SearchOptions, pair: Pair, batch: np.ndarray, targets: np.ndarray) -> str:
    """Of everything that a candidate's entry depends on."""
    settings = [
        asdict(options.budget),
        options.board.cpu,
        pair.resolution,
        pair.width,
        asdict(options.plan),
        proxy.NAME,
    ]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(batch.tobytes())
    digest.update(targets.tobytes())
    return digest.hexdigest()
