"""``tinyengine search``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyengine.cli.options import SIZE, FiniteRange, json_option, setting
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


@click.command("search")
@click.option("--board", "board_name", required=True, help="Board to find an architecture for (see boards/).")
@click.option("--sram", type=SIZE, help="Cap on the arena, e.g. 64K (default: what the board has).")
@click.option("--flash", type=SIZE, help="Cap on code and weights, e.g. 512K (default: what the board has).")
@click.option("--instructions", type=COUNT, help="Cap on the instructions of one inference, e.g. 10M.")
@click.option("--macs", type=COUNT, help="Cap on the multiply-accumulates of one inference, e.g. 7M.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Labelled pictures (folder with a subfolder per class, or .npz) that the score looks at.",
)
@click.option("--resolution", type=click.IntRange(32, 224), help="Take this side in pixels instead of surveying.")
@click.option("--width", type=FiniteRange(0.1, 2.0), help="Take this width multiplier instead of surveying.")
@setting("--samples", click.IntRange(1), 50, "Architectures per resolution and width.")
@setting("--population", click.IntRange(4), 16, "New candidates per generation.")
@setting("--generations", click.IntRange(0), 6, "Rounds of evolution.")
@setting("--seed", int, 0, "Decides every random choice.")
@click.option("--no-measure", is_flag=True, help="Do not count the front's instructions on a simulated core.")
@click.option(
    "--run",
    "run",
    type=click.Path(path_type=Path),
    default=Path("runs/search"),
    show_default=True,
    help="Folder for the checkpoint.",
)
@click.option("--resume", is_flag=True, help="Continue the search in --run where it stopped.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the front here (.png, .svg, .pdf).")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The architecture to write (.json).")
@json_option
def command(
    board_name: str,
    sram: int | None,
    flash: int | None,
    instructions: int | None,
    macs: int | None,
    data: Path,
    resolution: int | None,
    width: float | None,
    samples: int,
    population: int,
    generations: int,
    seed: int,
    no_measure: bool,
    run: Path,
    resume: bool,
    plot: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Find an architecture for a board's memory and an instruction budget, without training any.

    First the resolution and width whose fitting networks compute most, then an evolution of kernels, expansions and
    depths by a score that needs no training. The result is for `fit --arch FILE` and `zoo build --arch FILE`.

    Example: tinyengine search --board sim_stm32f405 --sram 64K --instructions 10M --data photos/ -o arch.json
    """
    from tinyengine.boards import load
    from tinyengine.report.search import plot_search, print_search
    from tinyengine.search.cost import Budget
    from tinyengine.search.evolve import Plan
    from tinyengine.search.run import SearchOptions, search

    board = load(board_name)
    budget = Budget(
        board.network_sram_bytes if sram is None else sram,
        board.network_flash_bytes if flash is None else flash,
        instructions,
        macs,
    )
    options = SearchOptions(
        board,
        budget,
        data,
        out,
        Plan(population, generations, seed),
        samples,
        resolution,
        width,
        run,
        resume,
        not no_measure,
    )
    with step_progress() as progress:
        result = search(options, progress)
    if plot is not None:
        plot_search(result, plot)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
    else:
        print_search(result)
