"""A published checkpoint to a .lm file, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.language import SUFFIX, language_graph, save_language
from tinyengine.ir.language import MAX_WINDOW, SLOTS
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.build import quantize
from tinyengine.language.calibrate import LENGTH, SEED, STREAMS, calibrate
from tinyengine.language.checkpoint import load_llama2c, load_llama2c_tokenizer
from tinyengine.language.choices import W8, Choice, Comparison, compare, prepared, round_matrix
from tinyengine.language.heads import DroppedHead, drop_heads
from tinyengine.language.llama import Llama, sample
from tinyengine.language.safetensors_folder import TOKENIZER, load_folder
from tinyengine.language.text import read_text
from tinyengine.language.tokenizer_json import load_tokenizer
from tinyengine.paths import replacing
from tinyengine.progress import Activity, part

LEAST_TEXT = 64
"""Tokens without which a text says nothing about ranges."""


@dataclass(frozen=True)
class ConvertOptions:
    """``tokenizer`` None: the tokenizer.json in the same folder, or the only tok*.bin beside ``model``. ``text`` None:
    what the float model writes. ``detail``: every kind of matrix alone is judged as well. ``kept``: tokens that are
    kept for the attention they receive, beside the ring and the sinks. ``pruned``: key heads that are dropped."""

    model: Path
    out: Path
    choice: Choice
    tokenizer: Path | None = None
    window: int = 128
    sinks: int = 0
    text: Path | None = None
    detail: bool = True
    kept: int = 0
    pruned: int = 0


@dataclass(frozen=True)
class Conversion:
    """``bytes``: of the file. ``parameters``: of the float model."""

    out: str
    bytes: int
    parameters: int
    choice: str
    window: int
    sinks: int
    calibrated_on: str
    comparison: Comparison
    kept: int = 0
    dropped: tuple[DroppedHead, ...] = ()


def convert(options: ConvertOptions, activity: Activity) -> Conversion:
    """Write the file. Raises ModelError, DataError for a text that is too short."""
    if options.out.suffix.lower() != SUFFIX:
        raise ModelError(
            f"{options.out.name} would not be read as a language model: end the name of what is written in {SUFFIX}"
        )
    if options.window % SLOTS or not SLOTS <= options.window <= MAX_WINDOW:
        raise ModelError(
            f"a window of {options.window} tokens is not possible: give a multiple of {SLOTS} up to {MAX_WINDOW}"
        )
    front = options.sinks + options.kept
    if front >= options.window:
        what = f"{options.sinks} sinks" + (f" and {options.kept} tokens that are kept" if options.kept else "")
        raise ModelError(f"{what} leave no slot of {options.window}: give fewer of them or a wider window")
    original, tokenizer = _load(options.model, options.tokenizer)
    activity("reading or writing text", 0, 1)
    if options.text is None:
        written = sample(original, 2 * STREAMS, min(LENGTH, original.context), SEED)
        calibration, held_out = written[:STREAMS], written[STREAMS:]
    else:
        calibration, held_out = _streams(options.text, tokenizer, min(LENGTH, original.context))
    model, dropped = original, tuple[DroppedHead, ...]()
    if options.pruned:
        model, dropped = drop_heads(original, calibration, options.pruned, part(activity, "weighing heads"))
    activity("calibrating", 0, 1)
    statistics = calibrate(model, calibration, options.window)
    changed, known = prepared(model, statistics, calibration, options.window, options.choice)
    calibrated_on = options.text.name if options.text else "what the float model writes"
    packed = quantize(
        changed,
        known,
        tokenizer,
        lambda name, _layer, weights, squares: round_matrix(name, weights, squares, options.choice),
        options.window,
        front,
        {"from": options.model.resolve().name, "weights": options.choice.name, "calibrated on": calibrated_on},
        options.kept,
    )
    language_graph(packed, options.out.stem)  # which refuses what no command could read
    data = save_language(packed)
    choices = list(dict.fromkeys([W8, options.choice]))
    comparison = compare(
        model,
        calibration,
        held_out,
        options.window,
        choices,
        options.detail,
        part(activity, "judging"),
        original if dropped else None,
    )
    with replacing(options.out) as partial:
        partial.write_bytes(data)
    arrays = [model.embedding, model.gain, *([] if model.classifier is model.embedding else [model.classifier])]
    arrays += [array for layer in model.layers for array in vars(layer).values()]
    return Conversion(
        out=str(options.out),
        bytes=len(data),
        parameters=sum(array.size for array in arrays),
        choice=options.choice.name,
        window=options.window,
        sinks=options.sinks,
        calibrated_on=calibrated_on,
        comparison=comparison,
        kept=options.kept,
        dropped=dropped,
    )


def _load(path: Path, tokenizer: Path | None) -> tuple[Llama, Tokenizer]:
    """A checkpoint of llama2.c, or a folder with safetensors, of which ``path`` may name a file."""
    if path.is_dir() or path.suffix in (".safetensors", ".json"):
        folder = path if path.is_dir() else path.parent
        model = load_folder(folder)
        if tokenizer is None and not (folder / TOKENIZER).is_file():
            raise ModelError(f"{folder} has no {TOKENIZER}: name the tokenizer with --tokenizer")
        return model, load_tokenizer(tokenizer or folder / TOKENIZER, model.vocabulary)
    model = load_llama2c(path)
    return model, load_llama2c_tokenizer(tokenizer or _beside(path), model.vocabulary)


def _beside(model: Path) -> Path:
    """The only file that can be the tokenizer of ``model``."""
    found = sorted(model.parent.glob("tok*.bin"))
    if len(found) != 1:
        raise ModelError(f"{len(found)} files tok*.bin lie beside {model.name}: name the tokenizer with --tokenizer")
    return found[0]


def _streams(path: Path, tokenizer: Tokenizer, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Two thirds of a text for calibration, the last third held out; rows of ``length`` + 1 tokens."""
    tokens = [token for line in read_text(path).splitlines() if line.strip() for token in tokenizer.encode(line)]
    if len(tokens) < 3 * LEAST_TEXT:
        raise DataError(f"{path.name} has only {len(tokens)} tokens: give a text of {3 * LEAST_TEXT} or more")
    length = min(length, len(tokens) // 3 - 1)
    rows = np.array(tokens[: len(tokens) // (length + 1) * (length + 1)]).reshape(-1, length + 1)
    kept = max(1, 2 * len(rows) // 3)
    return rows[:kept], rows[kept:]
