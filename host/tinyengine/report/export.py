"""What ``export`` says of the networks that it has written."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from tinyengine.export import Library
from tinyengine.report.figures import network_figures
from tinyengine.sizes import format_size


def export_table(library: Library) -> Table:
    """Sizes by network."""
    table = Table(title=f"for the {library.cpu}", title_justify="left")
    table.add_column("network")
    for column in ("MACs", "SRAM", "weights", "code"):
        table.add_column(column, justify="right")
    for network in library.networks:
        compiled = network.compiled
        table.add_row(
            network.prefix,
            f"{compiled.macs:,}",
            format_size(compiled.sram_bytes),
            format_size(compiled.weight_bytes),
            format_size(network.code.flash) if network.code else "not measured, no compiler",
        )
    if len(library.networks) > 1:
        table.add_section()
        table.add_row("all, one arena" if library.shared_arena else "all", "", format_size(library.sram_bytes))
    return table


def export_figures(library: Library, target: str, folder: Path, files: list[str]) -> dict[str, object]:
    """``export --json``."""
    return {
        "folder": str(folder),
        "for": target,
        "cpu": library.cpu,
        "shared_arena": library.shared_arena,
        "sram_bytes": library.sram_bytes,
        "networks": [
            {"prefix": network.prefix, **network_figures(network.compiled, network.code)}
            for network in library.networks
        ],
        "files": files,
    }
