"""``tinyengine eval``: judge the network on a device with labelled pictures or numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import connected, device_options, window_options, windows_of
from tinyengine.cli.options import json_option
from tinyengine.cli.progress import step_progress
from tinyengine.cli.training_options import (
    is_simulated,
    picture_options,
    read_truth,
    until_stopped,
    what_it_holds,
)
from tinyengine.data.number_sets import NumberSet
from tinyengine.data.samples import Arrays
from tinyengine.device import Identity
from tinyengine.device.recognition import Recognizer
from tinyengine.device.training import DeviceTrainer, TrainingInfo
from tinyengine.finetune.classes import Outputs, Wish, parse_wish
from tinyengine.finetune.judging import Deviations, NetworkJudge, judge_numbers
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.session import Evaluation, Interrupted, Judge, evaluate
from tinyengine.progress import part
from tinyengine.report.training import (
    deviations_report,
    deviations_table,
    evaluation_report,
    evaluation_table,
    info_report,
    worst_table,
)


@click.command("eval")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with one subfolder per class, of pictures or of files of numbers, or an .npz with labels.",
)
@picture_options
@window_options
@device_options
@json_option
def command(
    data: Path,
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
    """Judge the network on a device with labelled pictures or numbers; changes nothing.

    Folders are matched by name to the classes that the device has learned, or that its network was built with; a part
    of them is enough. An .npz of numbers has x (or an array for each input by its name) and y: the samples' classes, or
    the numbers, or maps of classes, that the network should answer.

    \b
    Example:
      tinyengine eval --port /dev/ttyACM0 --data test-photos/
      tinyengine eval --port /dev/ttyACM0 --data gestures.npz --classes rest,wave
    """
    wish = parse_wish(classes, renamed)
    with (
        connected(port=port, **connection) as device,
        until_stopped() as stop,
        step_progress() as progress,
    ):
        metadata = device.identity.metadata.override(mapping=mapping, color=color, classes=wish.names or None)
        board = Recognizer(device, metadata, by_rows)
        truth = read_truth(data, device, metadata, windows_of(metadata, hop, window), progress)
        samples, info = None, None
        try:
            if isinstance(truth, NumberSet):
                found: Evaluation | Deviations = judge_numbers(board, truth, part(progress, "evaluating"), stop)
            else:
                judge, outputs, info = _judge(board, by_rows, wish, truth, data)
                samples = outputs.matched(truth, wish, data)
                count, steps = outputs.taking_part(wish), info.steps if info else 0
                found = evaluate(judge, samples, count, part(progress, "evaluating"), stop, steps)
        except Interrupted:
            click.echo("interrupted; the device holds what it held before", err=True)
            sys.exit(stop.exit_code)
        identity = device.identity
    if as_json:
        click.echo(json.dumps(_report(identity, found, samples, info), indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    title = f"{identity.model} on {identity.board}"
    if isinstance(found, Deviations):
        console.print(deviations_table(title, found))
    else:
        names = samples.classes if samples else metadata.classes or tuple(map(str, range(found.classes)))
        console.print(evaluation_table(title, found, names))
        if samples and (worst := worst_table(found, samples)):
            console.print(worst)
    if info is not None:
        console.print(what_it_holds(info, is_simulated(port)))


def _judge(
    board: Recognizer, by_rows: bool | None, wish: Wish, samples: Arrays, data: Path
) -> tuple[Judge, Outputs, TrainingInfo | None]:
    """Whoever judges, what the outputs stand for, and, where the device can be trained, what it holds."""
    identity = board.device.identity
    if not identity.can_train:
        return NetworkJudge(board), Outputs.of_network(identity, wish).wished(wish, samples, data, learn=False), None
    learner = DeviceLearner(DeviceTrainer(board.device, by_rows))
    return learner, Outputs.of(identity, learner.info).wished(wish, samples, data, learn=False), learner.info


def _report(
    identity: Identity, found: Evaluation | Deviations, samples: Arrays | None, info: TrainingInfo | None
) -> dict[str, Any]:
    names = samples.classes if samples else identity.metadata.classes
    head = {"board": identity.board, "model": identity.model, "classes": list(names)}
    figures = deviations_report(found) if isinstance(found, Deviations) else evaluation_report(found, samples)
    return head | figures | {"device": info_report(info) if info else None}
