"""bench/wild.py: whether a network needs less than TFLite Micro, and which of its builds is the judge."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers import bench_script
from tests.helpers.tiny_networks import tiny_graph


@pytest.fixture(scope="module")
def wild() -> ModuleType:
    return bench_script.load("wild")


@pytest.fixture
def row(wild: ModuleType):
    return wild.Row("a.tflite", "cortex-m4", "time", 1000, 500, wild.Ours(1000, 500, 9000, 0))


def test_as_many_are_not_more(row) -> None:
    assert (row.verdict, row.instructions_ratio, row.sram_ratio) == ("better", 1.0, 1.0)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"instructions": 1001}, "more instructions"),
        ({"sram_bytes": 501}, "more SRAM"),
        ({"instructions": 1001, "sram_bytes": 501}, "more instructions, SRAM"),
        ({"mismatches": 1}, "more outputs"),
        ({"mismatches": None}, "better"),
    ],
)
def test_what_is_more(row, figures: dict, verdict: str) -> None:
    assert replace(row, ours=replace(row.ours, **figures)).verdict == verdict


def test_one_build_must_be_better_in_both(wild: ModuleType, row) -> None:
    slow = replace(row, optimize="sram", ours=replace(row.ours, instructions=2000, sram_bytes=100))
    large = replace(row, ours=replace(row.ours, sram_bytes=600))
    assert wild.failing([row, slow]) == []
    assert wild.failing([large, slow]) == ["a.tflite, cortex-m4"]
    assert wild.failing([row, replace(slow, cpu="cortex-m7")]) == ["a.tflite, cortex-m7"]


def test_wrong_answers_fail_whichever_build_has_them(wild: ModuleType, row) -> None:
    wrong = replace(row, optimize="sram", ours=replace(row.ours, mismatches=3))
    assert wild.failing([row, wrong]) == ["a.tflite, cortex-m4"]


def test_refused_networks_do_not_fail(wild: ModuleType, row) -> None:
    refused = replace(row, ours=None, refused="no")
    assert refused.verdict == "refused" and refused.sram_ratio is None and wild.failing([refused]) == []


def test_measurements_are_known_by_what_runs(wild: ModuleType) -> None:
    graph = tiny_graph(Network("tiny", 16, 8, parse_blocks("e1c8k3"), classes=3), 3, gain=2.0)
    models = [compile_graph(graph, CompileOptions(cpu=cpu)) for cpu in wild.CPUS]
    keys = [wild.key(model, check, code) for model in models for check in (0, 3) for code in (b"a", b"b")]
    assert len(set(keys)) == len(keys) and keys[0] == wild.key(models[0], 0, b"a")
