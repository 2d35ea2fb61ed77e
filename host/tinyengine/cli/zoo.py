"""``tinyengine zoo``: the networks that the project knows how to build."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tinyengine.cli.options import json_option, setting
from tinyengine.zoo import describe
from tinyengine.zoo.arch_file import find_or_load
from tinyengine.zoo.table import Network

_classes = click.option("--classes", type=int, help="Number of classes (default: the network's own).")
_resolution = click.option("--resolution", type=int, help="Side of the square input in pixels.")
_head = click.option(
    "--head-channels", type=int, help="Add a 1x1 head convolution (448 for mbv2-w0.35, 384 for proxyless-w0.3)."
)
_arch = click.option("--arch", type=click.Path(path_type=Path), help="An architecture of tinyengine search (.json).")


def _variant(
    name: str | None, arch: Path | None, classes: int | None, resolution: int | None, head_channels: int | None
) -> Network:
    from tinyengine.zoo.export import variant

    if (name is None) == (arch is None):
        raise click.UsageError("Name a network of the zoo, or an architecture with --arch.")
    return variant(find_or_load(str(name or arch)), classes, resolution, head_channels)


@click.group("zoo")
def command() -> None:
    """List, show and build the networks of the zoo.

    \b
    Example:
      tinyengine zoo list
      tinyengine zoo build mcunet-in1 -o in1.tflite
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """All networks with their costs.

    Example: tinyengine zoo list
    """
    entries = describe.entries()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    table = Table(box=None, header_style="bold")
    for title in ("network", "input", "classes", "MACs", "params", "int8 top-1", "ours"):
        numeric = title in ("MACs", "params", "int8 top-1")
        # a narrow terminal folds the path, never a figure
        table.add_column(title, justify="right" if numeric else "left", no_wrap=title != "ours", overflow="fold")
    for entry in entries:
        table.add_row(
            entry.name,
            f"{entry.resolution}x{entry.resolution}",
            str(entry.classes),
            f"{entry.macs / 1e6:.1f} M",
            f"{entry.parameters / 1e6:.2f} M",
            f"{entry.published.top1_int8} %" if entry.published.top1_int8 else "",
            entry.shipped or "",
        )
    Console().print(table)


@command.command("show")
@click.argument("name", required=False)
@_arch
@_classes
@_resolution
@_head
@json_option
def show(
    name: str | None,
    arch: Path | None,
    classes: int | None,
    resolution: int | None,
    head_channels: int | None,
    as_json: bool,
) -> None:
    """The layers of one network.

    Example: tinyengine zoo show mcunet-vww1 --resolution 64
    """
    network = _variant(name, arch, classes, resolution, head_channels)
    if as_json:
        click.echo(json.dumps(describe.as_json(network), indent=2))
        return
    entry = describe.entry(network)
    table = Table(box=None, header_style="bold")
    for title in ("layer", "kind", "kernel", "input", "output", "MACs", "weights"):
        table.add_column(title, justify="right" if title in ("MACs", "weights") else "left")
    for layer in describe.layers(network):
        table.add_row(
            layer.name,
            layer.kind,
            f"{layer.kernel}x{layer.kernel}" + (f" /{layer.stride}" if layer.stride > 1 else ""),
            f"{layer.input[0]}x{layer.input[0]}x{layer.input[1]}",
            f"{layer.output[0]}x{layer.output[0]}x{layer.output[1]}",
            f"{layer.macs:,}",
            f"{layer.weights:,}",
        )
    console = Console()
    console.print(f"[bold]{entry.name}[/]: {entry.about}", highlight=False)
    console.print(table)
    console.print(f"{entry.macs:,} MACs, {entry.parameters:,} parameters", highlight=False)


@command.command("build")
@click.argument("name", required=False)
@_arch
@_classes
@_resolution
@_head
@click.option("--weights", default="random", show_default=True, help="A run's best.npz, a .keras file, or 'random'.")
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Pictures (folder or .npz) that set the ranges of the activations; needed with --weights FILE.",
)
@setting("--seed", int, 0, "Decides the random weights.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The .tflite file to write.")
def build(
    name: str | None,
    arch: Path | None,
    classes: int | None,
    resolution: int | None,
    head_channels: int | None,
    weights: str,
    calibrate: Path | None,
    seed: int,
    out: Path,
) -> None:
    """Write a network as int8 TFLite.

    Example: tinyengine zoo build mcunet-in1 --classes 10 -o in1.tflite
    """
    from tinyengine.zoo.export import export_from_files

    network = _variant(name, arch, classes, resolution, head_channels)
    size = export_from_files(network, out, None if weights == "random" else Path(weights), calibrate, seed)
    click.echo(f"wrote {out}: {size:,} bytes")
