"""TFLite Micro's signal library: the oracle against it stage by stage, C against the oracle, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend import load_tflite, parse_tflite
from tinyengine.frontend.tflite_micro import computes
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import OpKind
from tinyengine.ir.operators.signal import log_table
from tinyengine.ir.ops import SignalEnergyAttrs, SignalRfftAttrs
from tinyengine.measure.bench import bench
from tinyengine.native.build import build, run_many
from tinyengine.passes import optimize
from tinyengine.paths import shared_dir
from tinyengine.reference import Session
from tinyengine.reference.tflite_runner import open_reference

from tests.helpers.edited import edited
from tests.helpers.graphs import GraphBuilder
from tests.helpers.signal import Sizes, SoundBuilder, front_end, show

RUNS = 10
EXAMPLES = settings(max_examples=12, deadline=None)
SEEDS = st.integers(0, 1 << 30)


def any_front_end(seed: int) -> SoundBuilder:
    b = GraphBuilder(seed, "sound")
    fft = 1 << int(b.rng.integers(3, 11))
    samples = int(b.rng.integers(1, fft + 1))
    return front_end(b, Sizes(samples, fft, int(b.rng.integers(1, 20))))


def noises(samples: int, seed: int) -> list[np.ndarray]:
    """Sounds of all amplitudes, also beyond what int16 holds, silence, and the smallest number alone."""
    rng = np.random.default_rng(seed)
    sounds = [np.clip(rng.normal(0, 4.0 ** rng.uniform(0, 9), samples), -(1 << 15), (1 << 15) - 1) for _ in range(RUNS)]
    sounds[3] *= 0
    sounds[4] = np.where(rng.integers(0, samples, samples) == 0, -(1 << 15), rng.integers(-9, 9, samples))
    return [sound.astype(np.int16).reshape(1, -1) for sound in sounds]


@EXAMPLES
@given(seed=SEEDS)
def test_every_stage_is_bit_identical_to_tflite_micro(seed: int) -> None:
    pytest.importorskip("tflite_micro", reason="tflite_micro (the extra 'check') is not installed")
    graph = show(any_front_end(seed))
    model = tflite_bytes(graph)
    reference = open_reference(model, 1, len(graph.outputs))
    assert "Micro" in reference.name
    session = Session(parse_tflite(model))
    for number, sound in enumerate(noises(graph.tensor(graph.inputs[0].tensor).elements, seed)):
        for port, got, wanted in zip(graph.outputs, session.run([sound]), reference.run([sound]), strict=True):
            np.testing.assert_array_equal(got.ravel(), wanted.ravel(), f"{port.name} of run {number}")


@pytest.mark.parametrize("seed", range(2))
def test_the_code_answers_as_the_oracle_run_after_run(seed: int) -> None:
    graph = parse_tflite(tflite_bytes(show(any_front_end(seed))))
    sounds = [[sound] for sound in noises(graph.tensor(graph.inputs[0].tensor).elements, seed)]
    session = Session(graph)
    wanted = [session.run(values) for values in sounds]
    network = build(compile_graph(graph))
    answers = [network.run(values) for values in sounds]
    network.reset()
    answers += [network.run(values) for values in sounds]
    fresh = [compile_graph(graph, CompileOptions(prefix=f"run_{number}")) for number in range(RUNS)]
    answers += run_many(fresh, sounds)
    wanted += wanted + [Session(graph).run(values) for values in sounds]
    for number, (got, arrays) in enumerate(zip(answers, wanted, strict=True)):
        for port, values, array in zip(graph.outputs, got, arrays, strict=True):
            np.testing.assert_array_equal(values.ravel(), array.ravel(), f"{port.name} of run {number}")


def test_unsigned_numbers_at_the_border() -> None:
    b = GraphBuilder(8)
    built = front_end(b)
    b.graph.outputs.clear()
    for stage in ("sums", "roots"):
        b.output(built.stages[stage])
    graph = parse_tflite(tflite_bytes(b.graph))
    assert [port.dtype for port in graph.outputs] == ["uint64", "uint32"]
    session, network = Session(graph), build(compile_graph(graph))
    for sound in noises(built.sizes.samples, 8):
        for got, wanted in zip(network.run([sound]), session.run([sound]), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got.ravel(), wanted.ravel())


def test_the_spectrum_is_one() -> None:
    """A sine in the middle of bin 5, against NumPy's transform; each stage takes 1 / 2^15 off."""
    b = GraphBuilder(0)
    built = SoundBuilder(b, Sizes(64, 64))
    x = built.sound()
    b.output(built.op(OpKind.SIGNAL_RFFT, [x], SignalRfftAttrs(64), "int16"))
    sine = np.round(20000 * np.sin(2 * np.pi * 5 * np.arange(64) / 64)).astype(np.int16)
    [got] = Session(b.graph).run([sine.reshape(1, 64)])
    wanted = np.fft.rfft(sine) / 64
    np.testing.assert_allclose(got.ravel()[::2] + 1j * got.ravel()[1::2], wanted, atol=5)


