"""bench/run.py says what got slower or bigger, and fails for the right reasons only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers import bench_script


@pytest.fixture(scope="module")
def run() -> ModuleType:
    return bench_script.load()


@pytest.fixture
def entry(run: ModuleType):
    return run.Entry("gcc 12", "0123", 1000, 2000, 1500, 500, 200, 9000, {"0 stem": 1500, "1 head": 500})


def changed(run: ModuleType, entry, **figures):
    """Regressions of an entry with other figures."""
    return [c.figure for c in run.regressions(run.compare({"k": entry}, {"k": replace(entry, **figures)}))]


@pytest.mark.parametrize(
    ("figures", "failing"),
    [
        ({}, []),
        ({"cycles": 2020}, []),  # 1 % is allowed
        ({"cycles": 2021}, ["cycles"]),
        ({"instructions": 3000}, []),  # what counts is cycles
        ({"cycles": 1000}, []),
        ({"arena_bytes": 506}, ["arena_bytes"]),
        ({"flash_bytes": 9091}, ["flash_bytes"]),
        ({"stack_bytes": 232}, []),  # a spilled register or two
        ({"stack_bytes": 240}, ["stack_bytes"]),
        ({"layers": {"0 stem": 1900, "1 head": 100}}, []),  # layers inform, totals fail
    ],
)
def test_what_fails(run: ModuleType, entry, figures: dict, failing: list[str]) -> None:
    assert changed(run, entry, **figures) == failing


def test_says_which_layer_changed(run: ModuleType, entry) -> None:
    now = replace(entry, cycles=2400, layers={"0 stem": 1900, "1 head": 500})
    told = [str(change) for change in run.compare({"k": entry}, {"k": now})]
    assert told == ["k: layer 0 stem 1,500 -> 1,900 (+26.7 %)", "k: cycles 2,000 -> 2,400 (+20.0 %)"]


def test_another_compiler_or_network_is_not_compared(run: ModuleType, entry) -> None:
    assert changed(run, entry, compiler="gcc 13", cycles=9999) == []
    assert changed(run, entry, hash="4567", cycles=9999) == []
    assert "gcc 12" in run.incomparable(entry, replace(entry, compiler="gcc 13"))
    assert "another network" in run.incomparable(entry, replace(entry, hash="4567"))


def test_baseline_survives_a_round_trip(run: ModuleType, entry, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert run.load_baseline(path) == {}
    run.save_baseline({"b": entry, "a": entry}, path)
    assert run.load_baseline(path) == {"a": entry, "b": entry}
    assert [p.name for p in tmp_path.iterdir()] == ["baseline.json"]


def test_tells_the_worst_layers_of_what_became_slower(run: ModuleType) -> None:
    before = run.Entry("gcc", "0", 1000, 1000, 700, 500, 200, 9000, {f"{i} conv": 100 for i in range(10)})
    slower = replace(before, cycles=1400, layers={f"{i} conv": 110 + 10 * i for i in range(10)})
    faster = replace(before, cycles=800, layers={f"{i} conv": 80 for i in range(10)})
    changes = run.compare({"a": before, "b": before}, {"a": slower, "b": faster})
    told = [(c.key, c.figure) for c in run.worth_telling(changes, layers=False)]
    assert told == [
        *(("a", f"layer {i} conv") for i in (9, 8, 7, 6, 5)),
        ("a", "cycles"),
        ("b", "cycles"),
    ]
    assert len(run.worth_telling(changes, layers=True)) == 22
