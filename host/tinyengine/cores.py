"""The table of cores: what each can do, how code for it is compiled, and on which simulated machine it is measured.

Everybody who must know a core reads this table; docs/cores.md says how to add one. PlatformIO's builder imports it in
an interpreter that may not have tinyengine's dependencies: it needs the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

OPTIMIZATION = "-O2"
OPTIMIZATION_SMALL = "-Os"  # where a network was compiled for little flash
# No fused multiply-add: float results must not depend on the core.
C_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off")
"""For every C file of a device, whatever its core."""
# -Wcast-align=strict would name every word load from int8 tensors, which the kernels do on purpose.
FIRMWARE_WARNINGS = ("-Wshadow", "-Wundef", "-Wdouble-promotion", "-Wmissing-prototypes", "-Wstrict-prototypes")
"""For the C files of our firmware besides."""
# Nothing on bare metal marks stacks as executable or not, and the linker would complain about files that do not say it.
FIRMWARE_LINK_FLAGS = ("-nostartfiles", "-Wl,-z,noexecstack")


ANY: frozenset[str] = frozenset()
DSP = frozenset({"dsp"})
MVE = frozenset({"dsp", "mve"})
REGISTERS = frozenset({"registers"})
"""What code asks of a core: nothing; the DSP extension (SMLAD and its kin: products of pairs of int16); Helium besides
(vectors of 16 bytes); more than 16 registers, where there is no DSP extension."""


@dataclass(frozen=True)
class Compiler:
    """A GCC for bare metal."""

    name: str  # of its gcc
    variable: str  # of the environment: names one that is not on PATH
    install: str  # what to do where it is missing
    machine: int  # e_machine of its ELF files
    link: tuple[str, ...]  # flags that bring its small C library
    script: str = ""  # linker script for sizes, where its own is for a board


ARM = Compiler(
    "arm-none-eabi-gcc",
    "TINYENGINE_ARM_GCC",
    "install it (Debian: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi), or let PlatformIO fetch it (pio pkg "
    "install -g -t platformio/toolchain-gccarmnoneeabi)",
    machine=40,
    link=("--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-lm"),
)
RISCV = Compiler(
    "riscv64-unknown-elf-gcc",
    "TINYENGINE_RISCV_GCC",
    "install it (Debian: apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf)",
    machine=243,
    link=("-Wl,--gc-sections", "-lm"),
    script="SECTIONS { .text : { *(.text .text.*) } .rodata : { *(.rodata .rodata.* .srodata .srodata.*) } "
    ".data : { *(.data .data.* .sdata .sdata.*) } .bss : { *(.bss .bss.* .sbss .sbss.* COMMON) } }\n",
)


@dataclass(frozen=True)
class Region:
    """A memory: ``length`` bytes from address ``origin``."""

    origin: int
    length: int


@dataclass(frozen=True)
class Machine:
    """A machine of QEMU with room for every network, and what the bench image needs to know of it."""

    name: str  # of QEMU's -M
    code: Region  # the core takes its vector table from its origin
    ram: Region
    constants: Region
    timers: int = 0x40000000  # address of the CMSDK timer 0; the dual timer lies 0x2000 behind it
    tick_ps: int = 40000  # between two ticks of the timers
    system_counter: bool = False  # `timers` is the control frame of the SSE's system counter instead
    program: str = "qemu-system-arm"
    arguments: tuple[str, ...] = ()  # further ones

    @property
    def defines(self) -> tuple[str, ...]:
        """Flags for the bench image's C files."""
        return ("-DBENCH_SYSTEM_COUNTER",) if self.system_counter else ()


@dataclass(frozen=True)
class Core:
    """A core. A kernel that requires features is used only on cores that have all of them."""

    name: str
    flags: tuple[str, ...]  # GCC's, for this core alone
    features: frozenset[str] = ANY  # of dsp, mve, registers
    machine: Machine | None = None  # None: code is compiled for it, and not run
    cycle_model: str | None = None  # one of measure.cycles.estimate.MODELS: the timings of its instructions
    compiler: Compiler = ARM

    @property
    def requant(self) -> str:
        """The fastest rounding that it has kernels for: exact, fast."""
        return "fast" if self.features >= DSP else "exact"


