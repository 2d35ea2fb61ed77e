"""``tinyengine train``: fine-tune the network on a device."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import device_options
from tinyengine.cli.options import json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.cli.training_options import (
    is_simulated,
    outputs_of,
    picture_options,
    read_inputs,
    trainer,
    until_ctrl_c,
    what_it_holds,
)
from tinyengine.data.samples import split
from tinyengine.device.recognition import input_form
from tinyengine.finetune.classes import parse_wish
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.session import SCHEDULES, TuneOptions, fine_tune
from tinyengine.optional import pyplot
from tinyengine.report.training import draw_curves, train_report, train_table

_DEFAULT = TuneOptions(classes=2)


@click.command("train")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with one subfolder of pictures per class, or an .npz with labels.",
)
@click.option("--validate", type=click.Path(path_type=Path), help="Held-out pictures of the same classes.")
@setting(
    "--validate-split",
    click.FloatRange(0, 1, min_open=True, max_open=True),
    0.2,
    "Share of the data that is held out, unless --validate is given.",
)
@setting("--epochs", click.FloatRange(0, min_open=True), _DEFAULT.epochs, "Passes over the training pictures.")
@click.option(
    "--lr",
    "rate",
    type=click.FloatRange(0, 1000),
    default=_DEFAULT.rate,
    show_default=True,
    help="Peak learning rate.",
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
    click.FloatRange(0, 1, max_open=True),
    _DEFAULT.momentum,
    "What an update keeps of the one before; needs firmware built with --velocity.",
)
@click.option("--flip", is_flag=True, help="Show half of the pictures mirrored.")
@setting("--seed", click.IntRange(0, 0xFFFFFFFF), 0, "Decides every choice.")
@click.option("--save", is_flag=True, help="Save the weights in the board's flash at the end.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curves into this PNG file.")
@picture_options
@device_options
@json_option
def command(
    data: Path,
    validate: Path | None,
    validate_split: float,
    epochs: float,
    rate: float,
    schedule: str,
    early_stop: int | None,
    batch: int,
    momentum: float,
    flip: bool,
    seed: int,
    save: bool,
    plot: Path | None,
    classes: str | None,
    renamed: tuple[str, ...],
    mapping: str | None,
    color: str | None,
    by_rows: bool | None,
    as_json: bool,
    port: str,
    **connection: Any,
) -> None:
    """Fine-tune the network on a device with labelled pictures.

    The device must run a network that was built with --train. Each picture is sent and trained on by itself; held-out
    pictures are judged before and after. Training goes on from what the device holds. Ctrl-C ends after the present
    step (or batch), and says what the device holds then.

    The names of the classes stay on the device, with the weights. The next folder is matched to them by name; --classes
    with all of them and a new one teaches that on a free output.

    \b
    Example:
      tinyengine build models/person_tiny.tflite --board nucleo_h743zi --train last-8 --classes 3
      tinyengine train --port /dev/ttyACM0 --data photos/ --epochs 20 --save
    """
    if plot is not None:
        pyplot("draw curves")  # before the work, not after it
    console = Console(highlight=False, soft_wrap=True)
    with (
        trainer(by_rows, port=port, **connection) as device_trainer,
        until_ctrl_c() as stop,
    ):
        device = device_trainer.device
        learner = DeviceLearner(device_trainer)
        if momentum or batch > 1:
            device_trainer.require_velocity()
        form = input_form(device, device.identity.metadata.override(mapping=mapping, color=color))
        wish = parse_wish(classes, renamed)
        with step_progress() as progress:
            train = read_inputs(data, form, progress)
            outputs = outputs_of(device, learner.info).wished(wish, train, data, learn=True)
            train = outputs.matched(train, wish, data, learn=True)
            if validate is None:
                train, held_out = split(train, validate_split, seed)
            else:
                held_out = outputs.matched(read_inputs(validate, form, progress), wish, validate)
            options = TuneOptions(
                classes=outputs.taking_part(wish),
                epochs=epochs,
                rate=rate,
                schedule=schedule,
                seed=seed,
                mirror=flip,
                early_stop=early_stop,
                first_step=learner.info.steps,
                momentum=momentum,
                batch=batch,
            )
            if outputs.names != learner.info.class_names:
                device_trainer.name_classes(outputs.names)
            result = fine_tune(learner, train, held_out, options, progress, stop)
        if save and not result.interrupted:
            device_trainer.save()
        info = device_trainer.info()
        identity = device.identity
    if as_json:
        click.echo(json.dumps(train_report(identity, info, options, train.classes, result), indent=2))
    else:
        if result.evaluations:
            console.print(train_table(result))
        if result.stopped_early or result.kept_step is not None:
            console.print(f"Kept the weights of step {result.kept_step}, the best on the held-out pictures.")
        if result.interrupted:
            console.print(f"Interrupted after {result.steps} steps.")
        console.print(what_it_holds(info, is_simulated(port)))
    if plot is not None:
        draw_curves(result, plot, f"{identity.model} on {identity.board}, {info.scheme}")
    if result.interrupted:
        sys.exit(130)
