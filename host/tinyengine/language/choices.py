"""What a language model's weights may become, and what each choice costs against the float model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from tinyengine.language.calibrate import BATCH, Statistics, calibrate
from tinyengine.language.llama import MATRICES, SITES, Llama, Tap, logits, unchanged
from tinyengine.language.rounding import Matrix, gptq, round_groups, round_rows
from tinyengine.language.scaling import awq, scaled, smoothquant
from tinyengine.progress import Progress, silent


class Method(StrEnum):
    """How weights of 4 bits are found."""

    NEAREST = "nearest"
    CLIP = "clip"  # to the nearest, with clipped scales
    AWQ = "awq"  # likewise, of scaled columns
    GPTQ = "gptq"


@dataclass(frozen=True)
class Choice:
    """``bits`` 8 or 4 for the matrices in ``matrices``, 8 for the others and for embedding and classifier."""

    bits: int = 8
    method: Method = Method.GPTQ
    group: int = 32
    matrices: tuple[str, ...] = MATRICES

    @property
    def name(self) -> str:
        if self.bits == 8:
            return "w8"
        only = "" if self.matrices == MATRICES else f", {' '.join(self.matrices)} only"
        return f"w4 {self.method} g{self.group}{only}"


W8 = Choice()


def prepared(
    model: Llama, statistics: Statistics, tokens: np.ndarray, window: int, choice: Choice
) -> tuple[Llama, Statistics]:
    """The same function with columns scaled as ``choice`` wants, and its statistics of the calibration ``tokens``."""
    if choice.bits == 8 or choice.method is not Method.AWQ:
        return model, statistics
    changed = scaled(model, awq(model, statistics, choice.group))
    return changed, calibrate(changed, tokens, window)


def round_matrix(name: str, weights: np.ndarray, squares: np.ndarray, choice: Choice) -> Matrix:
    """Matrix ``name`` (outputs, inputs) as ``choice`` has it. ``squares`` (inputs, inputs): mean of x x^T of its
    input; if columns have been scaled, then of the input that belongs to them."""
    if choice.bits == 8 or name not in choice.matrices:
        return round_rows(weights)
    if choice.method is Method.GPTQ:
        return gptq(weights, squares, choice.group)
    return round_groups(weights, choice.group, np.diag(squares), clip=choice.method is not Method.NEAREST)


def rounded(model: Llama, statistics: Statistics, choice: Choice) -> Llama:
    """``model`` with the values that its weights will have, in float: matrices, embedding, classifier."""
    layers = []
    for index, layer in enumerate(model.layers):
        changed = {}
        for site, names in SITES.items():
            squares = statistics.squares[site, index]
            for name in names:
                matrix = round_matrix(name, getattr(layer, name), squares, choice)
                changed[name] = matrix.real().astype(np.float32)
        layers.append(replace(layer, **changed))
    embedding = round_rows(model.embedding).real().astype(np.float32)
    tied = model.classifier is model.embedding
    classifier = embedding if tied else round_rows(model.classifier).real().astype(np.float32)
    return replace(model, layers=tuple(layers), embedding=embedding, classifier=classifier)


# --- what it costs ---


@dataclass(frozen=True)
class Cost:
    """Of one choice on held-out text: nats per token, how much more than the float model's with the standard error of
    that (over streams), and the share of tokens whose most likely successor is the float model's."""

    name: str
    cross_entropy: float
    loss: float
    error: float
    agreement: float


@dataclass(frozen=True, eq=False)
class Answers:
    """Per stream and token: nats (B, N), and the most likely successor (B, N)."""

    nats: np.ndarray
    likely: np.ndarray


def answers(scores: np.ndarray, tokens: np.ndarray) -> Answers:
    """``scores`` (B, N, V) for the successors ``tokens`` (B, N)."""
    largest = scores.max(-1, keepdims=True)
    total = np.log(np.exp(scores - largest).sum(-1)) + largest[..., 0]
    given = np.take_along_axis(scores, tokens[..., None], -1)[..., 0]
    return Answers(total - given, scores.argmax(-1))


