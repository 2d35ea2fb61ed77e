"""The figures of ``compile`` and ``build`` as JSON holds them."""

from __future__ import annotations

from dataclasses import asdict

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel
from tinyengine.ir.operators import WEIGHTED
from tinyengine.kernels.base import KernelCall
from tinyengine.project.budget import Code, Verdict
from tinyengine.project.build import Firmware
from tinyengine.report.storage import storage_figures
from tinyengine.sizes import format_size


def compile_figures(compiled: CompiledModel, verdict: Verdict, board: Board | None) -> dict[str, object]:
    """``compile --json``."""
    fit = {key: value for key, value in asdict(verdict).items() if key != "code"}
    figures = network_figures(compiled, verdict.code) | {"fit": fit}
    return figures if board is None else figures | {"board": board.name} | storage_figures(compiled, board)


def build_figures(firmware: Firmware) -> dict[str, object]:
    """``build --json``: those of ``compile``, and the image's."""
    image = {"elf": str(firmware.elf), "flash_bytes": firmware.flash_bytes, "sram_bytes": firmware.sram_bytes}
    return compile_figures(firmware.compiled, firmware.verdict, firmware.board) | {"firmware": image}


def network_figures(compiled: CompiledModel, code: Code | None = None) -> dict[str, object]:
    """What a network needs, wherever it runs."""
    return {
        "model": compiled.graph.name,
        "hash": compiled.model_hash,
        "cpu": compiled.options.cpu,
        "input": "rows" if any(call.pushed for call in compiled.calls) else "frame",
        "macs": compiled.macs,
        "macs_executed": sum(call.macs_executed for call in compiled.planned),
        "arena_bytes": compiled.plan.arena_bytes,
        "states_bytes": compiled.states_bytes,
        "arena_lower_bound": compiled.plan.lower_bound,
        "arena_optimal": compiled.plan.optimal,
        "activation_peak_bytes": compiled.plan.activation_peak_bytes,
        "bottleneck": compiled.plan.bottleneck,
        "hints": compiled.hints,
        "flash_bytes": {
            "weights": compiled.weight_bytes,
            "code": code and code.flash,
            "total": code and compiled.weight_bytes + code.flash,
        },
        **_training(compiled, code),
        "stages": _stages(compiled),
        "layers": [_layer(compiled, call) for call in compiled.calls],
    }


def _training(compiled: CompiledModel, code: Code | None) -> dict[str, object]:
    """What training adds, under the names that ``bench`` uses; nothing without."""
    training = compiled.training
    if training is None:
        return {}
    cost = training.cost
    layout = training.layout
    known = compiled.sram_bytes + (code.static if code else 0)
    return {
        "scheme": training.scheme.name,
        "layout": compiled.layout_hash,
        "classes": training.classes,
        "gradients": training.gradients,
        "sram_bytes": {
            "arena": compiled.plan.arena_bytes,
            "weights": layout.size,
            "velocities": training.velocity_bytes,
            "states": compiled.states_bytes,
            "static": code and code.static,
            "stack": None,
            "total": known,
        },
        "sram_note": "total is without the stack, which bench measures"
        + ("" if code else ", and without static variables, for there is no compiler"),
        "extra_memory_bytes": cost.extra_memory_bytes,
        "trainable_weights": cost.trainable_weights,
        "trainable_biases": cost.trainable_biases,
        "state_weights": layout.trained_weights,
        "state_biases": layout.trained_biases,
    }


def _stages(compiled: CompiledModel) -> list[dict[str, object]]:
    """Per call: its form, its operators, its work, and the bytes of the arena that it uses."""
    return [
        {
            "kind": str(call.form),
            "operators": [op.name for op in call.operators],
            "sram_bytes": usage.bytes_used,
            "macs": call.macs,
            "macs_executed": call.macs_executed,
        }
        for call, usage in zip(compiled.planned, compiled.plan.usage, strict=True)
        if not call.is_view
    ]


def output_shapes(compiled: CompiledModel, call: KernelCall) -> str:
    """Shapes of a call's outputs, for people: 12x12x8."""
    return ", ".join("x".join(map(str, compiled.graph.tensor(name).shape[1:])) for name in call.outputs)


def _layer(compiled: CompiledModel, call: KernelCall) -> dict[str, object]:
    tensor, addresses = compiled.graph.tensor, compiled.plan.addresses
    inputs = [call.pushed.tensor] if call.pushed else call.inputs
    return {
        "name": call.name,
        "op": call.kind,
        "kernel": call.function,
        "variant": call.note,
        "macs": call.macs,
        "input_shapes": [list(tensor(name).shape) for name in inputs],
        "output_shapes": [list(tensor(name).shape) for name in call.outputs],
        "input_addresses": [addresses.get(name) for name in inputs],  # None outside the arena: by rows, or a state
        "output_addresses": [addresses.get(name) for name in call.outputs],
        "scratch_bytes": call.scratch_bytes,
    }


def int8_sentence(compiled: CompiledModel) -> str | None:
    """What a network of float32 would save; None for any other."""
    graph = compiled.graph
    if not any(graph.tensor(op.inputs[0]).dtype == "float32" for op in graph.operators if op.kind in WEIGHTED):
        return None
    weights, arena = (format_size(size // 4) for size in (compiled.weight_bytes, compiled.plan.arena_bytes))
    return (
        f"float32; in int8 about {weights} of weights, {arena} of SRAM and, with the DSP extension, a third of the "
        "instructions: tinyengine convert MODEL.tflite --calibrate SAMPLES"
    )
