"""From .wav files over the serial port to wake words on the simulated STM32F405."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.audio import features
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.audio import AudioForm
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.paths import shared_dir
from tinyengine.reference import Session

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.sound import any_clip, speech, written
from tests.helpers.stateful import stateful
from tests.helpers.streaming import wake_word

BOARD = "sim_stm32f405"


def device(model: Path, meaning: dict[str, Any], folder: Path, **options: str) -> tuple[str, ...]:
    """Options of a command that talks to the firmware with this network. ``model`` and its MODEL.json are written."""
    model.with_suffix(".json").write_text(json.dumps(meaning))
    built = compile_model(model, CompileOptions(cpu=load(BOARD).cpu, **options))  # type: ignore[arg-type]
    return "--port", f"sim:{BOARD}", "--elf", str(compiled(BOARD, folder, built))


@pytest.mark.parametrize("where", ["frame", "sound"], ids=["on the host", "on the device"])
def test_a_streaming_network_hears_a_file_step_by_step(tmp_path: Path, where: str) -> None:
    form = AudioForm("micro", channels=10)
    model = tmp_path / "wake.tflite"
    write_tflite(stateful(wake_word), model)
    meaning = {"audio": form.to_data(), "classes": ["nothing", "word"]}
    there = device(model, meaning, tmp_path, input=where)
    clips = [any_clip(seed, form.samples(12) + 90) for seed in (3, 8)]
    paths = [written(tmp_path / f"{number}.wav", clip) for number, clip in enumerate(clips)]
    done = json.loads(run("infer", *paths, *there, "--model", model, "--json").stdout)["pictures"]
    graph, results = load_tflite(model), iter(done)
    scale, zero = graph.tensor(graph.outputs[0].tensor).quant.scalar()
    for path, clip in zip(paths, clips, strict=True):
        session, slices = Session(graph), features(form, clip)
        for number in range(4):
            each = next(results)
            [wanted] = session.run([slices[3 * number : 3 * number + 3]])
            logit = scale * (int(wanted.ravel()[0]) - zero)
            assert each["probabilities"][1] == pytest.approx(1 / (1 + np.exp(-logit)))
            assert each["ends_at"] == pytest.approx(0.05 + 0.03 * number)
            assert each["picture"] == f"{path} {each['ends_at']:.2f} s"
            assert each["input_bytes"] == (30 if where == "frame" else 2 * form.samples(3))
    assert next(results, None) is None and len({each["probability"] for each in done}) > 3
    lines = run("stream", "--source", paths[1], *there, "--json", "--frames", "3").stdout.splitlines()
    assert [json.loads(line)["probabilities"] for line in lines] == [each["probabilities"] for each in done[4:7]]
    with pytest.raises(DataError, match="44100 samples per second"):
        run("infer", written(tmp_path / "fast.wav", clips[0], rate=44_100), *there)
    for name in ("nothing", "word"):
        (tmp_path / "words" / name).mkdir(parents=True)
        written(tmp_path / "words" / name / "a.wav", clips[0])
    with pytest.raises(DataError, match="hears a file step by step, so its windows are no samples of their own"):
        run("eval", "--data", tmp_path / "words", *there)


WORDS = {"alexa": (20, "Alexa!"), "okay_nabu": (10, "Okay nabu!")}
OTHERS = ("Good morning, how are you?", "The weather is fine today.", "Turn it off, please.")


@pytest.mark.parametrize("name", WORDS)
def test_wake_words_are_spotted_in_speech(tmp_path: Path, name: str) -> None:
    """Twice in a file of five sentences, from a .wav over the serial port; sounds of espeak-ng, networks of ESPHome."""
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no published wake words")
    hop, word = WORDS[name]
    model = tmp_path / f"{name}.tflite"
    model.write_bytes((folder / "models" / "wild" / model.name).read_bytes())
    there = device(model, {"audio": {"kind": "micro", "hop_ms": hop}, "classes": ["nothing", name]}, tmp_path)
    pause, parts, spoken = np.zeros(16_000, np.int16), [np.zeros(8000, np.int16)], []
    for sentence in (OTHERS[0], word, OTHERS[1], word, OTHERS[2]):
        begin = sum(map(len, parts)) / 16_000
        parts += [speech(sentence), pause]
        if sentence == word:
            spoken.append((begin, begin + len(speech(word)) / 16_000 + 1))
    path = written(tmp_path / "speech.wav", np.concatenate(parts))
    done = json.loads(run("infer", path, *there, "--json").stdout)["pictures"]
    heard = [each["ends_at"] for each in done if each["answer"] == name]
    spotted = [any(begin < time <= end for time in heard) for begin, end in spoken]
    false = [time for time in heard if not any(begin < time <= end for begin, end in spoken)]
    assert spotted == [True, True] and not false