_SOFT = ("-mthumb", "-mfloat-abi=soft")
_HARD = ("-mthumb", "-mfloat-abi=hard")
_MB = 1 << 20
_CODE, _RAM = Region(0x00000000, 4 * _MB), Region(0x20000000, 4 * _MB)

_M3 = Core(
    "cortex-m3",
    ("-mcpu=cortex-m3", *_SOFT),
    machine=Machine("mps2-an385", _CODE, _RAM, Region(0x21000000, 16 * _MB)),
)
_M33 = Core(
    "cortex-m33",
    ("-mcpu=cortex-m33", *_HARD, "-mfpu=fpv5-sp-d16"),
    DSP,
    # It starts in secure state: the secure addresses of all memories and of the timers, which have 20 MHz.
    Machine(
        "mps2-an505",
        Region(0x10000000, 4 * _MB),
        Region(0x38000000, 4 * _MB),
        Region(0x80000000, 16 * _MB),
        timers=0x50000000,
        tick_ps=50000,
    ),
    cycle_model="cortex_m33",
)
_M7 = Core(
    "cortex-m7",
    ("-mcpu=cortex-m7", *_HARD, "-mfpu=fpv5-d16"),
    DSP,
    Machine("mps2-an500", _CODE, _RAM, Region(0x60000000, 16 * _MB)),
    cycle_model="cortex_m7",
)
_TABLE = (
    # A Cortex-M3 executes its instructions one by one, and faults at unaligned accesses (firmware/bench/startup.c).
    replace(_M3, name="cortex-m0plus", flags=("-mcpu=cortex-m0plus", *_SOFT)),
    _M3,
    Core(
        "cortex-m4",
        ("-mcpu=cortex-m4", *_HARD, "-mfpu=fpv4-sp-d16"),
        DSP,
        Machine("mps2-an386", _CODE, _RAM, Region(0x21000000, 16 * _MB)),
        cycle_model="cortex_m4",
    ),
    _M33,
    _M7,
    # The STM32F74x and F75x, for one: without instructions for double precision.
    replace(_M7, name="cortex-m7-sp", flags=("-mcpu=cortex-m7", *_HARD, "-mfpu=fpv5-sp-d16")),
    Core(
        "cortex-m55",
        ("-mcpu=cortex-m55", *_HARD),
        MVE,
        # Secure addresses, as for the Cortex-M33: instruction TCM, the FPGA's SRAM, DDR. The counter has 32 MHz.
        Machine(
            "mps3-an547",
            Region(0x10000000, 1 << 19),
            Region(0x31000000, 4 * _MB),
            Region(0x70000000, 16 * _MB),
            timers=0x58100000,
            tick_ps=31250,
            system_counter=True,
        ),
    ),
    Core(
        "rv32imc",
        # No section for small data, which no linker script of ours has. The library is named here for its headers.
        ("-march=rv32imc", "-mabi=ilp32", "-msmall-data-limit=0", "--specs=picolibc.specs"),
        REGISTERS,
        # The core counts instructions itself, in units of QEMU's clock.
        machine=Machine(
            "virt",
            Region(0x80000000, 4 * _MB),
            Region(0x81000000, 4 * _MB),
            Region(0x82000000, 16 * _MB),
            timers=0,
            tick_ps=1000,
            program="qemu-system-riscv32",
            arguments=("-bios", "none"),
        ),
        compiler=RISCV,
    ),
)

CORES: dict[str, Core] = {core.name: core for core in _TABLE}
SIMULATED: dict[str, Machine] = {core.name: core.machine for core in _TABLE if core.machine}
"""The machine of every core that has one."""


def core(name: str) -> Core:
    """The core called ``name``; ToolError if there is none."""
    return _entry(CORES, name, "unknown core")


def machine(name: str) -> Machine:
    """The machine that simulates the core called ``name``; ToolError if there is none."""
    return _entry(SIMULATED, name, "no simulator for the core")


def _entry(table: Mapping[str, T], name: str, problem: str) -> T:
    if name not in table:
        from tinyengine.errors import ToolError

        raise ToolError(f"{problem} {name}: choose one of {', '.join(table)}")
    return table[name]
