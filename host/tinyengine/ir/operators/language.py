"""Operators of language models of the Llama architecture; one run of a graph is one token. Arithmetic: ir/language.py.

D width, F hidden width, V vocabulary, H heads and G key heads of d = D / H channels, W slots for tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.language import MAX_HEAD, MAX_WINDOW, SLOTS
from tinyengine.ir.operators.base import A, Contradiction, Definition, Shape
from tinyengine.ir.ops import LmGateAttrs, LmMatrixAttrs, LmNormAttrs, NoAttrs, OpKind, RingAttrs
from tinyengine.sizes import ceil_div, round_up

COLUMNS, ROWS = 8, 4
"""What the numbers of a matrix's columns and rows are multiples of."""
HEAD = 4
"""What a head's channels are a multiple of."""
GROUPS = (32, 64)
"""Columns that may share a scale."""
INT32 = 1 << 31


def _is_head(channels: int) -> bool:
    """Whether a head may have so many."""
    return channels % HEAD == 0 and channels <= MAX_HEAD


class Language(Definition[A]):
    """Of numbers without a scale."""

    scaleless = True


class LmEmbedding(Language[NoAttrs], kind=OpKind.LM_EMBEDDING):
    """token (1), table (V,D), multipliers (V): the token's row times its multiplier, 2^-8 of it. Tokens outside the
    table are its first or its last row."""

    signatures = ("int32 x int8 x int32 -> int32",)
    constants = (1, 2)

    def shape(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        token, table, multipliers = inputs
        if token.elements != 1 or len(table.shape) != 2 or multipliers.shape != table.shape[:1]:
            raise Contradiction(f"looks {list(token.shape)} up in {list(table.shape)} by {list(multipliers.shape)}")
        if table.shape[0] % ROWS or table.shape[1] % COLUMNS:
            raise Contradiction(
                f"has a table of {list(table.shape)}", f"fill it up to multiples of {ROWS} and {COLUMNS}"
            )
        return (1, table.shape[1])

    def check(self, op: Operator, graph: Graph) -> None:
        _require_weights(graph.tensor(op.inputs[1]), 127)
        multipliers = graph.tensor(op.inputs[2]).data
        if multipliers is None or multipliers.min() < 0 or int(multipliers.max()) * 127 >= INT32 - 128:
            raise Contradiction("has multipliers with which a row leaves 32 bits")


class LmPosition(Language[RingAttrs], kind=OpKind.LM_POSITION):
    """position (1), frequencies (d/2): cosine and sine by which this token's keys, and variants of its queries, are
    rotated (variants, d/2, 2); the next position."""

    signatures = ("int32 x uint32 -> int16 x int32",)
    constants = (1,)

    def fits(self, attrs: RingAttrs, x: Tensor) -> bool:
        return x.elements == 1 and _possible(attrs)

    def shapes(self, attrs: RingAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        return [(attrs.variants, inputs[1].elements, 2), inputs[0].shape]


class LmNorm(Language[LmNormAttrs], kind=OpKind.LM_NORM):
    """x / sqrt(mean(x^2) + epsilon) * gains, in int16."""

    signatures = ("int32 x int16 -> int16",)
    constants = (1,)

    def fits(self, attrs: LmNormAttrs, x: Tensor) -> bool:
        row = len(x.shape) == 2 and x.shape[0] == 1
        fraction = 1 <= attrs.fraction <= 14 and x.elements << 2 * attrs.fraction < 1 << 30  # so nothing saturates
        return row and 0 <= attrs.epsilon < INT32 and fraction

    def shape(self, attrs: LmNormAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        if inputs[1].shape != inputs[0].shape[1:]:
            raise Contradiction(f"has {list(inputs[1].shape)} gains for {list(inputs[0].shape)}")
        return inputs[0].shape


class LmMatrix(Language[LmMatrixAttrs], kind=OpKind.LM_MATRIX):
    """Weights times x, row by row times a multiplier, 2^-32 of it; added to another input. Of 8 bits: sums of odd rows
    are taken 256 times. Of 4 bits: 4096 times, modulo 2^32, and each group's sum times its scale before: sums of row r
    of four are 2^(4r) times those of its weights then, and the product is shifted right by 16."""

    signatures = (
        "int16 x int8 x int32 -> int32",
        "int16 x int8 x int32 x int32 -> int32",
        "int16 x int8 x int32 x int16 -> int32",
        "int16 x int8 x int32 x int16 x int32 -> int32",
    )
    constants = (1, 2)

    def fits(self, attrs: LmMatrixAttrs, x: Tensor) -> bool:
        return len(x.shape) == 2 and x.shape[0] == 1 and attrs.group in (0, *GROUPS)

    def shape(self, attrs: LmMatrixAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x, weights, multipliers, *others = inputs
        if len(weights.shape) != 2 or weights.shape[1] != x.shape[1] or multipliers.shape != weights.shape[:1]:
            raise Contradiction(f"has weights of {list(weights.shape)} for {list(x.shape)}")
        rows, columns = weights.shape
        if rows % ROWS or columns % COLUMNS:
            raise Contradiction(
                f"has weights of {list(weights.shape)}", f"fill them up to multiples of {ROWS} and {COLUMNS}"
            )
        expected = [(rows, ceil_div(columns, attrs.group))] if attrs.group else []
        expected += [(1, rows)] if attrs.add else []
        if [tensor.shape for tensor in others] != expected:
            raise Contradiction(f"has further inputs of {[list(tensor.shape) for tensor in others]}")
        return (1, rows)

    def check(self, op: Operator, graph: Graph) -> None:
        assert isinstance(op.attrs, LmMatrixAttrs)
        weights, multipliers = (graph.tensor(name) for name in op.inputs[1:3])
        assert multipliers.data is not None
        if multipliers.data.min() < 0:
            raise Contradiction("has negative multipliers")
        if op.attrs.group:
            _require_weights(weights, 7, 8)
            scales = graph.tensor(op.inputs[3])
            if scales.data is None or scales.data.min() < 0:
                raise Contradiction("has scales that are computed or negative", "use constants of 0 or more")
        else:
            _require_weights(weights, 127)
            if multipliers.data[1::2].max() >= INT32 >> 8:
                raise Contradiction("has multipliers of odd rows beyond 23 bits")

    def macs(self, attrs: LmMatrixAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return inputs[1].elements


class LmRotate(Language[RingAttrs], kind=OpKind.LM_ROTATE):
    """y (1,D+2Gd): queries, keys, values; angles, position, ring of keys (G,W,d), of values (G,W/2,d/2,2,2),
    multipliers of queries (D) and keys (Gd), where tokens are kept the attention (W) that each slot receives. outputs:
    queries (variants,H,d), both rings with this token in its slot."""

    signatures = (
        "int32 x int16 x int32 x int8 x int8 x int32 x int32 -> int16 x int8 x int8",
        "int32 x int16 x int32 x int8 x int8 x int32 x int32 x int32 -> int16 x int8 x int8",
    )
    constants = (5, 6)

    def fits(self, attrs: RingAttrs, x: Tensor) -> bool:
        return len(x.shape) == 2 and _possible(attrs)

    def shapes(self, attrs: RingAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        y, angles, position, keys, values, query_multipliers, key_multipliers, *received = inputs
        _require_received(attrs, received)
        if len(keys.shape) != 3 or keys.shape[1] != attrs.window:
            raise Contradiction(f"has a ring of keys {list(keys.shape)} for {attrs.window} tokens")
        groups, window, head = keys.shape
        width = y.elements - 2 * groups * head
        shapes = angles.shape, position.elements, values.shape
        wanted = (attrs.variants, head // 2, 2), 1, (groups, window // 2, head // 2, 2, 2)
        if shapes != wanted or not _is_head(head) or width <= 0 or width % (groups * head):
            raise Contradiction(
                f"has {list(y.shape)}, {list(angles.shape)} and {list(values.shape)} for {list(keys.shape)}"
            )
        if query_multipliers.shape != (width,) or key_multipliers.shape != (groups * head,):
            raise Contradiction("has multipliers for other queries or keys")
        return [(attrs.variants, width // head, head), keys.shape, values.shape]

    def check(self, op: Operator, graph: Graph) -> None:
        for name in op.inputs[5:7]:
            data = graph.tensor(name).data
            if data is None or data.min() < 0:
                raise Contradiction("has negative multipliers")


class LmAttention(Language[RingAttrs], kind=OpKind.LM_ATTENTION):
    """queries (variants,H,d), rings of keys and of values, position: what the tokens that are remembered say (1,D).
    Where tokens are kept also the attention (W) that each slot has received, and receives with this token."""

    signatures = ("int16 x int8 x int8 x int32 -> int16", "int16 x int8 x int8 x int32 x int32 -> int16 x int32")

    def fits(self, attrs: RingAttrs, x: Tensor) -> bool:
        return len(x.shape) == 3 and x.shape[0] == attrs.variants and _possible(attrs)

    def shapes(self, attrs: RingAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        queries, keys, values, position, *received = inputs
        _require_received(attrs, received)
        _, heads, head = queries.shape
        groups = keys.shape[0] if keys.shape else 0
        wanted = (groups, attrs.window, head), (groups, attrs.window // 2, head // 2, 2, 2), 1
        if (keys.shape, values.shape, position.elements) != wanted or not _is_head(head) or heads % groups:
            raise Contradiction(f"has queries {list(queries.shape)} for {list(keys.shape)} and {list(values.shape)}")
        return [(1, heads * head), *(each.shape for each in received)]

    def macs(self, attrs: RingAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return 2 * inputs[1].shape[1] * output.elements


class LmGate(Language[LmGateAttrs], kind=OpKind.LM_GATE):
    """silu of the first half times the second half, zeros behind it up to a multiple of 8."""

    signatures = ("int32 -> int16",)

    def fits(self, attrs: LmGateAttrs, x: Tensor) -> bool:
        return len(x.shape) == 2 and x.shape[0] == 1 and x.shape[1] % 2 == 0 and 0 <= attrs.multiplier < INT32

    def shape(self, attrs: LmGateAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return (1, round_up(inputs[0].shape[1] // 2, COLUMNS))


def remembered(graph: Graph) -> RingAttrs | None:
    """What a language model remembers; None for other networks."""
    return next((op.attrs for op in graph.operators if isinstance(op.attrs, RingAttrs)), None)


def _possible(attrs: RingAttrs) -> bool:
    """Slots are looked at by eights; a ring needs at least one."""
    window = 0 < attrs.window <= MAX_WINDOW and attrs.window % SLOTS == 0
    return window and 0 <= attrs.kept <= attrs.sinks < attrs.window


def _require_received(attrs: RingAttrs, received: Sequence[Tensor]) -> None:
    if [each.shape for each in received] != [(attrs.window,)] * (attrs.kept > 0):
        raise Contradiction(
            f"counts attention in {[list(each.shape) for each in received]} to keep {attrs.kept} tokens"
        )


def _require_weights(tensor: Tensor, largest: int, negative: int | None = None) -> None:
    data = tensor.data
    assert data is not None
    low = -(largest if negative is None else negative)
    if data.min() < low or data.max() > largest:
        raise Contradiction(f"has weights outside {low} .. {largest}", "quantize the model again")
