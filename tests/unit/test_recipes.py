"""Training recipes: data, augmentation, schedule, checkpoints, and one small training from end to end."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, join
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow
from tinyengine.recipes.augment import Augmentation, augment
from tinyengine.recipes.evaluate import score, wilson
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.run_folder import learning_rate
from tinyengine.recipes.tensorflow_engine import TensorflowEngine
from tinyengine.recipes.train import BACKENDS, Training
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.striped_pictures import stripes

TINY = Network("test-net", 32, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=2)


def archive(path: Path, pictures: Arrays, **arrays: np.ndarray) -> None:
    """Write the npz layout; labels and names only where ``arrays`` has them."""
    files = []
    for pixels in pictures.values:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        files.append(buffer.getvalue())
    offset = np.cumsum([0] + [len(data) for data in files])
    np.savez(path, jpeg=np.frombuffer(b"".join(files), np.uint8), offset=offset, **arrays)


def test_the_npz_layout_is_read_and_soft_labels_are_averaged(tmp_path: Path) -> None:
    data = stripes(6, 24, 0)
    person = np.linspace(0, 1, 6).astype(np.float32)
    archive(tmp_path / "a.npz", data, y=data.labels, class_names=np.array(data.classes), p_person=person)
    archive(tmp_path / "b.npz", data, p_person=person)
    labelled, unlabelled = read_pictures(tmp_path / "a.npz").decoded(16), read_pictures(tmp_path / "b.npz").decoded(16)
    assert labelled.values.shape == (6, 16, 16, 3)
    assert (labelled.labels == data.labels).all()
    assert (unlabelled.labels == -1).all()
    both = join([read_pictures(tmp_path / name) for name in ("a.npz", "b.npz")])
    targets = both.targets(soft_weight=0.25)
    assert targets[:6, 1] == pytest.approx(0.75 * data.labels + 0.25 * person)
    assert targets[6:, 1] == pytest.approx(person)
    assert targets.sum(axis=1) == pytest.approx(1)
    assert both.source_names == ("a", "b")


def test_a_part_of_the_pictures_is_spread_over_all(tmp_path: Path) -> None:
    data = stripes(9, 16, 0)
    archive(tmp_path / "a.npz", data, y=np.arange(9))
    assert read_pictures(tmp_path / "a.npz", limit=3).labels.tolist() == [0, 4, 8]


def test_a_folder_per_class_is_read(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (30, 20), "red").save(tmp_path / label / "a.png")
    data = read_pictures(tmp_path).decoded((10, 12))
    assert data.values.shape == (2, 10, 12, 3)
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 1]


def test_pictures_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    """As tinyengine infer does: what a network is trained on is what it will see."""
    image = Image.new("RGB", (20, 10), "black")
    image.paste("white", (0, 0, 10, 10))
    exif = image.getexif()
    exif[0x0112] = 6  # turn right by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = read_pictures(tmp_path / "turned.png", labelled=False).decoded((20, 10)).values[0]
    assert pixels[:10].min() == 255
    assert pixels[10:].max() == 0


def test_data_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.npz").write_bytes(b"noise")
    for name in ("empty", "noise.npz", "missing"):
        with pytest.raises(DataError, match=name):
            read_pictures(tmp_path / name).decoded(16)
    other = stripes(2, 16, 0)
    other.classes = ("a", "b")
    with pytest.raises(DataError, match="different classes"):
        join([stripes(2, 16, 0), other])
    archive(tmp_path / "answers.npz", other, soft=np.full((2, 2), 0.5), class_names=np.array(["b", "a"]))
    archive(tmp_path / "labels.npz", other, y=other.labels, class_names=np.array(["a", "b"]))
    with pytest.raises(DataError, match=r"answers for \['b', 'a'\] and the others for \['a', 'b'\]"):
        join([read_pictures(tmp_path / name) for name in ("answers.npz", "labels.npz")])
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    (tmp_path / "nothing.npz").write_bytes(b"")
    for name in ("array.npz", "nothing.npz"):
        with pytest.raises(DataError, match=f"{name} is not an image archive"):
            read_pictures(tmp_path / name)
    for name in ("a", "b"):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "mixed" / name / "0.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "mixed" / "loose.png")
    with pytest.raises(DataError, match=r"loose\.png beside them"):
        read_pictures(tmp_path / "mixed", labelled=False)


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"y": np.array([0, 1, 2, 0])}, r"labels y must lie between -1 \(none\) and 1"),
        ({"y": np.zeros(3, np.int32)}, "y has the shape 3 with 4 pictures"),
        ({"p_person": np.array([0, 50, 100, 0])}, "p_person must hold probabilities from 0 to 1"),
        ({"soft": np.zeros((4, 2))}, "soft of a picture do not add up to 1"),
        ({"offset": np.zeros(5)}, "offset where each picture's begin"),
        ({"p_person": np.zeros((4, 1))}, "p_person has the shape 4x1 with 4 pictures"),
        ({"soft": np.zeros((4, 3))}, "soft has 3 columns and there are 2 classes"),
        ({"embedding": np.zeros((3, 8))}, "embedding has the shape 3x8 with 4 pictures"),
        ({"embedding": np.full((4, 8), np.inf)}, "embedding holds numbers that are not finite"),
        ({"src": np.array([0, 0, 1, 0]), "src_names": np.array(["one"])}, "src names a source"),
        ({"offset": np.array([0, 10**9])}, "offsets do not lie within"),
    ],
)
def test_an_array_that_does_not_fit_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], what: str) -> None:
    data = stripes(4, 16, 0)
    archive(tmp_path / "a.npz", data, class_names=np.array(data.classes))
    with np.load(tmp_path / "a.npz") as whole:
        np.savez(tmp_path / "bad.npz", **{**whole, **arrays})
    with pytest.raises(DataError, match=rf"bad\.npz is damaged: .*{what}"):
        read_pictures(tmp_path / "bad.npz")


def test_the_score_counts_per_class_and_source() -> None:
    data = stripes(4, 16, 0)
    data.labels = np.array([0, 1, 1, -1], np.int32)
    data.sources = np.array([0, 0, 1, 1], np.int32)
    data.source_names = ["one", "two"]
    result = score(np.array([0, 0, 1, 1]), data)
    assert result.confusion == [[1, 0], [1, 1]]
    assert result.accuracy == pytest.approx(200 / 3)
    assert result.by_source == {"one": (50.0, 2), "two": (100.0, 1)}


def test_the_interval_is_wilsons() -> None:
    # worked by hand: 80 of 100 right
    low, high = wilson(80, 100)
    assert (low, high) == (pytest.approx(71.11, abs=0.01), pytest.approx(86.66, abs=0.01))


def test_the_rate_rises_and_falls() -> None:
    recipe = Recipe(rate=0.2, warmup=0.1)
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(0.2)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3


def test_augmentation_is_reproducible_and_stays_in_range() -> None:
    data = stripes(16, 48, 0)
    how = Augmentation(cutout=0.5, mixup=1.0)
    targets = data.targets(0.5)
    first, mixed = augment(data.values, targets, 32, how, [0, 1])
    again, _ = augment(data.values, targets, 32, how, [0, 1])
    other, _ = augment(data.values, targets, 32, how, [0, 2])
    assert first.shape == (16, 32, 32, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert float(np.min(first)) >= -1.0
    assert float(np.max(first)) <= 127 / 128
    assert np.sum(mixed, axis=1) == pytest.approx(1)


def test_without_augmentation_the_picture_is_only_flipped() -> None:
    data = stripes(16, 32, 0)
    nothing = Augmentation(min_area=1.0, aspect=1.0, brightness=0, contrast=0, saturation=0, gray=0)
    pixels, _ = augment(data.values, data.targets(0.5), 32, nothing, [0, 0])
    # the crop samples between pixels and averages, which blurs a little: compare 4x4 means
    means = np.asarray(pixels).reshape(16, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    plain = (data.values / 128.0 - 1).reshape(16, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    plain_error = np.abs(means - plain).max(axis=(1, 2, 3))
    flipped_error = np.abs(means - plain[:, :, ::-1]).max(axis=(1, 2, 3))
    assert (np.minimum(plain_error, flipped_error) < 0.15).all()
    assert 0 < (plain_error < flipped_error).sum() < 16


def need_backend(backend: str) -> None:
    if backend == "pytorch":
        pytest.importorskip("torch", reason="the extra torch is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_interrupted_run_continues_exactly(tmp_path: Path, backend: str) -> None:
    need_backend(backend)
    data, validation = stripes(64, 32, 0), stripes(32, 32, 1)
    recipe = Recipe(epochs=3, batch=16, rate=0.05)

    def stop_after(step: int | None):
        def listen(what: str, done: int, total: int, figures: str = "") -> None:
            if step is not None and done >= step:
                raise KeyboardInterrupt

        return listen

    whole = Training(TINY, recipe, data, tmp_path / "whole", backend=backend)
    whole.run(validation, stop_after(None))
    parts = Training(TINY, recipe, data, tmp_path / "parts", backend=backend)
    with pytest.raises(KeyboardInterrupt):
        parts.run(validation, stop_after(4))
    continued = Training(TINY, recipe, data, tmp_path / "parts", backend=backend)
    assert continued.resume()
    assert continued.step == 4
    continued.run(validation, stop_after(None))
    for a, b in zip(whole.model.weights, continued.model.weights, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert [line["accuracy"] for line in whole.history] == [line["accuracy"] for line in continued.history]


def test_both_backends_take_the_same_step() -> None:
    """Every kind of layer, odd sizes and TensorFlow's uneven padding. One step only, and gradients by their norm: batch
    normalization magnifies differences of rounding, some tenfold with every step."""
    need_backend("pytorch")
    from tinyengine.recipes.torch_engine import TorchEngine
    from tinyengine.zoo.build import keras_model

    network = Network("odd", 34, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k5 e3c16k7s2 e2c16k3"), classes=2 + 3, head=24)
    data, recipe = stripes(16, 48, 0), Recipe(batch=16, embedding_weight=0.7)
    embedding = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    targets = np.hstack([data.targets(0.5), embedding])
    tensorflow("test").keras.utils.set_random_seed(0)
    model, twin = keras_model(network, softmax=False), keras_model(network, softmax=False)
    twin.set_weights(model.get_weights())
    engines = TensorflowEngine(model, network, recipe, 2), TorchEngine(twin, network, recipe, 2, threads=1)
    losses = [engine.step(data.values, targets, 0.05, 0.9, (0, 0)) for engine in engines]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    ours, theirs = (engine.state() for engine in engines)
    for a, b in zip(ours["velocity"], theirs["velocity"], strict=True):
        assert np.linalg.norm(a - b) < 0.03 * np.linalg.norm(a) + 1e-5
    for name in ("weight", "average"):
        for a, b in zip(ours[name], theirs[name], strict=True):
            # PyTorch's moving variance divides by n - 1, here at least 3 * 3 * 16 - 1, and enters with 1 %
            np.testing.assert_allclose(a, b, atol=1e-3)
    before = [w.copy() for w in ours["weight"]]
    engines[1].restore(ours)
    assert all(np.array_equal(a, b) for a, b in zip(before, engines[1].state()["weight"], strict=True))


def test_the_loss_is_cross_entropy_and_the_difference_to_the_embedding() -> None:
    """Of a network whose outputs are known: a classifier of zeros says 1/2 and an embedding of its biases."""
    from tinyengine.zoo.build import keras_model

    network = Network("wide", 32, 8, TINY.blocks, classes=2 + 2)
    data, recipe = stripes(16, 48, 0), Recipe(batch=16, embedding_weight=0.7)
    tensorflow("test")
    model = keras_model(network, softmax=False)
    model.weights[-2].assign(np.zeros_like(model.weights[-2].numpy()))
    model.weights[-1].assign([0, 0, 3, -1])
    targets = np.hstack([data.targets(0.5), np.full((16, 2), (1, 1), np.float32)])
    loss = TensorflowEngine(model, network, recipe, 2).step(data.values, targets, 0.05, 0.9, (0, 0))
    assert loss == pytest.approx(np.log(2) + 0.7 * (2**2 + 2**2) / 2, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_embedding_is_learned_beside_the_classes_and_left_out_of_the_network(tmp_path: Path, backend: str) -> None:
    need_backend(backend)
    data = stripes(64, 48, 0)
    phase = np.cos(2 * np.pi * np.arange(64) / 64).astype(np.float32)
    data.embedding = np.stack([2.0 * data.labels - 1, phase], axis=1).astype(np.float32)
    training = Training(TINY, Recipe(batch=16, epochs=6, embedding_weight=2.0), data, tmp_path, backend=backend)
    training.run(stripes(16, 32, 1))
    losses = [line["loss"] for line in training.history]
    # 0.69 and 2 in the beginning; the phase cannot be seen, and half of what remains without the rest is its
    assert losses[-1] < 0.75 * losses[0]
    assert training.model.weights[-1].shape == (2,)
    with np.load(tmp_path / "best.npz") as best:
        assert best[f"weight{len(training.model.weights) - 1}"].shape == (2,)
    again = Training(TINY, Recipe(batch=16, epochs=6, embedding_weight=2.0), data, tmp_path, backend=backend)
    assert again.resume()
    assert again.step == training.step
    # the checkpoint is a beginning too, with its classifier
    started = Training(TINY, Recipe(batch=16), data, tmp_path / "b", tmp_path / "checkpoint.npz", backend=backend)
    assert np.array_equal(started.model.weights[-2].numpy(), training.model.weights[-2].numpy())
    # without weight the embedding is left out: the run is that of data without one
    without = Training(TINY, Recipe(batch=16, embedding_weight=0.0), data, tmp_path / "c", backend=backend)
    data.embedding = None
    plain = Training(TINY, Recipe(batch=16), data, tmp_path / "d", backend=backend)
    assert without.fingerprint() == plain.fingerprint()


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    data = stripes(32, 32, 0)
    Training(TINY, Recipe(batch=16), data, tmp_path).save()
    with pytest.raises(DataError, match="another architecture, data or settings"):
        Training(TINY, Recipe(batch=16, rate=0.3), data, tmp_path).resume()
    with pytest.raises(DataError, match="2 classes and the network 5"):
        Training(Network("n", 32, 8, TINY.blocks, 5), Recipe(batch=16), data, tmp_path)
    with pytest.raises(DataError, match="smaller --batch"):
        Training(TINY, Recipe(batch=64), data, tmp_path)


@pytest.mark.slow
def test_a_run_may_begin_with_the_weights_of_another(tmp_path: Path) -> None:
    data = stripes(32, 32, 0)
    first = Training(TINY, Recipe(batch=16, epochs=2), data, tmp_path / "first")
    first.run(data)
    weights = tmp_path / "first" / "best.npz"
    trained = [weight.numpy() for weight in first.model.weights]
    data.classes, data.soft = ["a", "b", "c"], np.full((32, 3), np.nan, np.float32)
    three = Network("three", 40, 8, TINY.blocks, 3)
    second = Training(three, Recipe(batch=16), data, tmp_path / "second", weights)
    for ours, theirs in zip(second.model.weights[:-2], trained[:-2], strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    assert second.model.weights[-1].shape == (3,)
    weights.write_bytes(b"")  # a run that has begun needs the file no more
    second.save()
    with pytest.raises(DataError, match="another architecture, data or settings"):
        Training(three, Recipe(batch=16), data, tmp_path / "second").resume()
    with pytest.raises(DataError, match="does not hold weights of three"):
        Training(three, Recipe(batch=16), data, tmp_path / "third", weights)
    weights = tmp_path / "first" / "checkpoint.npz"
    deeper = Network("deeper", 32, 8, (*TINY.blocks, TINY.blocks[-1]), 3)
    with pytest.raises(DataError, match="does not hold weights of deeper"):
        Training(deeper, Recipe(batch=16), data, tmp_path / "third", weights)


def test_fit_learns_and_writes_a_network_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyengine.cli.fit import command
    from tinyengine.zoo import table

    monkeypatch.setitem(table.NETWORKS, "person-tiny", TINY)
    train, validation = stripes(192, 48, 0), stripes(64, 32, 1)
    for name, data in (("train", train), ("val", validation)):
        archive(tmp_path / f"{name}.npz", data, y=data.labels, class_names=np.array(data.classes))
    arguments = ["--data", str(tmp_path / "train.npz"), "--validate", str(tmp_path / "val.npz"), "--json"]
    # Every machine rounds, and so learns, a little differently: four times the epochs that seeds at random needed.
    arguments += ["--arch", "person-tiny", "--epochs", "20", "--batch", "16", "--average", "0.9"]
    arguments += ["--run", str(tmp_path / "run"), "-o", str(tmp_path / "net.tflite")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["float_accuracy"]["accuracy"] > 90
    assert abs(figures["float_accuracy"]["accuracy"] - figures["int8_accuracy"]["accuracy"]) < 5
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == figures
    assert json.loads((tmp_path / "net.json").read_text())["classes"] == ["rows", "columns"]
    # a short run that begins with the int8 network knows what that knew
    further = ["--start", str(tmp_path / "net.tflite"), "--rate", "0.001", "--run", str(tmp_path / "further")]
    result = CliRunner().invoke(
        command, [*arguments, "--epochs", "0.5", *further, "-o", str(tmp_path / "further.tflite")]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["int8_accuracy"]["accuracy"] > 85
    archive(tmp_path / "bare.npz", validation)
    archive(tmp_path / "swapped.npz", validation, y=validation.labels, class_names=np.array(["columns", "rows"]))
    for name, what in (("bare", "no labels to measure"), ("swapped", r"has the classes \['columns', 'rows'\]")):
        other = [str(tmp_path / f"{name}.npz") if argument.endswith("val.npz") else argument for argument in arguments]
        refused = CliRunner().invoke(command, [*other, "--run", str(tmp_path / "fresh")])
        assert isinstance(refused.exception, DataError)
        assert re.search(what, str(refused.exception))
    again = CliRunner().invoke(command, arguments)
    assert isinstance(again.exception, DataError)
    assert "--resume" in str(again.exception)


def test_fit_leaves_embeddings_out_that_do_not_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyengine.cli.fit import command
    from tinyengine.zoo import table

    monkeypatch.setitem(table.NETWORKS, "person-tiny", TINY)
    data = stripes(32, 48, 0)
    arrays = {"y": data.labels, "class_names": np.array(data.classes)}
    archive(tmp_path / "taught.npz", data, **arrays, embedding=np.ones((32, 4)), teacher=np.array("one"))
    archive(tmp_path / "plain.npz", data, **arrays)
    arguments = ["--data", str(tmp_path / "taught.npz"), "--data", str(tmp_path / "plain.npz"), "--epochs", "0.5"]
    arguments += ["--batch", "16", "--run", str(tmp_path / "run"), "-o", str(tmp_path / "net.tflite"), "--json"]
    mixed = CliRunner().invoke(command, arguments)
    assert isinstance(mixed.exception, DataError)
    assert "fit --embedding-weight 0" in str(mixed.exception)
    result = CliRunner().invoke(command, [*arguments, "--embedding-weight", "0"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pictures"] == 64
