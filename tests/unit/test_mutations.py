"""Damaged model files: whatever the bytes are, the answer is a graph or one sentence."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import compile_graph
from tinyengine.errors import ModelError, TinyEngineError
from tinyengine.frontend import load_tflite, parse_tflite
from tinyengine.frontend.onnx.file import judge_onnx
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import OpKind, Tensor
from tinyengine.ir.ops import Activation, Window
from tinyengine.ir.printer import format_graph
from tinyengine.passes import optimize
from tinyengine.paths import shared_dir

from tests.helpers.damaged import KINDS, damaged, is_one_sentence, mutate, outcome
from tests.helpers.dilated import dilated
from tests.helpers.graphs import GraphBuilder
from tests.helpers.recurrent import lstm, svdf
from tests.helpers.stateful import stateful
from tests.helpers.streaming import whole_windows
from tests.helpers.tflite_file import numbers, tflite_file, values

MUTATIONS = 1000
OTHERS = 60
"""Of each of the other kinds."""


def every_operator() -> bytes:
    """A small network in which nearly every operator and option occurs."""
    b = GraphBuilder(1, "everything")
    x = b.quantize(b.input(1, 8, 8, 3, dtype="float32"))
    x = b.conv(x, 6, Window((3, 3), (2, 2), pad=(0, 1, 0, 1)), Activation.RELU6)
    skip = x
    x = b.depthwise(b.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), Window((3, 3)), 1, Activation.RELU)
    x = b.binary(OpKind.ADD, x, skip)
    gate = b.logistic(b.conv(b.mean(x, (1, 2), True), 6, Window((1, 1)), per_channel=False))
    x = b.hard_swish(b.binary(OpKind.MUL, x, gate))
    x = b.resize(b.pool(OpKind.MAX_POOL_2D, x, Window((2, 2), (2, 2))), 4, 4)
    x = b.concat([x, b.slice(x, (0, 3, 0, 0), (1, -1, 1, 1), (1, 4, 4, 6))], 3)
    x = b.relu(b.transpose(x, 0, 3, 1, 2), Activation.RELU6)
    x = b.reshape(b.pool(OpKind.AVERAGE_POOL_2D, b.transpose(x, 0, 2, 3, 1), Window((4, 4))), 1, 12)
    x = b.binary(OpKind.SUB, b.dense(x, 5), b.random_constant(1, 5))
    b.output(b.dequantize(b.softmax(x)))
    return tflite_bytes(b.graph)


def streaming() -> bytes:
    """Variables and the subgraph that initializes them."""
    return tflite_bytes(stateful(whole_windows))


def recurrent() -> bytes:
    """Tensors that are variables, with weights of their own for each gate."""
    b = GraphBuilder(1, "recurrent")
    x = b.input(1, 3, 5)
    b.output(lstm(b, x, 4))
    b.output(svdf(b, b.reshape(x, 1, 15), 3, 2, 4, "int16"))
    return tflite_bytes(b.graph)


def pieces() -> bytes:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND; axes inserted and dropped in between."""
    return dilated(3, False, True)


def shapes() -> bytes:
    """A shape that the file computes."""
    x, shape = values("x", 1, 4, 6), Tensor("s", (3,), "int32")
    size, packed = Tensor("n", (), "int32"), Tensor("t", (2,), "int32")
    ranges = [numbers(name, [value]) for name, value in (("b", 2), ("e", 3), ("c", 1))]
    return tflite_file(
        ("SHAPE", [x], [shape], {"OutType": 2}),
        ("STRIDED_SLICE", [shape, *ranges], [size], {"ShrinkAxisMask": 1}),
        ("PACK", [size, numbers("r", -1)], [packed], {"ValuesCount": 2, "Axis": 0}),
        ("RESHAPE", [x, packed], [values("y", 6, 4)], {}),
    )


NETWORKS = [every_operator, streaming, recurrent, pieces, shapes]


def check(data: bytes) -> bool:
    """Load and optimize; True if the file was accepted. Only a ModelError of one line may come out."""
    try:
        graph = parse_tflite(data, "damaged.tflite")
    except ModelError as error:
        assert str(error).startswith("damaged.tflite: ") and is_one_sentence(str(error)), str(error)
        return False
    try:
        format_graph(optimize(graph))
    except ModelError as error:
        assert is_one_sentence(str(error)), str(error)
        return False
    return True


def test_the_undamaged_network_is_accepted() -> None:
    assert check(every_operator())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_a_thousand_mutations_give_a_sentence_each(network: Callable[[], bytes]) -> None:
    data = network()
    rng = np.random.default_rng(2024)
    accepted, slowest = 0, 0.0
    for _ in range(MUTATIONS):
        start = time.process_time()
        accepted += check(mutate(data, rng))
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 5.0, f"a damaged file kept the compiler busy for {slowest:.1f} s"
    assert 0 < accepted < MUTATIONS * 0.9  # the damage does damage


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_what_the_loader_accepts_compiles_or_gives_a_sentence(network: Callable[[], bytes]) -> None:
    data = network()
    rng = np.random.default_rng(99)
    compiled = refused = 0
    while compiled < 40:
        try:
            graph = parse_tflite(mutate(data, rng), "damaged.tflite")
            sources = compile_graph(graph).sources
        except TinyEngineError as error:
            refused += 1
            assert is_one_sentence(str(error)), str(error)
        else:
            compiled += 1
            assert "const te_model network" in sources["network.c"]
    assert refused > 0


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_of_other_kinds_give_a_sentence_each(name: str) -> None:
    """tests/fuzz/mutations.py damages them by the thousand."""
    if KINDS[name].is_onnx:
        pytest.importorskip("onnx", reason="pip install 'tinyengine[onnx]'")
    assert outcome(KINDS[name], KINDS[name].make(), compiled=True) == "accepted"
    found = [outcome(KINDS[name], damaged(KINDS[name], seed), compiled=seed % 8 == 0) for seed in range(OTHERS)]
    assert set(found) == {"accepted", "refused"}, found


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.is_onnx])
def test_damaged_onnx_files_are_judged_as_a_whole(name: str) -> None:
    pytest.importorskip("onnx", reason="pip install 'tinyengine[onnx]'")
    judged = 0
    for seed in range(OTHERS // 4):
        with contextlib.suppress(ModelError):
            nodes = judge_onnx(damaged(KINDS[name], seed), "damaged")
            assert all(is_one_sentence(node.why) for node in nodes if node.why)
            judged += 1
    assert judged


def test_damaged_files_do_not_allocate_what_they_claim() -> None:
    data = every_operator()
    rng = np.random.default_rng(5)
    tracemalloc.start()
    try:
        for _ in range(150):
            check(mutate(data, rng))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20, f"a damaged file made the compiler allocate {peak} bytes"


def test_every_cut_of_the_tables_gives_a_sentence() -> None:
    data = every_operator()
    for size in range(0, len(data), max(1, len(data) // 400)):
        assert not check(data[:size])


def test_mutations_of_a_real_network() -> None:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no third-party networks to damage")
    data = (folder / "models" / "networks" / "mlperf_kws_int8.tflite").read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(200):
        check(mutate(data, rng))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1c\x00\x00\x00TFL3", b"\x00" * 100, b"\xff" * 4096])
def test_files_that_are_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"^model\.tflite: "):
        load_tflite(path)


def test_missing_files_and_directories(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read"):
        load_tflite(tmp_path / "absent.tflite")
    with pytest.raises(ModelError, match="is a directory"):
        load_tflite(tmp_path)
