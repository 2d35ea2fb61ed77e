"""Architecture search: costs against the compiler and counts, evolution, fronts, files, the command."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tinyengine.boards import load, names
from tinyengine.cli.search import command
from tinyengine.errors import BudgetError, DataError, ModelError
from tinyengine.ir.verify import verify
from tinyengine.paths import project_root
from tinyengine.search.cost import Budget, Costs, estimate, judge, timed_as, unit
from tinyengine.search.evolve import ALL, Plan, Scored, evolve, front
from tinyengine.search.run import JUDGED, SUPERNET, _spread
from tinyengine.search.skeleton import graph_of
from tinyengine.sizes import parse_count
from tinyengine.supernet.file import Supernet, load_supernet, save_supernet
from tinyengine.supernet.predictor import fit_predictor
from tinyengine.supernet.space import RESOLUTIONS, Space, grown
from tinyengine.zoo.arch_file import blocks_text, find_or_load, load_architecture, save_architecture
from tinyengine.zoo.table import Network, find, macs, parse_blocks

from tests.helpers.supernets import random_layers

SPACE = Space(grown(replace(find("mbv2-w0.35"), resolution=112, classes=2)), RESOLUTIONS)
BUDGET = Budget(sram=48 << 10, flash=512 << 10, work=6_000_000)


def drawn(count: int) -> list[Network]:
    rng = np.random.default_rng(3)
    return [SPACE.random(rng) for _ in range(count)]


# --- costs ---


def test_the_skeleton_is_what_the_converter_makes() -> None:
    """Same arena and constants as the trained network in the repository, which came through TensorFlow."""
    from tinyengine.compiler import CompileOptions, compile_model

    graph = graph_of(find("person-tiny"))
    verify(graph)
    shipped = compile_model(project_root() / "models" / "person_tiny.tflite", CompileOptions(requant="fast"))
    judged = judge(find("person-tiny"))
    assert judged.sram == shipped.plan.arena_bytes
    assert judged.macs == shipped.macs == macs(find("person-tiny"))
    assert 15_000 < judged.flash - shipped.weight_bytes < 35_000  # code


def test_the_estimate_is_as_good_as_it_is_said_to_be() -> None:
    """The errors that docs/search.md states, against the planner; person_tiny as bench --cycles counts it."""
    for network in (drawn(2)[1], SPACE.smallest(96)):
        guess, truth = estimate(network), judge(network)
        assert guess.macs == truth.macs
        assert guess.sram == pytest.approx(truth.sram, rel=0.02)
        assert guess.flash == pytest.approx(truth.flash, rel=0.05)
    smallest = SPACE.smallest(96)
    assert estimate(smallest, "cortex-m55").sram == pytest.approx(judge(smallest, "cortex-m55").sram, rel=0.02)
    counted = json.loads((project_root() / "bench" / "baseline.json").read_text())
    for cpu in ("cortex-m4", "cortex-m7"):
        cycles = counted[f"person_tiny/{cpu}/dsp/fast/time"]["cycles"]
        assert estimate(find("person-tiny"), cpu).work == pytest.approx(cycles, rel=0.03)


def test_every_board_is_timed_as_its_own_core() -> None:
    for cpu in {load(name).cpu for name in names()}:
        assert cpu.startswith(timed_as(cpu)) or cpu.startswith("rv32")
    assert timed_as("cortex-m7-sp") == "cortex-m7"
    assert timed_as("cortex-m0plus") == "cortex-m4"
    assert unit("cortex-m33") == "cycles"
    networks = drawn(3)
    works = [[estimate(network, cpu).work for network in networks] for cpu in ("cortex-m4", "cortex-m7", "cortex-m33")]
    assert len({tuple(work) for work in works}) == 3


# --- evolution ---


def by_macs(network: Network, costs: Costs) -> Scored:
    """A score that is known: networks with more MACs are better."""
    return Scored(network, costs, -macs(network) / 1e9, 50.0)


def test_evolution_climbs_and_keeps_the_budget() -> None:
    found = evolve(SPACE, BUDGET, Plan(16, 6, seed=1), estimate, by_macs)
    assert len({each.network for each in found}) == len(found)
    assert all(BUDGET.holds(each.costs) for each in found)
    assert found == sorted(found, key=lambda each: each.order)
    best = [
        [evolve(SPACE, BUDGET, Plan(16, rounds, seed), estimate, by_macs)[0].cross_entropy for rounds in (0, 6)]
        for seed in range(4)
    ]
    assert all(after <= before for before, after in best)
    assert sum(after < before for before, after in best) >= 3  # one start may be lucky
    # cheap ones evolve, too: the smallest part is always there, and the front has many members
    assert min(each.costs.work for each in found) == estimate(SPACE.smallest()).work
    assert len(front(found, (lambda costs: costs.work,))) > 10
    with pytest.raises(BudgetError, match=r"the smallest part .* takes .* so none keeps the budget: allow more of it"):
        evolve(SPACE, Budget(sram=1000, flash=512 << 10), Plan(4, 0), estimate, by_macs)
    least = estimate(SPACE.smallest())
    assert evolve(SPACE, Budget(least.sram, least.flash, macs=least.macs), Plan(4, 0), estimate, by_macs)


def test_a_seed_finds_the_same_network_whatever_the_last_bits_of_scores_are() -> None:
    """What differs between machines is far below what scores are rounded to, and equal scores have an order."""
    networks = drawn(80)
    entropies = [0.6 - 0.04 * np.log2(macs(each) / 1e6) for each in networks]

    def best(noise: float, seed: int = 0) -> list[Network]:
        noisy = [each + noise * (-1) ** k for k, each in enumerate(entropies)]
        predictor = fit_predictor(SPACE, networks, noisy, [100 - 60 * each for each in noisy])

        def score(network: Network, costs: Costs) -> Scored:
            return Scored(network, costs, predictor.cross_entropy(SPACE, network), 0.0)

        return [each.network for each in evolve(SPACE, BUDGET, Plan(8, 3, seed), estimate, score)]

    assert best(0.0) == best(1e-13)
    assert best(0.0) != best(0.0, seed=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_the_front_holds_what_nothing_beats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = SPACE.smallest()
    scored = [
        Scored(replace(network, stem=k), Costs(1, *map(int, rng.integers(1, 5, 3))), float(rng.integers(4)), 0.0)
        for k in range(12)
    ]

    def values(each: Scored) -> tuple[float, ...]:
        return each.cross_entropy, *(of(each.costs) for of in ALL)

    members = front(scored)
    for each in scored:
        beaten = [m for m in members if all(a <= b for a, b in zip(values(m), values(each), strict=True))]
        assert beaten == [each] if each in members else beaten
    assert [m.cross_entropy for m in members] == sorted(m.cross_entropy for m in members)


def test_what_is_judged_is_spread_over_a_front() -> None:
    members = [by_macs(network, Costs(1, k, 1, 1)) for k, network in enumerate(drawn(100))]
    kept = _spread(members)
    assert len(kept) == JUDGED
    assert kept[: JUDGED // 3] == members[: JUDGED // 3]
    assert kept[-1] == members[-1]
    assert _spread(members[:5]) == members[:5]


# --- files ---


def test_an_architecture_survives_its_file(tmp_path: Path) -> None:
    network = replace(drawn(1)[0], name="mine", classes=3)
    save_architecture(network, tmp_path / "mine.json", {"score": 1.0})
    assert load_architecture(tmp_path / "mine.json").blocks == network.blocks
    assert parse_blocks(blocks_text(network)) == network.blocks
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


# --- the command ---


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, and a predictor to which larger networks are better."""
    networks = drawn(60)
    entropies = [0.6 - 0.04 * np.log2(macs(each) / 1e6) for each in networks]
    predictor = fit_predictor(SPACE, networks, entropies, [100 - 60 * each for each in entropies])
    path = tmp_path_factory.mktemp("supernet") / "super.npz"
    save_supernet(Supernet(SPACE, random_layers(SPACE.network), ("no", "yes"), predictor), path)
    return path


