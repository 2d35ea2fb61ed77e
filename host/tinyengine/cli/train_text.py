"""``tinyengine train`` on a text, for a board that runs a language model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from tinyengine.cli.progress import step_progress
from tinyengine.cli.training_options import Stopping, what_it_holds
from tinyengine.device.training import DeviceTrainer
from tinyengine.errors import DataError
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.session import Interrupted, TuneOptions
from tinyengine.finetune.text import TextResult, cut, split_segments, tune
from tinyengine.language.text import read_text
from tinyengine.report.text import text_report, text_table


@dataclass(frozen=True)
class TextTraining:
    """What was asked for. ``share``: of the text that is held out, unless ``validate`` is given."""

    data: Path
    validate: Path | None
    share: float
    options: TuneOptions
    save: bool
    simulated: bool
    as_json: bool


def require_text_only(unfit: dict[str, bool]) -> None:
    """DataError where an option was given that means nothing to a language model; ``unfit``: by option, whether."""
    given = [option for option, wanted in unfit.items() if wanted]
    if given:
        raise DataError(
            f"the board runs a language model, which learns from a text, and {given[0]} is for pictures and classes: "
            "leave it out"
        )


def train_on_text(trainer: DeviceTrainer, asked: TextTraining, stop: Stopping) -> int:
    """Train and print; the command's exit code. DataError for a text that cannot be used."""
    learner = DeviceLearner(trainer)
    result = TextResult()
    with step_progress() as progress:

        def segments(path: Path) -> list[bytes]:
            text = read_text(path).encode("utf-8", "surrogateescape")
            if not text.strip():
                raise DataError(f"{path.name} is empty: give a text of a few hundred words or more")
            return cut(learner, text, lambda n, total: progress(f"cutting {path.name}", n, total), stop)

        try:
            train = segments(asked.data)
            if asked.validate is None:
                train, held_out = split_segments(train, asked.share, asked.options.seed)
            else:
                held_out = segments(asked.validate)
            result = tune(learner, train, held_out, asked.options, progress, stop)
        except Interrupted:
            result.interrupted = True
    if asked.save and not result.interrupted and not result.diverged:
        trainer.save()
    info, identity = trainer.info(), trainer.device.identity
    if asked.as_json:
        click.echo(json.dumps(text_report(identity, info, asked.options, result), indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(text_table(result))
        if result.diverged:
            console.print(
                f"The training diverged after {result.steps} steps. The device has the weights from before back, "
                f"nothing was saved. Try --lr {asked.options.rate / 4:g}."
            )
        if result.interrupted:
            console.print(f"Interrupted after {result.steps} steps.")
        console.print(what_it_holds(info, asked.simulated))
    if result.interrupted:
        return stop.exit_code
    return int(result.diverged)
