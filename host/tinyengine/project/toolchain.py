"""C compilers: finding them, compiling with a content-addressed cache, linking, and reading sizes.

One set of flags serves the bench, the code size that ``compile`` reports and the firmware, so that figures agree.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyengine.codegen.generated import Generated
from tinyengine.cores import ARM, C_FLAGS, OPTIMIZATION, OPTIMIZATION_SMALL, RISCV, Compiler, core
from tinyengine.errors import BudgetError, ToolError
from tinyengine.paths import cache_dir, platformio_dir, project_root
from tinyengine.progress import Progress, silent

CACHE_LIMIT = 512 << 20  # bytes of objects kept
JOBS = 2


@dataclass(frozen=True)
class Toolchain:
    """One GCC: the path of ``gcc`` without that word, e.g. /usr/bin/arm-none-eabi-."""

    compiler: Compiler
    prefix: str
    suffix: str = ""  # ".exe" on Windows

    def tool(self, name: str) -> str:
        """Path of ``gcc``, ``size``, ``nm``, ``addr2line``."""
        return f"{self.prefix}{name}{self.suffix}"

    @functools.cached_property
    def version(self) -> str:
        """First line of ``gcc --version``: part of every cache key and of the bench's report."""
        return _run([self.tool("gcc"), "--version"]).splitlines()[0]


@dataclass(frozen=True)
class Sections:
    """Bytes of a linked program: instructions, constants, initialized and zeroed variables.

    ``functions``: bytes of code by function, where it was asked for.
    """

    code: int
    rodata: int
    data: int
    bss: int
    functions: Mapping[str, int] = field(default_factory=dict)

    @property
    def flash(self) -> int:
        """What the program takes in flash: initialized variables are stored there too."""
        return self.code + self.rodata + self.data


@functools.cache
def find_compiler(compiler: Compiler) -> Toolchain:
    """Where it is: its environment variable, else on PATH, else (Arm's) in PlatformIO's package folder. ToolError."""
    override = os.environ.get(compiler.variable)
    if override:
        found = shutil.which(override)
        if not found:
            raise ToolError(f"{compiler.variable} names {override}, which cannot be run: set it to {compiler.name}")
        return _toolchain_of(compiler, found)
    package = platformio_dir() / "packages" / "toolchain-gccarmnoneeabi" / "bin"
    found = shutil.which(compiler.name) or shutil.which(compiler.name, path=str(package))
    if not found:
        raise ToolError(f"{compiler.name} was not found: {compiler.install}")
    return _toolchain_of(compiler, found)


def has_compiler(compiler: Compiler) -> bool:
    """Whether :func:`find_compiler` would find one."""
    try:
        find_compiler(compiler)
    except ToolError:
        return False
    return True


def _toolchain_of(compiler: Compiler, gcc: str) -> Toolchain:
    match = re.fullmatch(r"(.*)gcc(-[\d.]+)?(\.exe)?", gcc)
    if not match:
        raise ToolError(f"{gcc} does not look like a GCC: its name must end in gcc")
    return Toolchain(compiler, match[1], (match[2] or "") + (match[3] or ""))


def _maker(product: Path) -> Toolchain:
    """The toolchain that made an object or a program, by the machine that it is for."""
    with product.open("rb") as file:
        machine = int.from_bytes(file.read(20)[18:], "little")
    return find_compiler(RISCV if machine == RISCV.machine else ARM)


def library_dir() -> Path:
    """lib/tinyengine."""
    return project_root() / "lib" / "tinyengine"


def library_sources() -> list[Path]:
    """C and assembly files of the kernel library."""
    source = library_dir() / "src"
    return sorted(path for path in source.rglob("*") if path.suffix in (".c", ".S"))


def device_flags(cpu: str, portable: bool = False, small: bool = False) -> tuple[str, ...]:
    """Compiler flags for code that runs on ``cpu``; ``portable`` leaves the DSP extension unused.

    ``small``: for size instead of speed.
    """
    optimization = OPTIMIZATION_SMALL if small else OPTIMIZATION
    return (*core(cpu).flags, optimization, *C_FLAGS, *(("-DTE_PORTABLE",) if portable else ()))


