"""Super-networks: what is a part of one, what parts inherit, the sandwich rule, files, the formula, the commands."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tinyengine.cli.supernet import command
from tinyengine.data.samples import Arrays, Samples
from tinyengine.errors import DataError, ModelError
from tinyengine.recipes.recipe import Recipe
from tinyengine.supernet.file import Supernet, is_supernet, load_supernet, save_supernet
from tinyengine.supernet.predictor import SHOWN, features, fit_predictor, spearman
from tinyengine.supernet.space import RESOLUTIONS, Space, grown
from tinyengine.supernet.weights import by_importance, by_layer, cut, grow, in_order
from tinyengine.zoo.arch_file import save_architecture
from tinyengine.zoo.table import Block, Network, convolutions, find, macs, parse_blocks

from tests.helpers.supernets import random_layers

BASE = Network("base", 48, 8, parse_blocks("e1c8k3 e4c24k3s2*2 e6c32k5*2 e4c56k3s2"), 2)
SPACE = Space(grown(BASE), (32, 48))
PERSON = Space(grown(replace(find("mbv2-w0.35"), resolution=112, classes=2)), RESOLUTIONS)


def stripes(count: int, seed: int) -> Arrays:
    """Pictures with bright rows or columns."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (count, 48, 48, 3), np.uint8)
    labels = np.arange(count, dtype=np.int32) % 2
    pixels[labels == 0, ::4] += 120
    pixels[labels == 1, :, ::4] += 120
    return Samples(pixels, labels, ("rows", "columns"))


# --- what is a part ---


