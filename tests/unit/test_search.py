"""Architecture search: the space, costs against the compiler, survey, evolution, checkpoints, files, the command."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.cli.search import command
from tinyengine.errors import BudgetError, DataError, ModelError
from tinyengine.ir.verify import verify
from tinyengine.search import proxy
from tinyengine.search.checkpoint import Checkpoint
from tinyengine.search.cost import Budget, Costs, estimate, judge
from tinyengine.search.evolve import Plan, Scored, evolve, front
from tinyengine.search.pairs import Pair, survey
from tinyengine.search.skeleton import graph_of
from tinyengine.search.space import DEPTHS, EXPANSIONS, KERNELS, Architecture, cross, mutate, sample
from tinyengine.sizes import parse_count
from tinyengine.zoo.arch_file import find_or_load, load_architecture, save_architecture
from tinyengine.zoo.table import Network, find, macs, parameters, parse_blocks

BUDGET = Budget(sram=64 << 10, flash=512 << 10, instructions=10_000_000, macs=7_000_000)
SMALL = Pair(48, 0.3, 1.0, 0)


def drawn(count: int, resolution: int = 64, width: float = 0.5) -> list[Architecture]:
    rng = np.random.default_rng(3)
    return [sample(rng, resolution, width) for _ in range(count)]


def test_samples_mutants_and_children_stay_in_the_space() -> None:
    rng = np.random.default_rng(0)
    parents = drawn(10)
    for one, other in zip(parents, reversed(parents), strict=True):
        for each in (one, mutate(rng, one, 0.5), cross(rng, one, other)):
            assert all(len(stage) in DEPTHS for stage in each.stages)
            assert len(each.stages[-1]) == 1
            layers = [layer for stage in each.stages for layer in stage]
            assert all(kernel in KERNELS and expansion in EXPANSIONS for kernel, expansion in layers)
    assert mutate(rng, parents[0], 0.0) == parents[0]
    child = cross(rng, parents[0], parents[1])
    assert all(stage in pair for stage, *pair in zip(child.stages, parents[0].stages, parents[1].stages, strict=True))


def test_an_architecture_is_a_network_of_the_table() -> None:
    network = Architecture(64, 0.5, (((3, 6), (5, 3)), *[((7, 4),)] * 5)).network(classes=3)
    assert (network.stem, network.blocks[0].channels, network.blocks[-1].channels) == (16, 8, 160)
    assert [block.stride for block in network.blocks] == [1, 2, 1, 2, 2, 1, 2, 1]
    assert all(block.channels % 8 == 0 for block in network.blocks)


def test_the_skeleton_is_what_the_converter_makes() -> None:
    """Same arena and constants as the trained network in the repository, which came through TensorFlow."""
    from tinyengine.compiler import CompileOptions, compile_model
    from tinyengine.paths import project_root

    graph = graph_of(find("person-tiny"))
    verify(graph)
    shipped = compile_model(project_root() / "models" / "person_tiny.tflite", CompileOptions(requant="fast"))
    judged = judge(find("person-tiny"))
    assert judged.sram == shipped.plan.arena_bytes
    assert judged.macs == shipped.macs == macs(find("person-tiny"))
    assert 15_000 < judged.flash - shipped.weight_bytes < 35_000  # code


def test_the_estimate_is_as_good_as_it_is_said_to_be() -> None:
    """The errors that docs/search.md states, against the planner and against counts of tinyengine bench."""
    for architecture in drawn(4):
        network = architecture.network(2)
        guess, truth = estimate(network), judge(network)
        assert guess.macs == truth.macs
        assert guess.sram == pytest.approx(truth.sram, rel=0.08)
        assert guess.flash == pytest.approx(truth.flash, rel=0.05)
    # person_tiny as bench counts it, on the Cortex-M4 with fast rounding
    assert estimate(find("person-tiny")).instructions == pytest.approx(8_851_183, rel=0.02)


def test_the_survey_takes_the_pair_whose_fitting_networks_compute_most() -> None:
    found = survey(BUDGET, 2, samples=12, seed=0, resolutions=(48, 80), widths=(0.3, 0.5, 0.9))
    assert found.samples == 72
    assert found.per_minute >= 1000
    best, worst = found.pairs[0], found.pairs[-1]
    assert best.fitting > 0
    assert best.macs == max(pair.macs for pair in found.pairs if pair.fitting >= 0.05)
    assert worst.macs <= best.macs <= BUDGET.macs
    again = survey(BUDGET, 2, samples=12, seed=0, resolutions=(48, 80), widths=(0.3, 0.5, 0.9))
    assert again.pairs == found.pairs
    with pytest.raises(BudgetError, match="no architecture of the space"):
        survey(Budget(sram=1000, flash=1000), 2, samples=2, seed=0, resolutions=(48,), widths=(0.5,))


def search_with(plan: Plan, known: dict[Architecture, Scored], seen: list[Scored]) -> list[Scored]:
    """An evolution whose score is known: networks with more MACs are better."""
    budget = Budget(sram=64 << 10, flash=512 << 10, macs=1_500_000)
    return evolve(SMALL, budget, 2, plan, estimate, lambda n: float(macs(n)), known, seen.append)


def test_evolution_climbs_keeps_the_budget_and_continues_exactly() -> None:
    seen: list[Scored] = []
    result = search_with(Plan(8, 5, seed=1), {}, seen)
    assert result[0].score == max(each.score for each in result)
    assert all(each.costs.macs <= 1_500_000 for each in result)
    assert len({each.architecture for each in result}) == len(result) == len(seen)
    first = max(each.score for each in result if each.generation == 0)
    assert result[0].score > first
    # a search that was interrupted half-way knows the candidates so far and takes the same steps
    known = {each.architecture: each for each in seen[: len(seen) // 2]}
    again: list[Scored] = []
    assert search_with(Plan(8, 5, seed=1), known, again) == result


def test_the_front_holds_what_nothing_beats() -> None:
    def scored(score: float, instructions: int, sram: int) -> Scored:
        return Scored(drawn(1)[0], Costs(0, instructions, sram, 5), score, 0)

    best, cheap, small = scored(3, 30, 30), scored(1, 10, 30), scored(1, 30, 10)
    beaten, twin = scored(0.5, 30, 30), scored(3, 30, 30)
    members = front([best, twin, cheap, small, beaten])
    assert members == [best, twin, cheap, small]


def test_checkpoints_survive_half_a_line_and_refuse_other_searches(tmp_path: Path) -> None:
    architecture = drawn(1)[0]
    one = Scored(architecture, Costs(1, 2, 3, 4), 5.5, 0)
    Checkpoint(tmp_path / "run", "a", False).add(one)
    path = tmp_path / "run" / "candidates.jsonl"
    path.write_text(path.read_text() + '{"architecture": {"reso')
    resumed = Checkpoint(tmp_path / "run", "a", True)
    assert resumed.known == {architecture: one}
    resumed.add(replace(one, architecture=drawn(2)[1]))
    assert len(Checkpoint(tmp_path / "run", "a", True).known) == 2
    with pytest.raises(DataError, match="add --resume"):
        Checkpoint(tmp_path / "run", "a", False)
    with pytest.raises(DataError, match="other settings or data"):
        Checkpoint(tmp_path / "run", "b", True)


def test_an_architecture_survives_its_file(tmp_path: Path) -> None:
    network = drawn(1)[0].network(3, "mine")
    save_architecture(network, tmp_path / "mine.json", {"score": 1.0})
    assert load_architecture(tmp_path / "mine.json") == network
    assert find_or_load("mcunet-vww1") == find("mcunet-vww1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not an architecture"),
        ("[]", "lacks 'blocks'"),
        ('{"blocks": "e1c8k3", "stem": 8, "classes": 2}', "'resolution' must be"),
        ('{"blocks": "nonsense", "stem": 8, "classes": 2, "resolution": 48}', "is not a block"),
        ('{"blocks": "", "stem": 8, "classes": 2, "resolution": 48}', "no channels"),
    ],
)
def test_files_that_are_no_architecture(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ModelError, match=sentence) as caught:
        load_architecture(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="does not exist"):
        load_architecture(tmp_path / "missing.json")


def test_counts_are_decimal() -> None:
    assert [parse_count(text) for text in ("7M", "7.5m", "800K", "12")] == [7_000_000, 7_500_000, 800_000, 12]
    with pytest.raises(ValueError, match="not a count"):
        parse_count("7MB")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for k in range(proxy.PICTURES):
        folder = tmp_path / "data" / ("left" if k % 2 else "right")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{k}.png")
    return tmp_path / "data"


def test_the_scores_need_no_training_and_are_repeatable() -> None:
    pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (proxy.PICTURES, 16, 16, 3)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[rng.integers(0, 2, proxy.PICTURES)]
    small, large = (Network("n", 16, 8, parse_blocks(text), 2) for text in ("e1c8k3", "e1c8k3 e4c16k3s2 e3c16k3"))
    for score in (proxy.zico, proxy.naswot):
        first = score(small, x, targets)
        assert np.isfinite(first)
        assert score(small, x, targets) == pytest.approx(first, rel=1e-6)
        assert score(large, x, targets) > first


def test_the_command_from_survey_to_a_network_that_builds(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinyengine.cli.zoo import command as zoo

    monkeypatch.setattr(proxy, "score", lambda network, batch, targets: float(parameters(network)))
    arguments = ["--board", "sim_stm32f405", "--sram", "64K", "--instructions", "2M", "--data", str(pictures)]
    arguments += ["--resolution", "48", "--width", "0.2", "--samples", "10", "--population", "4", "--generations", "0"]
    arguments += ["--run", str(tmp_path / "run"), "--no-measure", "-o", str(tmp_path / "arch.json"), "--json"]
    drawing = importlib.util.find_spec("matplotlib") is not None
    if drawing:
        arguments += ["--plot", str(tmp_path / "front.png")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["scored"] == 4
    assert figures["survey"]["per_minute"] >= 1000
    assert figures["best"]["costs"]["instructions"] <= 2_000_000
    assert figures["best"]["score"] == max(each["score"] for each in figures["front"])
    assert not drawing or Image.open(tmp_path / "front.png").size[0] > 100
    network = load_architecture(tmp_path / "arch.json")
    assert network.classes == 2
    assert macs(network) == figures["best"]["costs"]["macs"]
    shown = CliRunner().invoke(zoo, ["show", "--arch", str(tmp_path / "arch.json"), "--json"])
    assert json.loads(shown.stdout)["macs"] == macs(network)
    again = CliRunner().invoke(command, [*arguments, "--resume"])
    assert json.loads(again.stdout)["best"] == figures["best"]
    refused = CliRunner().invoke(command, arguments)
    assert isinstance(refused.exception, DataError)


def test_too_few_pictures_are_refused(tmp_path: Path, pictures: Path) -> None:
    next(pictures.rglob("*.png")).unlink()
    arguments = ["--board", "sim_stm32f405", "--data", str(pictures), "-o", str(tmp_path / "arch.json")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, DataError)
    assert f"the score needs {proxy.PICTURES}" in str(result.exception)
