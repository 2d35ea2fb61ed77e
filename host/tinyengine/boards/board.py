"""One board as the compiler, the builds, the simulators and the command line see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SPEED = ("DTCM", "CCM", "AXI", "SRAM")
"""Kinds of memory, the fastest first: tightly coupled to a Cortex-M7; to a Cortex-M4, with a bus of its own; behind the
data cache of a Cortex-M7; on the bus that everything shares."""


CAMERA_WIDTH, CAMERA_HEIGHT = 320, 240
"""Pixels of what every camera delivers."""
SIMULATED_CAMERA = "sim_camera"
"""The folder of firmware/hal whose camera is a file of pictures."""


@dataclass(frozen=True)
class Serial:
    """The port that talks to the host: where it is, its rate after reset and the highest it can be asked for."""

    port: str  # words for a person
    uart: str = ""  # USART3, as the reference manual calls it
    transmit: str = ""  # pins, such as PD8; none where a simulator has none
    receive: str = ""
    function: int = 0  # the pins' alternate function that is the UART
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
class Memory:
    """A memory, or several that follow each other: ``kind`` is that of the first, one of SPEED."""

    name: str
    kind: str
    address: int
    bytes: int

    @property
    def end(self) -> int:
        return self.address + self.bytes


@dataclass(frozen=True)
class Clock:
    """The core's clock after hal_init; ``external_hz`` comes from a crystal or, with ``bypass``, as a signal. 0: none,
    the chip's own oscillator feeds the PLL."""

    core_hz: int
    external_hz: int = 0
    bypass: bool = False


@dataclass(frozen=True)
class Led:
    """A lamp that the firmware lights when the port is open; ``lit_by`` is the level that does it."""

    pin: str
    lit_by: int = 1


@dataclass(frozen=True)
class Switch:
    """A pin that the firmware drives: ``active`` is the level that does what it is called for."""

    pin: str
    active: int


@dataclass(frozen=True)
class I2c:
    """A bus: the unit as the manual calls it (I2C1), its pins and their alternate function."""

    unit: str
    clock: str
    data: str
    function: int


@dataclass(frozen=True)
class CameraClock:
    """What the camera is clocked with: a timer's first channel at a pin, or, without one, an oscillator beside it."""

    hz: int
    timer: str = ""  # TIM1
    pin: str = ""
    function: int = 0


@dataclass(frozen=True)
class Camera:
    """A camera of eight data lines at the chip's camera interface (DCMI)."""

    place: str  # words for a person: where it is, or where a module is connected
    sensors: tuple[str, ...]  # those that may be there, of firmware/hal/camera_sensors; the firmware finds out which is
    data: tuple[str, ...]  # pins, D0 first
    hsync: str
    vsync: str
    pixel_clock: str
    function: int  # the pins' alternate function that is the interface
    i2c: I2c
    clock: CameraClock
    reset: Switch | None = None
    power_down: Switch | None = None

    @property
    def title(self) -> str:
        """The sensors, as their maker writes them."""
        return " or ".join(sensor.upper() for sensor in self.sensors)

    @property
    def pins(self) -> tuple[str, ...]:
        """All that the interface takes."""
        return (*self.data, self.hsync, self.vsync, self.pixel_clock)

    @property
    def wires(self) -> tuple[str, ...]:
        """Every pin of the camera's; an empty one for a clock of its own."""
        switches = (switch.pin for switch in (self.reset, self.power_down) if switch)
        return (*self.pins, self.i2c.clock, self.i2c.data, self.clock.pin, *switches)


@dataclass(frozen=True)
class Spi:
    """A bus: the unit as the manual calls it (SPI4), its pins and their alternate function."""

    unit: str
    clock: str
    data_in: str  # of the board, which is the master: MISO
    data_out: str
    function: int

    @property
    def pins(self) -> tuple[str, ...]:
        return self.clock, self.data_in, self.data_out


@dataclass(frozen=True)
class SpiCamera:
    """A module with a memory for a picture, read over SPI: ArduCAM Mini 2MP, or 2MP Plus."""

    place: str  # words for a person
    spi: Spi
    select: str  # pin
    i2c: I2c  # of its sensor
    idle_bytes: int = 0  # that come before those of the memory: 1 from a 2MP, none from a 2MP Plus

    @property
    def title(self) -> str:
        return "ArduCAM Mini 2MP" if self.idle_bytes else "ArduCAM Mini 2MP Plus"

    @property
    def wires(self) -> tuple[str, ...]:
        """Every pin of the module's."""
        return (*self.spi.pins, self.select, self.i2c.clock, self.i2c.data)