def test_larger_kernels_stand_where_they_cost_little() -> None:
    assert [block.kernel for block in PERSON.network.blocks] == [3] * 6 + [5] * 11
    assert macs(PERSON.largest(112)) < 1.1 * macs(replace(find("mbv2-w0.35"), resolution=112, classes=2))
    assert [len(stage) for stage in PERSON.stages] == [1, 2, 3, 4, 3, 3, 1]
    assert [PERSON.widths(k) for k in range(7)] == [(8,), (8,), (16,), (16, 24), (32,), (40, 56), (80, 112)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_drawn_is_a_part_and_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = PERSON.random(rng), PERSON.random(rng)
    ends = [PERSON.largest(first.resolution), PERSON.smallest(first.resolution)]
    for each in (first, PERSON.mutant(rng, first, 0.3), PERSON.cross(rng, first, second), *ends):
        origins = PERSON.match(each)
        assert len(origins) == len(each.blocks)
        assert PERSON.of_parts(each.resolution, PERSON.parts(each)) == each
        assert macs(PERSON.smallest(each.resolution)) <= macs(each) <= macs(PERSON.largest(each.resolution))
        # stages stay apart: each block lies in the stage of its origin, and adds to its input as there
        channels = each.stem
        for origin, block in zip(origins, each.blocks, strict=True):
            assert isinstance(block, Block)
            first_of_stage = any(stage[0] == origin for stage in PERSON.stages)
            assert first_of_stage or (block.stride == 1 and block.channels == channels)
            assert not (first_of_stage and origin > 0 and block.stride == 1 and block.channels == channels)
            channels = block.channels
    assert PERSON.mutant(rng, first, 0.0) == first
    child = PERSON.cross(rng, first, second)
    pairs = zip(PERSON.parts(child), PERSON.parts(first), PERSON.parts(second), strict=True)
    assert all(stage in both for stage, *both in pairs)


def test_what_is_no_part_is_refused(tmp_path: Path) -> None:
    person = find("person-tiny")
    assert len(PERSON.match(person)) == len(person.blocks)
    others = [
        replace(person, stem=8),
        replace(person, blocks=person.blocks[1:]),
        replace(person, blocks=(*person.blocks, Block(6, 112, 3))),
        replace(person, blocks=(*person.blocks[:-1], Block(5, 112, 3))),
        find("mcunet-vww1"),
    ]
    for other in others:
        with pytest.raises(
            ModelError, match=r"is no part of the super-network mbv2-w0\.35, as .*'largest' or 'smallest'"
        ):
            PERSON.match(other)
    for size in (48, 128):
        with pytest.raises(ModelError, match=f"of 64 to 112 pixels, .* at {size}: name a --resolution in between"):
            PERSON.match(replace(person, resolution=size))
    assert PERSON.match(replace(person, resolution=72)) == PERSON.match(person)
    with pytest.raises(ModelError, match=r"take a network of inverted residuals, such as mbv2-w0\.35"):
        grown(find("efficientvit-tiny"))
    supernet = Supernet(PERSON, {}, ("no", "yes"))
    assert supernet.sub_network("largest") == PERSON.largest()
    assert supernet.sub_network("smallest", 96) == PERSON.smallest(96)
    save_architecture(PERSON.smallest(80), tmp_path / "arch.json", {})
    assert supernet.sub_network(tmp_path / "arch.json").blocks == PERSON.smallest().blocks


# --- what parts inherit ---


def test_a_part_takes_the_first_channels_and_the_middle_of_kernels() -> None:
    layers = random_layers(SPACE.network)
    network = SPACE.smallest()
    part = cut(SPACE, network, layers)
    assert [*part] == [layer.name for layer in convolutions(network)]
    assert part["block2_expand"][0].shape == (1, 1, 16, 48)  # of block 3 of the largest one
    assert np.array_equal(part["block2_expand"][0], layers["block3_expand"][0][:, :, :16, :48])
    assert np.array_equal(part["block2_depthwise"][0], layers["block3_depthwise"][0][1:4, 1:4, :48])
    assert part["block3_project"][1].shape == (40,)
    assert np.array_equal(part["classifier"][0], layers["classifier"][0][:40])
    # another number of classes: nothing of the classifier can be used, and nothing is cut that was not there
    assert cut(SPACE, replace(network, classes=5), layers)["classifier"][1].shape == (2,)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_part_computes_what_the_stand_alone_network_with_its_weights_computes(seed: int) -> None:
    """Inside the super-network, cut by PyTorch's views; and as a Keras model of its own, which is what is exported."""
    pytest.importorskip("tensorflow")
    torch = pytest.importorskip("torch")
    from tinyengine.recipes.inherit import Heir, run
    from tinyengine.recipes.torch_network import forward, to_torch
    from tinyengine.zoo.build import keras_model

    layers, rng = random_layers(SPACE.network, seed), np.random.default_rng(seed)
    network = SPACE.random(rng)
    pixels = rng.integers(0, 256, (4, network.resolution, network.resolution, 3), np.uint8)
    heir = Heir(SPACE, layers, rng.integers(0, 256, (32, 48, 48, 3), np.uint8))
    own = heir.inherit(network)
    model = keras_model(network, softmax=False)
    model.set_weights(in_order(own))
    alone = np.asarray(model(pixels.astype(np.float32) / 128 - 1, training=False))
    assert np.allclose(run(network, own, pixels), alone, atol=2e-3)
    assert np.std(alone) > 0.05
    kinds = {layer.name: layer.kind for layer in convolutions(SPACE.network)}
    whole = {
        name: [to_torch(v, kinds[name] if k == 0 else "") for k, v in enumerate(vs)] for name, vs in layers.items()
    }
    views = cut(SPACE, network, whole, pytorch=True)
    with torch.no_grad():
        x = torch.from_numpy(pixels.astype(np.float32) / 128 - 1).permute(0, 3, 1, 2)
        inside = forward(network, views, x, training=False).numpy()
    assert np.allclose(inside, run(network, cut(SPACE, network, layers), pixels), atol=1e-4)
    # statistics are those of its own activations, not of the largest network's
    assert not np.allclose(own["stem"][3], layers["stem"][3], atol=0.01)


def test_order_and_larger_kernels_change_nothing_of_the_largest_network() -> None:
    pytest.importorskip("torch")
    from tinyengine.recipes.inherit import run

    layers = random_layers(BASE)
    ordered = by_importance(SPACE, grow(layers, SPACE.network))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    before, after = run(BASE, layers, pixels), run(SPACE.network, ordered, pixels)
    assert np.allclose(before, after, atol=1e-4)
    assert not np.array_equal(layers["block1_expand"][0], ordered["block1_expand"][0])
    # channels that do more come first
    read = np.linalg.norm(ordered["block1_project"][0][0, 0] * ordered["block1_project"][1], axis=1)
    strength = ordered["block1_depthwise"][1] * read
    assert strength[:12].mean() > strength[-12:].mean()


# --- training ---


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch):
    """A super-network's engine and one of the network alone, with the same weights."""
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    from tinyengine.recipes.supernet_engine import SupernetEngine
    from tinyengine.recipes.torch_engine import TorchEngine
    from tinyengine.zoo.build import keras_model

    tf.keras.utils.set_random_seed(0)
    model, recipe = keras_model(SPACE.network, softmax=False), Recipe(batch=16, epochs=1)
    one = Space(SPACE.network, (48,))
    return SupernetEngine(model, one, recipe, 2, 1), TorchEngine(model, SPACE.network, recipe, 2, 1)


