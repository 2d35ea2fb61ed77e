"""``fit --teacher`` and ``--freeze``: who answers for a picture as a step shows it, and what a step leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.convert.dequantize import real_layers
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.network_file import write_network
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.frontend.tiny_training import build_tiny_training
from tinyengine.optional import tensorflow
from tinyengine.recipes import online_teacher
from tinyengine.recipes.augment import Augmentation
from tinyengine.recipes.online_teacher import OnlineTeacher, known_part
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import Training
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.real_features import real_features
from tests.helpers.striped_pictures import stripes
from tests.helpers.tiny_networks import tiny_files

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

# Of an even size, where the padding of tiny-training files, half a kernel on every side, is not SAME's.
TAUGHT = Network("taught", 24, 8, parse_blocks("e1c8k3 e4c12k5s2 e3c12k3 e3c16k7s2"), classes=2)
STILL = Augmentation(1.0, 1.0, 0, 0, 0, 0)  # flips remain


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An int8 network of an architecture that the zoo has for as long as the test."""
    monkeypatch.setitem(online_teacher.NETWORKS, "taught", replace(TAUGHT, classes=1000, resolution=80))
    path = tmp_path / "teacher.tflite"
    graph = build_tiny_training(*tiny_files(TAUGHT, gain=1.4), "taught")
    write_network(path, tflite_bytes(graph), ModelMetadata(classes=("rows", "columns")))
    return path


def as_tensor(pixels: np.ndarray) -> Any:
    return torch.from_numpy(pixels.astype(np.float32) / 128 - 1).permute(0, 3, 1, 2)


