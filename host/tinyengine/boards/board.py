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
class Storage:
    """The flash that firmware built with training keeps for trained states: two slots of whole sectors, side by side,
    at the end of the flash. Sizes are bytes."""

    address: int  # of the first slot
    slot_bytes: int
    sector_bytes: int
    unit_bytes: int  # programmed at once
    sectors: tuple[str, ...]  # what each slot is called in the reference manual

    OVERHEAD = 128 + 256  # header and marks before the state, the names of its classes behind it (docs/storage.md)

    @property
    def bytes(self) -> int:
        """Both slots."""
        return self.slot_bytes * len(self.sectors)

    @property
    def state_bytes(self) -> int:
        """The largest trained state that fits."""
        return self.slot_bytes - self.OVERHEAD

    def report(self) -> list[dict[str, object]]:
        """Where each slot lies, for reports."""
        slots = []
        for number, sector in enumerate(self.sectors):
            address = self.address + number * self.slot_bytes
            slots.append({"sector": sector, "address": address, "bytes": self.slot_bytes})
        return slots

    def __str__(self) -> str:
        places = "; ".join(f"{slot['sector']} at {slot['address']:#010x}" for slot in self.report())
        return f"{len(self.sectors)} slots of {self.slot_bytes // 1024} KB: {places}"


@dataclass(frozen=True)
class Board:
    """A board. ``name`` is also the PlatformIO environment and the folder under .pio/build."""

    name: str
    title: str
    cpu: str  # one of cores.CORES
    sram_bytes: int  # what the linker script gives to data
    flash_bytes: int
    reserved_sram_bytes: int  # the firmware's own: stack (where it shares the memory), buffers, variables
    reserved_flash_bytes: int  # the firmware's own code and constants
    stack_bytes: int
    stack_shares_sram: bool  # false where the stack lies in a memory that sram_bytes does not count
    count_unit: str  # of the measurements: instructions (simulated), cycles (hardware)
    serial: Serial
    upload: Upload
    storage: Storage | None = None  # None: trained states cannot be saved
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
    def training_flash_bytes(self) -> int:
        """Flash left for a network that can be trained: the slots of trained states are taken out."""
        return self.network_flash_bytes - (self.storage.bytes if self.storage else 0)

    @property
    def is_simulated_only(self) -> bool:
        """True when there is no hardware to flash."""
        return self.upload.protocol == "none"

    def simulator(self, kind: str) -> Simulator | None:
        """The description for simulator ``kind``, if this board runs there."""
        return next((simulator for simulator in self.simulators if simulator.kind == kind), None)