def test_the_largest_network_learns_the_targets_and_the_others_what_it_answers(
    engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinyengine.recipes import supernet_engine

    ours, alone = engines
    data = stripes(16, 0)
    step = (data.values, data.targets(0.5), 0.05, 0.9, (0, 0))
    before = ours.state()
    monkeypatch.setattr(supernet_engine, "FOLLOWER", 0.0)
    assert ours.step(*step) == pytest.approx(alone.step(*step), rel=1e-6)
    for a, b in zip(ours.state()["weight"], alone.state()["weight"], strict=True):
        assert np.allclose(a, b, atol=1e-6)
    largest = ours.state()["velocity"]
    ours.restore(before)
    monkeypatch.setattr(supernet_engine, "FOLLOWER", 0.5)
    ours.step(*step)
    # the gradients of the others are added, but not their statistics
    both = ours.state()["velocity"]
    assert any(not np.allclose(a, b, atol=1e-6) for a, b in zip(largest, both, strict=True))
    layers = by_layer(SPACE.network, ours.state()["weight"])
    reference = by_layer(SPACE.network, alone.state()["weight"])
    assert np.allclose(layers["stem"][3], reference["stem"][3], atol=1e-6)


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    from tinyengine.recipes.supernet_training import SupernetTraining

    data, recipe = stripes(32, 0), Recipe(epochs=2, batch=16, rate=0.05)

    def begun(folder: str, resolutions: tuple[int, ...] = (32, 48)) -> SupernetTraining:
        return SupernetTraining(BASE, resolutions, recipe, data, tmp_path / folder)

    def stop(what: str, done: int, total: int, figures: str = "") -> None:
        raise KeyboardInterrupt

    whole, parts = begun("whole"), begun("parts")
    whole.run(stripes(8, 1))
    with pytest.raises(KeyboardInterrupt):
        parts.run(None, stop)
    continued = begun("parts")
    assert continued.resume()
    assert 0 < continued.step < whole.step
    continued.run(None)
    for a, b in zip(in_order(whole.layers), in_order(continued.layers), strict=True):
        assert np.array_equal(a, b)
    assert whole.history[-1]["accuracy"] is not None
    with pytest.raises(DataError, match="another architecture, data or settings"):
        begun("parts", (48,)).resume()


def test_a_training_begins_with_another_super_network(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    from tinyengine.recipes.supernet_training import SupernetTraining

    path, recipe, layers = tmp_path / "super.npz", Recipe(epochs=0, batch=16), random_layers(SPACE.network)

    def begun(base: Network, start: Path = path) -> dict[str, list[np.ndarray]]:
        data = stripes(16, 0) if base.classes == 2 else replace(stripes(16, 0), classes=("rows", "columns", "dots"))
        return SupernetTraining(base, (32,), recipe, data, tmp_path / "run", start).layers

    save_supernet(Supernet(SPACE, layers, ("rows", "columns")), path)
    for base in (BASE, replace(BASE, classes=3)):
        found = begun(base)
        assert np.allclose(found["block1_expand"][0], layers["block1_expand"][0], atol=1e-3)
        assert np.allclose(found["stem"][3], layers["stem"][3])
        assert (found["classifier"][1].shape == (2,)) == (base.classes == 2)
    other = replace(BASE, name="other", blocks=(*BASE.blocks[:-1], Block(4, 64, 3, 2)))
    with pytest.raises(ModelError, match=r"was trained with --arch base, .* not those of other: give its own --arch"):
        begun(other)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="does not hold weights of"):
        begun(BASE, tmp_path / "text.npz")


# --- files and the formula ---


def judged_by_size(count: int = 120) -> tuple[list[Network], list[float]]:
    rng = np.random.default_rng(0)
    networks = [PERSON.random(rng) for _ in range(count)]
    return networks, [0.6 - 0.05 * np.log2(macs(each) / 1e6) - 0.002 * each.blocks[-1].kernel for each in networks]


def test_the_formula_predicts_and_forgets_what_rounding_differs_in() -> None:
    networks, entropies = judged_by_size()
    found = fit_predictor(PERSON, networks, entropies, [100 - 60 * each for each in entropies])
    assert found.networks == 120
    assert found.rank > 0.95
    assert found.error < 0.01
    assert all(isinstance(weight, int) for weight in found.weights)
    noisy = [each + 1e-13 * (-1) ** k for k, each in enumerate(entropies)]
    again = fit_predictor(PERSON, networks, noisy, [100 - 60 * each for each in noisy])
    assert again.weights == found.weights
    rng = np.random.default_rng(1)
    for network in (PERSON.random(rng) for _ in range(20)):
        value = found.cross_entropy(PERSON, network)
        exact = sum(w * f for w, f in zip(found.weights, features(PERSON, network), strict=True)) * 1e-8
        assert value == pytest.approx(exact, abs=0.51 * SHOWN)
        assert value == round(value, 4)
        assert found.accuracy(value) == pytest.approx(100 - 60 * value, abs=0.2)


def test_rank_correlation_shares_ranks() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [1, 1, 2, 2]) == pytest.approx(1)