def compiler_label(cpu: str, small: bool = False) -> str:
    """The compiler of code for ``cpu`` and its optimization, for reports."""
    return f"{find_compiler(core(cpu).compiler).version} {OPTIMIZATION_SMALL if small else OPTIMIZATION}"


def compile_objects(
    sources: Sequence[Path],
    flags: Sequence[str],
    include: Sequence[Path],
    progress: Progress = silent,
    compiler: Compiler = ARM,
) -> list[Path]:
    """Objects of ``sources``, in order. An object is reused when the compiler, the flags, the source and the headers
    it includes are the same, wherever the files lie. Raises ToolError with the compiler's first error.
    """
    toolchain = find_compiler(compiler)
    common = hashlib.sha256("\0".join([toolchain.version, *flags]).encode())
    headers: dict[Path, list[Path]] = {}
    store = cache_dir() / "objects"
    store.mkdir(exist_ok=True)

    def compile_one(source: Path) -> Path:
        key = common.copy()
        for path in (source, *included(source, include, headers)):
            key.update(path.suffix.encode() + b"\0" + path.read_bytes() + b"\0")
        target = store / f"{key.hexdigest()[:32]}.o"
        with contextlib.suppress(FileNotFoundError):  # not there, or just deleted by another process
            os.utime(target)
            return target
        with tempfile.TemporaryDirectory(dir=store, prefix=".new-") as scratch:
            product = Path(scratch) / "object.o"
            command = [toolchain.tool("gcc"), *flags, *(f"-I{folder}" for folder in include), "-c", str(source)]
            _run([*command, "-o", str(product)], what=source.name)
            os.replace(product, target)
        return target

    objects: list[Path] = []
    with ThreadPoolExecutor(JOBS) as pool:
        for count, path in enumerate(pool.map(compile_one, sources), 1):
            objects.append(path)
            progress(count, len(sources))
    _prune(store, keep=set(objects))
    return objects


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def included(source: Path, include: Sequence[Path], known: dict[Path, list[Path]] | None = None) -> list[Path]:
    """Headers that ``source`` reaches by ``#include "..."``, sorted; ``known`` remembers each file's own lines."""
    known = {} if known is None else known
    found: set[Path] = set()
    todo = [source]
    while todo:
        path = todo.pop()
        if path not in known:
            names = _INCLUDE.findall(path.read_text("utf-8", "replace"))
            places = ((folder / name for folder in (path.parent, *include)) for name in names)
            known[path] = [p.resolve() for p in (next(filter(Path.is_file, c), None) for c in places) if p]
        todo += [header for header in known[path] if header not in found]
        found.update(known[path])
    return sorted(found)


