"""Numbers on the command line are finite, and what a writer is told fits its C."""

from __future__ import annotations

import math
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from tinyengine.cli.main import cli
from tinyengine.cli.options import FiniteRange
from tinyengine.errors import DataError
from tinyengine.writing import Settings, prompt_bytes


def options(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """All options of a command and of those below it."""
    if isinstance(command, click.Group):
        for each in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), each)
            assert below is not None
            yield from options(below, f"{name} {each}")
    for parameter in command.params:
        yield f"{name} {parameter.name}", parameter


def test_every_number_is_finite() -> None:
    found = {name: each.type for name, each in options(cli) if isinstance(each.type, click.types.FloatParamType)}
    assert {" generate temperature", " mlperf seconds", " live rate"} <= set(found)
    assert [name for name, kind in found.items() if not isinstance(kind, FiniteRange)] == []


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "x.lm", "--temperature"],
        ["generate", "x.lm", "--top-p"],
        ["mlperf", "kws", "--seconds"],
        ["live", "--rate"],
        ["train", "--data", "x", "--port", "x", "--momentum"],
    ],
    ids=lambda arguments: arguments[0] + arguments[-1],
)
def test_no_other_number_is_taken(arguments: list[str], number: str) -> None:
    result = CliRunner().invoke(cli, [*arguments, number])
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments[-1]}'" in result.stderr


@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-9, 1e-6, 0.8, 1.0, 1e300])
def test_every_temperature_fits(temperature: float) -> None:
    sharpness = Settings(temperature).sharpness
    assert 1 <= sharpness < 1 << 32
    exact = 4096 * math.log2(math.e) / temperature
    if 1 <= exact < 1 << 32:
        assert sharpness == round(exact)


def test_a_prompt_of_no_text_is_refused() -> None:
    assert prompt_bytes("Grüße") == "Grüße".encode()
    with pytest.raises(DataError, match="character 4 of the prompt is no text: write the prompt in UTF-8"):
        prompt_bytes(b"Gr\xfc\xdfe".decode("utf-8", "surrogateescape").replace("\udcfc", "u"))
