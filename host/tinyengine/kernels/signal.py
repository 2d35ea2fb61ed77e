"""Operators of TFLite Micro's signal library on te_signal.h and te_rfft.h."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.signal import (
    GAINS,
    fft_order,
    fft_radices,
    log_table,
    split_twiddles,
    stage_twiddles,
)
from tinyengine.ir.ops import (
    SignalEnergyAttrs,
    SignalFftAutoScaleAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalPcanAttrs,
    SignalRfftAttrs,
    SignalSpectralSubtractionAttrs,
    SignalWindowAttrs,
)
from tinyengine.kernels import access, params
from tinyengine.kernels.base import Access, CValue, KernelCall, Overlap, Packer, Target, lowering

HEADER = "te_signal.h"


def _call(
    op: Operator,
    graph: Graph,
    name: str,
    pack: Packer,
    touched: Access,
    overlaps: tuple[Overlap | None, ...],
) -> KernelCall:
    """te_signal_<name>, with constants left out of its inputs."""
    kind = name.rsplit("_", 1)[0]
    return KernelCall(
        op,
        f"te_signal_{name}",
        HEADER,
        f"te_signal_{kind}_params",
        pack,
        inputs=[x for x in op.inputs if not graph.tensor(x).is_constant],
        outputs=list(op.outputs),
        overlaps=overlaps,
        access=touched,
    )


def _walk(count: int, reads: list[int | None], *writes: int | None) -> Access:
    """Element by element: bytes of an element of each input and output, None for one number that is read first or
    written at the end."""
    edges, none = np.arange(count + 1), np.zeros(count, np.int64)
    last = np.append(none[1:], 1)

    def walked(size: int) -> tuple[np.ndarray, np.ndarray]:
        return edges[:-1] * size, edges[1:] * size

    return access.blocks(
        [(none, 4 * last[::-1]) if size is None else walked(size) for size in reads],
        *((none, 4 * last) if size is None else walked(size) for size in writes),
    )


def _data(graph: Graph, op: Operator, position: int) -> np.ndarray:
    data = graph.tensor(op.inputs[position]).data
    assert data is not None
    return data.ravel().astype(np.int64)


@lowering(OpKind.SIGNAL_WINDOW)
def lower_window(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Two samples at a time."""
    attrs = op.attrs
    assert isinstance(attrs, SignalWindowAttrs)
    x, dtype = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]).dtype

    def pack() -> dict[str, CValue]:
        return {
            "rows": prod(x.shape[:-1]),
            "samples": x.shape[-1],
            "window": params.array("window", _data(graph, op, 1), dtype, shared=True),
            "shift": attrs.shift,
        }

    if dtype == "int32":
        return _call(op, graph, "window_wide_s32", pack, access.whole(x.nbytes, 2 * x.nbytes), (None,))
    pairs = access.in_step(*_pairs(x.elements))
    return _call(op, graph, "window_s16", pack, pairs, (Overlap(0, exact=True),))


def _pairs(samples: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[np.ndarray, np.ndarray]]:
    edges = np.minimum(np.arange(0, samples + 2, 2), samples) * 2
    walk = edges[:-1], edges[1:]
    return [walk], walk


