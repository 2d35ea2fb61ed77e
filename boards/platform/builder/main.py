"""SCons script of the platform: flags, sources, linker script, size report and upload for every board.

The board's description says all that differs (docs/boards.md); header and linker script are written from it to
$BUILD_DIR/board. The generated network is compiled from $BUILD_DIR/network, where the pre-build script
scripts/pio_compile_model.py puts it.
"""

import os
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
platform = env.PioPlatform()
project = env.subst("$PROJECT_DIR")

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    GDB="gdb-multiarch",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    ARFLAGS=["rc"],
    SIZEPROGREGEXP=r"^(?:\.text|\.data|\.rodata|\.ARM\.exidx)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.arena|\.stack)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)

# These parts of tinyengine need nothing but Python, which PlatformIO has.
sys.path.insert(0, os.path.join(project, "host"))
from tinyengine import cores  # noqa: E402
from tinyengine.boards import files, read  # noqa: E402

described = read(Path(board.manifest_path))
machine = list(cores.core(described.cpu).flags)
network = env.subst("$TINYENGINE_NETWORK_DIR")
board_files = os.path.join(env.subst("$BUILD_DIR"), "board")
if "nobuild" not in COMMAND_LINE_TARGETS:
    files.write(described, Path(board_files), files.arena_bytes(Path(network)) if network else None)


def optimization():
    """For size around a network that was compiled for little flash, which its header says (tinyengine.codegen.network)."""
    header = os.path.join(network, "network.h")
    if not os.path.isfile(header):
        return cores.OPTIMIZATION
    with open(header) as file:
        return cores.OPTIMIZATION_SMALL if "_COMPILED_FOR_SIZE" in file.read() else cores.OPTIMIZATION


env.Append(
    ASFLAGS=machine,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=[*machine, optimization(), "-g"],
    CFLAGS=[*cores.C_FLAGS, *cores.FIRMWARE_WARNINGS],
    CPPPATH=[
        board_files,
        os.path.join(project, "firmware", "hal"),
        os.path.join(project, "lib", "tinyengine", "include"),
    ],
    LIBPATH=[os.path.join(project, "boards", "linker")],  # also where INCLUDE in linker scripts looks
    LINKFLAGS=[
        *machine,
        *cores.FIRMWARE_LINK_FLAGS,
        "--specs=nano.specs",
        "-Wl,--gc-sections",
        # substituted here, so that a path with a space stays one word
        "-Wl,-Map," + os.path.join(env.subst("$BUILD_DIR"), "firmware.map"),
    ],
    LIBS=["c", "m", "gcc"],
    BUILDERS=dict(
        ElfToBin=Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"), suffix=".bin"
        )
    ),
)
env.Replace(LDSCRIPT_PATH=os.path.join(board_files, files.SCRIPT))

for folder in described.hal:
    env.BuildSources(
        os.path.join("$BUILD_DIR", "hal", folder), os.path.join(project, "firmware", "hal", *folder.split("/"))
    )
if network:
    env.Append(CPPPATH=[network])
    env.BuildSources(os.path.join("$BUILD_DIR", "network_objects"), network)

if "nobuild" in COMMAND_LINE_TARGETS:  # pio run -t nobuild -t upload: what was built last
    elf = os.path.join("$BUILD_DIR", "${PROGNAME}.elf")
    binary = os.path.join("$BUILD_DIR", "${PROGNAME}.bin")
else:
    elf = env.BuildProgram()
    # SCons does not see what the linker reads.
    env.Depends(elf, [env.subst("$LDSCRIPT_PATH"), os.path.join(project, "boards", "linker", "sections.ld")])
    binary = env.ElfToBin(os.path.join("$BUILD_DIR", "${PROGNAME}"), elf)
    env.Depends(binary, "checkprogsize")
env.Alias("nobuild", binary)
env.Alias("buildprog", binary)

size = env.AddPlatformTarget(
    "size",
    elf,
    env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"),
    "Program Size",
    "Calculate program size",
)

# `tinyengine flash --protocol` comes first, then upload_protocol in platformio.ini, then the board's own.
protocol = os.environ.get("TINYENGINE_UPLOAD_PROTOCOL") or env.subst("$UPLOAD_PROTOCOL") or described.upload.protocol
offset = "%#010x" % described.flash.address
upload_source = binary
if protocol == "openocd":
    package = platform.get_package_dir("tool-openocd")
    flags = ["-s", os.path.join(package, "openocd", "scripts")] if package else []
    flags += ["-f", "interface/stlink.cfg"]
    flags += ["-f", "target/%s.cfg" % described.upload.openocd_target]
    flags += ["-c", "program {$SOURCE} verify reset exit %s" % offset]
    env.Replace(UPLOADER="openocd", UPLOADERFLAGS=flags, UPLOADCMD="$UPLOADER $UPLOADERFLAGS")
elif protocol == "pyocd":
    upload_source = elf
    env.Replace(
        UPLOADER='"$PYTHONEXE" -m pyocd',
        UPLOADERFLAGS=["load", "--target", described.upload.pyocd_target],
        UPLOADCMD="$UPLOADER $UPLOADERFLAGS $SOURCE",
    )
elif protocol == "dfu":  # the chip's own bootloader, on its USB port
    package = platform.get_package_dir("tool-dfuutil")
    env.Replace(
        UPLOADER=os.path.join(package, "bin", "dfu-util") if package else "dfu-util",
        UPLOADERFLAGS=["-d", "0483:df11", "-a", "0", "-s", "%s:leave" % offset, "-D"],
        UPLOADCMD="$UPLOADER $UPLOADERFLAGS $SOURCE",
    )
elif protocol == "none":

    def explain(target, source, env):
        sys.stderr.write("%s has nothing to upload to: run it with 'tinyengine sim %s'\n" % (board.id, board.id))
        return 1

    env.Replace(UPLOADCMD=explain)
elif protocol != "custom":  # custom: upload_command in platformio.ini
    sys.stderr.write("unknown upload_protocol '%s': use openocd, pyocd, dfu, custom or none\n" % protocol)
    env.Exit(1)
env.AddPlatformTarget(
    "upload",
    upload_source,
    env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE"),
    "Upload",
    "Flash the board",
)

Default([binary, size])
