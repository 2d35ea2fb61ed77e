"""What a C kernel is to the compiler: a call with constants, scratch memory and overlap rules.

A *lowering* turns one operator of the IR into a :class:`KernelCall`: sizes, accesses and work at once, for whoever
plans memory and time; constants when code is generated. They are packed for exactly the loop that reads them, so the
same generated code serves the DSP and the portable build of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np

from tinyengine.cores import DSP
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.dispatch import ByType
from tinyengine.ir.requant import Requant
from tinyengine.kernels.work import Work

C_TYPES: dict[str, str] = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "uint64": "te_u64",
    "float32": "float",
    "bool": "uint8_t",
}


@dataclass(frozen=True)
class Target:
    """What the generated code may assume of the core, and which requantization is wanted."""

    features: frozenset[str] = DSP  # cores.Core.features; the host lacks DSP, but runs the same code by portable C
    requant: str = "exact"  # exact (TFLite's double rounding), fast
    optimize: str = "time"  # time, sram, flash
    frugal: bool = False  # memory is what the user wants: also where a schedule weighs the fastest kernels
    flash: int | None = None  # bytes for the network; None: as much as it wants
    column_bytes: int | None = None  # most scratch memory for the columns of a convolution; None: by ``optimize``
    cycle_model: str | None = "cortex_m4"  # cores.Core.cycle_model: what schedules weigh time by


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array in flash. ``data`` is one-dimensional with a dtype of C_TYPES; aligned to at least 4 bytes.
    ``shared``: it lies there once, however many calls have an equal one."""

    suffix: str
    data: np.ndarray
    shared: bool = False

    @property
    def key(self) -> Hashable:
        """The same for arrays that lie in the same place."""
        return (self.data.dtype.name, self.data.tobytes()) if self.shared else id(self)


@dataclass(frozen=True, eq=False)
class CStruct:
    """A constant struct of its own (or, with several items, an array of them); used where a pointer to it is wanted."""

    suffix: str
    ctype: str
    items: tuple[Mapping[str, CValue], ...]


@dataclass(frozen=True)
class CState:
    """The address ``offset`` bytes into the trained state, as a pointer to ``ctype``."""

    ctype: str
    offset: int


CValue = int | float | str | CArray | CStruct | CState | Mapping[str, "CValue"] | Sequence["CValue"]

Packer = Callable[[], Mapping[str, CValue]]
"""Packs constants: the designated initializer of a parameter struct."""


