"""The float language model, its weights in few bits, and what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.data.answers import softmax
from tinyengine.errors import ModelError
from tinyengine.kernels.lm_packing import fits_w4, peak_bound
from tinyengine.language import heads
from tinyengine.language.calibrate import Statistics, calibrate
from tinyengine.language.choices import W8, Answers, Choice, Method, compare, evaluate, prepared, round_matrix, rounded
from tinyengine.language.heads import drop_heads, without
from tinyengine.language.llama import MATRICES, SITES, Llama, logits, norm, rotate, sample, silu, turns
from tinyengine.language.rounding import LARGEST, Groups, gptq, round_groups, round_rows
from tinyengine.language.scaling import awq, scaled, smoothquant

from tests.helpers.llamas import random_llama

WINDOW = 16


def tokens_of(model: Llama, streams: int, length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, model.vocabulary, (streams, length))


def one_by_one(model: Llama, tokens: np.ndarray, window: int, sinks: int) -> np.ndarray:
    """Logits (N, V) of one stream: for each token anew, what its window still holds."""
    size, shared, out = model.head, model.heads // model.kv_heads, []
    ring = (window or len(tokens)) - sinks
    held: list[list[tuple[int, np.ndarray, np.ndarray]]] = [[] for _ in model.layers]
    for n, token in enumerate(tokens):
        x = model.embedding[token]
        for layer, memory in zip(model.layers, held, strict=True):
            h = norm(x, layer.attention_gain, model.epsilon)
            memory.append((n, (layer.key @ h).reshape(-1, size), (layer.value @ h).reshape(-1, size)))
            seen = [each for each in memory if each[0] < sinks or each[0] > n - ring]
            query, parts = (layer.query @ h).reshape(-1, size), []
            for head in range(model.heads):
                scores = []
                for at, key, _ in seen:
                    here = min(n, window - 1) if at < sinks else n
                    q = rotate(query[head], *turns(np.array(here), size, model.theta))
                    k = rotate(key[head // shared], *turns(np.array(at), size, model.theta))
                    scores.append(q @ k / np.sqrt(size))
                weights = softmax(np.array(scores))
                parts.append(sum(w * value[head // shared] for w, (_, _, value) in zip(weights, seen, strict=True)))
            x = x + layer.output @ np.concatenate(parts)
            h = norm(x, layer.feed_gain, model.epsilon)
            x = x + layer.down @ (silu(layer.gate @ h) * (layer.up @ h))
        out.append(model.classifier @ norm(x, model.gain, model.epsilon))
    return np.array(out)


@pytest.mark.parametrize("window,sinks,length", [(0, 0, 20), (8, 0, 30), (8, 1, 30), (8, 3, 30), (8, 3, 2)])
def test_windows_and_sinks(window: int, sinks: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyengine.language.llama.BLOCK", 5)
    model = random_llama(0)
    [tokens] = tokens_of(model, 1, length)
    whole = logits(model, tokens[None], window=window, sinks=sinks)[0]
    np.testing.assert_allclose(whole, one_by_one(model, tokens, window, sinks), rtol=1e-3, atol=1e-4)


def test_sampling_follows_the_models_chances_and_its_seed() -> None:
    model = random_llama(1, layers=1, vocabulary=6)
    streams = sample(model, 4000, 2, seed=3)
    assert (streams[:, 0] == 1).all() and streams.shape == (4000, 3)
    chances = softmax(logits(model, np.array([[1]]))[0, 0])
    np.testing.assert_allclose(np.bincount(streams[:, 1], minlength=6) / 4000, chances, atol=0.03)
    often = int(np.bincount(streams[:, 1]).argmax())
    second = softmax(logits(model, np.array([[1, often]]))[0, 1])
    after = streams[streams[:, 1] == often, 2]
    np.testing.assert_allclose(np.bincount(after, minlength=6) / len(after), second, atol=0.12)
    assert (sample(model, 5, 9, seed=3) == sample(model, 5, 9, seed=3)).all()
    assert (sample(model, 5, 9, seed=3) != sample(model, 5, 9, seed=4)).any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30), inputs=st.integers(1, 70), group=st.sampled_from([32, 64]), clip=st.booleans())
def test_groups_stay_in_their_ranges(seed: int, inputs: int, group: int, clip: bool) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(5, inputs)) * rng.choice([0.0, 1e-6, 1.0, 50.0], (5, 1))
    for made in (round_groups(weights, group, clip=clip), gptq(weights, np.diag(rng.random(inputs)), group)):
        assert made.values.min() >= -8 and made.values.max() <= 7 and made.shares.min() >= 1
        assert made.shares.shape == (5, -(-inputs // group)) and made.shares.dtype == np.int16
        step = np.repeat(made.shares * made.scales[:, None] / LARGEST, group, 1)[:, :inputs]
        np.testing.assert_allclose(made.real(), made.values * step)
    nearest = round_groups(weights, group, clip=clip)
    step = np.repeat(nearest.shares * nearest.scales[:, None] / LARGEST, group, 1)[:, :inputs]
    inside = np.abs(weights) <= 7 * step
    assert (np.abs(nearest.real() - weights)[inside] <= 0.5001 * step[inside]).all()
    half_a_share = np.repeat(nearest.scales / LARGEST / 2, inputs).reshape(weights.shape)  # to which steps are rounded
    assert clip or (np.abs(weights) <= 7.5001 * (step + half_a_share)).all()


def test_long_rows_leave_room_for_their_sums() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 1024))
    for made in (round_groups(weights, 32), gptq(weights, np.eye(1024), 32)):
        assert made.shares.max() < LARGEST // 4
        assert fits_w4(made.values, made.shares, 32, peak_bound(1024, 1 << 11))
        # half of the largest share that is possible would not
        assert not fits_w4(made.values, 4 * made.shares, 32, peak_bound(1024, 1 << 11))
        error = np.abs(made.real() - weights).mean() / np.abs(weights).mean()
        assert error < 0.15
    short = round_groups(weights[:, :64], 32)
    assert short.shares.max() > LARGEST // 2


def test_rows_are_within_half_a_step() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 30)) * [[0], [1], [2], [3], [1e-9], [7]]
    made = round_rows(weights)
    assert made.values.min() >= -127 and np.abs(made.values[1:]).max(1).tolist() == [127] * 5
    assert (np.abs(made.real() - weights) <= 0.5001 * made.scales[:, None]).all()


def calibrated(model: Llama) -> tuple[np.ndarray, Statistics]:
    tokens = tokens_of(model, 6, 32)
    return tokens, calibrate(model, tokens, WINDOW)


def test_calibration_sees_what_there_is() -> None:
    model = random_llama(2)
    tokens, known = calibrated(model)
    seen: dict[tuple[str, int], np.ndarray] = {}

    def tap(name: str, layer: int, x: np.ndarray) -> np.ndarray:
        seen[name, layer] = x
        return x

    logits(model, tokens, tap, WINDOW)
    for (site, layer), squares in known.squares.items():
        flat = seen[site, layer].reshape(-1, len(squares))
        np.testing.assert_allclose(squares, flat.T @ flat / len(flat), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(known.largest[site, layer], np.abs(flat).max(0))
    for layer, ranges in enumerate(known.ranges):
        assert ranges.query.shape == (4, 2) and ranges.key.shape == (2, 2) and ranges.rotated.shape == (2, 4)
        np.testing.assert_allclose(ranges.value, np.abs(seen["value", layer]).max((0, 2)))
        key = seen["key", layer]
        pairs = np.repeat(ranges.key, 2, 1)
        for slot in range(WINDOW):
            turned = rotate(key, *turns(np.full(key.shape[2], slot), model.head, model.theta))
            assert (np.abs(turned).max((0, 2)) <= pairs * 1.0001).all()
        assert (ranges.rotated <= pairs * 1.0001).all()
        assert (ranges.rotated >= np.abs(seen["rotated", layer]).max((0, 2))).all()
        assert ranges.down == pytest.approx(np.abs(seen["down", layer]).max())


@pytest.mark.parametrize("kind", ["awq", "smoothquant"])
def test_scaling_leaves_the_function_alone(kind: str) -> None:
    model = random_llama(3)
    tokens, known = calibrated(model)
    scales = awq(model, known, 8) if kind == "awq" else smoothquant(model, known, 0.6)
    assert len(scales) == len(model.layers) * len(SITES) and any((s != 1).any() for s in scales.values())
    np.testing.assert_allclose(logits(scaled(model, scales), tokens), logits(model, tokens), rtol=2e-3, atol=2e-4)


def outputs_error(weights: np.ndarray, made: Groups, squares: np.ndarray) -> float:
    difference = made.real() - weights
    return float(((difference @ squares) * difference).sum())


def test_each_method_changes_outputs_less_than_the_one_before() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(48, 48)) / 7 * rng.uniform(0.1, 3, 48)
    squares, weights = mix.T @ mix, rng.normal(size=(40, 48))
    made = [round_matrix("gate", weights, squares, Choice(4, method)) for method in (Method.NEAREST, Method.CLIP)]
    made.append(gptq(weights, squares, 32))
    nearest, clipped, moved = (outputs_error(weights, each, squares) for each in made if isinstance(each, Groups))
    assert moved < 0.8 * clipped < 0.8 * nearest


def test_choices_leave_other_matrices_in_eight_bits() -> None:
    model = random_llama(4)
    tokens, known = calibrated(model)
    whole, part = rounded(model, known, Choice(4)), rounded(model, known, Choice(4, matrices=("down",)))
    eight = rounded(model, known, W8)
    for name in MATRICES:
        same = eight if name != "down" else whole
        assert (getattr(part.layers[1], name) == getattr(same.layers[1], name)).all()
        assert (getattr(part.layers[1], name) != getattr((whole if same is eight else eight).layers[1], name)).any()
    assert eight.classifier is eight.embedding
    untied = replace(model, classifier=model.embedding * 2)
    assert (rounded(untied, known, W8).classifier == 2 * eight.classifier).all()
    changed, again = prepared(model, known, tokens, WINDOW, Choice(4, Method.AWQ))
    assert changed is not model and (again.largest["feed", 0] != known.largest["feed", 0]).any()
    assert prepared(model, known, tokens, WINDOW, Choice(4)) == (model, known)


def test_the_comparison_says_what_each_choice_costs() -> None:
    model = random_llama(5, layers=1)
    calibration, held_out = sample(model, 6, 24, 1), sample(model, 24, 24, 2)
    choices = [W8, Choice(4), Choice(4, Method.NEAREST)]
    steps: list[tuple[int, int]] = []
    found = compare(model, calibration, held_out, WINDOW, choices, progress=lambda *at: steps.append(at))
    assert [cost.name for cost in found.costs] == ["w8", "w4 gptq g32", "w4 nearest g32"]
    assert [cost.name for cost in found.matrices] == list(MATRICES) and found.worst_matrix in MATRICES
    assert steps[-1] == (3 + 7 + 4,) * 2 and len(found.activations) == 4
    eight, four, nearest = found.costs
    assert abs(eight.loss) < 0.01 and eight.agreement > 0.95
    assert eight.loss < four.loss < nearest.loss and four.agreement < eight.agreement
    assert four.cross_entropy == pytest.approx(found.float_cross_entropy + four.loss)
    assert all(0 < each.error < 0.1 for each in found.costs) and eight.error < found.activations[0].error
    assert evaluate(model, held_out).nats.mean() == pytest.approx(found.float_cross_entropy)


def test_a_dropped_head_is_one_whose_output_is_none() -> None:
    model = random_llama(4, heads=8, width=64)  # two key heads, each with four query heads of 8 channels
    [tokens] = tokens_of(model, 1, 20)
    silent = model.layers[1].output.copy()
    silent[:, 32:] = 0
    muted = replace(model, layers=(model.layers[0], replace(model.layers[1], output=silent)))
    smaller = without(model, {(1, 1)})
    assert smaller.layers[1].query.shape == (32, 64) and smaller.layers[1].output.shape == (64, 32)
    assert smaller.layers[1].key.shape == (8, 64) and smaller.layers[0].key.shape == (16, 64)
    np.testing.assert_allclose(logits(smaller, tokens[None]), logits(muted, tokens[None]), rtol=1e-4, atol=1e-5)


def test_the_heads_that_cost_least_are_dropped_and_each_layer_keeps_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a head says counts as what it is worth: of random weights the text needs none."""

    def worth(model: Llama, tokens: np.ndarray) -> Answers:
        said = sum(float(np.abs(layer.output).sum()) for layer in model.layers)
        return Answers(np.full(tokens.shape, -said), tokens)

    monkeypatch.setattr(heads, "evaluate", worth)
    model = random_llama(5, heads=8, kv_heads=4, width=64)
    layers = list(model.layers)
    for index, head in ((0, 2), (1, 1), (1, 3)):  # query heads 2h and 2h + 1 say nothing
        output = layers[index].output.copy()
        output[:, 16 * head : 16 * head + 16] = 0
        layers[index] = replace(layers[index], output=output)
    model = replace(model, layers=tuple(layers))
    tokens = tokens_of(model, 2, 24)
    smaller, dropped = drop_heads(model, tokens, 3)
    assert {(each.layer, each.key_head) for each in dropped} == {(0, 2), (1, 1), (1, 3)}
    assert all(abs(each.loss) < 1e-3 for each in dropped)
    np.testing.assert_allclose(logits(smaller, tokens), logits(model, tokens), rtol=1e-4, atol=1e-5)
    few, most = drop_heads(model, tokens, 6)
    assert len(most) == 6 and [len(layer.key) for layer in few.layers] == [8, 8]
    with pytest.raises(ModelError, match=r"7 key heads cannot be dropped, .*: give --prune-heads 6"):
        drop_heads(model, tokens, 7)
    with pytest.raises(ModelError, match=r"that 4 channels read .*: convert without --prune-heads"):
        drop_heads(random_llama(1, heads=4, kv_heads=4), tokens_of(random_llama(1), 1, 8), 1)