@dataclass(frozen=True)
class Flash:
    """The flash: ``banks`` times ``sectors``, each entry of which is (how many, bytes of each)."""

    address: int
    sectors: tuple[tuple[int, int], ...]
    unit_bytes: int  # programmed at once
    slot_bytes: int = 0  # of each of the two slots for trained states, the last sectors; 0: there are none
    banks: int = 1
    through: bool = False  # whether the second bank's sectors go on counting where the first one's end
    word: str = "sector"  # what the reference manual calls them

    @property
    def bytes(self) -> int:
        return self.banks * sum(count * size for count, size in self.sectors)

    @property
    def first_sector(self) -> int:
        """Number, in its bank, of the first sector of the first slot."""
        return sum(count for count, _ in self.sectors) - 2 * self.slot_bytes // self.sectors[-1][1]

    def storage(self) -> Storage | None:
        """The slots for trained states."""
        if not self.slot_bytes:
            return None
        size = self.sectors[-1][1]
        per_slot = self.slot_bytes // size
        counted = sum(count for count, _ in self.sectors) * (self.banks - 1) if self.through else 0
        names = []
        for slot in range(2):
            first = self.first_sector + slot * per_slot + counted
            last = first + per_slot - 1
            plural = f"{self.word} {first}"
            if per_slot > 1:
                plural = f"{self.word}s {first} {'and' if per_slot == 2 else 'to'} {last}"
            names.append(plural if self.banks == 1 or self.through else f"bank {self.banks}, {plural}")
        address = self.address + self.bytes - 2 * self.slot_bytes
        return Storage(address, self.slot_bytes, size, self.unit_bytes, tuple(names))


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
    chip: str  # stm32f746ngh6
    hal: tuple[str, ...]  # folders of firmware/hal that are compiled
    interrupts: int
    clock: Clock
    memories: tuple[Memory, ...]
    flash: Flash
    sram_bytes: int  # of the memory that data lies in, which is the largest
    flash_bytes: int
    reserved_sram_bytes: int  # the firmware's own: stack (where it shares the memory), buffers, variables
    reserved_flash_bytes: int  # the firmware's own code and constants
    stack_bytes: int
    stack_shares_sram: bool  # false where the stack lies in a memory that sram_bytes does not count
    serial: Serial
    upload: Upload
    storage: Storage | None = None  # None: trained states cannot be saved
    simulators: tuple[Simulator, ...] = ()
    led: Led | None = None
    camera: Camera | SpiCamera | None = None
    price: str = ""  # low, middle, high
    watchdog_seconds: int = 0  # 0: no watchdog
    file: str = ""  # the description's path where it is not the checkout's own

    @property
    def environment(self) -> str:
        """The environment in platformio.ini."""
        return self.name

    @property
    def argument(self) -> str:
        """What ``--board`` takes for this board."""
        return self.file or self.name

    @property
    def camera_width(self) -> int:
        """Pixels of a line of the camera that its firmware drives; 0 without one."""
        return CAMERA_WIDTH if self.camera or SIMULATED_CAMERA in self.hal else 0

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

    @property
    def count_unit(self) -> str:
        """Of the measurements: instructions (simulated), cycles (hardware)."""
        return "instructions" if self.is_simulated_only else "cycles"

    @property
    def regions(self) -> tuple[Memory, ...]:
        """The memories, those that follow each other as one, fastest first."""
        return regions(self.memories)

    @property
    def data_region(self) -> Memory:
        """Where variables lie: the largest."""
        return largest(self.regions)

    @property
    def stack_region(self) -> Memory:
        """Where the stack lies, at the bottom: the fastest."""
        return self.regions[0]

    def arena_region(self, arena_bytes: int) -> Memory:
        """The fastest memory that holds an arena of this size beside the stack, else where variables lie."""
        for region in self.regions:
            stack = self.stack_bytes if region == self.stack_region else 0
            if region != self.data_region and arena_bytes + stack <= region.bytes:
                return region
        return self.data_region

    def arena_memories(self, arena_bytes: int) -> list[str]:
        """Names of the memories that an arena of this size lies in."""
        region = self.arena_region(arena_bytes)
        start = region.address + (self.stack_bytes if region == self.stack_region else 0)
        return [
            memory.name
            for memory in sorted(self.memories, key=lambda memory: memory.address)
            if memory.address < start + arena_bytes and start < memory.end
        ]

    def simulator(self, kind: str) -> Simulator | None:
        """The description for simulator ``kind``, if this board runs there."""
        return next((simulator for simulator in self.simulators if simulator.kind == kind), None)


def regions(memories: Sequence[Memory]) -> tuple[Memory, ...]:
    """``memories`` with those that follow each other as one, fastest first."""
    joined: list[Memory] = []
    for memory in sorted(memories, key=lambda memory: memory.address):
        if joined and joined[-1].end == memory.address:
            before = joined.pop()
            memory = Memory(before.name, before.kind, before.address, before.bytes + memory.bytes)
        joined.append(memory)
    return tuple(sorted(joined, key=lambda memory: SPEED.index(memory.kind)))


def largest(memories: Sequence[Memory]) -> Memory:
    """The one with the most bytes."""
    return max(memories, key=lambda memory: memory.bytes)