def test_a_file_keeps_what_it_is_given(tmp_path: Path) -> None:
    networks, entropies = judged_by_size()
    predictor = fit_predictor(PERSON, networks, entropies, [100 - 60 * each for each in entropies])
    supernet = Supernet(SPACE, random_layers(SPACE.network), ("rows", "columns"), predictor)
    path = tmp_path / "super.npz"
    save_supernet(supernet, path)
    found = load_supernet(path)
    assert is_supernet(path)
    assert (found.space.network.blocks, found.space.resolutions) == (SPACE.network.blocks, SPACE.resolutions)
    assert (found.classes, found.predictor) == (supernet.classes, predictor)
    for a, b in zip(in_order(supernet.layers), in_order(found.layers), strict=True):
        assert np.allclose(a, b, atol=1e-3)
    np.savez(tmp_path / "other.npz", weight0=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:-200])
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("weight0.npy").header_offset + 100
    whole = path.read_bytes()
    (tmp_path / "damaged.npz").write_bytes(whole[:start] + b"\xff" * 100 + whole[start + 100 :])
    for other in ("other", "array", "text", "cut", "damaged"):
        assert other == "damaged" or not is_supernet(tmp_path / f"{other}.npz")
        with pytest.raises(DataError, match="take a file that tinyengine supernet train has written"):
            load_supernet(tmp_path / f"{other}.npz")
    with pytest.raises(DataError, match="does not exist"):
        load_supernet(tmp_path / "missing.npz")
    with pytest.raises(DataError, match=r"must end in \.npz"):
        save_supernet(supernet, tmp_path / "super.bin")


# --- the commands ---


def run(*arguments: object) -> object:
    """What a command says as JSON."""
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_from_training_to_an_int8_network_and_its_fine_tuning(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    from tinyengine.recipes.train import Training

    data = stripes(48, 0)
    for k, (picture, label) in enumerate(zip(data.values, data.labels, strict=True)):
        folder = tmp_path / "data" / data.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{k}.png")
    pictures, path = tmp_path / "data", tmp_path / "super.npz"
    save_architecture(BASE, tmp_path / "base.json", {})
    trained = run(
        *("train", "--data", pictures, "--validate", pictures, "--arch", tmp_path / "base.json", "--epochs", 2),
        *("--resolution", 48, "--resolution", 32, "--batch", 16, "--rate", 0.05, "--run", tmp_path / "run", "-o", path),
    )
    assert [each["resolution"] for each in trained["sub_networks"]] == [32, 32, 48, 48]
    assert trained["steps"] == 6
    assert 0 <= trained["sub_networks"][0]["inherited"]["accuracy"] <= 100
    # what a run has learned so far can be used
    begun = (
        "--data",
        pictures,
        "--arch",
        tmp_path / "base.json",
        "--resolution",
        48,
        "--resolution",
        32,
        "--batch",
        16,
    )
    begun += (
        "--epochs",
        0,
        "--start",
        tmp_path / "run" / "checkpoint.npz",
        "--run",
        tmp_path / "b",
        "--validate",
        pictures,
    )
    again = run("train", *begun, "-o", tmp_path / "again.npz")
    assert again["sub_networks"][1]["inherited"] == trained["sub_networks"][1]["inherited"]
    arch = tmp_path / "small.json"
    save_architecture(load_supernet(path).space.smallest(), arch, {})
    judged = run("evaluate", path, "--arch", arch, "--arch", "smallest", "--data", pictures, "--validate", pictures)
    assert judged[0]["inherited"] == judged[1]["inherited"]
    assert judged[0]["macs"] == trained["sub_networks"][1]["macs"]
    formula = run("predict", path, "--data", pictures, "--validate", pictures, "--networks", 20)
    assert load_supernet(path).predictor.weights == tuple(formula["weights"])
    out = tmp_path / "small.tflite"
    exported = run("export", path, "--arch", arch, "--data", pictures, "--validate", pictures, "-o", out)
    assert json.loads(out.with_suffix(".json").read_text())["classes"] == ["columns", "rows"]
    # int8 rounds, and the statistics are means over other batches: a few of 48 pictures may differ
    assert exported["accuracy"]["accuracy"] == pytest.approx(judged[0]["inherited"]["accuracy"], abs=15)
    small = load_supernet(path).space.smallest()
    fit = Training(small, Recipe(batch=16), data, tmp_path / "fit", path)
    inherited = cut(load_supernet(path).space, small, load_supernet(path).layers)
    assert np.array_equal(fit.model.get_layer("block2_expand").get_weights()[0], inherited["block2_expand"][0])
    assert np.array_equal(fit.model.get_layer("classifier").get_weights()[0], inherited["classifier"][0])
    with pytest.raises(ModelError, match="is no part of the super-network"):
        Training(find("person-found"), Recipe(batch=16), data, tmp_path / "other", path)