@EXAMPLES
@given(seed=SEEDS)
def test_the_transform_of_32_bits_is_bit_identical_to_tflite_micro(seed: int) -> None:
    pytest.importorskip("tflite_micro", reason="tflite_micro (the extra 'check') is not installed")
    b = GraphBuilder(seed)
    length = 1 << int(b.rng.integers(3, 11))
    samples = int(b.rng.integers(1, length + 1))
    x = b.input(1, samples, dtype="int32")
    b.graph.tensor(x).quant = None
    b.graph.inputs[-1] = replace(b.graph.inputs[-1], quant=None)
    y = b.op(OpKind.SIGNAL_RFFT, [x], SignalRfftAttrs(length), dtype="int32")
    b.graph.tensor(y).quant = None
    b.output(y)
    model = tflite_bytes(b.graph)
    reference, session = open_reference(model, 1, 1), Session(parse_tflite(model))
    for bits in (0, 7, 20):
        values = b.rng.integers(-(1 << 31), 1 << 31, (1, samples)).astype(np.int32) >> bits
        np.testing.assert_array_equal(session.run([values])[0].ravel(), reference.run([values])[0].ravel())


def test_the_table_of_logarithms_is_the_curve() -> None:
    table = log_table()
    assert (table[0], table[1], table[57], table[127], table[128]) == (0, 224, 5641, 142, 0)


def test_zeros_around_a_slice_of_energies_cost_nothing() -> None:
    built = front_end(GraphBuilder(3))
    kinds = {op.kind for op in optimize(built.b.graph).operators}
    assert OpKind.CONCATENATION in {op.kind for op in built.b.graph.operators}
    assert not kinds & {OpKind.CONCATENATION, OpKind.STRIDED_SLICE}


@pytest.mark.parametrize(("more_before", "more_behind"), [(1, 0), (0, 1)])
def test_a_slice_that_loses_energies_stays(more_before: int, more_behind: int) -> None:
    b = GraphBuilder(5)
    built = SoundBuilder(b, Sizes())
    b.output(built.bands(*built.spectrum(built.sound()))[0])
    [energy] = [op for op in b.graph.operators if op.kind is OpKind.SIGNAL_ENERGY]
    assert isinstance(energy.attrs, SignalEnergyAttrs)
    start, end = energy.attrs.start_index - more_before, energy.attrs.end_index + more_behind
    energy.attrs = SignalEnergyAttrs(start, end)
    assert start >= 0 and end <= 33
    assert OpKind.CONCATENATION in {op.kind for op in optimize(b.graph).operators}


# --- files ---


def file_with(options: dict[str, Any] | bytes, kind: str) -> bytes:
    """The front end with other options for its operator ``kind``."""

    def change(model: Any) -> None:
        codes = [code.customCode for code in model.operatorCodes]
        for op in model.subgraphs[0].operators:
            if codes[op.opcodeIndex] == kind.encode():
                op.customOptions = options if isinstance(options, bytes) else list(flexbuffers.Dumps(options))

    return edited(tflite_bytes(front_end(GraphBuilder(1)).b.graph), change)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("SignalRfft", {"T": 7, "fft_length": 480}, "transforms 480 samples: take a power of two from 4 to 16384"),
        ("SignalRfft", {"T": 7, "fft_length": 32}, "has attributes that do not fit its input"),
        ("SignalRfft", {"T": 7}, r"has no options fft_length \(KeyError\): the file is damaged"),
        ("SignalRfft", b"", "has no options fft_length"),
        ("SignalRfft", bytes(range(40, 60)), "has no options fft_length"),
        ("SignalWindow", {"shift": 99}, "shifted by 99"),
        ("SignalEnergy", {"start_index": 4, "end_index": 99}, "has attributes that do not fit"),
        ("SignalFilterBank", {"num_channels": 7}, "is declared with shape|sections for other than 7 channels"),
        ("SignalPCAN", {"snr_shift": -1}, "has attributes that do not fit"),
    ],
)
def test_options_that_make_no_sense_are_refused(kind: str, options: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        parse_tflite(file_with(options, kind))


def test_other_custom_operators_are_refused() -> None:
    def change(model: Any) -> None:
        for code in model.operatorCodes:
            if code.customCode == b"SignalRfft":
                code.customCode = b"MyRfft"

    with pytest.raises(ModelError, match=r"\(custom operator MyRfft\).* is not supported: rebuild that part"):
        parse_tflite(edited(tflite_bytes(front_end(GraphBuilder(1)).b.graph), change))
    assert computes("custom operator SignalRfft", "int16") and not computes("custom operator MyRfft", "int16")


# --- the file that people keep ---


def preprocessor() -> Path:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no published audio preprocessor")
    return folder / "models" / "wild" / "audio_preprocessor_int8_model_data.tflite"


def test_the_audio_preprocessor_takes_half_of_what_tflite_micro_takes() -> None:
    path = preprocessor()
    listed = json.loads((path.parent / "index.json").read_text())
    [theirs] = [entry["tflm_cmsis_nn"] for entry in listed if entry["file"] == path.name]
    report = bench(compile_graph(load_tflite(path), CompileOptions(cpu="cortex-m7")), path, check=RUNS)
    assert report.check is not None and report.check.mismatched == 0
    assert 2 * report.instructions <= theirs["m7_instructions"]
    assert 2 * (report.arena_bytes + report.states_bytes) <= theirs["arena_bytes"]
