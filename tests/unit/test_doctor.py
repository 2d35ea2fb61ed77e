"""``tinyengine doctor``: what is there, what is missing, and its mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tinyengine import doctor
from tinyengine.device.discovery import FoundPort
from tinyengine.doctor import Finding, examine
from tinyengine.project.toolchain import find_compiler

from tests.helpers.command_line import fails, tinyengine
from tests.helpers.native_device import native_device


@pytest.fixture(autouse=True)
def no_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is connected to this computer has no say here."""
    monkeypatch.setattr(doctor, "list_devices", lambda ask, say: [])
    monkeypatch.setattr(doctor, "USB_DEVICES", tmp_path / "usb")
    find_compiler.cache_clear()


def named(name: str) -> Finding:
    [finding] = [finding for finding in examine() if finding.name == name]
    return finding


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_where_all_is_well_nothing_essential_is_missing() -> None:
    findings = examine()
    assert {"Python", "arm-none-eabi-gcc", "PlatformIO", "QEMU"} == {f.name for f in findings if f.essential}
    assert all(finding.good for finding in findings if finding.essential)
    assert all(finding.found != "none" or finding.mend for finding in findings)


def test_a_missing_program_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYENGINE_QEMU", "/nowhere/qemu")
    monkeypatch.setenv("TINYENGINE_RENODE", "/nowhere/renode")
    monkeypatch.setenv("TINYENGINE_ARM_GCC", "/nowhere/gcc")
    for name in ("QEMU", "Renode", "arm-none-eabi-gcc"):
        finding = named(name)
        assert (finding.found, finding.good) == ("none", False)
        assert "set TINYENGINE" in finding.mend or "set it to" in finding.mend


@pytest.mark.parametrize(
    ("says", "good"),
    [("QEMU emulator version 7.2.0", True), ("QEMU emulator version 10.0.1", True),
     ("QEMU emulator version 6.2.0", False), ("something else", False)],
)  # fmt: skip
def test_an_old_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, good: bool) -> None:
    monkeypatch.setenv("TINYENGINE_QEMU", str(program(tmp_path / "qemu", f"echo {says}")))
    assert (named("QEMU").good, named("QEMU").found) == (good, says)
    monkeypatch.setenv("TINYENGINE_QEMU", str(program(tmp_path / "qemu", "exit 3")))
    assert "exit code 3" in named("QEMU").mend


def test_a_compiler_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcc = program(tmp_path / "arm-none-eabi-gcc", '[ "$1" = --version ] && echo gcc 12 || echo nano.specs')
    monkeypatch.setenv("TINYENGINE_ARM_GCC", str(gcc))
    finding = named("arm-none-eabi-gcc")
    assert "libnewlib" in finding.mend and "without newlib" in finding.found


def probe(folder: Path, **fields: str) -> None:
    folder.mkdir(parents=True)
    for name, text in fields.items():
        (folder / name).write_text(text + "\n")


def test_probes_on_the_bus(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    assert "connect" in named("debug probe or bootloader").mend
    probe(tmp_path / "usb" / "1-2", idVendor="1d6b", idProduct="0002", product="hub")
    assert "connect" in named("debug probe or bootloader").mend
    probe(tmp_path / "usb" / "1-1", idVendor="0483", idProduct="df11", product="STM32 BOOTLOADER")
    assert named("debug probe or bootloader").found == "bootloader STM32 BOOTLOADER (0483:df11)"
    probe(tmp_path / "usb" / "1-3", idVendor="0483", idProduct="374b", product="STM32 STLink", busnum="999", devnum="9")
    finding = named("debug probe or bootloader")
    assert finding.good and finding.found.endswith("), ST-LINK STM32 STLink (0483:374b)")


@pytest.mark.parametrize(
    ("port", "found", "mend"),
    [(FoundPort("/dev/ttyNONE", "cable", True, problem="nobody answers"), "cable", "nobody answers"),
     (FoundPort("/dev/ttyNONE", "modem", False), "none of USB", "sim:sim_stm32f405")],
)  # fmt: skip
def test_ports(monkeypatch: pytest.MonkeyPatch, port: FoundPort, found: str, mend: str) -> None:
    monkeypatch.setattr(doctor, "list_devices", lambda ask, say: [port])
    [finding] = [each for each in examine() if "infer" in each.serves]
    assert found in finding.found and mend in finding.mend


def test_a_port_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "ttyACM0"
    node.touch()
    monkeypatch.setattr(doctor, "list_devices", lambda ask, say: [FoundPort(str(node), "board", True)])
    access: Callable[..., bool] = doctor.os.access
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: str(path) != str(node) and access(path, mode))
    assert "dialout" in named(str(node)).mend


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = tinyengine(monkeypatch, capsys, "doctor", "--no-ask")
    assert code == 0 and "QEMU" in out
    with native_device() as native:
        arguments = ("doctor", "--json", "--report", tmp_path / "board.json", "--port", native.url)
        code, out, _ = tinyengine(monkeypatch, capsys, *arguments)
    report = json.loads(out)
    assert code == 0 and report == json.loads((tmp_path / "board.json").read_text())
    assert report["device"]["identity"]["board"] == "native" and report["device"]["profile"]
    assert {"tinyengine", "python", "system"} <= set(report["system"])
    monkeypatch.setenv("TINYENGINE_QEMU", "/nowhere/qemu")
    code, out, _ = tinyengine(monkeypatch, capsys, "doctor", "--json")
    assert code == 1 and [f["good"] for f in json.loads(out)["findings"] if f["name"] == "QEMU"] == [False]
    monkeypatch.delenv("TINYENGINE_QEMU")
    assert "cannot be written" in fails(monkeypatch, capsys, "doctor", "--report", tmp_path / "no" / "where.json")
