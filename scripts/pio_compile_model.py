"""PlatformIO pre-build step: compiles the environment's network to C, in $BUILD_DIR/network.

The network is ``custom_model`` of platformio.ini, compiled with ``custom_compile_options``; nothing is done when
neither they nor the compiler have changed. ``tinyengine build`` has compiled already and passes the folder with its
sources in TINYENGINE_NETWORK_DIR.
"""

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS

Import("env")  # noqa: F821  SCons puts it, and env, into this file's namespace
env = env  # noqa: F821

PROJECT = Path(env.subst("$PROJECT_DIR"))


def fail(sentence):
    sys.stderr.write(f"error: {sentence}\n")
    env.Exit(1)


def python_with_tinyengine():
    """The interpreter PlatformIO runs in, if tinyengine is installed there, else that of the checkout's .venv."""
    if importlib.util.find_spec("tinyengine"):
        return env.subst("$PYTHONEXE")
    for path in (PROJECT / ".venv" / "bin" / "python", PROJECT / ".venv" / "Scripts" / "python.exe"):
        if path.is_file():
            return str(path)
    own = env.subst("$PYTHONEXE")
    fail(f"the compiler is not installed for {own}: run 'pip install -e .' with that Python, or in {PROJECT / '.venv'}")


def description():
    """The board's file: in boards/, or wherever boards_dir of the project's configuration is."""
    return PROJECT / env.GetProjectConfig().get("platformio", "boards_dir") / (env["BOARD"] + ".json")


def fingerprint(model, command):
    """Changes with the network, what lies beside it, the options, the board and the compiler itself."""
    digest = hashlib.sha256("\0".join(command).encode())
    files = [model, model.with_suffix(".json"), description()]
    files += sorted((PROJECT / "host" / "tinyengine").rglob("*.py"))
    files.append(PROJECT / "lib" / "tinyengine" / "include" / "tinyengine" / "te_depthwise_map_list.h")
    for path in files:
        digest.update(path.as_posix().encode() + b"\0" + (path.read_bytes() if path.is_file() else b"-") + b"\0")
    return digest.hexdigest()


def compile_network():
    """Returns the folder with the network's sources, up to date."""
    ready = os.environ.get("TINYENGINE_NETWORK_DIR")
    if ready:
        return Path(ready)
    model = PROJECT / env.GetProjectOption("custom_model")
    if not model.is_file():
        fail(f"the network {model} does not exist: set custom_model in platformio.ini to a .tflite file")
    network = Path(env.subst("$BUILD_DIR")) / "network"
    stamp = Path(env.subst("$BUILD_DIR")) / "network.stamp"
    command = [python_with_tinyengine(), "-m", "tinyengine", "compile", str(model)]
    board = env["BOARD"] if description().parent == PROJECT / "boards" else str(description())
    command += ["--board", board, "--out", str(network)]
    command += shlex.split(env.GetProjectOption("custom_compile_options", ""))
    current = fingerprint(model, command)
    if network.is_dir() and stamp.is_file() and stamp.read_text() == current:
        return network
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    print(f"Compiling {os.path.relpath(model, PROJECT)} for {env['BOARD']}", flush=True)
    # PlatformIO's own compiler, where it fetched one, is on this PATH only.
    environment = {**os.environ, "PATH": env["ENV"]["PATH"]}
    if subprocess.run(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL).returncode:
        fail("the network was not compiled, see above")
    stamp.write_text(current)
    return network


if "nobuild" not in COMMAND_LINE_TARGETS and not env.IsCleanTarget():
    env.Replace(TINYENGINE_NETWORK_DIR=str(compile_network()))
