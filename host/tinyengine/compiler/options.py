"""What a user may ask of the compiler."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.compiler.prefix import check_prefix
from tinyengine.cores import core
from tinyengine.errors import ToolError
from tinyengine.kernels.base import Target
from tinyengine.training.language import SEGMENT, LanguageScheme
from tinyengine.training.scheme import UpdateScheme


@dataclass(frozen=True)
class CompileOptions:
    """Everything that may change the generated code. Sizes are bytes; None means no cap."""

    cpu: str = "cortex-m4"
    input: str = "frame"  # frame, rows, sound
    optimize: str = "time"  # time, sram, flash
    requant: str = "exact"  # exact, fast
    sram: int | None = None
    sram_available: int | None = None  # what the board has: schedules try to fit it, ``project.budget`` judges
    flash: int | None = None
    camera_width: int = 0  # pixels of a line of the board's camera, for whose lines SRAM is kept; 0: there is none
    max_recompute: float = 1.0
    prefix: str = "network"  # of all names and files
    bound: bool = False  # constants are a file that the program finds at run time
    train: str | UpdateScheme | LanguageScheme | None = (
        None  # update scheme: a name or a file (training.scheme.resolve_scheme)
    )
    classes: int | None = None  # of a new classifier; None keeps the network's own
    residual: bool = False  # a residual byte per trained weight
    velocity: bool = False  # a float32 per trained constant, for momentum and batches
    gradients: str = "int16"  # int16 (block floating point), float32
    segment: int = SEGMENT  # of a language model: tokens of a training step at most

    def __post_init__(self) -> None:
        """ToolError for an unknown core, a rounding that it has no kernels for, a prefix that C cannot have, and for a
        training whose samples would be sound."""
        check_prefix(self.prefix)
        if self.input == "sound" and self.train is not None:
            raise ToolError("the device is trained with features of sound, not with sound: leave out --input sound")
        if self.requant not in ("exact", core(self.cpu).requant):
            raise ToolError(f"the kernels of the {self.cpu} round exactly: use --requant exact")

    @property
    def small(self) -> bool:
        """Whether flash counts more than anything else."""
        return self.optimize == "flash"

    @property
    def target(self) -> Target:
        cpu = core(self.cpu)
        frugal = self.optimize != "time"
        return Target(cpu.features, self.requant, self.optimize, frugal, self.flash, cycle_model=cpu.cycle_model)

    @property
    def sram_cap(self) -> int | None:
        """Bytes of SRAM that the schedule aims at."""
        return self.sram if self.sram is not None else self.sram_available