@lowering(OpKind.SIGNAL_FFT_AUTO_SCALE)
def lower_fft_auto_scale(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The shift is written when all samples have been read."""
    assert isinstance(op.attrs, SignalFftAutoScaleAttrs)
    samples = graph.tensor(op.inputs[0]).elements
    size = np.array([2 * samples])
    begin = np.zeros(1, np.int64)
    touched = access.blocks([(begin, size)], (begin, size), (begin, begin + 4))
    values: dict[str, CValue] = {"samples": samples}
    if op.attrs.skip_lowest:
        values |= {"skip_lowest": 1}
    return _call(op, graph, "scale_s16", lambda: values, touched, (Overlap(0, exact=True), None))


@lowering(OpKind.SIGNAL_RFFT)
def lower_rfft(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """In place where the output lies: no scratch memory."""
    attrs = op.attrs
    assert isinstance(attrs, SignalRfftAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    length = attrs.fft_length // 2
    radices = fft_radices(length)[::-1]

    bits = 8 * x.nbytes // x.elements
    kind = f"int{bits}"

    def pack() -> dict[str, CValue]:
        sizes = np.cumprod(radices)[1:].tolist()
        stages = [*(stage_twiddles(4, size, bits).ravel() for size in sizes), np.zeros(1, np.int64)]
        return {
            "rows": prod(x.shape[:-1]),
            "samples": x.shape[-1],
            "length": length,
            "radix": radices[0],
            "first": params.array("first", fft_order(length)[:: radices[0]], "uint16", shared=True),
            "twiddles": params.array("twiddles", np.concatenate(stages), kind, shared=True),
            "split": params.array("split", split_twiddles(length, bits), kind, shared=True),
        }

    return KernelCall(
        op,
        f"te_rfft_s{bits}",
        "te_rfft.h",
        "te_rfft_params" if bits == 16 else "te_rfft_wide_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(None,),
        access=access.whole(x.nbytes, y.nbytes),
        note="radix 4, in place",
    )


@lowering(OpKind.SIGNAL_ENERGY)
def lower_energy(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Bin by bin, each in the bytes of its complex number."""
    attrs = op.attrs
    assert isinstance(attrs, SignalEnergyAttrs)
    bins = graph.tensor(op.outputs[0]).elements
    values = {"bins": bins, "start": attrs.start_index, "end": attrs.end_index}
    return _call(op, graph, "energy_u32", lambda: values, _walk(bins, [4], 4), (Overlap(0, exact=True),))


@lowering(OpKind.MAGNITUDE)
def lower_magnitude(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Bin by bin, half of each root by a division."""
    attrs = op.attrs
    assert isinstance(attrs, SignalEnergyAttrs)
    bins = graph.tensor(op.outputs[0]).elements
    values: dict[str, CValue] = {"bins": bins, "start": attrs.start_index, "end": attrs.end_index}
    call = _call(op, graph, "magnitude_u32", lambda: values, _walk(bins, [8], 4), (Overlap(0, exact=True),))
    call.params_type = "te_signal_energy_params"
    return call


@lowering(OpKind.SIGNAL_FILTER_BANK)
def lower_filter_bank(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Zeros at the ends of sections are left out."""
    attrs = op.attrs
    assert isinstance(attrs, SignalFilterBankAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])

    def pack() -> dict[str, CValue]:
        for_channel, for_next = _data(graph, op, 1), _data(graph, op, 2)
        either = min(for_channel.size, for_next.size)
        both = np.stack([for_channel[:either], for_next[:either]], 1)
        firsts, places, widths = (_data(graph, op, i) for i in (3, 4, 5))
        sections, weights = [], [np.zeros((1, 2), np.int64)]
        for first, place, width in zip(firsts, places, widths, strict=True):
            part = both[place : place + width]
            used = np.flatnonzero(part.any(axis=1))
            begin, end = (used[0], used[-1] + 1) if used.size else (0, 0)
            sections.append((first + begin, end - begin))
            weights.append(part[begin:end])
        return {
            "channels": attrs.num_channels,
            "sections": params.array("sections", np.array(sections), "uint16", shared=True),
            "weights": params.array("weights", np.concatenate([*weights[1:], weights[0]]), "uint16", shared=True),
        }

    call = _call(op, graph, "bank_u64", pack, access.whole(x.nbytes, y.nbytes), (None,))
    call.macs = 2 * int(_data(graph, op, 5).sum())
    return call


@lowering(OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT)
def lower_filter_bank_square_root(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Half of each root by a division."""
    channels = graph.tensor(op.outputs[0]).elements
    touched = _walk(channels, [8, None], 4)
    return _call(op, graph, "root_u32", lambda: {"channels": channels}, touched, (Overlap(0, exact=True), None))


@lowering(OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION)
def lower_spectral_subtraction(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The estimate is updated where it lies."""
    attrs = op.attrs
    assert isinstance(attrs, SignalSpectralSubtractionAttrs)
    channels = graph.tensor(op.outputs[0]).elements
    values: dict[str, CValue] = {
        "channels": channels,
        "smoothing": [attrs.smoothing, attrs.alternate_smoothing],
        "rest": [attrs.one_minus_smoothing, attrs.alternate_one_minus_smoothing],
        "least": attrs.min_signal_remaining,
        "smoothing_bits": attrs.smoothing_bits,
        "bits": attrs.spectral_subtraction_bits,
        "clamp": int(attrs.clamping),
    }
    place = Overlap(0, exact=True)
    touched = _walk(channels, [4, 4], 4, 4)
    return _call(op, graph, "noise_u32", lambda: values, touched, (place, None, None, place))


@lowering(OpKind.SIGNAL_PCAN)
def lower_pcan(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Channel by channel."""
    attrs = op.attrs
    assert isinstance(attrs, SignalPcanAttrs)
    channels = graph.tensor(op.outputs[0]).elements

    def pack() -> dict[str, CValue]:
        gains = params.array("gains", _data(graph, op, 2)[:GAINS], "int16", shared=True)
        return {"channels": channels, "shift": attrs.snr_shift, "gains": gains}

    place = Overlap(0, exact=True)
    return _call(op, graph, "gain_u32", pack, _walk(channels, [4, 4], 4), (place, place))


@lowering(OpKind.SIGNAL_FILTER_BANK_LOG)
def lower_filter_bank_log(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """By a table of the curve between powers of two."""
    attrs = op.attrs
    assert isinstance(attrs, SignalLogAttrs)
    channels = graph.tensor(op.outputs[0]).elements

    def pack() -> dict[str, CValue]:
        return {
            "channels": channels,
            "scale": attrs.output_scale % (1 << 32),
            "shift": attrs.input_correction_bits,
            "curve": params.array("curve", log_table(), "uint16", shared=True),
        }

    place = (Overlap(0, exact=True),)
    if graph.tensor(op.inputs[0]).dtype == "uint32":
        return _call(op, graph, "log_s16", pack, _walk(channels, [4], 2), place)
    walk = _walk(channels, [8], 2)
    return _call(op, graph, "log_wide_s16", lambda: {"of": pack(), "floor": attrs.floor}, walk, place)
