"""The search: evolve by estimates, judge by the planner, count on the simulated core, write the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from tinyengine.boards import Board
from tinyengine.data.network_file import check_output
from tinyengine.data.reader import check_pictures
from tinyengine.errors import BudgetError, DataError
from tinyengine.measure.bench import bench
from tinyengine.measure.target_runner import simulated
from tinyengine.paths import project_root
from tinyengine.progress import Activity, part, silent
from tinyengine.search.cost import Budget, Costs, compiled, estimate, judge, timed_as, unit
from tinyengine.search.evolve import Plan, Scored, evolve, front
from tinyengine.supernet.file import Supernet, load_supernet
from tinyengine.zoo.arch_file import save_architecture
from tinyengine.zoo.table import Network

SUPERNET = Path("models") / "person_supernet.npz"

JUDGED = 24
"""Members of the front that the planner judges: the best ones, and others spread over it."""
MEASURED = 3
"""Of these, the best ones, whose work and flash are counted on the simulated core."""
NOTED = 1e-3
"""Nats to which measured cross entropies are rounded before they are compared."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """``out`` ends in .json (an architecture) or .tflite (int8, which needs ``data``); None: BOARD.json, or
    BOARD.tflite with ``data``. ``data``: pictures to measure normalizations on; ``validate``: others, never trained
    on, that judge the front instead of the predictor."""

    board: Board
    budget: Budget
    plan: Plan = field(default_factory=Plan)
    supernet: Path | None = None
    out: Path | None = None
    data: tuple[Path, ...] = ()
    validate: Path | None = None
    measure: bool = True


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What ``--json`` prints. ``unit``: of the work, ``timed_as`` the core whose estimate it is. ``rank``: Spearman's
    correlation of predicted and inherited cross entropy, over ``networks`` that the predictor was fitted to in turn.
    ``estimate_error``: largest relative error of the estimate against what was judged (sram, flash) and counted
    (work)."""

    out: Path
    board: str
    unit: str
    timed_as: str
    budget: Budget
    scored: int
    rank: float
    networks: int
    front: list[Scored]
    best: Scored
    estimate_error: dict[str, float]


def search(options: SearchOptions, activity: Activity = silent) -> SearchResult:
    """Run the whole search. Raises TinyEngineError; the output appears only when everything succeeded."""
    out, cpu = _output(options), options.board.cpu
    path = options.supernet or project_root() / SUPERNET
    supernet = load_supernet(path)
    predictor, space = supernet.predictor, supernet.space
    if predictor is None:
        raise DataError(
            f"nobody has judged parts of {path}: run tinyengine supernet predict {path} --data PHOTOS --validate OTHERS"
        )

    def score(network: Network, costs: Costs) -> Scored:
        entropy = predictor.cross_entropy(space, network)
        return Scored(network, costs, entropy, predictor.accuracy(entropy))

    scored = evolve(space, options.budget, options.plan, partial(estimate, cpu=cpu), score, part(activity, "evolution"))
    members = _planned(_spread(front(scored)), options, activity)
    if options.validate is not None:
        members = _inherited(members, supernet, options, activity)
    if options.measure and simulated(cpu):
        members = _measured(members, options, activity)
    kept = [each for each in members if options.budget.holds(each.costs)]
    if not kept:
        raise BudgetError(
            "what the estimate found keeps the budget by a little too little, as planner and core say: allow more of it"
        )
    best = min(kept, key=lambda each: each.order)
    about = f"found by tinyengine search for {options.board.name}"
    network = replace(best.network, name=out.stem, about=about, classes=len(supernet.classes))
    if out.suffix == ".json":
        figures = {"costs": asdict(best.costs), "unit": unit(cpu), "cross_entropy": best.cross_entropy}
        save_architecture(network, out, figures | {"accuracy": best.accuracy, "measured": best.measured})
    else:
        from tinyengine.recipes.supernet import load_some, write_sub_network  # TensorFlow, which .json does not need

        write_sub_network(path, network, load_some(activity, options.data, network.resolution), out)
    return SearchResult(
        out,
        options.board.name,
        unit(cpu),
        timed_as(cpu),
        options.budget,
        len(scored),
        predictor.rank,
        predictor.networks,
        members,
        best,
        _errors(members, cpu),
    )


