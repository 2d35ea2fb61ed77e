"""What the device's integers cost a language model, with bounds that a wrong rounding breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.frontend.language import language_graph
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.build import quantize
from tinyengine.language.calibrate import calibrate
from tinyengine.language.checkpoint import load_llama2c, load_llama2c_tokenizer
from tinyengine.language.choices import W8, Choice, Cost, Method, cost, evaluate, round_matrix
from tinyengine.language.llama import Llama, sample

from tests.helpers import bench_script
from tests.helpers.language import random_tokenizer, stories260k
from tests.helpers.llamas import random_llama

W4, NEAREST = Choice(4), Choice(4, Method.NEAREST)


def costs(
    model: Llama, tokenizer: Tokenizer, choices: list[Choice], streams: int, length: int, window: int
) -> list[Cost]:
    """Of the network that a device runs, as C on this computer, on text that the float model writes: as many texts
    calibrate as are held out. Float has the same window."""
    texts = sample(model, 2 * streams, length, seed=1)
    calibration, held_out = texts[:streams, :-1], texts[streams:]
    statistics, reference = calibrate(model, calibration, window), evaluate(model, held_out, window=window)
    found = []
    for choice in choices:

        def rounding(name: str, layer: int, weights: np.ndarray, squares: np.ndarray, choice: Choice = choice):
            return round_matrix(name, weights, squares, choice)

        graph = language_graph(quantize(model, statistics, tokenizer, rounding, window))
        answers = bench_script.load("language").run_integers(graph, held_out, lambda *_: None)
        found.append(cost(choice.name, answers, reference))
    return found


def test_a_small_model_in_8_and_in_4_bits() -> None:
    """Across the ring's wrap. Its text has about 4 nats per token, of at most 5.6."""
    model = replace(random_llama(3, layers=3, width=64, heads=8, kv_heads=4, hidden=96, vocabulary=268), context=96)
    tokenizer = random_tokenizer(268, np.random.default_rng(1))
    eight, four, nearest = costs(model, tokenizer, [W8, W4, NEAREST], 8, 96, 32)
    assert abs(eight.loss) < 0.002 and eight.agreement > 0.97
    assert eight.loss + 0.002 < four.loss < 0.06 < 0.8 * nearest.loss
    assert four.agreement > 0.75


def test_stories260k_in_8_and_in_4_bits() -> None:
    """A third of the study's protocol: texts of 256 tokens, a window of 128, bounds of issue 20."""
    stories = stories260k()
    model = load_llama2c(stories)
    tokenizer = load_llama2c_tokenizer(stories.with_name("tok512.bin"), model.vocabulary)
    eight, four = costs(model, tokenizer, [W8, W4], 10, 256, 128)
    assert 1.1 < eight.cross_entropy < 1.5
    assert abs(eight.loss) < 0.005 and eight.agreement > 0.96
    assert eight.loss < four.loss < 0.08 and four.agreement > 0.82