def small_search(supernet: Path, *more: object) -> list[str]:
    options = ["--board", "sim_stm32f405", "--supernet", supernet, "--population", 8, "--generations", 2]
    return [*map(str, options), *map(str, more)]


@pytest.mark.parametrize("plot", ["front.txt", "nowhere/front.png"])
def test_what_cannot_be_drawn_is_said_before_the_search(
    plot: str, tmp_path: Path, supernet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(command, small_search(supernet, "--plot", plot))
    assert isinstance(refused.exception, DataError)
    assert str(refused.exception).startswith(f"cannot draw the front to {plot}: name a .png")
    assert not list(tmp_path.glob("sim_*"))


def test_a_board_alone_is_enough(tmp_path: Path, supernet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyengine.cli.zoo import command as zoo

    monkeypatch.chdir(tmp_path)
    more = ["--cycles", "3M", "--no-measure", "--json"]
    if importlib.util.find_spec("matplotlib") is not None:
        more += ["--plot", "front.png"]
    first = CliRunner().invoke(command, small_search(supernet, *more))
    assert first.exit_code == 0, (first.output, first.exception)
    figures = json.loads(first.stdout)
    assert figures["out"] == "sim_stm32f405.json"
    assert figures["unit"] == "cycles"
    assert figures["best"]["costs"]["work"] <= 3_000_000
    assert figures["best"]["cross_entropy"] == min(each["cross_entropy"] for each in figures["front"])
    assert "--plot" not in more or Image.open("front.png").size[0] > 100
    network = load_architecture(Path("sim_stm32f405.json"))
    assert SPACE.match(network)
    assert macs(network) == figures["best"]["costs"]["macs"]
    shown = CliRunner().invoke(zoo, ["show", "--arch", "sim_stm32f405.json", "--json"])
    assert json.loads(shown.stdout)["macs"] == macs(network)
    again = CliRunner().invoke(command, small_search(supernet, *more, "-o", "again.json"))
    assert json.loads(again.stdout)["front"] == figures["front"]
    text = CliRunner().invoke(command, small_search(supernet, *more[:3]))
    assert "wrote sim_stm32f405.json" in text.stdout


def test_with_pictures_it_writes_a_network_that_builds(tmp_path: Path, supernet: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    from tinyengine.compiler import CompileOptions, compile_model

    rng = np.random.default_rng(0)
    for k in range(12):
        folder = tmp_path / "photos" / ("yes" if k % 2 else "no")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{k}.png")
    photos, out = tmp_path / "photos", tmp_path / "mine.tflite"
    more = ["--macs", "2M", "--no-measure", "--json", "--data", photos, "--validate", photos, "-o", out]
    result = CliRunner().invoke(command, small_search(supernet, "--generations", 0, *more))
    assert result.exit_code == 0, (result.output, result.exception)
    figures = json.loads(result.stdout)
    assert all(each["inherited"] for each in figures["front"])
    assert figures["best"]["cross_entropy"] == min(each["cross_entropy"] for each in figures["front"])
    compiled = compile_model(out, CompileOptions(requant="fast"))
    assert compiled.plan.arena_bytes == figures["best"]["costs"]["sram"]
    assert json.loads(out.with_suffix(".json").read_text())["classes"] == ["no", "yes"]


def test_what_a_search_lacks_is_said(tmp_path: Path, supernet: Path) -> None:
    def refused(*more: object) -> str:
        result = CliRunner().invoke(command, small_search(supernet, "--no-measure", *more))
        assert isinstance(result.exception, DataError), result.output
        return str(result.exception)

    assert "name some with --data, labelled or not" in refused("-o", "net.tflite")
    assert "name some with --data, labelled or not" in refused("--validate", tmp_path)
    assert "must end in .json or .tflite" in refused("-o", "net.bin")
    save_supernet(replace(load_supernet(supernet), predictor=None), tmp_path / "plain.npz")
    assert "there is no picture, folder or archive" in refused("--data", tmp_path / "photos")
    assert "run tinyengine supernet predict" in refused("--supernet", tmp_path / "plain.npz")


def test_our_super_network_has_what_its_card_says() -> None:
    path = project_root() / SUPERNET
    ours = load_supernet(path)
    assert ours.space.network.blocks == SPACE.network.blocks
    assert ours.classes == ("no_person", "person")
    assert ours.predictor is not None and ours.predictor.rank > 0.9  # so that a search needs nothing else
    assert f"rank\ncorrelation of {ours.predictor.rank:.2f}" in path.with_suffix(".md").read_text()
    assert path.stat().st_size < 1e6
    assert path.with_suffix(".md").is_file()
    for name in ("person-tiny", "person-small", "largest", "smallest"):
        assert ours.sub_network(name).classes == 2
