"""What the device's integers cost a language model, with bounds that a wrong rounding breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.compiler import compile_graph
from tinyengine.data.answers import softmax
from tinyengine.frontend.language import language_graph
from tinyengine.ir import Graph
from tinyengine.ir.language import RESIDUAL_BITS
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.build import quantize
from tinyengine.language.calibrate import calibrate
from tinyengine.language.checkpoint import load_llama2c, load_llama2c_tokenizer
from tinyengine.language.choices import W8, Choice, Method, cost, evaluate, round_matrix
from tinyengine.language.llama import Llama, logits, sample
from tinyengine.language.rounding import Matrix
from tinyengine.native import build

from tests.helpers import bench_script
from tests.helpers.language import random_tokenizer, stories260k
from tests.helpers.llamas import random_llama


def network(model: Llama, calibration: np.ndarray, tokenizer: Tokenizer, choice: Choice, window: int) -> Graph:
    """The one that a device runs."""

    def rounding(name: str, layer: int, weights: np.ndarray, squares: np.ndarray) -> Matrix:
        return round_matrix(name, weights, squares, choice)

    return language_graph(quantize(model, calibrate(model, calibration, window), tokenizer, rounding, window))


def divergence(model: Llama, graph: Graph, tokens: np.ndarray, window: int) -> float:
    """Of the network's chances, as C on this computer, from the float model's with the same window: nats per token,
    what its cross-entropy is above the float model's but for chance."""
    right, device, found = logits(model, tokens, window=window), build(compile_graph(graph)), []
    for row, wanted in zip(tokens, right.astype(np.float64), strict=True):
        device.reset()
        got = np.array([device.run([np.array([token], np.int32)])[0].ravel() for token in row]) / 2.0**RESIDUAL_BITS
        p, q = softmax(wanted), softmax(got)
        found.append((p * np.log(p / q)).sum(-1))
    return float(np.mean(found))


def test_a_small_model_in_8_and_in_4_bits() -> None:
    """Across the ring's wrap; in 4 bits to the nearest it loses more than as the default has it."""
    model = replace(random_llama(3, layers=2, width=64, heads=8, kv_heads=4, hidden=96, vocabulary=268), context=96)
    tokenizer = random_tokenizer(268, np.random.default_rng(1))
    texts = sample(model, 12, 64, seed=1)
    eight, four, nearest = (
        divergence(model, network(model, texts[:8], tokenizer, choice, 32), texts[8:], 32)
        for choice in (W8, Choice(4), Choice(4, Method.NEAREST))
    )
    assert eight < 0.01 and 4 * eight < four < 0.42 and four < 0.85 * nearest


def test_stories260k_in_8_and_in_4_bits() -> None:
    """A third of the study's protocol: texts of 256 tokens, a window of 128, the bounds of the product."""
    stories = stories260k()
    model = load_llama2c(stories)
    tokenizer = load_llama2c_tokenizer(stories.with_name("tok512.bin"), model.vocabulary)
    texts = sample(model, 20, 256, seed=1)
    reference = evaluate(model, texts[10:], window=128)
    assert 1.1 < reference.nats.mean() < 1.5
    for choice, most, agreement in ((W8, 0.005, 0.96), (Choice(4), 0.08, 0.82)):
        graph = network(model, texts[:10, :-1], tokenizer, choice, 128)
        found = cost(
            choice.name, bench_script.load("language").run_integers(graph, texts[10:], lambda *_: None), reference
        )
        assert abs(found.loss) < most and found.agreement > agreement
