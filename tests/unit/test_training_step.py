"""Whole training steps of the oracle: what changes, what stays, and that networks learn."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.errors import ModelError
from tinyengine.frontend.tflite import load_tflite, parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph
from tinyengine.ir.verify import verify
from tinyengine.paths import project_root
from tinyengine.reference import run
from tinyengine.reference.backward.step import Trainer
from tinyengine.reference.backward.update import accumulated
from tinyengine.step import Sample, Update
from tinyengine.training.head import replace_head
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.selection import selected_channels
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=3)
SCHEME = UpdateScheme("s", 4, {6: 0.25, 7: 1.0})


def graph() -> Graph:
    return tiny_graph(NETWORK, 3, gain=2.0)


def samples(count: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """Noisy pictures, darker and brighter, in which one of the three colours is stronger: its number is the label."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        label = int(rng.integers(3))
        picture = rng.normal(rng.uniform(-60, -20), 30, (1, 16, 16, 3)) + 80 * (np.arange(3) == label)
        result.append((np.clip(picture, -128, 127).astype(np.int8), label))
    return result


def constants(graph: Graph) -> dict[str, np.ndarray]:
    return {t.name: t.data.copy() for t in graph.constants() if t.data is not None}


@pytest.mark.parametrize("residual", [False, True])
def test_a_step_changes_what_the_scheme_names_and_nothing_else(residual: bool) -> None:
    before = graph()
    trainer = Trainer(before, SCHEME, residual=residual)
    layers = trainable_layers(before)
    for step, (x, label) in enumerate(samples(8, 0)):
        trainer.train(x, Sample(label, 3), Update(0.05, step=step))
    old, new = constants(before), constants(trainer.graph)
    changed = {name for name in old if (old[name] != new[name]).any()}
    expected = {layers.classifier.weights.name, layers.classifier.bias.name}
    expected |= {layer.bias.name for layer in layers.convolutions[-4:]}
    expected |= {layers.convolutions[index].weights.name for index in (6, 7)}
    assert changed == expected
    chosen = selected_channels(layers.convolutions[6], 3)
    name = layers.convolutions[6].weights.name
    touched = np.flatnonzero((old[name] != new[name]).any(axis=(0, 1, 2)))
    assert set(touched) <= set(chosen)


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    def after(seed: int) -> bytes:
        trainer = Trainer(graph(), SCHEME)
        for step, (x, label) in enumerate(samples(4, 0)):
            trainer.train(x, Sample(label, 3), Update(0.05, seed, step))
        return b"".join(array.tobytes() for array in constants(trainer.graph).values())

    assert after(1) == after(1) != after(2)


def test_random_bits_are_used_once() -> None:
    trainer = Trainer(graph(), SCHEME)
    ends = [c.first + trainer.graph.tensor(c.name).data[..., c.channels].size for c in trainer.constants]  # type: ignore[index]
    starts = [c.first for c in trainer.constants]
    assert starts[0] == 0 and all(start % 2 == 0 for start in starts)
    assert all(0 <= start - end <= 1 for start, end in zip(starts[1:], ends, strict=False))


def test_an_accumulated_step_is_the_mean_of_its_samples() -> None:
    """Nothing changes until the last sample; then every bias by the rounded mean of what single steps would do."""
    batch = samples(3, 5)
    whole = Trainer(graph(), SCHEME)
    unchanged = constants(whole.graph)
    for number, (x, label) in enumerate(batch):
        assert all((unchanged[name] == array).all() for name, array in constants(whole.graph).items())
        whole.train(x, Sample(label, 3), Update(0.5, step=number, batch=3, sample=number))
    moved = constants(whole.graph)
    name = trainable_layers(whole.graph).classifier.bias.name
    singles = []
    for x, label in batch:
        alone = Trainer(graph(), SCHEME)
        alone.train(x, Sample(label, 3), Update(0.5))
        singles.append(constants(alone.graph)[name].astype(np.float64) - unchanged[name])
    change = moved[name].astype(np.float64) - unchanged[name]
    assert np.abs(change).max() > 20
    np.testing.assert_allclose(change, np.mean(singles, axis=0), atol=2.0)


def test_momentum_is_a_heavy_ball() -> None:
    """Over batches of two samples: the old velocity is damped once a batch."""
    one, velocity = np.ones(1, np.float32), np.zeros(1, np.float32)
    seen = []
    for sample in range(6):
        velocity = accumulated(velocity, one, 0.5 if sample % 2 == 0 else None)
        seen.append(float(velocity[0]))
    assert seen == [1.0, 2.0, 2.0, 3.0, 2.5, 3.5]


@pytest.mark.slow(but=1)
@pytest.mark.parametrize(("residual", "momentum", "batch"), [(False, 0.0, 1), (True, 0.0, 1), (False, 0.9, 4)], ids=str)
def test_a_network_learns(residual: bool, momentum: float, batch: int) -> None:
    """From chance to mostly right on pictures that it has not seen."""
    trainer = Trainer(graph(), SCHEME, residual)
    held_out = samples(60, 99)
    before = np.mean([trainer.evaluate(x, Sample(label, 3)).predicted == label for x, label in held_out])
    training = samples(240, 1)
    for index, (x, label) in enumerate(training):
        rate = 0.02 * (1 - index / len(training))
        trainer.train(x, Sample(label, 3), Update(rate, 3, index, momentum, batch, index % batch))
    after = np.mean([trainer.evaluate(x, Sample(label, 3)).predicted == label for x, label in held_out])
    assert before < 0.7 and after > 0.85, (before, after)


def test_a_new_head_has_its_own_classes_and_the_old_features() -> None:
    old = graph()
    new = replace_head(old, 7, seed=1)
    verify(new)
    layers = trainable_layers(new)
    assert layers.classifier.out_channels == 7 and trainable_layers(old).classifier.out_channels == 3
    (x, _), *_ = samples(1, 0)
    features = layers.classifier.x.name
    np.testing.assert_array_equal(run(new, [x], keep_all=True)[features], run(old, [x], keep_all=True)[features])
    assert layers.classifier.weights.data is not None
    spread = layers.classifier.weights.data.std() * layers.classifier.weights.scale
    assert spread == pytest.approx(0.01, rel=0.5)
    assert parse_tflite(tflite_bytes(new)).outputs
    with pytest.raises(ModelError, match="1 classes are too few"):
        replace_head(old, 1)


def test_a_shipped_network_gets_a_new_head_with_its_softmax() -> None:
    shipped = load_tflite(project_root() / "models" / "person_tiny.tflite")
    new = replace_head(shipped, 5)
    verify(new)
    assert new.tensor(new.output_tensors()[0]).shape[-1] == 5
    probabilities = Trainer(new, UpdateScheme("last-layer")).train(
        np.zeros(new.tensor(new.input_tensors()[0]).shape, np.int8), Sample(4, 5), Update(0.1)
    )
    assert probabilities.sum() == pytest.approx(1, abs=1e-6) and len(probabilities) == 5