def answers_of(teacher: OnlineTeacher, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(teacher.complete(as_tensor(pixels), torch.zeros(len(pixels), 2)))


def test_a_teacher_answers_what_its_int8_network_means(teacher: Path) -> None:
    """Nothing rounded, padded as the file says."""
    pixels = stripes(24, 24, 0).values
    graph, classifier = build_tiny_training(*tiny_files(TAUGHT, gain=1.4), "taught"), real_layers(teacher)[-1]
    logits = np.array([real_features(graph, picture) for picture in pixels]) @ classifier.kernel[0, 0] + classifier.bias
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert expected[:, 0].std() > 0.02
    np.testing.assert_allclose(answers_of(OnlineTeacher([teacher], ("rows", "columns")), pixels), expected, atol=2e-4)


def test_pictures_of_another_size_are_resized_and_several_teachers_are_averaged(teacher: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    write_network(other, tflite_bytes(build_tiny_training(*tiny_files(TAUGHT, 5), "taught")), ModelMetadata())
    pixels = stripes(6, 24, 1).values
    alone = [answers_of(OnlineTeacher([path], ("rows", "columns")), pixels) for path in (teacher, other)]
    odds = [np.log(each[:, 1] / each[:, 0]) for each in alone]
    both = OnlineTeacher([teacher, other], ("rows", "columns"))
    together = answers_of(both, pixels)
    np.testing.assert_allclose(np.log(together[:, 1] / together[:, 0]), sum(odds) / 2, atol=1e-4)
    assert np.abs(odds[0] - odds[1]).max() > 0.1
    larger = np.repeat(np.repeat(pixels, 2, 1), 2, 2)
    np.testing.assert_allclose(answers_of(both, larger), together, atol=0.06)
    assert OnlineTeacher([other], ("rows", "columns")).digest != OnlineTeacher([teacher], ("rows", "columns")).digest


def test_it_completes_what_labels_leave_open(teacher: Path) -> None:
    pixels = stripes(4, 24, 2).values
    known = known_part(np.array([1, 0, -1, 1], np.int32), 2, 0.75)
    np.testing.assert_allclose(known, [[0, 0.25], [0.25, 0], [0, 0], [0, 0.25]])
    embedding = np.arange(8, dtype=np.float32).reshape(4, 2)
    network = OnlineTeacher([teacher], ("rows", "columns"))
    given = torch.from_numpy(np.hstack([known, embedding]))
    given[3, 0] = 0.75  # nothing is left open
    targets = np.asarray(network.complete(as_tensor(pixels), given))
    answers = answers_of(network, pixels)
    np.testing.assert_allclose(targets[:3, :2], known[:3] + (1 - known[:3].sum(1, keepdims=True)) * answers[:3])
    np.testing.assert_allclose(targets[3, :2], [0.75, 0.25])
    np.testing.assert_array_equal(targets[:, 2:], embedding)


def test_a_run_learns_from_a_teacher_what_no_label_says(teacher: Path, tmp_path: Path) -> None:
    """Its loss is the cross entropy to the teacher's answers; pictures without a label or an answer are welcome."""
    data = replace(stripes(32, 36, 3), labels=np.full(32, -1, np.int32))
    recipe = Recipe(batch=32, epochs=4, rate=1e-6, augmentation=STILL)
    with pytest.raises(DataError, match="neither a label nor a teacher's answer"):
        Training(TAUGHT, recipe, data, tmp_path / "run", backend="pytorch")
    run = Training(TAUGHT, recipe, data, tmp_path / "run", backend="pytorch", teachers=[teacher])
    assert not run.targets.any()
    run.run(None)
    assert run.history[-1]["loss"] > 0.3  # not 0, as targets of 0 would give
    again = Training(TAUGHT, recipe, data, tmp_path / "run", backend="pytorch", teachers=[teacher])
    assert again.resume()
    labelled = replace(data, labels=np.zeros(32, np.int32))
    with pytest.raises(DataError, match="another architecture, data or settings"):
        Training(TAUGHT, recipe, labelled, tmp_path / "run", backend="pytorch").resume()
    with pytest.raises(DataError, match="knows no --teacher: add --backend pytorch"):
        Training(TAUGHT, recipe, data, tmp_path / "run", teachers=[teacher])


def test_a_teacher_of_other_classes_or_of_no_known_architecture_is_refused(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"answers for rows, columns, .* has no_person, person: name a teacher"):
        OnlineTeacher([teacher], ("no_person", "person"))
    with pytest.raises(DataError, match="name a teacher of the same classes"):
        OnlineTeacher([teacher], ("rows", "columns", "dots"))
    with pytest.raises(ModelError, match="does not exist"):
        OnlineTeacher([teacher.with_name("none.tflite")], ("rows", "columns"))
    monkeypatch.delitem(online_teacher.NETWORKS, "taught")
    with pytest.raises(ModelError, match=r"none of the zoo's architectures .*models/person_small.tflite"):
        OnlineTeacher([teacher], ("rows", "columns"))
    shipped = Path(__file__).parents[2] / "models" / "person_small.tflite"
    assert answers_of(OnlineTeacher([shipped], ("no_person", "person")), stripes(2, 112, 0).values).shape == (2, 2)


def test_frozen_blocks_keep_weights_and_statistics(tmp_path: Path) -> None:
    data = stripes(32, 36, 4)
    first = Training(TAUGHT, Recipe(batch=16, epochs=1), data, tmp_path / "first", backend="pytorch")
    first.run(None)
    start, recipe = tmp_path / "first" / "checkpoint.npz", Recipe(batch=16, epochs=1, freeze=2)
    run = Training(TAUGHT, recipe, data, tmp_path / "run", start, "pytorch")
    run.run(None)
    for before, after in zip(first.model.weights, run.model.weights, strict=True):
        frozen = before.path.startswith(("stem", "block0", "block1"))
        assert np.array_equal(before.numpy(), after.numpy()) == frozen, before.path
    assert Training(TAUGHT, recipe, data, tmp_path / "run", start, "pytorch").resume()
    with pytest.raises(DataError, match="another architecture, data or settings"):
        Training(TAUGHT, replace(recipe, freeze=3), data, tmp_path / "run", start, "pytorch").resume()
    with pytest.raises(DataError, match="knows no --freeze: add --backend pytorch"):
        Training(TAUGHT, recipe, data, tmp_path / "run", start)
    with pytest.raises(DataError, match="by --start"):
        Training(TAUGHT, recipe, data, tmp_path / "run", backend="pytorch")
    with pytest.raises(DataError, match="at most 4"):
        Training(TAUGHT, replace(recipe, freeze=5), data, tmp_path / "run", start, "pytorch")


def test_frozen_blocks_compute_what_inference_computes() -> None:
    """With all blocks frozen a step's loss is that of the network as it is used, whatever the batch."""
    from tinyengine.recipes.torch_engine import TorchEngine

    data, recipe = stripes(16, 36, 5), Recipe(batch=16, freeze=4, augmentation=STILL)
    model = keras_model(TAUGHT, softmax=False)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # statistics and offsets that are none of a batch
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.2, 1.0, weight.shape))
    engine = TorchEngine(model, TAUGHT, recipe, 2, threads=1)
    targets, seed = data.targets(0.5), (0, 0)
    tf = tensorflow("test")
    arguments = (tf.constant(data.values), tf.constant(targets), tf.constant(seed, tf.int32))
    images, _ = engine._augment(*arguments)
    logits = np.asarray(model(images, training=False))
    expected = -(targets * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1).mean()
    assert engine.step(data.values, targets, 0.0, 0.9, seed) == pytest.approx(float(expected), rel=1e-4)
