"""``tinyengine train``: fine-tune the network on a device."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from tinyengine.cli.device_options import device_options, window_options, windows_of
from tinyengine.cli.options import FiniteRange, json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.cli.train_text import TextTraining, require_text_only, train_on_text
from tinyengine.cli.training_options import (
    input_meaning,
    is_simulated,
    picture_options,
    read_inputs,
    trainer,
    until_stopped,
    what_it_holds,
)
from tinyengine.data.number_sets import holds_numbers
from tinyengine.data.samples import split
from tinyengine.errors import DataError
from tinyengine.finetune.classes import Outputs, parse_wish
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.rates import find_rate
from tinyengine.finetune.replay import Reservoir, mixed, read_reservoir, without, write_reservoir
from tinyengine.finetune.session import SCHEDULES, Interrupted, TuneOptions, fine_tune
from tinyengine.finetune.text import RATE as TEXT_RATE
from tinyengine.optional import pyplot
from tinyengine.report.training import (
    diverged,
    draw_curves,
    evaluation_table,
    rates_table,
    train_report,
    train_table,
    worst_table,
)

_DEFAULT = TuneOptions(classes=2)
AUTO = "auto"


class _Rate(click.ParamType):  # type: ignore[type-arg]
    """A learning rate, or ``auto`` (None)."""

    name = "RATE|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        return None if value in (AUTO, None) else float(FiniteRange(0, 1000).convert(value, param, ctx))


@click.command("train")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with one subfolder per class, of pictures or of files of numbers, or an .npz with labels; of a "
    "language model, a text.",
)
@click.option("--validate", type=click.Path(path_type=Path), help="Held-out pictures of the same classes.")
@setting(
    "--validate-split",
    FiniteRange(0, 1, min_open=True, max_open=True),
    0.2,
    "Share of the data that is held out, unless --validate is given.",
)
@setting("--epochs", FiniteRange(0, min_open=True), _DEFAULT.epochs, "Passes over the training pictures.")
@click.option(
    "--lr",
    "rate",
    type=_Rate(),
    default=str(_DEFAULT.rate),
    show_default=f"{_DEFAULT.rate:g}, of language models {TEXT_RATE:g}",
    help="Peak learning rate; auto finds one by short trials.",
)
@setting("--schedule", click.Choice(SCHEDULES), _DEFAULT.schedule, "Course of the learning rate after the first 5 %.")
@click.option(
    "--early-stop",
    type=click.IntRange(min=1),
    metavar="EPOCHS",
    help="Evaluate after each epoch, stop after so many without improvement, keep the best weights.",
)
@setting(
    "--batch",
    click.IntRange(1, 0xFFFF),
    _DEFAULT.batch,
    "Pictures per update, by the mean of their gradients; more than 1 needs firmware built with --velocity.",
)
@setting(
    "--momentum",
    FiniteRange(0, 1, max_open=True),
    _DEFAULT.momentum,
    "What an update keeps of the one before; needs firmware built with --velocity.",
)
@click.option(
    "--replay",
    type=click.IntRange(min=1),
    metavar="N",
    help="Against forgetting: as many steps show samples of former trainings again; N of all that were shown are kept "
    "for the next one.",
)
@setting(
    "--reservoir",
    click.Path(path_type=Path, dir_okay=False),
    Path("runs/replay.npz"),
    "With --replay: what keeps them.",
)
@click.option("--flip", is_flag=True, help="Show half of the pictures mirrored.")
@setting("--seed", click.IntRange(0, 0xFFFFFFFF), 0, "Decides every choice.")
@click.option("--save", is_flag=True, help="Save the weights in the board's flash at the end.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curves into this PNG file.")
@picture_options
@window_options
@device_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    data: Path,
    validate: Path | None,
    validate_split: float,
    epochs: float,
    rate: float | None,
    schedule: str,
    early_stop: int | None,
    batch: int,
    momentum: float,
    replay: int | None,
    reservoir: Path,
    flip: bool,
    seed: int,
    save: bool,
    plot: Path | None,
    classes: str | None,
    renamed: tuple[str, ...],
    mapping: str | None,
    color: str | None,
    by_rows: bool | None,
    hop: int | None,
    window: int | None,
    as_json: bool,
    port: str,
    **connection: Any,
) -> None:
    """Fine-tune the network on a device with labelled pictures, or with numbers (see 'tinyengine infer --help'); a
    language model with a text, of which a part is held out and judged before and after.

    The device must run a network that was built with --train. Each picture is sent and trained on by itself; held-out
    pictures are judged before and after. Training goes on from what the device holds. Ctrl-C, SIGTERM and SIGHUP end
    after the present step or batch; the command says what the device holds then, and saves nothing. Where the loss
    grows instead of falling, the device gets its best weights back and the command ends with 1.

    The names of the classes stay on the device, with the weights. The next folder is matched to them by name; --classes
    with all of them and a new one teaches that on a free output; with --replay the old ones are not forgotten.

    \b
    Example:
      tinyengine build models/person_tiny.tflite --board nucleo_h743zi --train last-8 --classes 3
      tinyengine train --port /dev/ttyACM0 --data photos/ --epochs 20 --save
    """
    if flip and holds_numbers(data):
        raise DataError("--flip mirrors pictures, and numbers are none: leave it out")
    if plot is not None:
        pyplot("draw curves")  # before the work, not after it
    console = Console(highlight=False, soft_wrap=True)
    with (
        trainer(by_rows, port=port, **connection) as device_trainer,
        until_stopped() as stop,
    ):
        device = device_trainer.device
        if device.identity.can_write:
            given: dict[str, object] = {"--early-stop": early_stop, "--replay": replay, "--plot": plot}
            given |= {
                "--classes": classes,
                "--map": renamed,
                "--mapping": mapping,
                "--color": color,
                "--lr auto": rate is None,
            }
            require_text_only({option: bool(value) for option, value in given.items()} | {"--flip": flip})
            if momentum or batch > 1:
                device_trainer.require_velocity()
            usual = context.get_parameter_source("rate") is click.core.ParameterSource.DEFAULT
            chosen = TuneOptions(
                classes=0,
                epochs=epochs,
                rate=TEXT_RATE if usual or rate is None else rate,
                schedule=schedule,
                seed=seed,
                first_step=device_trainer.info().steps,
                momentum=momentum,
                batch=batch,
            )
            asked = TextTraining(data, validate, validate_split, chosen, save, is_simulated(port), as_json)
            sys.exit(train_on_text(device_trainer, asked, stop))
        learner = DeviceLearner(device_trainer)
        if momentum or batch > 1:
            device_trainer.require_velocity()
        metadata = device.identity.metadata.override(mapping=mapping, color=color)
        windows = windows_of(metadata, hop, window)
        wish = parse_wish(classes, renamed)
        with step_progress() as progress:
            train = read_inputs(data, device, metadata, windows, progress)
            outputs = Outputs.of(device.identity, learner.info).wished(wish, train, data, learn=True)
            form = input_meaning(device, metadata, train)
            kept = read_reservoir(reservoir, form, outputs.names) if replay else None
            train = outputs.matched(train, wish, data, learn=True, beside=kept is not None)
            if validate is None:
                train, held_out = split(train, validate_split, seed)
            else:
                held_out = outputs.matched(read_inputs(validate, device, metadata, windows, progress), wish, validate)
            options = TuneOptions(
                classes=outputs.taking_part(wish),
                epochs=epochs,
                rate=_DEFAULT.rate if rate is None else rate,
                schedule=schedule,
                seed=seed,
                mirror=flip,
                early_stop=early_stop,
                first_step=learner.info.steps,
                momentum=momentum,
                batch=batch,
            )
            fresh, replayed = train, 0
            if kept is not None:
                train = mixed(fresh, without(kept.known_as(outputs.names), held_out), seed)
                replayed = len(train) - len(fresh)
            if outputs.names != learner.info.class_names:
                device_trainer.name_classes(outputs.names)
            found = None
            if rate is None:
                try:
                    found = find_rate(learner, train, held_out, options, progress, stop)
                except Interrupted:
                    click.echo("interrupted; the device holds the weights that it held before", err=True)
                    sys.exit(stop.exit_code)
                options = replace(options, rate=found.rate)
            result = fine_tune(learner, train, held_out, options, progress, stop)
        if replay and result.diverged_at is None:
            known = kept or Reservoir(fresh.take(np.empty(0, np.int64)), (0,) * len(fresh.classes))
            write_reservoir(known.taking(fresh, replay, seed), reservoir, form)
        if save and not result.interrupted and result.diverged_at is None:
            device_trainer.save()
        info = device_trainer.info()
        identity = device.identity
    if as_json:
        click.echo(json.dumps(train_report(identity, info, options, held_out, result, found, replayed), indent=2))
    else:
        if found is not None:
            console.print(rates_table(found))
        if replayed:
            console.print(f"Each epoch showed {replayed} samples of former trainings beside {len(fresh)} new ones.")
        if result.evaluations:
            console.print(train_table(result))
        if len(result.evaluations) > 1:
            console.print(evaluation_table("held-out pictures after training", result.evaluations[-1], train.classes))
            if worst := worst_table(result.evaluations[-1], held_out):
                console.print(worst)
        if result.diverged_at is not None:
            console.print(diverged(result, options))
        elif result.stopped_early or result.kept_step is not None:
            console.print(f"Kept the weights of step {result.kept_step}, the best on the held-out pictures.")
        if result.interrupted:
            console.print(f"Interrupted after {result.steps} steps.")
        console.print(what_it_holds(info, is_simulated(port)))
    if plot is not None:
        draw_curves(result, plot, f"{identity.model} on {identity.board}, {info.scheme}")
    if result.interrupted:
        sys.exit(stop.exit_code)
    if result.diverged_at is not None:
        sys.exit(1)
