"""The command line as a user meets it."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner, Result
from tinyengine.cli.main import cli, main


def tinyengine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of the command line."""
    monkeypatch.setattr(sys, "argv", ["tinyengine", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def run(*arguments: object) -> Result:
    """Without the entry point: errors arrive as exceptions."""
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs the real entry point, which must end with code 2; the sentence it printed."""
    code, out, err = tinyengine(monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    [sentence] = [line for line in err.splitlines() if line.startswith("error: ")]
    return sentence
