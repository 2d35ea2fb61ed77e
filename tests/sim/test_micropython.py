"""The user module and native modules in a MicroPython on simulated cores, over its REPL, against the oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.cores import core
from tinyengine.export.mpy import ARCHS, link_module, module_options
from tinyengine.paths import project_root
from tinyengine.project.toolchain import disassemble

from tests.helpers.micropython import Repl, build_port, port_repl
from tests.helpers.micropython_cases import CASES, Session, numbers, pictures
from tests.helpers.needs import thorough_cores

HEAP_LIMITS = {"armv7emsp": 75 << 10, "armv7emdp": 75 << 10, "armv6m": 101 << 10}
"""Bytes of heap for person_tiny with --optimize sram as a native module with its weights in a file, arena included.
Without the DSP extension no kernel runs row by row, so there the arena is that of whole layers."""
NATIVE = {"cortex-m4": ("armv7emsp", "armv6m"), "cortex-m7": ("armv7emdp",)}
"""What the port on each core loads."""


def person(arch: str) -> CompiledModel:
    options = module_options(CompileOptions(prefix="person_tiny", bound=True), arch)
    options = replace(options, requant=core(options.cpu).requant, optimize="sram")
    return compile_model(project_root() / "models" / "person_tiny.tflite", options)


def run_session(repl: Repl, session: Session, number: int, network: str) -> None:
    prelude = f'def blob(name): return port.memory(*places["{number}_" + name])\ndef network(): return {network}\n'
    assert repl.run(prelude + session.code) == session.expected, network


@pytest.mark.slow(but=1)
@thorough_cores
def test_networks_of_the_firmware_and_loaded_ones(cpu: str, tmp_path: Path) -> None:
    models = [case.compiled(cpu) for case in CASES]
    pairs = zip(CASES, models, strict=True)
    sessions = [(f'tinyengine.Network("{case.name}")', one) for case, model in pairs for one in case.sessions(model)]
    sessions.append(('tinyengine.Network("person_tiny")', pictures(models[0])))
    files = {}
    for arch in NATIVE[cpu]:
        model = person(arch)
        assert model.options.cpu == ARCHS[arch].cpu
        module = link_module(model, arch)
        assert module.weights is not None
        files |= {f"{arch}_mpy": module.mpy, f"{arch}_weights": module.weights}
        session = numbers(model) if arch == "armv6m" else CASES[0].sessions(model)[0]
        sessions.append((f"{arch}.Network({arch}_weights)", session))
    for number, (_, session) in enumerate(sessions):
        files |= {f"{number}_{name}": data for name, data in session.files.items()}
    elf = build_port(models, cpu, tmp_path)
    assert "smlad" in disassemble(elf)

    with port_repl(elf, cpu, files, tmp_path) as repl:
        assert repl.run("import tinyengine\nprint(tinyengine.names())") == [str(tuple(case.name for case in CASES))]
        refused = "def refused(*name):\n try: tinyengine.Network(*name)\n except Exception as e: print(e)\n"
        assert repl.run(refused + "refused('nobody'); refused()") == [
            "there is no network of this name: see tinyengine.names()",
            "there are several networks: name one of tinyengine.names()",
        ]
        for number, (network, session) in enumerate(sessions):
            if network.startswith("tinyengine."):
                run_session(repl, session, number, network)
        for arch in NATIVE[cpu]:
            load = f"""
def place(name): return port.memory(*places["{arch}_" + name])
{arch}_weights, module, before = place("weights"), place("mpy"), 0
gc.collect()
before = gc.mem_alloc()
{arch} = port.load(module)
net = {arch}.Network({arch}_weights)
gc.collect()
print(gc.mem_alloc() - before)
"""
            [used] = repl.run(load)
            assert int(used) <= HEAP_LIMITS[arch], used
            repl.run("del net")
            (number,) = (i for i, (network, _) in enumerate(sessions) if network.startswith(f"{arch}."))
            run_session(repl, sessions[number][1], number, sessions[number][0])
            repl.run(f"del {arch}, net\ngc.collect()")
