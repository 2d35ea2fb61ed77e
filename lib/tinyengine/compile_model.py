"""PlatformIO: compiles the networks of somebody else's project before its build.

``custom_tinyengine_model`` of its platformio.ini has a network on each line, and behind its file options of
``tinyengine compile``. The generated C becomes a part of the program, its headers are on the include path. Without that
option, this library is just the kernels. The compiler is run on every build; files that stay the same are left alone.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS

Import("env", "pio_lib_builder")  # noqa: F821  SCons puts them, and Import, into this file's namespace
env = env  # noqa: F821

PROJECT = Path(env.subst("$PROJECT_DIR"))


def fail(sentence):
    sys.stderr.write(f"error: {sentence}\n")
    env.Exit(1)


def compiler():
    """The Python that has tinyengine: custom_tinyengine_python, or PlatformIO's own."""
    named = env.GetProjectOption("custom_tinyengine_python", "")
    if named:
        return named
    own = env.subst("$PYTHONEXE")
    if importlib.util.find_spec("tinyengine") is None:
        fail(
            f"tinyengine is not installed for {own}, which runs PlatformIO: pip install it there, or set "
            "custom_tinyengine_python in platformio.ini to a Python that has it"
        )
    return own


def command(line, folder):
    """What compiles the network of a ``line`` of custom_tinyengine_model into ``folder``."""
    model, *options = shlex.split(line)
    path = PROJECT / model
    if not path.is_file():
        fail(f"the network {path} does not exist: set custom_tinyengine_model in platformio.ini to a file")
    core = []
    if not {"--cpu", "--board"} & {option.split("=")[0] for option in options}:
        cpu = env.BoardConfig().get("build.cpu", "") if "BOARD" in env else ""
        if not cpu:
            fail(f"no board says which core {model} is for: add --cpu CORE behind it")
        core = ["--cpu", cpu]
    return [compiler(), "-m", "tinyengine", "compile", str(path), "--out", str(folder), *core, *options]


def compile_networks(lines):
    """The folders with the networks of ``lines``, up to date."""
    root = Path(env.subst("$BUILD_DIR")) / "tinyengine_networks"
    jobs = [(line, root / str(number)) for number, line in enumerate(lines)]
    commands = [command(line, folder) for line, folder in jobs]
    stamp, text = root / "commands", repr(commands)
    if root.is_dir() and not (stamp.is_file() and stamp.read_text() == text):
        shutil.rmtree(root)  # files of other names would be compiled, too
    root.mkdir(parents=True, exist_ok=True)
    for number, (line, _) in enumerate(jobs):
        print(f"Compiling {line}", flush=True)
        done = subprocess.run(
            commands[number], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.stdout.write(done.stdout)
            fail("the network was not compiled, see above")
    stamp.write_text(text)
    return [folder for _, folder in jobs]


networks = [line.strip() for line in env.GetProjectOption("custom_tinyengine_model", "").splitlines() if line.strip()]
if networks and "nobuild" not in COMMAND_LINE_TARGETS and not env.IsCleanTarget():
    env.AppendUnique(CPPPATH=[os.path.join(pio_lib_builder.path, "include")])  # noqa: F821
    for folder in compile_networks(networks):
        env.Append(CPPPATH=[str(folder)])  # the program's, too: PlatformIO copies what its libraries have
        env.BuildSources(os.path.join("$BUILD_DIR", "tinyengine_objects", folder.name), str(folder))
