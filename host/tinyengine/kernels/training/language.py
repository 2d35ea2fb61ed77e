"""Calls of a language model's training step (te_lm_learn.h), and its forward calls with trained constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import LmMatrixAttrs, LmNormAttrs, RingAttrs
from tinyengine.kernels.base import CState, CStruct, CValue, KernelCall, Overlap, Target
from tinyengine.kernels.lm_packing import stream_words
from tinyengine.kernels.select import lower
from tinyengine.training.language import Block, Blocks, TrainedNumbers, numbers_count
from tinyengine.training.state import StateLayout

HEADER = "te_lm_learn.h"

Numbers = Mapping[str, TrainedNumbers]
Forward = Mapping[str, KernelCall]
"""Forward calls by the names of their operators."""


@dataclass(frozen=True)
class Gradients:
    """Tensors: of the trained numbers, and of the residual stream, [token][width]."""

    sums: str
    gradient: str


def lower_language(op: Operator, graph: Graph, layout: StateLayout, target: Target) -> KernelCall:
    """The forward call of ``op``, whose trained constants lie in the state."""
    call = lower(op, graph, target)
    if op.kind is OpKind.LM_NORM and (part := layout.part(op.inputs[1])):
        name, trained = "gains", CState("int16_t", part.offset)
    elif op.kind is OpKind.LM_MATRIX and (part := layout.part(op.inputs[-1])):
        name, trained = "bias", CState("int32_t", part.offset)
    else:
        return call
    packed = call.pack
    return replace(call, pack=lambda: {**packed(), name: trained})


def keep_call(op: Operator, position: str, x: str, kept: str, following: str, tokens: int, graph: Graph) -> KernelCall:
    """Keeps tensor ``x``, which ``op`` reads first, of every token."""
    width = graph.tensor(x).elements
    return KernelCall(
        op,
        "te_lm_keep",
        HEADER,
        "te_lm_keep_params",
        lambda: {"width": width, "tokens": tokens},
        inputs=[x, position, kept],
        outputs=[following],
        overlaps=(None, None, Overlap(0, exact=True)),
        role="keep",
    )


def _matrix(op: Operator, forward: Forward) -> dict[str, CValue]:
    """te_lm_learn_matrix."""
    assert isinstance(op.attrs, LmMatrixAttrs)
    packed = forward[op.name].params
    return {"matrix": packed.get("matrix", packed), "group": op.attrs.group}


def _norm(op: Operator, graph: Graph, forward: Forward, numbers: Numbers) -> dict[str, CValue]:
    """te_lm_learn_norm."""
    assert isinstance(op.attrs, LmNormAttrs)
    spread = 2.0 ** (-2 * op.attrs.fraction) / graph.tensor(op.inputs[0]).elements
    return {"norm": forward[op.name].params, "spread": spread, "first": numbers[op.inputs[1]].first}


def loss_call(
    parts: Blocks,
    position: str,
    before: Gradients,
    behind: Gradients,
    tokens: int,
    graph: Graph,
    forward: Forward,
    numbers: Numbers,
) -> KernelCall:
    """The loss of every token, and what it means for the bias, the last norm and its input."""
    logits = parts.classifier.outputs[0]
    count = graph.tensor(logits).elements
    width = graph.tensor(parts.x).elements
    in_place = Overlap(0, exact=True)

    def pack() -> dict[str, CValue]:
        return {
            "classifier": _matrix(parts.classifier, forward),
            "norm": _norm(parts.norm, graph, forward, numbers),
            "first": numbers[parts.classifier.inputs[-1]].first,
            "count": numbers_count(tuple(numbers.values())),
            "tokens": tokens,
        }

    return KernelCall(
        parts.classifier,
        "te_lm_loss",
        HEADER,
        "te_lm_loss_params",
        pack,
        inputs=[logits, parts.x, position, before.sums, before.gradient],
        outputs=[behind.sums, behind.gradient],
        scratch_bytes=4 * (count + width),
        overlaps=(None, None, None, in_place, None, None, None, None, None, in_place),
        role="loss",
    )


def block_call(
    block: Block,
    parts: Blocks,
    position: str,
    kept: tuple[str, str],
    gradients: Gradients,
    tokens: int,
    graph: Graph,
    forward: Forward,
    numbers: Numbers,
) -> KernelCall:
    """The way back through a block, in the bytes of ``gradients``. ``kept``: its input and what is behind its
    attention, of all tokens."""
    ring = block.rotate.attrs
    assert isinstance(ring, RingAttrs)
    groups, _, head = graph.tensor(block.rotate.inputs[3]).shape
    width, key_width = graph.tensor(block.x).elements, groups * head
    hidden, padded = graph.tensor(block.gate.inputs[0]).elements // 2, graph.tensor(block.gate.outputs[0]).elements
    rows = max(2 * hidden, width + 2 * key_width)
    streams = [
        stream_words(graph.tensor(op.inputs[0]).elements, op.attrs.group)
        for op in (block.attention_in, block.feed_in)
        if isinstance(op.attrs, LmMatrixAttrs) and op.attrs.group
    ]
    words = 2 * tokens * key_width + 2 * tokens + width + 2 * rows + padded + width + ring.variants * head // 2

    def pack() -> dict[str, CValue]:
        return {
            "tokens": tokens,
            "position": forward[parts.position.name].params,
            "attention_norm": _norm(block.attention_norm, graph, forward, numbers),
            "feed_norm": _norm(block.feed_norm, graph, forward, numbers),
            "attention_in": _matrix(block.attention_in, forward),
            "attention_out": _matrix(block.attention_out, forward),
            "feed_in": _matrix(block.feed_in, forward),
            "feed_out": _matrix(block.feed_out, forward),
            "rotate": forward[block.rotate.name].params,
            "attention": forward[block.attention.name].params,
            "gate": forward[block.gate.name].params,
        }

    rings = block.rotate.outputs[1:3]
    return KernelCall(
        block.attention,
        "te_lm_block_gradient",
        HEADER,
        "te_lm_block_params",
        pack,
        inputs=[position, *kept, *rings, gradients.sums, gradients.gradient],
        outputs=[],
        scratch_bytes=4 * (words + max(streams, default=0)),
        variadic=True,
        role="backward",
    )


def update_call(parts: Blocks, sums: str, layout: StateLayout, numbers: Numbers) -> KernelCall:
    """All trained constants change."""

    def item(each: TrainedNumbers) -> dict[str, CValue]:
        part = layout.part(each.tensor)
        assert part is not None
        wide = each.dtype == "int32"
        return {
            "values": CState("int32_t" if wide else "int16_t", part.offset),
            "wide": int(wide),
            "count": each.count,
            "first": each.first,
            "limit": each.limit,
            "scaling": each.scaling,
        }

    def pack() -> dict[str, CValue]:
        items = tuple(item(each) for each in numbers.values())
        return {"parts": CStruct("parts", "te_lm_update_part", items), "count": len(items)}

    return KernelCall(
        parts.norm, "te_lm_update", HEADER, "te_lm_update_params", pack, inputs=[sums], outputs=[], role="backward"
    )
