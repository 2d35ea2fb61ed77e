"""The commands that talk to a device, on the native device."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from serial.tools import list_ports
from tinyengine.cli.main import COMMANDS, cli
from tinyengine.device import discovery
from tinyengine.device.transport import SocketTransport

from tests.helpers.command_line import fails, run
from tests.helpers.native_device import NativeDevice, expected_outputs, native_device
from tests.helpers.web_camera import camera, jpeg


@pytest.fixture
def native() -> Iterator[NativeDevice]:
    with native_device() as running:
        yield running


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(noise.integers(0, 256, (40, 48, 3), np.uint8)).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize("way", [(), ("--rows",), ("--frame",)])
def test_infer(native: NativeDevice, pictures: Path, way: tuple[str, ...]) -> None:
    done = run("infer", pictures, "--port", native.url, "--json", *way)
    report = json.loads(done.stdout)
    assert (report["board"], report["model"]) == ("native", "by_hand")
    assert [Path(p["picture"]).name for p in report["pictures"]] == ["0.png", "1.png", "2.png"]
    for result in report["pictures"]:
        pixels = np.asarray(Image.open(result["picture"])).astype(np.int16) - 128
        sums, _ = expected_outputs(pixels.astype(np.int8))
        assert result["index"] == int(np.argmax(sums))
        assert sum(result["probabilities"]) == pytest.approx(1)
        assert result["input_bytes"] == 5760
        assert {"answer", "probability", "device_seconds", "seconds", "wire_share"} <= set(result)


def test_infer_shows_a_table(native: NativeDevice, pictures: Path) -> None:
    text = run("infer", pictures / "0.png", pictures / "1.png", "--port", native.url).stdout
    assert "by_hand on native" in text
    assert text.count(" ms ") == 2 and text.count(" % ") == 2


def test_infer_in_luma_sends_a_third(native: NativeDevice, pictures: Path) -> None:
    report = json.loads(run("infer", pictures, "--port", native.url, "--json", "--color", "luma").stdout)
    assert {p["input_bytes"] for p in report["pictures"]} == {1920}


def test_infer_insists_on_the_network(
    native: NativeDevice,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "other.tflite"
    model.write_bytes(b"whatever")
    said = fails(monkeypatch, capsys, "infer", pictures, "--port", native.url, "--model", model)
    assert "by_hand" in said and "another network" in said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("infer", "nowhere.jpg", "--port", "PORT"), "nowhere.jpg"),
        (("infer", "PICTURES", "--port", "/dev/ttyNOWHERE"), "no port /dev/ttyNOWHERE"),
        (("infer", "PICTURES", "--port", "PORT", "--mapping", "pixel%2"), "input mapping"),
        (("infer", "PICTURES", "--port", "PORT", "--model", "nowhere.tflite"), "nowhere.tflite"),
        (("stream", "--source", "nowhere", "--port", "PORT"), "nowhere"),
        (("info", "--port", "sim:nowhere"), "nowhere"),
    ],
)
def test_errors(
    native: NativeDevice,
    pictures: Path,
    arguments: tuple[str, ...],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"PORT": native.url, "PICTURES": pictures}
    assert word in fails(monkeypatch, capsys, *(places.get(a, a) for a in arguments))


def test_stream_lines(native: NativeDevice, pictures: Path) -> None:
    done = run("stream", "--source", pictures, "--port", native.url, "--json", "--frames", 2)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2
    assert all(line["frames_per_second"] > 0 and 0 < line["wire_share"] < 1 for line in lines)


def test_stream_table(native: NativeDevice, pictures: Path) -> None:
    text = run("stream", "--source", pictures, "--port", native.url).stdout
    assert "3 frames at 1000000 baud" in text
    assert "frames/s" in text and "on the wire" in text


def test_a_video_through_opencv(native: NativeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for OpenCV: its blue-green-red frames arrive as RGB, and the file is closed."""
    frame = np.zeros((40, 48, 3), np.uint8)
    frame[..., 0] = 200  # blue

    class Capture:
        released = False

        def __init__(self, what: object) -> None:
            self.left = 2

        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            return (True, frame) if self.left >= 0 else (False, None)

        def release(self) -> None:
            Capture.released = True

    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))
    (tmp_path / "film.mp4").write_bytes(b"")
    done = run("stream", "--source", tmp_path / "film.mp4", "--port", native.url, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["picture"] for line in lines] == ["film.mp4 #1", "film.mp4 #2"]
    expected, _ = expected_outputs((frame[:, :, ::-1].astype(np.int16) - 128).astype(np.int8))
    assert lines[0]["index"] == int(np.argmax(expected))
    assert Capture.released


