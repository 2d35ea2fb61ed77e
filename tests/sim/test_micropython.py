"""The user module in a MicroPython on simulated cores, over its REPL, against the oracle."""

from __future__ import annotations

from pathlib import Path

from tinyengine.project.toolchain import disassemble

from tests.helpers.micropython import build_port, port_repl
from tests.helpers.micropython_cases import CASES
from tests.helpers.needs import thorough_cores


@thorough_cores
def test_every_network_in_one_firmware(cpu: str, tmp_path: Path) -> None:
    models = [case.compiled(cpu) for case in CASES]
    sessions = [(case, session) for case, model in zip(CASES, models, strict=True) for session in case.sessions(model)]
    files = {f"{i}_{name}": data for i, (_, session) in enumerate(sessions) for name, data in session.files.items()}
    elf = build_port(models, cpu, tmp_path)
    assert "smlad" in disassemble(elf)
    with port_repl(elf, cpu, files, tmp_path) as repl:
        assert repl.run("import tinyengine\nprint(tinyengine.names())") == [str(tuple(case.name for case in CASES))]
        for index, (case, session) in enumerate(sessions):
            prelude = f'def blob(name): return port.memory(*places["{index}_" + name])\n'
            prelude += f'def network(): return tinyengine.Network("{case.name}")\n'
            assert repl.run(prelude + session.code) == session.expected, case.name
        refused = "def refused(*name):\n try: tinyengine.Network(*name)\n except Exception as e: print(e)\n"
        assert repl.run(refused + "refused('nobody'); refused()") == [
            "there is no network of this name: see tinyengine.names()",
            "there are several networks: name one of tinyengine.names()",
        ]
