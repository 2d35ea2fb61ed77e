"""te_boxes.h against the host's integers, and these against the decoders in real numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tinyengine import reference
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.data.box_plan import ONE, box_of, plan_boxes, planned_boxes
from tinyengine.data.boxes import HEADS, Box, BoxHead, find_boxes
from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import DataError
from tinyengine.ir import Graph, Quantization
from tinyengine.ir.ops import Window
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.native.build import build, run_many

from tests.helpers import needs
from tests.helpers.boxes import BoxCase, OutputOf, box_case, box_network, check_found
from tests.helpers.detection import detection
from tests.helpers.graphs import GraphBuilder, random_inputs

NEAR = 6 / ONE
SEEDS = st.integers(0, 1 << 30)


def test_code_finds_what_the_host_finds() -> None:
    """Under sanitizers, with room for exactly as many candidates as are compared."""
    cases = [box_case(seed, kind) for kind in HEADS for seed in range(40)]
    [[output]] = run_many([box_network(cases)], [[]])
    assert check_found(cases, output) > 300


@settings(max_examples=5, deadline=None)
@given(st.lists(SEEDS, min_size=30, max_size=30))
@pytest.mark.slow
def test_code_finds_what_the_host_finds_anywhere(seeds: list[int]) -> None:
    cases = [box_case(seed) for seed in seeds]
    [[output]] = run_many([box_network(cases)], [[]])
    check_found(cases, output)


@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_cores_find_what_the_host_finds(cpu: str, portable: bool) -> None:
    cases = [box_case(seed, kind) for kind in HEADS for seed in range(100, 112)]
    network = box_network(cases)
    with BenchImage([network], cpu, portable) as image:
        [result] = image.run([Job(0, [])], exact=False)
    assert result.guards_intact
    assert check_found(cases, result.outputs[0]) > 100


def apart(box: Box, other: Box) -> float:
    """Integers know no score above 1, as values in pixels seem to have."""
    edges = ("left", "top", "right", "bottom")
    score = abs(min(box.score, 1.0) - min(other.score, 1.0))
    return max(score, *(abs(getattr(box, edge) - getattr(other, edge)) for edge in edges))


def without_partner(mine: list[Box], theirs: list[Box]) -> list[Box]:
    """Boxes of which the others have none alike; equal ones within rounding may come in another order."""
    left, alone = list(theirs), []
    for box in mine:
        partner = next((each for each in left if each.index == box.index and apart(box, each) < NEAR), None)
        if partner is None:
            alone.append(box)
        else:
            left.remove(partner)
    return alone


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_integers_find_what_real_numbers_find(seed: int) -> None:
    """But for what lies on a limit: a score at the threshold, an overlap or an order within rounding."""
    case = box_case(seed)
    assume(case.head.unit == "input" or not case.head.objectness)  # a product of what are no shares
    head = replace(case.head, overlap=1.0, most=1000)
    case = replace(case, head=head)
    case.outputs[0] = np.nan_to_num(case.outputs[0])
    found, wanted = case.expected, find_boxes(case.real, head, case.size, case.classes)
    for box in [*without_partner(found, wanted), *without_partner(wanted, found)]:
        assert abs(box.score - head.threshold) < NEAR, f"{box} has no partner"


def fomo(r: np.random.Generator) -> tuple[BoxCase, list[tuple[int, ...]]]:
    """Two objects of two classes and one that is not sure."""
    values = np.full((12, 12, 3), -128, np.int8)
    values[..., 0] = 127
    for row, column, index, level in ((2, 3, 1, 100), (3, 4, 1, 90), (8, 8, 2, 60), (10, 1, 1, -60)):
        values[row, column] = [-128, -128, -128]
        values[row, column, 0] = -100
        values[row, column, index] = level
    head = BoxHead("heatmap", threshold=0.5)
    return BoxCase(head, [OutputOf((12, 12, 3), "int8", 1 / 256, -128)], [values], (96, 96), 2), [
        (0, 24, 16, 40, 32),
        (1, 64, 64, 72, 72),
    ]


def yolov8(r: np.random.Generator) -> tuple[BoxCase, list[tuple[int, ...]]]:
    """(4 + classes, N), in shares: two objects, one of them seen twice, among noise that is not sure."""
    values = r.integers(-128, -90, (6, 84)).astype(np.int8)
    for place, x, y, w, h, index, level in (
        (10, 48, 40, 20, 40, 0, 100),
        (11, 49, 41, 20, 40, 0, 70),
        (50, 20, 70, 30, 16, 1, 30),
    ):
        values[:4, place] = np.rint(np.array([x, y, w, h]) / 96 * 255) - 128
        values[4:, place] = -128
        values[4 + index, place] = level
    port = OutputOf((6, 84), "int8", 1 / 255, -128)
    return BoxCase(BoxHead("points", threshold=0.3), [port], [values], (96, 96), 2), [
        (0, 38, 20, 58, 60),
        (1, 5, 62, 35, 78),
    ]


def yolo_lc(r: np.random.Generator) -> tuple[BoxCase, list[tuple[int, ...]]]:
    """One class, three anchors, 6 x 6 cells."""
    values = r.integers(-30, 30, (6, 6, 3, 6))
    values[..., 4] = -100
    # in the cell of row 2, column 4: its middle, exactly of the second anchor's size; the third sees the same
    values[2, 4, 1, :5] = [0, 0, 0, 0, 60]
    values[2, 4, 2, :5] = [0, 0, 0, 0, 40]
    anchors = ((0.1, 0.1), (0.25, 0.5), (0.25, 0.45))
    port = OutputOf((6, 6, 18), "int8", 0.05, 0)
    head = BoxHead("grid", threshold=0.5, anchors=anchors)
    output = values.astype(np.int8).reshape(6, 6, 18)
    return BoxCase(head, [port], [output], (96, 96), 1), [(0, 60, 16, 84, 64)]


def ssd(r: np.random.Generator) -> tuple[BoxCase, list[tuple[int, ...]]]:
    corners = np.array([[0.25, 0.5, 0.75, 1.25], [0, 0.125, 0.5, 0.25], [0, 0, 1, 1]], np.float32)
    outputs = [
        corners,
        np.array([1, 0, 0], np.float32),
        np.array([0.5, 0.75, 0.9], np.float32),
        np.array([2], np.float32),
    ]
    ports = [OutputOf(each.shape, "float32") for each in outputs]
    return BoxCase(BoxHead("ssd"), ports, outputs, (96, 96), 2), [(0, 12, 0, 24, 48), (1, 48, 24, 96, 72)]


@pytest.mark.parametrize("case", [fomo, yolov8, yolo_lc, ssd])
def test_objects_that_are_there(case: object) -> None:
    """Of networks as people have them; edges in pixels."""
    made, wanted = case(np.random.default_rng(4))  # type: ignore[operator]
    found = made.expected
    edges = [(box.index, *(round(96 * side) for side in (box.left, box.top, box.right, box.bottom))) for box in found]
    assert edges == wanted
    reference = find_boxes(made.real, made.head, made.size, made.classes)
    assert len(reference) == len(found)
    assert all(apart(*pair) < NEAR and pair[0].index == pair[1].index for pair in zip(found, reference, strict=True))


@pytest.mark.parametrize(("count", "there"), [(np.inf, 3), (1.9, 1), (np.nan, 0), (-1, 0)])
def test_a_number_of_boxes_that_is_none(count: float, there: int) -> None:
    """te_boxes.h takes it so, too."""
    made, _ = ssd(np.random.default_rng(4))
    made.outputs[3][:] = count
    assert len(made.expected) == there


def test_what_has_no_plan_and_what_is_no_head() -> None:
    assert plan_boxes([OutputOf((3, 3, 2), "float32")], BoxHead("heatmap"), (9, 9), 1) is None
    assert plan_boxes([OutputOf((300, 300, 2))], BoxHead("heatmap"), (9, 9), 1) is None
    quarter = [OutputOf((1, 4)), OutputOf((1,)), OutputOf((1,)), OutputOf((1,))]
    assert plan_boxes(quarter, BoxHead("ssd"), (9, 9), 1) is None
    for ports, head, says in (
        ([OutputOf((1, 4))], BoxHead("ssd"), "in this order"),
        ([OutputOf((3, 3))] * 2, BoxHead("points"), "in one output"),
        ([OutputOf((9, 9))], BoxHead("heatmap"), "rows, columns, 1 . classes"),
        ([OutputOf((9, 9, 7))], BoxHead("grid", anchors=((1, 1), (1, 1))), "2 . .5 . classes."),
        ([OutputOf((20, 4))], BoxHead("points"), "4 . classes"),
    ):
        with pytest.raises(DataError, match=says):
            plan_boxes(ports, head, (9, 9), 1)


def fomo_like() -> tuple[Graph, BoxHead]:
    b = GraphBuilder(1, "fomo")
    b.output(b.softmax(b.conv(b.input(1, 32, 48, 3), 3, Window((8, 8), (8, 8)))))
    return b.graph, BoxHead("heatmap", threshold=0.4)


def yolov8_like() -> tuple[Graph, BoxHead]:
    """Shares, (4 + classes, N)."""
    b = GraphBuilder(2, "yolov8")
    places = b.logistic(b.conv(b.input(1, 32, 48, 3), 6, Window((8, 8), (8, 8))))
    b.output(b.transpose(b.reshape(places, 1, 24, 6), 0, 2, 1))
    return b.graph, BoxHead("points", threshold=0.4)


def yolo_lc_like() -> tuple[Graph, BoxHead]:
    b = GraphBuilder(3, "yolo_lc")
    numbers = b.conv(b.input(1, 32, 48, 3), 3 * 7, Window((8, 8), (8, 8)))
    b.output(b.quantize(numbers, quant=Quantization((0.03,), (0,))))
    return b.graph, BoxHead("grid", threshold=0.3, anchors=((0.1, 0.2), (0.3, 0.4), (0.5, 0.3)))


def ssd_like() -> tuple[Graph, BoxHead]:
    graph, _ = detection(7, "int8", True, 30, max_classes_per_detection=1, max_detections=9)
    return graph, BoxHead("ssd", threshold=0.1)


@pytest.mark.parametrize("make", [fomo_like, yolov8_like, yolo_lc_like, ssd_like])
def test_a_network_gives_the_boxes_of_a_reference(make: Callable[[], tuple[Graph, BoxHead]]) -> None:
    """The oracle's outputs, read in real numbers; the code's are those of the integers, to the bit."""
    graph, head = make()
    meaning = ModelMetadata(task="detection", classes=("cup", "spoon"), boxes=head)
    compiled = compile_graph(graph, CompileOptions(), None, b"", meaning.to_json())
    network, plan, seen = build(compiled), compiled.boxes, 0
    assert plan is not None
    ports = [compiled.graph.tensor(port.tensor) for port in compiled.graph.outputs]
    for seed in range(6):
        inputs = random_inputs(compiled.graph, seed)
        outputs = reference.run(compiled.graph, inputs, requant=compiled.roundings)
        network.run(inputs)
        found = [box_of(*map(int, each)) for each in network.boxes(plan.capacity)]
        assert found == planned_boxes(plan, outputs)
        real = [
            port.scale * (x - float(port.zero_point)) if port.quant else x
            for port, x in zip(ports, outputs, strict=True)
        ]
        wanted = find_boxes([x[0] for x in real], head, (32, 48), 2)
        assert len(found) == len(wanted) and not without_partner(found, wanted)
        seen += len(found)
    assert seen > 6
