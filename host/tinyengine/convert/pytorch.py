"""PyTorch -> int8 TFLite: a program of ``torch.export`` through LiteRT Torch and the AI Edge quantizer.

PyTorch computes pictures as (channels, rows, columns), TFLite and the kernels as (rows, columns, channels): inputs and
outputs of rank 4 are given the latter order, and the few transpositions that stay inside are folded by the compiler.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinyengine.errors import ModelError, ToolError
from tinyengine.optional import silence

HOW = "export it with torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
"""The way out for files that hold no whole program."""
_WEIGHTED = ("conv1d", "conv2d", "convolution", "linear", "addmm")


@dataclass(slots=True)
class FloatProgram:
    """A float program whose pictures have channels last; shapes have batch 1 in front.

    ``layer_names`` are the modules of its convolutions and fully connected layers, in the order in which they run.
    """

    name: str
    module: Any  # torch.nn.Module
    input_shapes: list[tuple[int, ...]]
    output_shapes: list[tuple[int, ...]]
    layer_names: list[str]
    _float: bytes = b""

    def to_tflite(self, samples: Sequence[np.ndarray] | None) -> bytes:
        """As :meth:`tinyengine.convert.keras.FloatModel.to_tflite`."""
        try:
            if not self._float:
                self._float = _convert(self)
            return self._float if samples is None else _quantize(self._float, samples)
        except Exception as error:  # two compilers' worth of exceptions
            raise ModelError(f"LiteRT Torch cannot convert {self.name} to int8: {_first_line(error)}") from error


def load_program(path: Path) -> FloatProgram:
    """A .pt2 file. Raises ToolError without the extra, ModelError for whatever cannot become an int8 network."""
    torch = _torch()
    try:
        with _quiet():
            program = torch.export.load(path)
    except Exception as error:  # whatever unpickling meets
        raise ModelError(f"PyTorch cannot read {path}: {_first_line(error)}: {HOW}") from error
    return float_program(program, path.stem)


def float_program(program: Any, name: str) -> FloatProgram:
    """A ``torch.export.ExportedProgram`` in memory; ModelError where it has dynamic sizes or is not float32."""
    torch = _torch()
    signature = program.graph_signature
    if signature.buffers_to_mutate or any(_trains(node) for node in program.graph.nodes):
        raise ModelError(f"{name} was exported in training mode: {HOW}")
    for tensor in (*program.parameters(), *program.buffers()):
        if tensor.dtype.is_floating_point and tensor.dtype != torch.float32:
            raise ModelError(f"{name} computes in {str(tensor.dtype)[6:]}: export model.float() instead")
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}
    inputs = [(str(wanted), nodes[wanted]) for wanted in signature.user_inputs if wanted in nodes]
    shapes = [_shape(torch, argument, value) for argument, value in inputs]
    outputs = [tuple(nodes[wanted].shape) for wanted in signature.user_outputs]
    with _quiet():
        module = program.module()
    return FloatProgram(name, module, list(map(_last, shapes)), list(map(_last, outputs)), _layer_names(program))


def _trains(node: Any) -> bool:
    """Whether an operator behaves as in training: statistics of the batch, random zeros."""
    flag = {"aten.batch_norm.default": 5, "aten.dropout.default": 2}.get(str(node.target))
    return flag is not None and len(node.args) > flag and node.args[flag] is True


def _shape(torch: ModuleType, argument: str, value: Any) -> tuple[int, ...]:
    """Shape of one input as PyTorch has it; ModelError unless it is float32 with fixed sizes and batch 1."""
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"input '{argument}' is no tensor: export a model whose inputs are tensors")
    if not all(isinstance(size, int) for size in value.shape):
        sizes = "x".join(str(size) if isinstance(size, int) else "?" for size in value.shape)
        raise ModelError(f"input '{argument}' has the dynamic shape {sizes}: export it without dynamic_shapes")
    if value.dtype != torch.float32:
        raise ModelError(
            f"input '{argument}' is {str(value.dtype)[6:]}: only models with float32 inputs can be quantized"
        )
    if value.dim() > 1 and value.shape[0] != 1:
        raise ModelError(f"input '{argument}' has batch size {value.shape[0]}: export with an example of batch 1")
    return tuple(value.shape)


def _last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, C, H, W) -> (N, H, W, C); other ranks as they are."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def _layer_names(program: Any) -> list[str]:
    """The innermost module of every convolution and fully connected layer, in order of execution."""
    names = []
    for node in program.graph.nodes:
        operation = str(node.target).split(".")
        if node.op == "call_function" and len(operation) > 1 and operation[1] in _WEIGHTED:
            stack = node.meta.get("nn_module_stack") or {}
            path = [entry[0] for entry in stack.values()][-1:] or [node.name]
            names.append(path[0].removeprefix("L['self']").lstrip("."))
    return names


def _convert(program: FloatProgram) -> bytes:
    import litert_torch
    import torch

    module = program.module
    inputs = [index for index, shape in enumerate(program.input_shapes) if len(shape) == 4]
    outputs = [index for index, shape in enumerate(program.output_shapes) if len(shape) == 4]
    if inputs or outputs:
        module = litert_torch.to_channel_last_io(module, args=inputs, outputs=outputs)
    examples = tuple(torch.zeros(shape) for shape in program.input_shapes)
    with _quiet():
        return litert_torch.convert(module, examples).model_content()


def _quantize(content: bytes, samples: Sequence[np.ndarray]) -> bytes:
    """Full int8 with per-channel weights; a range is the smallest and the largest value that any sample causes."""
    from ai_edge_quantizer import quantizer, recipe

    with _quiet():
        work = quantizer.Quantizer(bytearray(content))
        work.load_quantization_recipe(recipe.static_wi8_ai8())
        names = _argument_names(content)
        ranges: dict[str, dict[str, Any]] = {}
        for values in zip(*samples, strict=True):
            # one at a time: over several the quantizer takes a moving average, which forgets the extremes
            one = {name: value[None].astype(np.float32) for name, value in zip(names, values, strict=True)}
            for tensor, seen in work.calibrate({"serving_default": [one]}, num_threads=1).items():
                before = ranges.setdefault(tensor, dict(seen))
                if seen:
                    before["min"] = np.minimum(before["min"], seen["min"])
                    before["max"] = np.maximum(before["max"], seen["max"])
        return bytes(work.quantize(ranges).quantized_model)


def _argument_names(content: bytes) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=content).get_signature_list()
    return list(signatures["serving_default"]["inputs"])


def _torch() -> ModuleType:
    for package in ("torch", "litert_torch", "ai_edge_quantizer"):
        if importlib.util.find_spec(package) is None:
            raise ToolError(
                f"{package} is needed to convert a PyTorch program and is not installed: "
                "run pip install 'tinyengine[pytorch]'"
            )
    with _quiet():
        import litert_torch  # noqa: F401  (now, while it may chat)
        import torch
    return torch


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter reports its progress on standard output, which belongs to the figures."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with silence(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