def arrays_in(value: CValue) -> Iterator[CArray]:
    """All arrays that ``value`` holds or points to, in order; one that is used twice comes twice."""
    if isinstance(value, CArray):
        yield value
    elif isinstance(value, CStruct):
        for item in value.items:
            yield from arrays_in(item)
    elif isinstance(value, Mapping):
        for field_value in value.values():
            yield from arrays_in(field_value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for element in value:
            yield from arrays_in(element)


@dataclass(frozen=True)
class Overlap:
    """How the output may lie over one input that dies in this call.

    ``distance`` = D: the output may start at any address <= (address of the input) - D, however much they overlap;
    D = 0 is in place, D > 0 says the output must start D bytes before the input, D < 0 lets it start later.
    ``exact`` restricts the overlap to equal addresses (in-place depthwise, channel by channel).
    ``None`` instead of an Overlap: they must be disjoint. So must tensors of different types be, unless one has bytes
    or the kernel works through bytes: in C a ``float *`` and an ``int16_t *`` never meet.
    """

    distance: int = 0
    exact: bool = False


@dataclass(frozen=True, eq=False)
class Access:
    """Byte ranges that a call touches, block by block in execution order; in a block all reads precede all writes.

    Each array has shape (blocks,) and holds offsets from the start of its buffer; an empty range has lo == hi.
    ``reads`` has one (lo, hi) pair per activation input, ``writes`` one per output. Ranges may be wider than what is
    really read (conservative), never narrower. Only for calls that access contiguous ranges; a kernel with
    scattered accesses (channel by channel) declares an exact Overlap and gives one block.
    """

    reads: tuple[tuple[np.ndarray, np.ndarray], ...]
    writes: tuple[tuple[np.ndarray, np.ndarray], ...]

    def distance(self, index: int, output: int = 0) -> int:
        """The smallest valid D of the overlap rule between input ``index`` and output ``output``.

        After block t has written up to write_hi[t], nothing below min over t' > t of read_lo[t'] is read any more.
        """
        read_lo, read_hi = self.reads[index]
        write_hi = np.maximum.accumulate(self.writes[output][1])
        if len(read_lo) < 2:
            return -int(read_hi.max(initial=0))
        far = np.iinfo(np.int64).max // 2
        lo = np.where(read_hi > read_lo, read_lo, far).astype(np.int64)
        next_read = np.minimum.accumulate(lo[::-1])[::-1][1:]
        needed = next_read < far
        if not needed.any():
            return -int(read_hi.max(initial=0))
        return int((write_hi[:-1] - next_read)[needed].max())


@dataclass(frozen=True)
class PushedRows:
    """The rows of network input ``tensor`` that are given to a call one by one: they lie in a ring of ``capacity`` rows
    at ``offset`` in the call's scratch memory, row y in slot y mod capacity."""

    tensor: str
    offset: int
    capacity: int


@dataclass(frozen=True)
class ScratchPart:
    """For reports: ``size`` bytes at ``offset`` in a call's scratch memory, and what they are for. ``rows``: a row
    buffer, of ``shape`` (rows, columns, channels)."""

    offset: int
    size: int
    what: str
    shape: tuple[int, ...] = ()
    rows: bool = False


@dataclass(frozen=True, eq=False)
class WeightRows:
    """te_weight_rows: where a call's constants hold the weights of a convolution, so that the backward pass reads them.

    Bytes: weights begin ``offset`` behind the start of ``array()``, a pair of output channels takes ``pair``, four
    weights of a channel are ``quad`` apart, and those of a pair's second channel ``second`` behind the first one's.
    ``fours``: as te_conv_quads.h has them, where ``pair`` is what four channels take, and ``second`` is unused.
    """

    array: Callable[[], CValue]
    offset: int
    pair: int
    quad: int
    second: int
    fours: bool = False


class Form(StrEnum):
    """How a call executes its operators."""

    LAYER = "layer"  # one operator over whole tensors
    STREAM = "stream"  # a chain of row operators with rolling row buffers, nothing computed twice
    PATCH = "patch"  # a chain some of whose operators compute rows twice
    TRAINING = "training"  # nothing of an inference


@dataclass(eq=False)
class KernelCall:
    """One call in the generated code: ``function(&params, inputs..., outputs..., scratch)``.

    The C prototype is ``void function(const params_type *p, const int8_t *x0, [const int8_t *x1, ...], int8_t *y0,
    [int8_t *y1, ...][, void *scratch])``, where each pointer has the type of its tensor. With ``variadic`` set the
    inputs are one argument, ``const int8_t *const *inputs``, or ``const void *const *inputs`` where not all of them are
    int8. A call without outputs gets NULL in their place. The loss and the backward pass take a ``te_train_context *``
    behind that.
    ``params_type`` None means the output is a view of the first input: no call, the tensors share their bytes.
    ``code`` is the C of a function that the library does not have (``kernels.loops``), and of its ``params_type``.
    """

    op: Operator
    function: str
    header: str  # as in #include "tinyengine/<header>"
    params_type: str | None
    pack: Packer = dict
    inputs: list[str] = field(default_factory=list)  # activation tensors, in call order
    outputs: list[str] = field(default_factory=list)
    scratch_bytes: int = 0
    overlaps: tuple[Overlap | None, ...] = ()  # per output, one per activation input
    access: Access | None = None  # None: everything is read before, or while, anything is written: no overlap
    macs: int = 0
    variadic: bool = False
    note: str = ""  # one phrase for the generated comment, e.g. the kernel variant
    hint: Callable[[], str] = str  # why it is slow and what would be fast; empty where nothing is known
    ops: tuple[Operator, ...] = ()  # of a chain: all its operators, of which ``op`` is the last
    headers: tuple[str, ...] = ()  # besides ``header``
    scratch_parts: tuple[ScratchPart, ...] = ()  # all of the scratch memory, if it is more than one thing
    recomputed_macs: int = 0  # executed beyond ``macs``
    activation_scratch_bytes: int = 0  # of scratch_bytes: what holds values of the network's tensors
    patches: bool = False  # of a chain: some of its operators are patches
    pushed: PushedRows | None = None  # instead of an input: the chain's first picture arrives by rows
    role: str = "forward"  # of a training step: keep (for the backward pass), loss, backward
    work: Work = field(default_factory=Work)  # what takes time
    requant: Requant | None = None  # how it rounds, for the oracle, where that may be fast
    weight_rows: WeightRows | None = None
    code: str = ""  # C that defines ``function``, static, and ``params_type``; calls with the same text share it

    @cached_property
    def params(self) -> Mapping[str, CValue]:
        """The parameter struct with its constants, packed when it is first asked for: nobody decides by them."""
        return self.pack()

    @property
    def output(self) -> str:
        """The only output."""
        [name] = self.outputs
        return name

    def overlap(self, position: int, output: int = 0) -> Overlap | None:
        """The rule between an input and an output, as far as the replay can check it: without byte ranges, only equal
        addresses."""
        index = output * len(self.inputs) + position
        rule = self.overlaps[index] if index < len(self.overlaps) else None
        if rule is None or rule.exact or self.access is not None:
            return rule
        return Overlap(exact=True) if rule.distance <= 0 else None

    @property
    def is_view(self) -> bool:
        return self.params_type is None

    @property
    def takes_context(self) -> bool:
        """Whether the call needs to know about the training step."""
        return self.role in ("loss", "backward")

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators that the call computes."""
        return self.ops or (self.op,)

    @property
    def name(self) -> str:
        """For reports: the operator's name, or the names of the first and the last one."""
        return self.op.name if len(self.operators) == 1 else f"{self.operators[0].name} .. {self.op.name}"

    @property
    def form(self) -> Form:
        if self.role != "forward":
            return Form.TRAINING
        return (Form.PATCH if self.patches else Form.STREAM) if self.ops else Form.LAYER

    @property
    def kind(self) -> str:
        """For reports: what the call is an instance of."""
        return self.form.upper() if self.ops else str(self.op.kind)

    @property
    def macs_executed(self) -> int:
        """Those of the operators, and those that a patch computes again."""
        return self.macs + self.recomputed_macs


Lowering = Callable[[Operator, Graph, Target], KernelCall]
"""Builds the call; raises UnsupportedOperatorError (one sentence: operator, tensor, index, what could be done)."""

LOWERINGS: ByType[Lowering] = ByType("lowering")


def lowering(*kinds: OpKind, dtype: str | None = None) -> Callable[[Lowering], Lowering]:
    """Register the decorated function as the lowering of ``kinds``; with ``dtype`` only for operators that it leads
    (``ir.dispatch.leading_dtype``), for which it is preferred to the one for all types."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.add(function, kinds, dtype)
        return function

    return register
