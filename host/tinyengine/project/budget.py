"""Whether a network fits a board: what its code takes, and what the board has for it."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel, CompileOptions
from tinyengine.compiler.picture import camera_line_bytes, image_input
from tinyengine.cores import core
from tinyengine.errors import BudgetError
from tinyengine.project.toolchain import footprint, has_compiler
from tinyengine.sizes import exact_size


@dataclass(frozen=True)
class Code:
    """Bytes that a network needs besides what the compiler has counted.

    ``flash``: instructions, tables of the C library, descriptors; ``static``: variables outside the arena.
    """

    flash: int
    static: int


@dataclass(frozen=True)
class Verdict:
    """What a network takes and what there is for it, in bytes; ``code`` is None where it was not measured.

    There is no limit (None) where neither a board nor a cap says one.
    """

    sram_used: int
    sram_available: int | None
    flash_used: int
    flash_available: int | None
    code: Code | None


def measure_code(compiled: CompiledModel) -> Code | None:
    """By compiling for the device. None where its compiler is missing: compiling a network to C does not need one."""
    cpu = compiled.options.cpu
    if not has_compiler(core(cpu).compiler):
        return None
    sections = footprint(compiled, cpu)
    return Code(sections.flash - compiled.weight_bytes, sections.data + sections.bss - compiled.sram_bytes)


def judge(compiled: CompiledModel, board: Board | None, code: Code | None = None) -> Verdict:
    """Whether the network fits, with its ``code`` where that is known. Raises BudgetError when it does not.

    Caps: ``--sram``/``--flash`` when given, else the board's memory less what the firmware keeps for itself.
    """
    options = compiled.options
    sram_cap, flash_cap = options.sram, options.flash
    if board is not None:
        sram_cap = board.network_sram_bytes if sram_cap is None else sram_cap
        flash_cap = flash_for(compiled, board) if flash_cap is None else flash_cap
    place = board.name if board is not None else "what it may take"
    flash = compiled.weight_bytes + (code.flash if code else 0)
    sram = compiled.sram_bytes
    capped = options.sram is not None  # which is the arena's cap
    lines = 0 if board is None or capped else camera_bytes(compiled, board)
    if sram_cap is not None and sram + lines > sram_cap:
        what = f"an arena of {exact_size(compiled.plan.arena_bytes)}"
        if compiled.training:
            parts = f"{what}, {exact_size(compiled.trained_bytes)} of trained constants"
            if compiled.states_bytes:
                parts += f", {exact_size(compiled.states_bytes)} of states"
            if compiled.velocity_bytes:
                parts += f", {exact_size(compiled.velocity_bytes)} of their velocities"
            what = f"{exact_size(sram)} to be trained ({parts})"
        else:
            what += f" and {exact_size(compiled.states_bytes)} of states" if compiled.states_bytes else " of SRAM"
        what += f", {exact_size(compiled.boxes_bytes)} for boxes" if compiled.boxes_bytes else ""
        what += f", {exact_size(lines)} for lines of the board's camera" if lines else ""
        raise BudgetError(
            f"{compiled.graph.name} does not fit {place}: it needs {what} and {exact_size(sram_cap)} are there "
            "for it "
            f"({compiled.plan.bottleneck}); use {_less_sram(compiled, options)}a smaller resolution or width, or a "
            "board with more SRAM"
        )
    if flash_cap is not None and flash > flash_cap:
        slots = compiled.training and board is not None and board.storage
        beside = " beside the slots of trained states" if slots else ""
        raise BudgetError(
            f"{compiled.graph.name} does not fit {place}: it needs {exact_size(flash)} of flash and "
            f"{exact_size(flash_cap)} are there for it{beside}; use a narrower network or a board with more flash"
        )
    return Verdict(sram, sram_cap, flash, flash_cap, code)


def fits_sram(compiled: CompiledModel, board: Board) -> bool:
    """Whether the board has the SRAM, whatever cap the user has set."""
    return compiled.sram_bytes + camera_bytes(compiled, board) <= board.network_sram_bytes


def camera_bytes(compiled: CompiledModel, board: Board) -> int:
    """What the firmware keeps beside the arena for lines of the board's camera."""
    return camera_line_bytes(board.camera_width, image_input(compiled.graph, compiled.metadata_json))


def keeps_state(compiled: CompiledModel, board: Board) -> bool:
    """Whether a slot of the board's flash holds what training changes."""
    return board.storage is not None and compiled.trained_bytes <= board.storage.state_bytes


def flash_for(compiled: CompiledModel, board: Board) -> int:
    """Bytes of flash for weights and code: what training keeps its states in is not among them."""
    return board.training_flash_bytes if compiled.training else board.network_flash_bytes


def _less_sram(compiled: CompiledModel, options: CompileOptions) -> str:
    """The options that would need less SRAM and have not been used."""
    text = compiled.training is not None and compiled.training.segment > 0
    able = {
        "no --velocity": options.velocity,
        "--gradients int16": options.gradients != "int16" and not text,
        "a shorter --segment": text,
        "a smaller update scheme": options.train is not None,
        "--input rows": options.input == "frame" and not text,
        "--optimize sram": options.optimize != "sram" and not text,
    }
    return "".join(f"{option}, " for option, would_help in able.items() if would_help)