def evaluate(model: Llama, tokens: np.ndarray, tap: Tap = unchanged, window: int = 0, sinks: int = 0) -> Answers:
    """Of ``tokens`` (B, N + 1), each predicted from those before it."""
    parts = []
    for begin in range(0, len(tokens), BATCH):
        part = tokens[begin : begin + BATCH]
        scores = logits(model, part[:, :-1], tap, window, sinks)
        parts.append(answers(scores, part[:, 1:]))
    return Answers(np.concatenate([p.nats for p in parts]), np.concatenate([p.likely for p in parts]))


def cost(name: str, found: Answers, reference: Answers) -> Cost:
    difference = (found.nats - reference.nats).mean(1)
    return Cost(
        name,
        float(found.nats.mean()),
        float(difference.mean()),
        float(difference.std() / np.sqrt(len(difference))),
        float((found.likely == reference.likely).mean()),
    )


def eight_bit_inputs(statistics: Statistics, share: float = 1.0) -> Tap:
    """Inputs of all matrices in int8 with one scale each, which ends at ``share`` of the largest magnitude that
    calibration has seen (W8A8; our kernels take int16 and do without)."""

    def tap(name: str, layer: int, x: np.ndarray) -> np.ndarray:
        largest = statistics.largest.get((name, layer))
        if largest is None:
            return x
        scale = np.float32(largest.max() * share / 127)
        return np.asarray(np.clip(np.round(x / scale), -128, 127) * scale, np.float32)

    return tap


ALPHAS = (0.5, 0.65, 0.8)
"""Of SmoothQuant, that the report tries."""


@dataclass(frozen=True)
class Comparison:
    """``costs`` of whole choices; ``matrices``: of one kind of matrix alone in ``choice``, the others in 8 bits;
    ``activations``: of inputs in 8 bits beside weights in 8."""

    float_cross_entropy: float
    costs: tuple[Cost, ...]
    matrices: tuple[Cost, ...]
    activations: tuple[Cost, ...]

    @property
    def worst_matrix(self) -> str:
        """The kind that loses most."""
        return max(self.matrices, key=lambda each: each.loss).name if self.matrices else ""


def compare(
    model: Llama,
    calibration: np.ndarray,
    held_out: np.ndarray,
    window: int,
    choices: Sequence[Choice],
    detail: bool = True,
    progress: Progress = silent,
    original: Llama | None = None,
) -> Comparison:
    """Fake quantization in float: fast, and within a thousandth of a nat of the integers. ``calibration`` (B, N) and
    ``held_out`` (B, N + 1) are tokens. ``detail``: each kind of matrix alone (in the first choice of 4 bits), and
    activations of 8 bits. ``original``: the float model that all are compared with, where it is not ``model``."""
    statistics = calibrate(model, calibration, window)
    reference = evaluate(original or model, held_out)
    four = next((choice for choice in choices if choice.bits == 4), None)
    alone = [replace(four, matrices=(name,)) for name in MATRICES] if detail and four else []
    total, done = len(choices) + len(alone) + (1 + len(ALPHAS) if detail else 0), 0

    def price(name: str, choice: Choice, given: Llama, known: Statistics, tap: Tap = unchanged) -> Cost:
        nonlocal done
        found = cost(name, evaluate(rounded(given, known, choice), held_out, tap), reference)
        done += 1
        progress(done, total)
        return found

    pruned = () if original is None else (cost("float without those heads", evaluate(model, held_out), reference),)
    costs = pruned + tuple(
        price(choice.name, choice, *prepared(model, statistics, calibration, window, choice)) for choice in choices
    )
    matrices = tuple(
        price(choice.matrices[0], choice, *prepared(model, statistics, calibration, window, choice)) for choice in alone
    )
    activations = []
    if detail:
        activations.append(price("w8a8", W8, model, statistics, eight_bit_inputs(statistics)))
        for alpha in ALPHAS:
            smooth = scaled(model, smoothquant(model, statistics, alpha))
            known = calibrate(smooth, calibration, window)
            activations.append(price(f"w8a8 smoothquant {alpha:g}", W8, smooth, known, eight_bit_inputs(known)))
    return Comparison(float(reference.nats.mean()), costs, matrices, tuple(activations))
