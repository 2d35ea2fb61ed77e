"""The cap on SRAM that the user has set."""

from __future__ import annotations

from tinyengine.errors import BudgetError
from tinyengine.memory.plan import MemoryPlan
from tinyengine.schedule.training import TrainingProgram
from tinyengine.sizes import exact_size


def check_sram(cap: int | None, plan: MemoryPlan, program: TrainingProgram | None) -> None:
    """BudgetError, saying what decides the size, where the arena and what is kept beside it exceed ``cap``."""
    taken = plan.arena_bytes + plan.region.size + (program.sram_bytes if program else 0)
    if cap is None or taken <= cap:
        return
    purpose, smaller = ("to be trained", "a smaller update scheme, ") if program else ("for its activations", "")
    if plan.region.size:
        purpose += f" and {exact_size(plan.region.size)} of states"
    raise BudgetError(
        f"the network needs {exact_size(taken)} of SRAM {purpose}, but only {exact_size(cap)} are allowed "
        f"({plan.bottleneck}): use {smaller}a smaller resolution or width, or a board with more SRAM"
    )
