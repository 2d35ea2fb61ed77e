"""``tinyengine search``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyengine.cli.options import SIZE, json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.sizes import parse_count


class CountType(click.ParamType):
    """A number of things: ``7000000``, ``7M``, ``7.5M`` (millions, not binary)."""

    name = "count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_count(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


COUNT = CountType()
_PATH = click.Path(path_type=Path)


@click.command("search")
@click.option("--board", "board_name", required=True, help="Board to find a network for (see boards/).")
@click.option("--sram", type=SIZE, help="Cap on the arena, e.g. 64K (default: what the board has).")
@click.option("--flash", type=SIZE, help="Cap on code and weights, e.g. 512K (default: what the board has).")
@click.option(
    "--cycles",
    type=COUNT,
    help="Cap on the cycles of one inference, e.g. 10M; on a core without a model of its cycles, on the instructions.",
)
@click.option("--macs", type=COUNT, help="Cap on the multiply-accumulates of one inference, e.g. 7M.")
@click.option(
    "--supernet",
    type=_PATH,
    metavar="FILE",
    help="The super-network (.npz) whose parts are searched; default: ours, which finds persons.",
)
@click.option(
    "--data",
    type=_PATH,
    multiple=True,
    help="Pictures (folder or .npz), labelled or not, to measure normalizations on: what an int8 network needs.",
)
@click.option(
    "--validate",
    type=_PATH,
    help="Labelled pictures, never trained on, that judge the front instead of a prediction; needs --data.",
)
@setting("--population", click.IntRange(4), 64, "New candidates per generation.")
@setting("--generations", click.IntRange(0), 20, "Rounds of evolution.")
@setting("--seed", int, 0, "Decides every random choice; the same seed finds the same network on every machine.")
@click.option("--no-measure", is_flag=True, help="Do not count the best ones' cycles on a simulated core.")
@click.option("--plot", type=_PATH, help="Draw the front here (.png, .svg, .pdf).")
@click.option(
    "-o",
    "--out",
    type=_PATH,
    help="The network to write: .tflite (needs --data), or .json, the architecture alone. Default: BOARD.tflite with "
    "--data, else BOARD.json.",
)
@json_option
def command(
    board_name: str,
    sram: int | None,
    flash: int | None,
    cycles: int | None,
    macs: int | None,
    supernet: Path | None,
    data: tuple[Path, ...],
    validate: Path | None,
    population: int,
    generations: int,
    seed: int,
    no_measure: bool,
    plot: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find the best network for a board: the part of a super-network that keeps its limits and is right most often.

    Nothing is trained: parts inherit their weights, and how well they do is predicted from parts that were judged. The
    network is ready to be used, or to be trained further: fit --arch FILE --start SUPERNET.

    \b
    Example:
      tinyengine search --board nucleo_f446re --data photos/
      tinyengine search --board sim_stm32f405 --sram 64K --cycles 8M -o arch.json
    """
    from tinyengine.boards import load
    from tinyengine.report.search import check_plot, plot_search, print_search
    from tinyengine.search.cost import Budget
    from tinyengine.search.evolve import Plan
    from tinyengine.search.run import SearchOptions, search

    if plot is not None:
        check_plot(plot)
    board = load(board_name)
    budget = Budget(
        board.network_sram_bytes if sram is None else sram,
        board.network_flash_bytes if flash is None else flash,
        cycles,
        macs,
    )
    plan = Plan(population, generations, seed)
    options = SearchOptions(board, budget, plan, supernet, out, data, validate, not no_measure)
    with step_progress() as progress:
        result = search(options, progress)
    if plot is not None:
        plot_search(result, plot)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
    else:
        print_search(result)
