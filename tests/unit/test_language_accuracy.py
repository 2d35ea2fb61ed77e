"""What the device's integers cost a language model, with bounds that a wrong rounding breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.compiler import CompileOptions, compile_graph
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
from tinyengine.native.build import run_in_a_row

from tests.helpers import bench_script
from tests.helpers.language import random_tokenizer, stories260k
from tests.helpers.llamas import random_llama


def network(model: Llama, calibration: np.ndarray, tokenizer: Tokenizer, choice: Choice, window: int) -> Graph:
    """The one that a device runs."""

    def rounding(name: str, layer: int, weights: np.ndarray, squares: np.ndarray) -> Matrix:
        return round_matrix(name, weights, squares, choice)

    return language_graph(quantize(model, calibrate(model, calibration, window), tokenizer, rounding, window))


def test_a_small_model_in_8_and_in_4_bits() -> None:
    """The divergence of the device's chances, as C on this computer, from the float model's with the same window: nats
    per token, what its cross-entropy is above but for chance. Across the ring's wrap; to the nearest of 4 bits loses
    more than the default."""
    model = replace(random_llama(3, layers=2, width=64, heads=8, kv_heads=4, hidden=96, vocabulary=268), context=192)
    tokenizer = random_tokenizer(268, np.random.default_rng(1))
    calibration, [text] = sample(model, 8, 64, seed=1), sample(model, 1, 192, seed=2)
    chances = softmax(logits(model, text[None], window=32)[0].astype(np.float64))
    choices = [W8, Choice(4), Choice(4, Method.NEAREST)]
    graphs = [network(model, calibration, tokenizer, choice, 32) for choice in choices]
    models = [compile_graph(graph, CompileOptions(prefix=f"lm_{n}")) for n, graph in enumerate(graphs)]
    tokens = [[np.array([token], np.int32)] for token in text]
    losses = []
    for answers in run_in_a_row(models, [tokens] * len(models)):
        found = softmax(np.concatenate([got for [got] in answers]) / 2.0**RESIDUAL_BITS)
        losses.append(float((chances * np.log(chances / found)).sum(-1).mean()))
    eight, four, nearest = losses
    assert eight < 0.02 and 4 * eight < four < 0.7 and four < nearest, losses


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