def _output(options: SearchOptions) -> Path:
    out = options.out or Path(f"{options.board.name}{'.tflite' if options.data else '.json'}")
    if out.suffix not in (".json", ".tflite"):
        raise DataError(f"the output {out} must end in .json or .tflite")
    if out.suffix == ".tflite":
        check_output(out)
    if (out.suffix == ".tflite" or options.validate) and not options.data:
        raise DataError(
            "a part's normalization is measured on pictures, and its int8 ranges too: name some with --data, labelled "
            "or not"
        )
    for pictures in (*options.data, *filter(None, [options.validate])):
        check_pictures(pictures)
    return out


def _spread(members: list[Scored]) -> list[Scored]:
    """At most JUDGED: the best third, and others evenly over the rest."""
    sure = JUDGED // 3
    if len(members) <= JUDGED:
        return members
    rest = np.linspace(sure, len(members) - 1, JUDGED - sure).astype(int)
    return [*members[:sure], *(members[k] for k in rest)]


def _planned(members: Sequence[Scored], options: SearchOptions, activity: Activity) -> list[Scored]:
    """Those that keep the budget by the planner, too."""
    found = []
    for number, each in enumerate(members):
        activity("planning", number, len(members))
        costs = judge(each.network, options.board.cpu)
        if options.budget.holds(costs):
            found.append(replace(each, costs=costs))
    return found


def _inherited(
    members: Sequence[Scored], supernet: Supernet, options: SearchOptions, activity: Activity
) -> list[Scored]:
    """Their true cross entropy and accuracy on held-out pictures, rounded, so that the last bits decide nothing."""
    from tinyengine.recipes.supernet import JudgeOptions, open_heir  # PyTorch, which a search without pictures spares

    assert options.validate is not None
    judging = JudgeOptions(Path(), [*options.data], options.validate)
    heir, validation = open_heir(supernet, judging, activity)
    found = []
    for number, each in enumerate(members):
        activity("judging", number, len(members))
        inherited = heir.judge(each.network, validation, judging.soft_weight)
        entropy = round(round(inherited.cross_entropy / NOTED) * NOTED, 3)
        found.append(replace(each, inherited=inherited, cross_entropy=entropy, accuracy=round(inherited.accuracy, 1)))
    return sorted(found, key=lambda each: each.order)


def _measured(members: Sequence[Scored], options: SearchOptions, activity: Activity) -> list[Scored]:
    cycles = unit(options.board.cpu) == "cycles"
    counted = []
    for number, each in enumerate(members):
        if number < MEASURED:
            activity(f"counting {unit(options.board.cpu)}", number, min(MEASURED, len(members)))
            figures = bench(compiled(each.network, options.board.cpu), profile=cycles, cycles=cycles)
            work = figures.cycles.estimate if figures.cycles else figures.instructions
            costs = Costs(figures.macs, work, figures.arena_bytes, figures.flash_bytes.total)
            each = replace(each, costs=costs, measured=True)
        counted.append(each)
    return counted


def _errors(members: Sequence[Scored], cpu: str) -> dict[str, float]:
    """Largest relative errors of the estimate: of the arena over all that were planned, of the rest over the counted
    ones."""

    def worst(entries: Sequence[Scored], field: str) -> float:
        errors = [abs(getattr(estimate(each.network, cpu), field) / getattr(each.costs, field) - 1) for each in entries]
        return round(max(errors, default=0.0), 4)

    counted = [each for each in members if each.measured]
    errors = {"sram": worst(members, "sram"), "flash": worst(counted or members, "flash")}
    return errors | ({"work": worst(counted, "work")} if counted else {})
