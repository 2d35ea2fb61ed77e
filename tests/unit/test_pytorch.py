"""``tinyengine convert`` from PyTorch: needs the extra ``pytorch``, except for what is said without it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.convert import pytorch
from tinyengine.convert.pytorch import load_program
from tinyengine.convert.source import open_source
from tinyengine.errors import ModelError, ToolError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.passes import optimize
from tinyengine.zoo.random_weights import random_samples

PACKAGES = ("torch", "litert_torch", "ai_edge_quantizer")
needs_pytorch = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES)), reason="the extra 'pytorch' is not installed"
)


def network(torch: Any) -> Any:
    """A small picture network: strided and padded convolutions, depthwise ones, residuals, mean, softmax."""
    nn = torch.nn

    def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [layer, nn.BatchNorm2d(outputs)]

    class Block(nn.Module):
        def __init__(self, channels: int, expansion: int, kernel: int) -> None:
            super().__init__()
            middle = channels * expansion
            self.branch = nn.Sequential(
                *convolution(channels, middle, 1),
                nn.ReLU6(),
                *convolution(middle, middle, kernel, groups=middle),
                nn.ReLU6(),
                *convolution(middle, channels, 1),
            )

        def forward(self, x: Any) -> Any:
            return x + self.branch(x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(*convolution(3, 8, 3, 2), nn.ReLU6())
            self.first = Block(8, 4, 3)
            self.down = nn.Sequential(*convolution(8, 8, 5, 2, groups=8), nn.ReLU(), nn.Conv2d(8, 16, 1))
            self.second = Block(16, 3, 5)
            self.classify = nn.Linear(16, 4)

        def forward(self, x: Any) -> Any:
            x = self.second(self.down(self.first(self.stem(x))))
            return torch.softmax(self.classify(x.mean((2, 3))), 1)

    torch.manual_seed(0)
    net = Net()
    for _ in range(20):  # statistics for batch normalization
        net(torch.randn(16, 3, 32, 32))
    return net.eval()


def save(torch: Any, net: Any, path: Path, shape: tuple[int, ...] = (1, 3, 32, 32), **more: Any) -> Path:
    torch.export.save(torch.export.export(net, (torch.randn(shape),), **more), path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    values = random_samples((32, 32, 3), 12, np.random.default_rng(7))
    for k, value in enumerate(((values + 1) * 127.5).astype(np.uint8)):
        Image.fromarray(value).save(folder / f"{k}.png")
    return folder


@needs_pytorch
def test_a_program_becomes_int8_with_channels_last_and_the_layers_keep_their_names(
    photos: Path, tmp_path: Path
) -> None:
    import torch
    from tinyengine.cli.convert import command

    model = save(torch, network(torch), tmp_path / "net.pt2")
    arguments = [str(model), "--calibrate", str(photos), "--mapping", "pixel/128-1", "--json"]
    result = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "net.tflite")])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)  # nothing but JSON, whatever the converter reports
    assert figures["mapping"] == "pixel-128"
    assert figures["measurement"]["agreement"] == 100
    assert figures["measurement"]["outputs"][0]["db"] > 30
    names = {layer["origin"] for layer in figures["measurement"]["layers"]}
    assert {"stem.0", "first.branch.3", "classify"} <= names
    graph = optimize(load_tflite(tmp_path / "net.tflite"))
    assert graph.tensor(graph.inputs[0].tensor).shape == (1, 32, 32, 3)
    kinds = [op.kind.name for op in graph.operators]
    assert "TRANSPOSE" not in kinds
    assert "PAD" not in kinds


@needs_pytorch
def test_the_answers_are_those_of_pytorch(photos: Path, tmp_path: Path) -> None:
    import torch
    from tinyengine.convert import ConvertOptions, convert
    from tinyengine.convert.calibration import load_calibration
    from tinyengine.data.metadata import parse_mapping
    from tinyengine.reference import run

    net = network(torch)
    convert(ConvertOptions(save(torch, net, tmp_path / "net.pt2"), photos, tmp_path / "net.tflite"))
    graph = load_tflite(tmp_path / "net.tflite")
    port = graph.tensor(graph.inputs[0].tensor)
    values = load_calibration(photos, (32, 32, 3), parse_mapping("pixel/127.5-1"), 12).samples.values
    truth = net(torch.from_numpy(values.transpose(0, 3, 1, 2))).detach().numpy()
    for value, wanted in zip(values, truth, strict=True):
        inside = (np.rint(value[None] / port.scale) + port.zero_point).clip(-128, 127).astype(np.int8)
        answer = run(graph, [inside])[0]
        np.testing.assert_allclose((answer[0].astype(float) + 128) / 256, wanted, atol=0.02)


@needs_pytorch
@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("half", "computes in float16: export model.float"),
        ("training", "training mode"),
        ("batch", "has batch size 2"),
        ("dynamic", "dynamic shape [?]x3x32x32"),
    ],
)
def test_programs_that_cannot_be_quantized(tmp_path: Path, case: str, sentence: str) -> None:
    import torch

    net, example, more = network(torch), torch.randn(1, 3, 32, 32), {}
    if case == "half":
        net, example = net.half(), example.half()
    elif case == "training":
        net.train()
    elif case == "batch":
        example = torch.randn(2, 3, 32, 32)
    elif case == "dynamic":
        example, more = torch.randn(2, 3, 32, 32), {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    torch.export.save(torch.export.export(net, (example,), **more), tmp_path / "net.pt2")
    with pytest.raises(ModelError, match=sentence) as caught:
        load_program(tmp_path / "net.pt2")
    assert "\n" not in str(caught.value)


@needs_pytorch
def test_noise_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "noise.pt2").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match=r"PyTorch cannot read .*noise.pt2") as caught:
        load_program(tmp_path / "noise.pt2")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt"])
def test_other_files_of_pytorch_users_are_told_how_to_export(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match=r"not a program of torch.export .*torch.export.save"):
        open_source(tmp_path / name)
    with pytest.raises(ModelError, match="does not exist"):
        open_source(tmp_path / f"missing-{name}")


@pytest.mark.parametrize("missing", PACKAGES)
def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (tmp_path / "net.pt2").write_bytes(b"\x00" * 100)
    monkeypatch.setattr(pytorch.importlib.util, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(ToolError, match=rf"^{missing} is needed .* run pip install 'tinyengine\[pytorch\]'$"):
        load_program(tmp_path / "net.pt2")
