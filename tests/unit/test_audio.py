"""The audio front end: the micro frontend bit for bit, the code as the oracle, what metadata may say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tinyengine.audio import Listener, features, front_end, listening
from tinyengine.audio.micro import FULL_SCALE
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.picture import image_input
from tinyengine.data.audio import AudioForm, parse_audio
from tinyengine.data.metadata import parse_metadata
from tinyengine.errors import DataError, ModelError, ToolError
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.verify import verify
from tinyengine.native.build import build, run_in_a_row
from tinyengine.reference import Session

from tests.helpers.graphs import GraphBuilder, small_graph
from tests.helpers.sound import SENTENCES, any_clip, runs_of, speech
from tests.helpers.streaming import wake_word
from tests.helpers.tflite_reference import require_tensorflow

MICRO = AudioForm("micro")
FORMS = [
    MICRO,
    AudioForm("micro", pcan=False, hop_ms=20),
    AudioForm("micro", rate=8000, window_ms=25, channels=23, lower_hz=100, upper_hz=3800),
    AudioForm("micro", rate=44_100, window_ms=20, hop_ms=20, channels=64, lower_hz=0, upper_hz=8000),
]


def micro_frontend(form: AudioForm, sound: np.ndarray) -> np.ndarray:
    """What TensorFlow's own operator makes of it, and the int8 values that micro_speech makes of that."""
    require_tensorflow()
    import tensorflow as tf
    from tensorflow.lite.experimental.microfrontend.python.ops import audio_microfrontend_op

    made = audio_microfrontend_op.audio_microfrontend(
        tf.constant(sound),
        sample_rate=form.rate,
        window_size=int(form.window_ms),
        window_step=int(form.hop_ms),
        num_channels=form.channels,
        lower_band_limit=form.lower_hz,
        upper_band_limit=form.upper_hz,
        enable_pcan=form.pcan,
        out_scale=1,
        out_type=tf.uint16,
    )
    whole = made.numpy().astype(np.int32)
    return np.clip((whole * 256 + FULL_SCALE // 2) // FULL_SCALE - 128, -128, 127).astype(np.int8)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.rate} {form.channels}")
def test_random_sounds_are_those_of_the_micro_frontend(form: AudioForm) -> None:
    seen = set()
    for seed in range(100 if form == MICRO else 12):
        clip = any_clip(seed, form.samples(12))
        made = features(form, clip)
        np.testing.assert_array_equal(made, micro_frontend(form, clip), str(seed))
        seen |= set(made.ravel().tolist())
    assert -128 in seen and len(seen) > 100


@pytest.mark.parametrize("sentence", SENTENCES)
def test_speech_is_that_of_the_micro_frontend(sentence: str) -> None:
    clip = speech(sentence)
    np.testing.assert_array_equal(features(MICRO, clip), micro_frontend(MICRO, clip))


KEYWORDS = AudioForm.of("mfcc")
KEYWORD_INPUT = Quantization((0.5847029089927673,), (83,))
"""Of MLPerf's network."""


def mfcc_reference(sound: np.ndarray) -> np.ndarray:
    """MLPerf's coefficients, (slices, 10) float64."""
    frames = np.stack([sound[begin : begin + 480] for begin in range(0, len(sound) - 479, 320)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    magnitudes = np.abs(np.fft.rfft(frames / max(int(sound.max()), 1) * hann, 512))
    mel = 1127 * np.log1p(np.linspace(0, 8000, 257) / 700)[:, None]
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(4000 / 700), 42)
    low, center, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((mel - low) / (center - low), (high - mel) / (high - center)))
    weights[0] = 0
    turns = np.outer(2 * np.arange(40) + 1, np.arange(10)) / 160
    return np.log(magnitudes @ weights + 1e-6) @ (np.cos(2 * np.pi * turns) * 2 / np.sqrt(80))


def mfcc_steps(sound: np.ndarray) -> np.ndarray:
    """The same as MLPerf's network takes them."""
    scale, zero_point = KEYWORD_INPUT.scalar()
    return np.clip(np.rint(mfcc_reference(sound) / scale) + zero_point, -128, 127).astype(np.int16)


def test_the_reference_is_that_of_mlperf() -> None:
    require_tensorflow()
    import tensorflow as tf

    sound = any_clip(2, 16_000)
    samples = tf.constant(sound / sound.max(), tf.float32)
    magnitudes = tf.abs(tf.signal.stft(samples, 480, 320, fft_length=None, window_fn=tf.signal.hann_window))
    weights = tf.signal.linear_to_mel_weight_matrix(40, 257, 16_000, 20.0, 4000.0)
    logs = tf.math.log(tf.tensordot(magnitudes, weights, 1) + 1e-6)
    theirs = tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :10]
    np.testing.assert_allclose(mfcc_reference(sound), theirs.numpy(), atol=5e-3)


def test_coefficients_are_those_of_mlperf_within_one_step() -> None:
    clips = [any_clip(seed, KEYWORDS.samples(3)) for seed in range(100)]
    equal = []
    for seed, clip in enumerate(clips):
        off = np.abs(features(KEYWORDS, clip, KEYWORD_INPUT) - mfcc_steps(clip))
        assert off.max() <= 1, seed
        equal.append((off == 0).mean())
    assert np.mean(equal) > 0.98


@pytest.mark.parametrize("sentence", SENTENCES)
def test_coefficients_of_speech(sentence: str) -> None:
    clip = speech(sentence)
    off = np.abs(features(KEYWORDS, clip, KEYWORD_INPUT) - mfcc_steps(clip))
    assert off.max() <= 1 and (off == 0).mean() > 0.98


def test_the_level_of_sound_without_an_end_is_full_scale() -> None:
    clip = any_clip(2, KEYWORDS.samples(4)) >> 6
    fixed = Listener(KEYWORDS, KEYWORD_INPUT).hear(clip)
    np.testing.assert_array_equal(fixed, features(replace(KEYWORDS, level=1 << 15), clip, KEYWORD_INPUT))
    assert (fixed[:, 0] < features(KEYWORDS, clip, KEYWORD_INPUT)[:, 0]).any()


def test_sound_may_come_in_pieces() -> None:
    clip = any_clip(3, MICRO.samples(40) + 77)
    whole = features(MICRO, clip)
    assert whole.shape == (40, 40)
    cuts = np.sort(np.random.default_rng(0).integers(0, len(clip), 25))
    listener = Listener(MICRO)
    np.testing.assert_array_equal(np.concatenate([listener.hear(part) for part in np.split(clip, cuts)]), whole)


@pytest.mark.parametrize("slices", [1, 3])
def test_code_computes_the_same_run_after_run(slices: int) -> None:
    forms = [MICRO, FORMS[2], AudioForm("micro", noise_reduction=False, pcan=False), replace(KEYWORDS, level=9000)]
    models = [
        compile_graph(front_end(form, slices), CompileOptions(prefix=f"audio_{number}"))
        for number, form in enumerate(forms)
    ]
    sounds = [[any_clip(seed, form.samples(6)) for seed in range(10)] for form in forms]
    for form, model, clips in zip(forms, models, sounds, strict=True):
        network = build(model)
        for clip in clips:
            network.reset()
            got = [network.run(values)[0].reshape(slices, -1) for values in runs_of(form, clip, slices)]
            np.testing.assert_array_equal(np.concatenate(got), features(form, clip))
    if slices == 1:
        return  # the other case shows what sanitizers say
    first = [runs_of(form, clips[0], slices) for form, clips in zip(forms, sounds, strict=True)]
    for form, clips, runs in zip(forms, sounds, run_in_a_row(models, first), strict=True):
        made = np.concatenate([run[0].reshape(slices, -1) for run in runs])
        np.testing.assert_array_equal(made, features(form, clips[0]))


def test_tables_lie_in_flash_once() -> None:
    one, three = (compile_graph(front_end(MICRO, slices)) for slices in (1, 3))
    for model in (one, three):
        assert sum(text.count("_window[480]") for name, text in model.sources.items() if name.endswith("s.c")) == 1
    assert three.weight_bytes < one.weight_bytes + 100
    assert one.sram_bytes < 2200


def test_what_tflite_micro_does_otherwise_is_not_written_as_its_own() -> None:
    with pytest.raises(ModelError, match="has a skip_lowest, which TFLite Micro's has not"):
        tflite_bytes(front_end(MICRO))


# --- in front of a network ---


def keyword(slices: int, channels: int = 40) -> Graph:
    """One answer of a window of slices."""
    b = GraphBuilder(4, "keyword")
    x = b.input(1, slices, channels, 1)
    b.output(b.dense(b.reshape(x, 1, slices * channels), 4))
    return b.graph


def streaming() -> Graph:
    b = GraphBuilder(5, "wake")
    wake_word(b)
    return b.graph


@pytest.mark.parametrize(
    ("graph", "form", "hop"),
    [
        (keyword(6), MICRO, None),
        (keyword(6), MICRO, 2),
        (keyword(5, 10), replace(KEYWORDS, level=1 << 15), 1),
        (streaming(), AudioForm("micro", channels=10), None),
    ],
)
def test_a_network_that_listens(graph: Graph, form: AudioForm, hop: int | None) -> None:
    whole = listening(graph, form, hop)
    verify(whole)
    session, alone, code = Session(whole), Session(graph), build(compile_graph(whole))
    slices = form.slices_of(graph.tensor(graph.inputs[0].tensor).shape[1:])
    new = hop or slices
    window = np.full((slices, form.values), -128, np.int8)
    clip = any_clip(8, form.samples(new * 5))
    answers = set()
    made = features(form, clip, graph.tensor(graph.inputs[0].tensor).quant)
    for number, values in enumerate(runs_of(form, clip, new)):
        window = np.concatenate([window, made[number * new : (number + 1) * new]])[-slices:]
        wanted = alone.run([window])[0]
        np.testing.assert_array_equal(session.run(values)[0], wanted)
        np.testing.assert_array_equal(code.run(values)[0].ravel(), wanted.ravel())
        answers.add(wanted.tobytes())
    assert len(answers) > 3


def test_a_network_that_takes_no_slices_does_not_listen() -> None:
    with pytest.raises(DataError, match="a slice of the network's audio has 40 numbers, but its input is 6x5x4"):
        listening(small_graph(), MICRO)
    b = GraphBuilder(1)
    b.output(b.dense(b.binary(OpKind.ADD, b.input(1, 40), b.input(1, 40)), 2))
    with pytest.raises(ModelError, match="something else than one input of int8"):
        listening(b.graph, MICRO)


def test_sound_as_the_input_is_refused_or_compiled() -> None:
    graph, sound = keyword(6), CompileOptions(input="sound")
    with pytest.raises(ModelError, match='nothing says how keyword listens: write "audio" into the MODEL'):
        compile_graph(graph, sound, metadata_json="{}")
    assert compile_graph(graph, CompileOptions()).graph.inputs[0].dtype == "int8"
    models = [compile_graph(graph, options, None, b"", told(kind="micro")) for options in (sound, CompileOptions())]
    assert [model.graph.inputs[0].dtype for model in models] == ["int16", "int8"]
    assert models[0].model_hash != models[1].model_hash
    with pytest.raises(ToolError, match="trained with features of sound, not with sound: leave out --input sound"):
        CompileOptions(input="sound", train="last-1")
    CompileOptions(train="last-1")


@pytest.mark.parametrize(
    ("shape", "slices"), [((40,), 1), ((1, 40), 1), ((3, 40), 3), ((49, 40, 1), 49), ((1, 30, 1, 40), 30)]
)
def test_slices_of_an_input(shape: tuple[int, ...], slices: int) -> None:
    assert MICRO.slices_of(shape) == slices


# --- what metadata say ---


def told(**audio: Any) -> str:
    return json.dumps({"classes": ["no", "yes"], "audio": audio})


def test_metadata_keep_their_audio() -> None:
    text = told(kind="micro", hop_ms=20, pcan=False)
    metadata = parse_metadata(text, "x.json")
    assert metadata.audio == AudioForm("micro", hop_ms=20, pcan=False)
    assert parse_metadata(metadata.to_json(), "device") == metadata
    assert json.loads(metadata.to_json())["audio"] == {"kind": "micro", "hop_ms": 20, "pcan": False}
    keywords = parse_metadata(told(kind="mfcc", level=3000), "x.json")
    assert keywords.audio == AudioForm.of("mfcc", level=3000) and keywords.audio.hop_ms == 20
    assert json.loads(keywords.to_json())["audio"] == {"kind": "mfcc", "level": 3000}
    assert parse_metadata("{}", "x.json").audio is None and "audio" not in parse_metadata("{}", "x").to_json()


@pytest.mark.parametrize(
    ("audio", "sentence"),
    [
        ({}, 'x.json: "audio" must be an object with at least a kind'),
        ({"kind": "cochlea"}, "\"kind\" is 'cochlea', but must be micro or mfcc"),
        ({"kind": "micro", "hop": 10}, "\"audio\" has the key 'hop', but what is read is kind, rate, window_ms"),
        ({"kind": "micro", "rate": "16k"}, '"rate" of "audio" is \'16k\', but must be a whole number'),
        ({"kind": "micro", "pcan": 1}, "must be true or false"),
        ({"kind": "micro", "channels": True}, "must be a whole number"),
        ({"kind": "micro", "channels": 0}, '"channels" is 0, but must be from 1 to 256'),
        ({"kind": "micro", "hop_ms": 40}, "at most window_ms, 30"),
        ({"kind": "micro", "hop_ms": 10.03}, "whole samples at 16000 per second"),
        ({"kind": "micro", "upper_hz": 9000}, "at most half of the rate, 8000"),
        ({"kind": "micro", "lower_hz": 8000}, "less than upper_hz"),
        ({"kind": "micro", "noise_reduction": False}, "false where noise_reduction is"),
        ({"kind": "micro", "window_ms": 2000}, "whole samples"),
        *(({"kind": "micro", "window_ms": ms}, "whole samples") for ms in (1e308, float("nan"), 10**400, -1)),
        *(({"kind": "micro", "hop_ms": ms}, "whole samples") for ms in (float("inf"), float("nan"), 0)),
        *(({"kind": "micro", "upper_hz": hz}, "half of the rate") for hz in (10**400, -(10**400), float("nan"))),
        *(({"kind": "micro", "lower_hz": hz}, "less than upper_hz") for hz in (10**400, float("nan"), -1)),
        ({"kind": "micro", "coefficients": 10}, "left out: micro has none"),
        ({"kind": "micro", "level": 10}, "left out: micro adapts by itself"),
        ({"kind": "mfcc", "pcan": True}, "false where noise_reduction is"),
        ({"kind": "mfcc", "noise_reduction": True}, "left out: mfcc has none"),
        ({"kind": "mfcc", "coefficients": 41}, "from 1 to channels, 40"),
        ({"kind": "mfcc", "level": 40000}, "a sample from 1 to 32768, or 0"),
        ({"kind": "micro", "rate": 100}, "from 4000 to 96000"),
    ],
)
def test_what_metadata_may_not_say(audio: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=r"^x\.json: ") as refused:
        parse_metadata(told(**audio), "x.json")
    assert sentence in str(refused.value)
    with pytest.raises(DataError):
        parse_audio([audio], "x.json")


def test_an_input_of_slices_is_no_picture() -> None:
    graph = keyword(49)
    assert image_input(graph, json.dumps({"classes": []})) is not None
    assert image_input(graph, told(kind="micro")) is None
