"""An architecture in a file of its own: the form of the table as JSON, as ``tinyengine search`` writes it.

``{"name": "found", "resolution": 64, "stem": 16, "blocks": "e1c8k3 e4c16k5s2 ...", "classes": 2}``, with ``head`` and
``about`` if wanted; other keys (the figures of a search) are ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinyengine.errors import DataError, ModelError
from tinyengine.paths import replacing
from tinyengine.zoo.table import Attention, Block, Network, find, parse_blocks

_NUMBERS = ("resolution", "stem", "classes")


def find_or_load(name: str | Path) -> Network:
    """A network of the zoo by its name, or the architecture of a .json file; ModelError for neither."""
    return load_architecture(Path(name)) if str(name).endswith(".json") else find(str(name))


def load_architecture(path: Path) -> Network:
    """Read an architecture. Raises ModelError with one sentence for a file that is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"the architecture {path} does not exist") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not an architecture: {str(error).splitlines()[0]}") from error
    return architecture_of(data, path)


def architecture_of(data: Any, path: Path) -> Network:
    """What :func:`as_data` made plain, read from ``path``; ModelError for anything else."""
    if not isinstance(data, dict) or not isinstance(data.get("blocks"), str):
        raise ModelError(f"{path} is not an architecture: it lacks 'blocks'")
    for key in (*_NUMBERS, "head"):
        value = data.get(key)
        if value is None and key == "head":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{path} is not an architecture: '{key}' must be a positive whole number")
    blocks = parse_blocks(data["blocks"])
    if not blocks or not all(map(_is_block, blocks)):
        raise ModelError(f"{path} is not an architecture: its blocks have no channels, kernels or strides")
    return Network(
        str(data.get("name", path.stem)),
        data["resolution"],
        data["stem"],
        blocks,
        data["classes"],
        data.get("head"),
        str(data.get("about", "")),
    )


def save_architecture(network: Network, path: Path, figures: dict[str, Any]) -> None:
    """Write ``network`` with the figures of its search; a reader never sees half a file. Raises DataError."""
    data = as_data(network) | figures
    try:
        with replacing(path) as partial:
            partial.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error


def as_data(network: Network) -> dict[str, Any]:
    """``network`` as JSON knows it."""
    return {
        "name": network.name,
        "about": network.about,
        "resolution": network.resolution,
        "stem": network.stem,
        "blocks": blocks_text(network),
        "classes": network.classes,
        **({"head": network.head} if network.head is not None else {}),
    }


def blocks_text(network: Network) -> str:
    """The blocks as ``parse_blocks`` reads them."""
    return " ".join(map(_word, network.blocks))


def _is_block(block: Block | Attention) -> bool:
    sizes = (block.heads, block.depth) if isinstance(block, Attention) else (block.channels, block.kernel, block.stride)
    return min(sizes) >= 1


def _word(block: Block | Attention) -> str:
    if isinstance(block, Attention):
        return f"a{block.heads}d{block.depth}"
    stride = f"s{block.stride}" if block.stride != 1 else ""
    return f"e{block.expansion}c{block.channels}k{block.kernel}{stride}"
