"""What is trained in a language model: gains of its last blocks and of its last norm, and the classifier's bias.

A training step takes a segment of text, whose every token is to foretell the next one. Gains are numbers relative to
2^15, the bias has the logits' fraction bits.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

import numpy as np

from tinyengine.errors import DataError
from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.language import RESIDUAL_BITS
from tinyengine.ir.operators.language import remembered
from tinyengine.ir.ops import LmMatrixAttrs
from tinyengine.sizes import round_up
from tinyengine.training.state import ALIGNMENT, StateLayout, StatePart

SEGMENT = 32
"""Tokens of a training step, unless asked otherwise."""
BIAS = "bias"
GAIN_LIMIT = 32767
"""Beyond it a norm's results would leave the bounds that the matrices behind it count on."""
BIAS_LIMIT = 1 << 19
"""128 nats."""
_GAINS = re.compile(r"^gains(?:-(\d+))?$")
_USUAL = 2


@dataclass(frozen=True)
class LanguageScheme:
    """The gains of the last ``blocks`` blocks and of the last norm, and the classifier's bias."""

    name: str
    blocks: int

    def meaning(self) -> dict[str, object]:
        """What decides which numbers a state holds."""
        return {"blocks": self.blocks}


@dataclass(frozen=True)
class Block:
    """Operators of a block; ``x`` is the tensor that it begins with, ``middle`` the one behind its attention."""

    x: str
    attention_norm: Operator
    attention_in: Operator
    rotate: Operator
    attention: Operator
    attention_out: Operator
    middle: str
    feed_norm: Operator
    feed_in: Operator
    gate: Operator
    feed_out: Operator


@dataclass(frozen=True)
class Blocks:
    """A language model's parts, the first block first; ``x``: what the last norm reads."""

    blocks: tuple[Block, ...]
    x: str
    norm: Operator
    classifier: Operator
    position: Operator


def find_blocks(graph: Graph) -> Blocks:
    """The parts of a language model's ``graph``, as ``frontend.language`` builds it."""

    def before(op: Operator, position: int = 0) -> Operator:
        found = graph.producer(op.inputs[position])
        assert found is not None
        return found

    classifier = graph.producer(graph.outputs[0].tensor)
    assert classifier is not None
    norm = before(classifier)
    x = norm.inputs[0]
    blocks: list[Block] = []
    last = x
    while (down := graph.producer(last)) is not None and down.kind is OpKind.LM_MATRIX:
        gate = before(down)
        feed_in = before(gate)
        feed_norm = before(feed_in)
        middle = feed_norm.inputs[0]
        out = before(feed_norm)
        attention = before(out)
        rotate = before(attention)
        into = before(rotate)
        first = before(into)
        last = first.inputs[0]
        blocks.insert(0, Block(last, first, into, rotate, attention, out, middle, feed_norm, feed_in, gate, down))
    [position] = [op for op in graph.operators if op.kind is OpKind.LM_POSITION]
    return Blocks(tuple(blocks), x, norm, classifier, position)


def resolve_language(text: str, graph: Graph) -> LanguageScheme:
    """The scheme that ``text`` names for a language model: ``gains-N``, or ``gains`` for the last two blocks.
    DataError, one sentence, otherwise."""
    count = len(find_blocks(graph).blocks)
    match = _GAINS.match(text)
    if match is None:
        raise DataError(
            f"there is no update scheme '{text}' for the language model {graph.name}: give --train gains, or gains-N "
            "for the last N blocks"
        )
    blocks = min(_USUAL, count) if match[1] is None else int(match[1])
    if blocks > count:
        raise DataError(
            f"scheme '{text}' trains the gains of {blocks} blocks, but {graph.name} has {count}: give --train gains, "
            f"or gains-N of at most {count}"
        )
    _require_whole_heads(graph)
    return LanguageScheme(text, blocks)


def _require_whole_heads(graph: Graph) -> None:
    """DataError where the way back does not know what a block does."""
    ring = remembered(graph)
    assert ring is not None
    if ring.kept:
        raise DataError(f"{graph.name} keeps tokens by attention, which is not trained: convert it with --evict oldest")
    for block in find_blocks(graph).blocks:
        if graph.tensor(block.attention.outputs[0]).elements != graph.tensor(block.x).elements:
            raise DataError(
                f"{graph.name} has lost heads, without which it is not trained: convert it without --prune-heads"
            )


def check_segment(graph: Graph, segment: int) -> None:
    """DataError where a segment of so many tokens is not remembered as a whole."""
    ring = remembered(graph)
    assert ring is not None
    if segment > ring.window:
        raise DataError(
            f"a segment of {segment} tokens does not fit the window of {graph.name}: give --segment {ring.window} or "
            "less"
        )


def with_bias(graph: Graph) -> Graph:
    """``graph`` whose classifier has a bias, zeros where it had none."""
    graph = copy.deepcopy(graph)
    classifier = find_blocks(graph).classifier
    assert isinstance(classifier.attrs, LmMatrixAttrs)
    if not classifier.attrs.add:
        rows = graph.tensor(classifier.outputs[0]).elements
        graph.tensors[BIAS] = Tensor(BIAS, (1, rows), "int32", None, np.zeros((1, rows), np.int32))
        classifier.inputs.append(BIAS)
        classifier.attrs = LmMatrixAttrs(classifier.attrs.group, True)
    return graph


@dataclass(frozen=True)
class TrainedNumbers:
    """A constant that is trained. ``first``: the number of its first element in the stream of random bits; ``scaling``:
    of the gradient by its real numbers, to steps of its integers."""

    tensor: str
    dtype: str
    count: int
    first: int
    limit: int
    scaling: float


def trained_numbers(graph: Graph, scheme: LanguageScheme) -> tuple[TrainedNumbers, ...]:
    """What ``scheme`` trains of a model that has a bias: the bias, the gains from the first block to the last norm.
    Every constant begins at an even number of the stream of random bits."""
    parts = find_blocks(graph)
    norms = [
        norm
        for block in parts.blocks[len(parts.blocks) - scheme.blocks :]
        for norm in (block.attention_norm, block.feed_norm)
    ]
    found: list[TrainedNumbers] = []
    top = 0
    for name in (parts.classifier.inputs[-1], *(norm.inputs[1] for norm in (*norms, parts.norm))):
        tensor = graph.tensor(name)
        gain = tensor.dtype == "int16"
        limit, scaling = (GAIN_LIMIT, 2.0**15) if gain else (BIAS_LIMIT, 2.0**RESIDUAL_BITS)
        found.append(TrainedNumbers(name, tensor.dtype, tensor.elements, top, limit, scaling))
        top += round_up(tensor.elements, 2)
    return tuple(found)


def numbers_count(numbers: tuple[TrainedNumbers, ...]) -> int:
    """Numbers of the stream of random bits: gradients, and velocities where there are any."""
    return numbers[-1].first + round_up(numbers[-1].count, 2)


def language_layout(graph: Graph, scheme: LanguageScheme) -> StateLayout:
    """The layout of the state, constants one behind the other."""
    parts: list[StatePart] = []
    top = 0
    for numbers in trained_numbers(graph, scheme):
        tensor = graph.tensor(numbers.tensor)
        part = StatePart(numbers.tensor, numbers.dtype, top, tensor.shape, np.arange(tensor.shape[-1]))
        parts.append(part)
        top += round_up(part.nbytes, 4)
    return StateLayout(tuple(parts), round_up(top, ALIGNMENT))
