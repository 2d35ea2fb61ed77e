"""TFLite_Detection_PostProcess: the oracle against TFLite and TFLite Micro, C against the oracle, what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Quantization, twofold
from tinyengine.ir.ops import DetectionAttrs
from tinyengine.measure.bench import bench
from tinyengine.native.build import build_many, run_many
from tinyengine.passes import optimize
from tinyengine.passes.rewrite import clone
from tinyengine.reference import run

from tests.helpers import needs
from tests.helpers.detection import detection
from tests.helpers.edited import edited
from tests.helpers.legacy import as_uint8, uint8
from tests.helpers.tflite_reference import run_builtin_ref

SEEDS = st.integers(0, 1 << 30)
TYPES = st.sampled_from(["float32", "int8"])


def assert_found(graph: Graph, got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """The same detections; what TFLite leaves as its memory was is not looked at."""
    attrs = graph.operators[-1].attrs
    assert isinstance(attrs, DetectionAttrs)
    count, listed = int(wanted[3][0]), min(attrs.max_classes_per_detection, attrs.num_classes)
    assert got[3][0] == count
    places = np.arange(count)
    if not attrs.use_regular_nms:
        places = (places[:, None] * attrs.max_classes_per_detection + np.arange(listed)).ravel()
    for mine, theirs in zip(got[:3], wanted[:3], strict=True):
        np.testing.assert_array_equal(mine[0, places], theirs[0, places])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, dtype=TYPES)
def test_oracle_finds_what_tflite_finds(seed: int, dtype: str) -> None:
    graph, inputs = detection(seed, dtype, different=True)
    model = tflite_bytes(graph)
    got = run(parse_tflite(model), inputs)
    assert_found(graph, got, run_builtin_ref(model, inputs))
    for again, first in zip(run(optimize(graph), inputs), got, strict=True):
        np.testing.assert_array_equal(again, first)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, dtype=TYPES)
def test_equal_scores_are_ordered_as_by_tflite_micro(seed: int, dtype: str) -> None:
    pytest.importorskip("tflite_micro", reason="tflite_micro (the extra 'check') is not installed")
    from tflite_micro import runtime

    graph, inputs = detection(seed, dtype, False, max_classes_per_detection=1)  # of more, it mixes up the places
    interpreter = runtime.Interpreter.from_bytes(tflite_bytes(graph), arena_size=1 << 20)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    assert_found(graph, run(graph, inputs), [np.array(interpreter.get_output(index)) for index in range(4)])


@pytest.mark.parametrize("regular", [False, True])
def test_files_of_uint8_compute_in_int8(regular: bool) -> None:
    """Anchors and all, as TensorFlow wrote detectors until 2018."""
    graph, inputs = detection(5, "int8", different=True, boxes=12, use_regular_nms=regular, nms_score_threshold=0.2)
    graph = clone(graph)
    op = graph.operators[-1]
    op.inputs[:2] = [port.tensor for port in graph.inputs]
    graph.operators = [op]
    graph.tensors = {name: graph.tensor(name) for name in (*op.inputs, *op.outputs)}
    anchors = graph.tensor(op.inputs[2])
    assert anchors.data is not None
    anchors.data = np.rint(anchors.data * 200 - 128).astype(np.int8)
    anchors.dtype, anchors.quant = "int8", Quantization((1 / 200,), (-128,))
    model = tflite_bytes(as_uint8(graph))
    loaded = parse_tflite(model)
    assert [port.dtype for port in loaded.inputs] == ["uint8", "uint8"]
    assert_found(graph, run(optimize(loaded), inputs), run_builtin_ref(model, [uint8(value) for value in inputs]))


def test_the_code_finds_what_the_oracle_finds() -> None:
    """With all kinds of ties; natively, the first ones under sanitizers."""
    cases = [detection(seed, dtype, different=False) for seed in range(40) for dtype in ("float32", "int8")]
    for _, (boxes, scores) in cases[2::6]:  # float32
        boxes.flat[:: boxes.size // 3 + 1] = scores.flat[1 :: scores.size // 5 + 2] = np.nan
    compiled = [compile_graph(graph, CompileOptions(prefix=f"d{i}")) for i, (graph, _) in enumerate(cases)]
    answers = [network.run(inputs) for network, (_, inputs) in zip(build_many(compiled), cases, strict=True)]
    answers += run_many(compiled[:30], [inputs for _, inputs in cases[:30]])
    found = 0
    for (graph, inputs), got in zip([*cases, *cases[:30]], answers, strict=True):
        wanted = run(graph, inputs)
        found += int(wanted[3][0] > 1)
        for mine, theirs in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert found > 40


@needs.thorough_cores
def test_cores_find_what_tflite_finds(cpu: str, tmp_path: Path) -> None:
    for seed, dtype in ((3, "int8"), (4, "float32")):
        regular = dtype == "int8"
        graph, _ = detection(
            seed, dtype, True, 30, use_regular_nms=regular, max_classes_per_detection=1, max_detections=4
        )
        path = tmp_path / f"{dtype}.tflite"
        path.write_bytes(tflite_bytes(graph))
        report = bench(compile_graph(parse_tflite(path.read_bytes()), CompileOptions(cpu=cpu)), path, check=2)
        assert report.check is not None and report.check.mismatched == 0


def test_boxes_and_scores_stay_bytes() -> None:
    graph, _ = detection(1, "int8", different=True)
    optimized = optimize(graph)
    assert [op.kind for op in optimized.operators] == [OpKind.DETECTION_POST_PROCESS]
    assert optimized.tensor(optimized.operators[0].inputs[1]).dtype == "int8"


def test_twofold_numbers_have_46_bits() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=10000).astype(np.float32) for _ in range(2))
    quotient = twofold.divide(a, b)
    exact = a.astype(np.float64) / b.astype(np.float64)
    real = quotient.high.astype(np.float64) + quotient.low.astype(np.float64)
    assert np.abs(real / exact - 1).max() < 2.0**-46
    x = twofold.Twofold(*(part.astype(np.float32) for part in (a * 20, a * 1e-7)))
    power, exponent = twofold.exp(x)
    real = (power.high.astype(np.float64) + power.low) * 2.0**exponent
    exact = np.exp(x.high.astype(np.float64) + x.low.astype(np.float64))
    assert np.abs(real / exact - 1).max() < 2.0**-41  # an exponent of 80 has seven bits in front of its point
    assert twofold.exp(twofold.Twofold(np.float32([math.inf]), np.float32([0])))[1][0] == 289


# --- files ---


def file_with(options: dict[str, Any] | bytes) -> bytes:
    def change(model: Any) -> None:
        op = model.subgraphs[0].operators[-1]
        known = flexbuffers.Loads(bytes(op.customOptions))
        op.customOptions = options if isinstance(options, bytes) else list(flexbuffers.Dumps({**known, **options}))

    return edited(tflite_bytes(detection(2, "float32", different=True)[0]), change)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_detections": 0}, "has attributes that do not fit"),
        ({"nms_iou_threshold": 1.5}, "has attributes that do not fit"),
        ({"y_scale": 0.0}, "has attributes that do not fit"),
        ({"num_classes": 77}, "for 77 classes"),
        (b"", "has no options max_detections"),
        (bytes(range(40, 60)), "has no options max_detections"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        parse_tflite(file_with(options))


def test_options_and_shapes_that_are_left_out() -> None:
    """Converters leave out what has a default, and the shapes of outputs."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        op = graph.operators[-1]
        known = flexbuffers.Loads(bytes(op.customOptions))
        for name in ("detections_per_class", "use_regular_nms"):
            del known[name]
        op.customOptions = list(flexbuffers.Dumps(known))
        for index in op.outputs:
            graph.tensors[index].shape = []

    graph, inputs = detection(2, "float32", different=True)
    model = edited(tflite_bytes(graph), change)
    loaded = parse_tflite(model)
    attrs = loaded.operators[-1].attrs
    assert isinstance(attrs, DetectionAttrs) and (attrs.detections_per_class, attrs.use_regular_nms) == (100, False)
    assert [loaded.tensor(port.tensor).shape for port in loaded.outputs] == [
        graph.tensor(port.tensor).shape for port in graph.outputs
    ]
    assert_found(loaded, run(loaded, inputs), run_builtin_ref(model, inputs))


def test_anchors_are_constant() -> None:
    graph, _ = detection(2, "float32", different=True)
    name = graph.operators[-1].inputs[2]
    graph.tensor(name).data = None
    graph.inputs.append(type(graph.inputs[0])(name, name, "float32"))
    with pytest.raises(UnsupportedOperatorError, match=r"computes its anchors .*: make them constant"):
        compile_graph(graph)
