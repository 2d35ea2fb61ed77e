"""From texts to a language model in a folder: what ``tinyengine lm train`` does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tinyengine.errors import DataError
from tinyengine.ir.language import MAX_HEAD, MAX_WIDTH
from tinyengine.ir.tokenizer import MAX_TOKENS
from tinyengine.language.safetensors_folder import save_folder
from tinyengine.language.text import read_text
from tinyengine.language.tokenizer_json import train_tokenizer
from tinyengine.optional import safetensors, tokenizers, torch
from tinyengine.progress import Activity, Say, silent
from tinyengine.recipes.language_recipe import LanguageRecipe
from tinyengine.recipes.language_train import LanguageTraining, Rows, encode_texts

HELD_OUT = 50
"""One of so many texts is held out where there is no file of them."""


@dataclass(frozen=True, slots=True)
class LanguageFitOptions:
    text: Path
    out: Path
    validate: Path | None = None
    recipe: LanguageRecipe = field(default_factory=LanguageRecipe)
    threads: int = 1
    run: Path = Path("runs/language")
    resume: bool = False
    stop_at: int | None = None


@dataclass(frozen=True, slots=True)
class LanguageFit:
    """What ``--json`` prints. ``tokens``: of the texts trained on. Nats per token and per byte of held-out texts."""

    out: str
    parameters: int
    texts: int
    tokens: int
    steps: int
    held_out_texts: int
    nats_per_token: float
    nats_per_byte: float


def fit_language(options: LanguageFitOptions, activity: Activity = silent, say: Say = silent) -> LanguageFit:
    """Train and write ``options.out``. Raises DataError, ModelError or ToolError; nothing is written before the end."""
    recipe = options.recipe
    _check(recipe)
    if options.out.exists() and not options.out.is_dir():
        raise DataError(f"{options.out} is a file: name a folder with -o")
    if (options.run / "checkpoint.npz").is_file() and not options.resume:
        raise DataError(
            f"{options.run} holds an unfinished or finished run: add --resume, or name another --run folder"
        )
    for package in (torch, safetensors, tokenizers):
        package("train a language model")  # better missing now than at the end
    texts = _texts(options.text)
    if options.validate is None:
        held, texts = texts[::HELD_OUT], [text for n, text in enumerate(texts) if n % HELD_OUT]
    else:
        held = _texts(options.validate)
    activity("training the tokenizer", 0, 1)
    tokenizer = train_tokenizer(texts, recipe.vocabulary)
    activity("encoding", 0, 1)
    tokens, held_tokens = encode_texts(tokenizer, texts), encode_texts(tokenizer, held)
    training = LanguageTraining(recipe, Rows(tokens, recipe.context), options.run, options.threads, options.stop_at)
    rows = Rows(held_tokens, recipe.context)
    if options.resume:
        training.resume()
    training.run(rows, activity, say)
    model = training.model()
    nats = training.held_out(rows)
    save_folder(model, tokenizer, options.out)
    per_byte = sum(map(len, held_tokens)) / sum(len(text.encode("utf-8", "surrogateescape")) for text in held)
    arrays = [model.embedding, model.gain, *(array for layer in model.layers for array in vars(layer).values())]
    result = LanguageFit(
        out=str(options.out),
        parameters=sum(array.size for array in arrays),
        texts=len(texts),
        tokens=sum(map(len, tokens)),
        steps=training.step,
        held_out_texts=len(held),
        nats_per_token=nats,
        nats_per_byte=nats * per_byte,
    )
    (options.run / "result.json").write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    return result


def _texts(path: Path) -> list[str]:
    """One per line that is not empty; what is between words counts as one space."""
    found = [" ".join(line.split()) for line in read_text(path).splitlines() if line.strip()]
    if len(found) < 2:
        raise DataError(f"{path.name} has {len(found)} texts: give a file with one text per line, at least two")
    return found


def _check(recipe: LanguageRecipe) -> None:
    """ModelError for sizes that no .lm file can have comes before the training."""
    head = recipe.width // recipe.heads
    if recipe.width % recipe.heads or recipe.heads % recipe.kv_heads or head % 4 or head > MAX_HEAD:
        raise DataError(
            f"{recipe.heads} heads on {recipe.kv_heads} key heads do not divide a width of {recipe.width} into heads "
            f"of 4, 8, 12 ... {MAX_HEAD} channels: give other --heads"
        )
    if recipe.width % 8 or recipe.width > MAX_WIDTH or recipe.vocabulary % 4 or recipe.vocabulary > MAX_TOKENS:
        raise DataError(
            f"a width of {recipe.width} with {recipe.vocabulary} tokens is not possible: give a --width that is a "
            f"multiple of 8 up to {MAX_WIDTH}, and a --vocabulary that is a multiple of 4 up to {MAX_TOKENS}"
        )
