"""One board as the compiler, the simulators and the command line see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Serial:
    """The port that talks to the host: where it is, its rate after reset and the highest it can be asked for."""

    port: str
    baud: int = 115200
    max_baud: int = 115200


@dataclass(frozen=True)
class Simulator:
    """How one simulator runs the board's firmware; ``settings`` are that simulator's own (see docs/boards.md)."""

    kind: str  # qemu, renode
    settings: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """How the firmware gets onto the board; protocol ``none`` for boards that exist only as a simulation."""

    protocol: str
    openocd_target: str | None = None
    pyocd_target: str | None = None


@dataclass(frozen=True)
class Board:
    """A board. ``name`` is also the PlatformIO environment and the folder under .pio/build."""

    name: str
    title: str
    cpu: str  # cortex-m4, cortex-m7
    fpu: str  # as GCC's -mfpu; "" for none
    sram_bytes: int  # what the linker script gives to data
    flash_bytes: int
    reserved_sram_bytes: int  # the firmware's own: stack (where it shares the memory), buffers, variables
    reserved_flash_bytes: int  # the firmware's own code and constants
    stack_bytes: int
    stack_shares_sram: bool  # false where the stack lies in a memory that sram_bytes does not count
    count_unit: str  # of the measurements: instructions (simulated), cycles (hardware)
    serial: Serial
    upload: Upload
    simulators: tuple[Simulator, ...] = ()

    @property
    def environment(self) -> str:
        """The environment in platformio.ini."""
        return self.name

    @property
    def network_sram_bytes(self) -> int:
        """SRAM left for a network's arena."""
        return self.sram_bytes - self.reserved_sram_bytes

    @property
    def network_flash_bytes(self) -> int:
        """Flash left for a network's weights and code."""
        return self.flash_bytes - self.reserved_flash_bytes

    @property
    def is_simulated_only(self) -> bool:
        """True when there is no hardware to flash."""
        return self.upload.protocol == "none"

    def simulator(self, kind: str) -> Simulator | None:
        """The description for simulator ``kind``, if this board runs there."""
        return next((simulator for simulator in self.simulators if simulator.kind == kind), None)
