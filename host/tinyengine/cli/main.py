"""``tinyengine``: the group of all commands."""

from __future__ import annotations

import importlib
import os
import sys

import click
from rich.console import Console

from tinyengine.errors import TinyEngineError
from tinyengine.version import describe

COMMANDS: dict[str, str] = {
    "check": "Say what of a network is supported, and what it takes.",
    "compile": "Compile a network to C for a board or a core.",
    "export": "Write networks as a library for firmware of your own.",
    "plan": "Show how a network would use the SRAM of a board.",
    "build": "Compile a network and build the firmware around it.",
    "boards": "List the boards, and what a network takes on each.",
    "flash": "Write a built firmware to a board.",
    "sim": "Run a simulated board and print its port.",
    "bench": "Count instructions, SRAM and flash on a simulated core.",
    "mlperf": "Perform a benchmark of MLPerf Tiny on a device.",
    "compare": "Find the first layer on a device that differs from the reference.",
    "devices": "List serial ports and the boards behind them.",
    "doctor": "Look at what this computer has for boards, and say how to mend it.",
    "info": "Ask a device who it is and what it runs.",
    "infer": "Run the network on a device: classify pictures, compute with numbers.",
    "stream": "Run the network on a stream of pictures, numbers or sound.",
    "live": "Serve a page: see what a device sees, collect, teach it.",
    "train": "Fine-tune the network on a device.",
    "eval": "Judge the network on a device with labelled pictures or numbers.",
    "save": "Write a device's trained weights to its flash.",
    "restore": "Go back to the weights that a device has saved.",
    "reset": "Give a device the factory's weights back.",
    "pull": "Download the trained network of a device.",
    "push": "Give a device trained weights.",
    "zoo": "List, show and build the networks of the zoo.",
    "convert": "Convert a Keras or PyTorch network to int8 TFLite.",
    "lm": "Convert language models.",
    "generate": "Let a language model write.",
    "perplexity": "Judge how well a language model foretells a text.",
    "search-scheme": "Find what to train on the device within its SRAM.",
    "search": "Find an architecture for a board and an instruction budget.",
    "teach": "Let a large network look at pictures, for a small one to learn from.",
    "fit": "Train a network of the zoo on labelled images.",
    "supernet": "Train one network whose parts are networks of many sizes.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when it runs, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"tinyengine.cli.{name.replace('-', '_')}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", message=describe())
def cli() -> None:
    """Deep learning on microcontrollers: compile int8 networks to C, run, stream and train them on a board.

    \b
    Example:
      tinyengine build models/person_tiny.tflite --board sim_stm32f405
      tinyengine infer photo.jpg --port sim:sim_stm32f405
    """


def main() -> None:
    """Entry point: user errors end in one sentence and exit code 2."""
    try:
        cli(standalone_mode=False)
    except TinyEngineError as error:
        _fail(str(error))
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a full disk, a file taken away meanwhile
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)


def _fail(sentence: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {sentence}", style="red", markup=False)
    sys.exit(2)


if __name__ == "__main__":
    main()
