"""Sound from files and microphones, up to what a network takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tinyengine.audio import Hearing, features
from tinyengine.data.audio import AudioForm
from tinyengine.data.number_sets import read_number_set
from tinyengine.data.numbers import NamedInputs, Windows, read_numbers
from tinyengine.data.sound import read_sound
from tinyengine.device import TensorInfo, microphone
from tinyengine.device.sources import open_source
from tinyengine.errors import DataError, ToolError

from tests.helpers.sound import any_clip, written

MICRO = AudioForm("micro")
THREE = TensorInfo("slices", (3, 40), 0.1, -128, 120)
SOUND = TensorInfo("sound", (MICRO.samples(3),), 0.0, 0, 2 * MICRO.samples(3), "int16")
HEARD = Windows(ear=Hearing(MICRO))


def test_numbers_of_every_size(tmp_path: Path) -> None:
    sound = any_clip(1, 500)
    for bits in (8, 16, 24, 32):
        got = read_sound(written(tmp_path / "x.wav", sound, bits=bits), 16_000)
        np.testing.assert_array_equal(got, sound if bits > 8 else sound >> 8 << 8)
    stereo = np.stack([sound, np.roll(sound, 7)], 1)
    got = read_sound(written(tmp_path / "x.wav", stereo), 16_000)
    np.testing.assert_array_equal(got, stereo.astype(int).sum(1) >> 1)
    assert got.dtype == np.int16 and read_sound(written(tmp_path / "x.wav", sound[:0]), 16_000).size == 0


def test_files_that_are_no_such_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", any_clip(1, 500), rate=44_100)
    with pytest.raises(
        DataError, match="44100 samples per second, but the network listens to 16000: convert it: ffmpeg"
    ):
        read_sound(path, 16_000)
    path = written(tmp_path / "x.wav", any_clip(1, 500))
    whole = path.read_bytes()
    for content in (b"", b"RIFF", whole[:20], b"ID3" + whole, whole[:20] + b"\x03" + whole[21:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"no \.wav of whole numbers .*: convert it"):
            read_sound(path, 16_000)
    for bits in (40, 64):
        path.write_bytes(whole[:34] + bytes([bits, 0]) + whole[36:])
        with pytest.raises(DataError, match=f"samples of {bits} bits, more than 32: convert it"):
            read_sound(path, 16_000)
    path.write_bytes(whole[:-301])  # a recording that was cut off
    assert len(read_sound(path, 16_000)) == 349
    with pytest.raises(DataError, match="there is no file"):
        read_sound(tmp_path / "y.wav", 16_000)
    with pytest.raises(DataError, match=r"nothing says how this network listens: write \"audio\" into its MODEL.json"):
        read_numbers(path, [THREE])


def test_windows_of_a_file_with_their_times(tmp_path: Path) -> None:
    clip = any_clip(5, MICRO.samples(14) + 9)
    path, made = written(tmp_path / "x.wav", clip), features(MICRO, clip)
    for hop, starts in ((None, [0, 3, 6, 9]), (1, range(12)), (5, [0, 5, 10])):
        samples = read_numbers(path, [THREE], Windows(hop, ear=Hearing(MICRO)))
        assert len(samples) == len(starts)
        for number, (sample, start) in enumerate(zip(samples, starts, strict=True)):
            np.testing.assert_array_equal(sample.arrays[0], made[start : start + 3])
            assert sample.ends_at == pytest.approx((start + 2) * 0.01 + 0.03)
            assert sample.goes_on == (number > 0) and sample.name == f"{path} {sample.ends_at:.2f} s"


def test_folders_of_files_are_classes(tmp_path: Path) -> None:
    for label, name in enumerate(("no", "yes")):
        (tmp_path / name).mkdir()
        for number in range(2):
            written(tmp_path / name / f"{number}.wav", any_clip(label, MICRO.samples(3 * (number + 1))))
    found = read_number_set(tmp_path, [THREE], HEARD)
    assert found.classes == ("no", "yes") and found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(found.labelled(tmp_path)) == 6


def test_a_short_file_ends_in_silence(tmp_path: Path) -> None:
    clip = any_clip(5, 300)
    [sample] = read_numbers(written(tmp_path / "x.wav", clip), [THREE], HEARD)
    longer = np.concatenate([clip, np.zeros(MICRO.samples(3) - 300, np.int16)])
    np.testing.assert_array_equal(sample.arrays[0], features(MICRO, longer))


def test_a_device_with_the_front_end_gets_sound_that_overlaps(tmp_path: Path) -> None:
    clip = any_clip(6, MICRO.samples(9) + 50)
    samples = read_numbers(written(tmp_path / "x.wav", clip), [SOUND], HEARD)
    assert [sample.ends_at for sample in samples] == pytest.approx([0.05, 0.08, 0.11])
    for number, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.arrays[0], clip[number * 480 :][: MICRO.samples(3)])


def test_pieces_make_what_the_whole_makes() -> None:
    clip = any_clip(7, 6000)
    for port, hop in ((THREE, None), (THREE, 1), (THREE, 7), (SOUND, None)):
        [whole, pieces] = (
            list(Hearing(MICRO).of_pieces(parts, [port], hop, "x"))
            for parts in ([clip], np.split(clip, range(7, 6000, 333)))
        )
        assert len(whole) == len(pieces) > 2
        for one, other in zip(whole, pieces, strict=True):
            np.testing.assert_array_equal(one.arrays[0], other.arrays[0])
            assert one.ends_at == other.ends_at


@pytest.mark.parametrize(
    ("ports", "sentence"),
    [
        ([THREE, THREE], "a network with one input, but this one has slices, slices"),
        (
            [TensorInfo("x", (3, 41), 0.1, 0, 123)],
            "a slice of the network's audio has 40 numbers, but its input is 3x41",
        ),
        ([TensorInfo("x", (40,), 0.0, 0, 160, "float32")], "but the network's input is float32: convert it to int8"),
        (
            [TensorInfo("x", (600,), 0.0, 0, 1200, "int16")],
            "takes 600 samples, which are no whole slices: build it again",
        ),
    ],
)
def test_networks_that_cannot_hear(tmp_path: Path, ports: list[TensorInfo], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_numbers(written(tmp_path / "x.wav", any_clip(1, 900)), ports, HEARD)


# --- microphones ---


class Recorder:
    """A microphone of PortAudio that has heard everything already."""

    sound = np.zeros(0, np.int16)

    def __init__(self, callback: Any, blocksize: int, samplerate: int, device: object, **rest: Any) -> None:
        assert (samplerate, rest) == (16_000, {"channels": 1, "dtype": "int16"})
        if device == "gone":
            raise ValueError("no such device")
        self.pieces = [self.sound[at : at + blocksize] for at in range(0, len(self.sound), blocksize)]
        self.callback, self.open = callback, False

    def __enter__(self) -> None:
        self.open = True
        for piece in self.pieces:
            self.callback(memoryview(piece.tobytes()), len(piece), None, None)

    def __exit__(self, *error: object) -> None:
        self.open = False


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Recorder]]:
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(RawInputStream=Recorder, PortAudioError=OSError))
    monkeypatch.setattr(microphone, "PATIENCE", 0.05)
    yield Recorder


def listen(source: str) -> Iterator[NamedInputs]:
    return open_source(source)([THREE], HEARD)  # type: ignore[return-value]


def test_a_microphone(recorder: type[Recorder]) -> None:
    recorder.sound = any_clip(9, 5000)
    heard, made = listen("mic"), features(MICRO, recorder.sound)
    for number in range(len(made) // 3):
        sample = next(heard)
        np.testing.assert_array_equal(sample.arrays[0], made[3 * number : 3 * number + 3])
        assert sample.name == f"microphone {sample.ends_at:.2f} s" and sample.goes_on == (number > 0)
    with pytest.raises(DataError, match="gives no sound: is it still connected"):
        next(heard)


def test_microphones_that_do_not_serve(recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match=r"the microphone gone cannot be opened \(no such device\): python -m sounddevice"
    ):
        next(listen("mic:gone"))
    recorder.sound = any_clip(2, 16_000 * 11)
    with pytest.raises(DataError, match="10 seconds behind the microphone: answer less often with --hop"):
        list(listen("mic:2"))
    with pytest.raises(DataError, match="mic is sound, and nothing says how this network listens"):
        open_source("mic")([THREE], Windows())
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ToolError, match=r"run pip install 'tinyengine\[microphone\]'"):
        next(listen("mic"))
