"""From boxed pictures to an int8 detector beside its MODEL.json: what ``tinyengine fit --task detection`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyengine.data.box_pictures import join_boxes, read_boxes
from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import DataError
from tinyengine.progress import Activity, Say, part, silent
from tinyengine.recipes.box_training import BoxArrays, BoxTraining, precision
from tinyengine.recipes.evaluate import keras_outputs, tflite_outputs
from tinyengine.recipes.fit import FitOptions, chosen_network, keep_result, write_int8
from tinyengine.zoo.detector import Detector, detector_macs


@dataclass(slots=True)
class BoxFitOptions(FitOptions):
    """``classes``: those to find, all of the data's where there are none (``BoxPictures.of_classes``);
    ``background``: sets whose pictures without boxes show none of them; ``leave_out``: blocks of the architecture;
    ``narrow``: blocks and their expansions."""

    classes: tuple[str, ...] = ()
    background: tuple[Path, ...] = ()
    leave_out: tuple[int, ...] = ()
    narrow: tuple[tuple[int, int], ...] = ()
    mosaic: float = 0.0


@dataclass(slots=True)
class BoxFitResult:
    """What ``--json`` prints. Precisions (``average_precision.Precision``) are None without validation pictures."""

    out: Path
    arch: str
    macs: int
    parameters: int
    pictures: int
    boxes: int
    steps: int
    float_precision: dict[str, Any] | None
    int8_precision: dict[str, Any] | None


def fit_boxes(options: BoxFitOptions, activity: Activity = silent, say: Say = silent) -> BoxFitResult:
    """Train, convert, measure. Raises DataError or ToolError; the output appears only when everything succeeded."""
    network = chosen_network(options)
    data = _load(activity, options, options.data, network.resolution * 3 // 2, options.limit)
    names = data.pictures.classes
    validation = None
    if options.validate:
        validation = _load(activity, options, [options.validate], network.resolution, held_out=True)
        if validation.pictures.classes != names:
            raise DataError(
                f"{options.validate} boxes the classes {[*validation.pictures.classes]} and the training data "
                f"{[*names]}; choose some by --class"
            )
    detector = Detector(network, len(names), options.leave_out, options.narrow)
    training = BoxTraining(
        detector, options.recipe, data, options.run, options.start, options.mosaic, options.backend, options.threads
    )
    if options.resume:
        training.resume()
    training.run(validation, activity, say)
    model, meaning = training.model, ModelMetadata(task="detection", classes=names, boxes=detector.head)
    write_int8(options, say, model, data.pictures.values, network.resolution, meaning)
    boxes = sum(len(each) for each in data.boxes)
    size = detector_macs(model), model.count_params()
    result = BoxFitResult(options.out, options.arch, *size, len(data.boxes), boxes, training.steps, None, None)
    if validation is not None:
        say("measuring the int8 network ...")
        pictures, head = validation.pictures.values, detector.head
        outputs = keras_outputs(model, pictures)
        result.float_precision = asdict(precision(outputs, validation, head, len(names)))
        whole = tflite_outputs(options.out, pictures).reshape(len(pictures), *outputs.shape[1:])
        result.int8_precision = asdict(precision(whole, validation, head, len(names)))
        for name, found in (("float", result.float_precision), ("int8", result.int8_precision)):
            sizes = "; ".join(f"{size} {_per_cent(ap)}" for size, (ap, _) in found["by_size"].items())
            say(f"{name}: AP50 {_per_cent(found['ap50'])} of {found['count']} boxes; by share of the picture {sizes}")
    keep_result(options.run, options.out, say, result)
    return result


def _per_cent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _load(
    activity: Activity,
    options: BoxFitOptions,
    paths: Sequence[Path],
    size: int,
    limit: int | None = None,
    held_out: bool = False,
) -> BoxArrays:
    sets = [read_boxes(path, limit, held_out) for path in paths]
    if options.classes:
        sets = [each.of_classes(options.classes) for each in sets]
    if not held_out:
        sets += [read_boxes(path, limit).background(sets[0].classes) for path in options.background]
    return BoxArrays.of(join_boxes(sets), size, part(activity, f"reading {', '.join(path.name for path in paths)}"))