def _prune(store: Path, keep: set[Path]) -> None:
    """Delete the objects used longest ago while the cache is above its limit."""
    entries = []
    for path in store.glob("*.o"):
        with contextlib.suppress(FileNotFoundError):  # another process prunes as well
            entries.append((path.stat().st_mtime, path.stat().st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= CACHE_LIMIT:
            return
        if path not in keep:
            path.unlink(missing_ok=True)
            total -= size


def link(objects: Sequence[Path], flags: Sequence[str], product: Path, script_dirs: Iterable[Path] = ()) -> None:
    """Link into ``product``. ``flags`` come before the objects. BudgetError when a memory region overflows."""
    paths = [f"-L{folder}" for folder in script_dirs]
    # A response file: the objects of a batch of networks would not fit a command line everywhere.
    listing = product.with_suffix(".objects")
    listing.write_text("\n".join(f'"{path.as_posix()}"' for path in objects))
    maker = _maker(objects[0])
    command = [maker.tool("gcc"), *flags, *paths, f"@{listing}", *maker.compiler.link, "-o", str(product)]
    _run(command, what=product.name)


def section_sizes(program: Path) -> Sections:
    """Sizes of a linked ELF file, by the kind of section."""
    text = _run([_maker(program).tool("size"), "-A", "-d", str(program)])
    totals = dict.fromkeys(("code", "rodata", "data", "bss"), 0)
    kinds = {".text": "code", ".init": "code", ".fini": "code", ".rodata": "rodata", ".ARM": "rodata"}
    kinds |= {".data": "data", ".bss": "bss", ".arena": "bss"}
    for match in re.finditer(r"^(\.[\w]+)\S*\s+(\d+)\s+\d+\s*$", text, re.MULTILINE):
        if match[1] in kinds and not match[0].startswith(".ARM.attributes"):
            totals[kinds[match[1]]] += int(match[2])
    return Sections(totals["code"], totals["rodata"], totals["data"], totals["bss"])


def footprint(network: Generated, cpu: str, portable: bool = False) -> Sections:
    """What a network needs on the device and nothing else: its code, the kernels it calls, the parts of the C library
    they call, its constants and its variables."""
    with tempfile.TemporaryDirectory(prefix="tinyengine-") as scratch:
        folder, root = Path(scratch) / "network", network.prefix
        network.write(folder)
        sources = [*sorted(folder.glob("*.c")), *library_sources()]
        flags = device_flags(cpu, portable, network.small)
        compiler = core(cpu).compiler
        objects = compile_objects(sources, flags, [library_dir() / "include", folder], compiler=compiler)
        product = Path(scratch) / "footprint.elf"
        # Entered at the network's table, nothing else keeps anything alive; the addresses do not matter.
        options = [*core(cpu).flags, "-nostartfiles", f"-Wl,--entry={root}", f"-Wl,--undefined={root}"]
        if compiler.script:
            script = Path(scratch) / "footprint.ld"
            script.write_text(compiler.script)
            options += ["-T", str(script)]
        link(objects, options, product)
        functions = {name: size for name, kind, _, size in symbols(product) if kind in "tTwW"}
        return replace(section_sizes(product), functions=functions)


def symbols(program: Path) -> list[tuple[str, str, int, int]]:
    """Name, kind (as nm writes it), address and size in bytes of the symbols of an ELF file that have a size."""
    text = _run([_maker(program).tool("nm"), "-S", "--defined-only", str(program)])
    rows = (line.split(maxsplit=3) for line in text.splitlines())
    return [(row[3], row[2], int(row[0], 16), int(row[1], 16)) for row in rows if len(row) == 4]


def disassemble(program: Path) -> str:
    """What objdump prints of the code of an ELF file, without the bytes."""
    return _run([_maker(program).tool("objdump"), "-d", "-w", "--no-show-raw-insn", str(program)])


def locate(program: Path, address: int) -> str:
    """The function that holds ``address``, for messages."""
    text = _run([_maker(program).tool("addr2line"), "-f", "-e", str(program), f"{address:#x}"])
    return text.splitlines()[0] if text.strip() else "an unknown place"


def _run(command: Sequence[str], what: str = "") -> str:
    """Standard output of a tool; ToolError (or BudgetError for a full memory region) with one sentence if it fails."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ToolError(f"{name} cannot be run: {error.strerror or error}") from error
    if done.returncode == 0:
        return done.stdout
    full = re.search(r"region [`'](\w+)' overflowed|will not fit in region [`'](\w+)'", done.stderr)
    if full:
        excess = re.search(r"overflowed by (\d+) bytes", done.stderr)
        size = f"{excess[1]} bytes" if excess else "much"
        raise BudgetError(
            f"the program does not fit: memory {full[1] or full[2]} is {size} too small; "
            "use a smaller resolution or width"
        )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    telling = [
        line for line in lines if re.search(r"error:|undefined reference|cannot", line) and "collect2" not in line
    ]
    first = (telling or lines or ["no message"])[0]
    raise ToolError(f"{name} failed on {what or 'its input'} (exit code {done.returncode}): {first}")
