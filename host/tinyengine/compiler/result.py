"""What the compiler gives back."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.codegen.generated import Generated
from tinyengine.codegen.states import initial_arrays
from tinyengine.compiler.options import CompileOptions
from tinyengine.data.box_plan import BoxPlan
from tinyengine.ir.requant import Requant
from tinyengine.kernels.base import KernelCall, arrays_in
from tinyengine.kernels.select import roundings
from tinyengine.memory.plan import MemoryPlan
from tinyengine.schedule.training import TrainingProgram


@dataclass(eq=False)
class CompiledModel(Generated):
    """The generated code and what it was made from."""

    planned: list[KernelCall]  # every call that has a place in ``plan``, views included
    plan: MemoryPlan
    model_hash: str
    options: CompileOptions
    metadata_json: str = "{}"
    training: TrainingProgram | None = None
    layout_hash: str = ""  # te_trainer.layout
    boxes: BoxPlan | None = None  # of a detector

    @property
    def calls(self) -> list[KernelCall]:
        """Calls of an inference (no views), in order."""
        return [call for call in self.step_calls if call.role == "forward"]

    @property
    def step_calls(self) -> list[KernelCall]:
        """Calls that execute, those of a training step included."""
        return [call for call in self.planned if not call.is_view]

    @property
    def roundings(self) -> dict[str, Requant]:
        """What the oracle needs to know to give the same bytes: see ``reference.run``."""
        return roundings(self.training.network if self.training else self.graph, self.options.target)

    @property
    def hints(self) -> list[str]:
        """What runs in plain C although other sizes would not: names, why, and which sizes. Layers that are alike make
        one sentence."""
        slow: dict[str, list[str]] = {}
        for call in self.calls:
            if why := call.hint():
                slow.setdefault(why, []).append(call.name)
        return [f"{_several(names)}: plain C, for {why}" for why, names in slow.items()]

    @property
    def trained_bytes(self) -> int:
        """SRAM of trained constants (and their residuals), 0 without training."""
        return self.training.layout.size if self.training else 0

    @property
    def velocity_bytes(self) -> int:
        """SRAM of the velocities of trained constants, 0 without momentum and batches."""
        return self.training.velocity_bytes if self.training else 0

    @property
    def states_bytes(self) -> int:
        """SRAM of the network's states, which keep their bytes between runs."""
        return self.plan.region.size

    @property
    def boxes_bytes(self) -> int:
        """SRAM of the boxes that a detector finds, and of those that it compares."""
        return self.boxes.nbytes if self.boxes else 0

    @property
    def sram_bytes(self) -> int:
        """The arena and what lies beside it: the network's states, what training keeps, a detector's boxes."""
        return self.plan.arena_bytes + self.states_bytes + self.trained_bytes + self.velocity_bytes + self.boxes_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of constant arrays in flash; of a network in training with the factory state."""
        distinct = {array.key: array.data.nbytes for call in self.step_calls for array in arrays_in(call.params)}
        initial = sum(array.data.nbytes for array in initial_arrays(self.graph).values())
        return sum(distinct.values()) + initial + self.trained_bytes


def _several(names: list[str]) -> str:
    """The first, and how many more."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