def test_a_camera_with_an_address(native: NativeDevice) -> None:
    """What the device is given are the camera's pictures; where it is slower, the newest."""
    content = jpeg(200, (48, 40))
    with camera(jpeg(0, (48, 40)), content, pause=0.3) as url:
        done = run("stream", "--source", url, "--port", native.url, "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["picture"].startswith(f"{url} #")
    pixels = np.asarray(Image.open(io.BytesIO(content))).astype(np.int16) - 128
    assert last["index"] == int(np.argmax(expected_outputs(pixels.astype(np.int8))[0]))


def test_lines_of_numbers(native: NativeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """5760 numbers in a line are a picture, too; a network that gives it a name answers with that."""
    values = np.random.default_rng(3).integers(-128, 128, (2, 5760))
    lines = "\n".join(" ".join(map(str, row)) for row in values)
    done = CliRunner().invoke(cli, ["stream", "--source", "stdin", "--port", native.url, "--json"], input=lines)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["picture"] for each in found] == ["standard input #0", "standard input #1"]
    assert all(each["input_bytes"] == 5760 for each in found)


def test_no_opencv(native: NativeDevice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    said = fails(monkeypatch, capsys, "stream", "--source", "camera", "--port", native.url)
    assert "OpenCV" in said and "tinyengine[camera]" in said


def test_no_camera(native: NativeDevice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    capture = SimpleNamespace(isOpened=lambda: False, release=lambda: None)
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=lambda _: capture))
    assert "camera 3" in fails(monkeypatch, capsys, "stream", "--source", "camera:3", "--port", native.url)


def test_info(native: NativeDevice) -> None:
    report = json.loads(run("info", "--port", native.url, "--json", "--profile").stdout)
    assert report["identity"]["model_hash"] == "0123456789abcdef"
    assert report["baud"] == 1_000_000
    assert len(report["profile"]) == 300
    text = run("info", "--port", native.url).stdout
    assert "native runs by_hand" in text and "40x48x3" in text and "zero, one, two" in text


def test_devices(native: NativeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [
        SimpleNamespace(device="/dev/ttyACM0", description="ST-Link", vid=0x0483),
        SimpleNamespace(device="/dev/ttyACM1", description="Modem", vid=0x1234),
        SimpleNamespace(device="/dev/ttyS0", description="n/a", vid=None),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    real = discovery.open_transport
    monkeypatch.setattr(
        discovery, "open_transport", lambda url: SocketTransport(native.url) if url == "/dev/ttyACM0" else real(url)
    )
    found = json.loads(run("devices", "--json").stdout)
    assert [port["port"] for port in found] == ["/dev/ttyACM0", "/dev/ttyACM1", "/dev/ttyS0"]
    assert found[0]["identity"]["board"] == "native"
    assert found[1]["identity"] is None and "no port" in found[1]["problem"]
    assert found[2]["problem"] == ""
    table = run("devices").stdout
    assert "native" in table and "not asked" in table
    assert all(port["identity"] is None for port in json.loads(run("devices", "--no-ask", "--json").stdout))


@pytest.mark.parametrize("name", ["devices", "info", "infer", "stream"])
def test_help_has_an_example(name: str) -> None:
    assert name in COMMANDS
    text = run(name, "--help").stdout
    assert f"tinyengine {name}" in text.split("Example:")[1]
