"""The audio front end as a graph: alone, or in front of a network.

It takes sound, int16 (1, samples), and needs all samples of its slices at each run: those of the next run begin where
the slices of this one would go on, so some samples come twice. What one slice leaves to the next, the estimate of the
noise, is a state.
"""

from __future__ import annotations

from dataclasses import replace

from tinyengine.audio.builder import Builder
from tinyengine.audio.mfcc import Mfcc
from tinyengine.audio.micro import Micro
from tinyengine.data.audio import AudioForm
from tinyengine.errors import ModelError
from tinyengine.ir import Graph, OpKind, Port, Quantization
from tinyengine.ir.ops import ConcatAttrs, StridedSliceAttrs

PLAIN = Quantization((1.0,), (0,))


def front_end(form: AudioForm, slices: int = 1, quant: Quantization = PLAIN) -> Graph:
    """Sound to int8 (1, slices, values), of which ``quant`` is the network's."""
    graph = Graph("audio")
    b = Builder(graph)
    y = _features(b, form, slices, quant)
    graph.outputs.append(Port(y, "features", "int8", quant))
    return graph


def listening(graph: Graph, form: AudioForm, hop: int | None = None) -> Graph:
    """A network with its front end before it: one run takes the sound of ``hop`` new slices, by default of all.

    A network whose input holds more slices keeps the last ones in a state, which begins with the features of silence.
    ModelError where the network has another input than slices of int8.
    """
    if len(graph.inputs) != 1 or graph.tensor(graph.inputs[0].tensor).dtype != "int8":
        raise ModelError(f"{graph.name} takes something else than one input of int8: its sound cannot be computed here")
    port = graph.inputs[0]
    x = graph.tensor(port.tensor)
    assert x.quant is not None
    slices = form.slices_of(x.shape[1:])
    new = min(hop or slices, slices)
    whole = Graph(graph.name, dict(graph.tensors), [], [], list(graph.outputs), list(graph.states))
    b = Builder(whole)
    y = _features(b, form, new, x.quant)
    if new < slices:
        y = _joined(b, y, slices)
    del whole.tensors[x.name]
    whole.tensors[x.name] = replace(x)
    b.ops(OpKind.RESHAPE, [y], [x.name])
    whole.operators += graph.operators
    return whole


def _joined(b: Builder, new: str, slices: int) -> str:
    """The last ``slices`` slices, of which a state keeps those that are not new."""
    _, count, values = b.shape(new)
    tensor = b.graph.tensor(new)
    kept = slices - count
    state = b.tensor((1, kept, values), "int8", tensor.quant)
    window = b.op(OpKind.CONCATENATION, [state, new], "int8", ConcatAttrs(1), (1, slices, values), tensor.quant)
    attrs = StridedSliceAttrs((0, count, 0), (1, 1, 1), (1, kept, values))
    b.keep(state, b.op(OpKind.STRIDED_SLICE, [window], "int8", attrs, (1, kept, values), tensor.quant), -128)
    return window


def _features(b: Builder, form: AudioForm, slices: int, quant: Quantization) -> str:
    """int8 (1, slices, values) of the sound that becomes the graph's input."""
    samples = form.samples(slices)
    sound = b.tensor((1, samples), "int16")
    b.graph.inputs.append(Port(sound, "sound", "int16"))
    maker = Micro(b, form) if form.kind == "micro" else Mfcc(b, form)
    made = []
    for number in range(slices):
        part = sound
        if slices > 1:
            attrs = StridedSliceAttrs((0, number * form.hop), (1, 1), (1, form.window))
            part = b.op(OpKind.STRIDED_SLICE, [sound], "int16", attrs, (1, form.window))
        made.append(maker.slice(part, quant))
    maker.finish()
    shape = (1, slices, form.values)
    y = made[0]
    if slices > 1:
        y = b.op(OpKind.CONCATENATION, made, "int8", ConcatAttrs(0), (slices * form.values,), quant)
    return b.op(OpKind.RESHAPE, [y], "int8", shape=shape, quant=quant)
