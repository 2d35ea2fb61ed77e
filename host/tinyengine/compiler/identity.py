"""What tells one network on a device from another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tinyengine.compiler.options import CompileOptions
from tinyengine.data.metadata import load_metadata, parse_metadata
from tinyengine.frontend.files import network_bytes


def identify(path: Path) -> tuple[bytes, str]:
    """A hash of the network in a model file, and its MODEL.json as a device has it.

    Raises ModelError when the file cannot be read, DataError for a damaged MODEL.json.
    """
    identity = hashlib.sha256(network_bytes(path)).digest()
    metadata = load_metadata(path)
    return identity, metadata.to_json() if metadata else "{}"


def meaning_on_device(metadata_json: str, options: CompileOptions) -> str:
    """The MODEL.json of a network as its firmware has it: a new classifier has none of the file's class names."""
    if options.classes is None or metadata_json == "{}":
        return metadata_json
    return parse_metadata(metadata_json, "MODEL.json").override(classes=()).to_json()


def model_hashes(path: Path) -> frozenset[str]:
    """What a device that runs this file may give as its hash: one for each option that changes what is computed.

    Raises as ``identify``.
    """
    identity, metadata_json = identify(path)
    options = [
        CompileOptions(requant=requant, input=kind) for requant in ("exact", "fast") for kind in ("frame", "sound")
    ]
    return frozenset(model_hash(identity, each, metadata_json) for each in options)


def model_hash(identity: bytes, options: CompileOptions, metadata_json: str) -> str:
    """Identity of a network on a device: the model file and the options that change what it computes."""
    what = {"requant": options.requant, "metadata": metadata_json}
    if options.input == "sound":
        what["input"] = options.input
    if options.classes is not None:
        what["classes"] = str(options.classes)
    meaning = json.dumps(what, sort_keys=True)
    return hashlib.sha256(identity + meaning.encode()).hexdigest()[:16]
