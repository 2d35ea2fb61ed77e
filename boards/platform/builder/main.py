"""SCons script of the platform: flags, sources, linker script, size report and upload for every board.

A board's manifest (boards/<name>.json) says under "build": cpu (of the table in host/tinyengine/cores.py, which has the
compiler's flags), ldscript (in boards/linker), hal (folders of firmware/hal to build), defines. The generated network is compiled from $BUILD_DIR/network, where the pre-build script
scripts/pio_compile_model.py puts it.
"""

import os
import runpy
import sys

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
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)

cores = runpy.run_path(os.path.join(project, "host", "tinyengine", "cores.py"))
machine = list(cores["CORES"][board.get("build.cpu")].flags)

# -Wcast-align=strict would name every word load from int8 tensors, which the kernels do on purpose.
warnings = ["-Wshadow", "-Wundef", "-Wdouble-promotion", "-Wmissing-prototypes", "-Wstrict-prototypes"]


def optimization():
    """For size around a network that was compiled for little flash, which its header says (tinyengine.codegen.network)."""
    header = os.path.join(env.subst("$TINYENGINE_NETWORK_DIR"), "network.h")
    if not os.path.isfile(header):
        return cores["OPTIMIZATION"]
    with open(header) as file:
        return cores["OPTIMIZATION_SMALL" if "_COMPILED_FOR_SIZE" in file.read() else "OPTIMIZATION"]


env.Append(
    ASFLAGS=machine,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=[*machine, optimization(), "-g"],
    CFLAGS=[*cores["C_FLAGS"], *warnings],
    CPPDEFINES=[
        ("F_CPU", "$BOARD_F_CPU"),
        ("BOARD_NAME", env.StringifyMacro(env["BOARD"])),
        ("BOARD_HEADER", env.StringifyMacro("boards/%s.h" % env["BOARD"])),
        *(tuple(define.split("=", 1)) if "=" in define else define for define in board.get("build.defines", [])),
    ],
    CPPPATH=[os.path.join(project, "firmware", "hal"), os.path.join(project, "lib", "tinyengine", "include")],
    LIBPATH=[os.path.join(project, "boards", "linker")],  # also where INCLUDE in linker scripts looks
    LINKFLAGS=[
        *machine,
        "-nostartfiles",
        "--specs=nano.specs",
        "-Wl,--gc-sections",
        "-Wl,--defsym=_stack_size=%d" % int(board.get("tinyengine.stack_bytes")),
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
env.Replace(LDSCRIPT_PATH=os.path.join(project, "boards", "linker", board.get("build.ldscript")))

for folder in board.get("build.hal"):
    env.BuildSources(
        os.path.join("$BUILD_DIR", "hal", folder), os.path.join(project, "firmware", "hal", *folder.split("/"))
    )
# SCons sees neither a header that a macro names nor what the linker reads.
env.Depends(env["PIOBUILDFILES"], os.path.join(project, "firmware", "hal", "boards", "%s.h" % env["BOARD"]))
network = env.subst("$TINYENGINE_NETWORK_DIR")
if network:
    env.Append(CPPPATH=[network])
    env.BuildSources(os.path.join("$BUILD_DIR", "network_objects"), network)

if "nobuild" in COMMAND_LINE_TARGETS:  # pio run -t nobuild -t upload: what was built last
    elf = os.path.join("$BUILD_DIR", "${PROGNAME}.elf")
    binary = os.path.join("$BUILD_DIR", "${PROGNAME}.bin")
else:
    elf = env.BuildProgram()
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
protocol = (
    os.environ.get("TINYENGINE_UPLOAD_PROTOCOL") or env.subst("$UPLOAD_PROTOCOL") or board.get("upload.protocol")
)
upload_source = binary
if protocol == "openocd":
    package = platform.get_package_dir("tool-openocd")
    flags = ["-s", os.path.join(package, "openocd", "scripts")] if package else []
    flags += ["-f", "interface/%s.cfg" % board.get("upload.openocd_interface", "stlink")]
    flags += ["-f", "target/%s.cfg" % board.get("upload.openocd_target")]
    offset = board.get("upload.offset_address", "0x08000000")
    flags += ["-c", "program {$SOURCE} verify reset exit %s" % offset]
    env.Replace(UPLOADER="openocd", UPLOADERFLAGS=flags, UPLOADCMD="$UPLOADER $UPLOADERFLAGS")
elif protocol == "pyocd":
    upload_source = elf
    env.Replace(
        UPLOADER='"$PYTHONEXE" -m pyocd',
        UPLOADERFLAGS=["load", "--target", board.get("upload.pyocd_target")],
        UPLOADCMD="$UPLOADER $UPLOADERFLAGS $SOURCE",
    )
elif protocol == "none":

    def explain(target, source, env):
        sys.stderr.write("%s has nothing to upload to: run it with 'tinyengine sim %s'\n" % (board.id, board.id))
        return 1

    env.Replace(UPLOADCMD=explain)
elif protocol != "custom":  # custom: upload_command in platformio.ini
    sys.stderr.write("unknown upload_protocol '%s': use openocd, pyocd, custom or none\n" % protocol)
    env.Exit(1)
env.AddPlatformTarget(
    "upload",
    upload_source,
    env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE"),
    "Upload",
    "Flash the board",
)

Default([binary, size])
