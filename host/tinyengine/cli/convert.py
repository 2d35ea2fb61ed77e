"""``tinyengine convert``: float models of Keras, PyTorch, ONNX, TFLite, and int8 networks of other formats, to int8."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyengine.cli.options import json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.progress import part


@click.command("convert")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Pictures (folder, folder per class or .npz), or numbers (.npy, .npz, .csv or a folder per class of them), "
    "that set the activations' ranges.",
)
@click.option(
    "--mapping",
    default="pixel/127.5-1",
    show_default=True,
    help="What a pixel (0 to 255) is to the float model: pixel/127.5-1, pixel/255, pixel, pixel/128-1, ...",
)
@setting("--samples", click.IntRange(1), 256, "Inputs to calibrate with.")
@setting("--layer-samples", click.IntRange(1), 8, "Inputs to measure every layer with.")
@click.option("--equalize", is_flag=True, help="Balance channels across layers first (Keras models only).")
@click.option("--correct-bias", is_flag=True, help="Take the mean error of the rounded weights from the biases.")
@click.option(
    "--input-shape",
    callback=lambda _context, _parameter, text: _sizes(text),
    help="Shape of the input, such as 1,3,96,96, where an ONNX file leaves it open.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .tflite file to write.")
@json_option
def command(
    model: Path,
    calibrate: Path | None,
    mapping: str,
    samples: int,
    layer_samples: int,
    equalize: bool,
    correct_bias: bool,
    input_shape: tuple[int, ...] | None,
    out: Path,
    as_json: bool,
) -> None:
    """Convert a Keras model (.keras, .h5, SavedModel folder), a PyTorch program (.pt2), an ONNX file or a .tflite that
    computes in float32 to int8 TFLite and say what that cost.

    A quantized ONNX file and a tiny-training network (.json with its .npz) are int8 already and need no
    calibration.

    Example: tinyengine convert flowers.keras --calibrate photos/ -o flowers.tflite
    """
    from tinyengine.convert.source import is_network

    if is_network(model, input_shape):
        _import_quantized(model, out, input_shape, as_json)
        return
    if calibrate is None:
        raise click.UsageError("Missing option '--calibrate': a float model needs data that sets the ranges.")
    from tinyengine.convert import ConvertOptions, convert
    from tinyengine.report.convert import print_conversion

    options = ConvertOptions(
        model, calibrate, out, mapping, samples, layer_samples, equalize, correct_bias, input_shape
    )
    with step_progress() as progress:
        result = convert(options, part(progress, "converting"))
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
    else:
        print_conversion(result)


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise click.BadParameter(f"'{text}' is no list of sizes such as 1,3,96,96") from None


def _import_quantized(model: Path, out: Path, input_shape: tuple[int, ...] | None, as_json: bool) -> None:
    from tinyengine.convert.quantized import convert_quantized

    result = convert_quantized(model, out, input_shape)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2, default=str))
    else:
        operators = ", ".join(f"{count} {name}" for name, count in result.operators.items())
        click.echo(f"{result.out}: {result.bytes:,} bytes; {operators}")
