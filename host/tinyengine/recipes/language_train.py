"""Trains a language model on texts: rows of tokens, the loop, checkpoints.

A run lives in a folder: ``checkpoint.npz`` (everything needed to continue), ``log.jsonl``. Given the same texts, recipe
and number of threads, a run that was interrupted and continued takes the same steps as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.errors import DataError
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.llama import Llama
from tinyengine.progress import Activity, Say, silent
from tinyengine.recipes.language_engine import IGNORED, LanguageEngine
from tinyengine.recipes.language_recipe import LanguageRecipe
from tinyengine.recipes.run_folder import learning_rate, write_npz

LOGGED = 50
"""Steps from one line of the log to the next."""


def encode_texts(tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    """Tokens of each text, int64, behind one that begins it. Words are encoded once: no piece of a tokenizer that
    ``train_tokenizer`` made reaches into the next word."""
    known: dict[str, list[int]] = {}
    found = []
    for text in texts:
        ids = tokenizer.encode("")
        for word in text.split():
            if word not in known:
                known[word] = tokenizer.encode(word, begin=False)
            ids = ids + known[word]
        found.append(np.array(ids, np.int64))
    return found


class Rows:
    """``context`` + 1 tokens each: a row begins where a text does, or a whole row further on in a long one, and goes on
    with the texts behind it. The last ones are filled up with IGNORED."""

    def __init__(self, texts: list[np.ndarray], context: int) -> None:
        self._length = context + 1
        self.stream = np.concatenate([*texts, np.full(context, IGNORED)])
        starts: list[int] = []
        begin = 0
        for text in texts:
            starts += range(begin, begin + max(1, len(text) - 1), context)
            begin += len(text)
        self._starts = np.array(starts)

    def __len__(self) -> int:
        return len(self._starts)

    def take(self, chosen: np.ndarray) -> np.ndarray:
        """(len(chosen), context + 1) int64."""
        return np.asarray(self.stream[self._starts[chosen][:, None] + np.arange(self._length)])


class LanguageTraining:
    """One run: construct it, call :meth:`run`, take :meth:`model`."""

    def __init__(
        self, recipe: LanguageRecipe, rows: Rows, folder: Path, threads: int = 1, stop_at: int | None = None
    ) -> None:
        """``stop_at``: a step at which it ends although its rate is that of a longer run."""
        if len(rows) < recipe.batch:
            raise DataError(f"{len(rows)} rows are fewer than one batch of {recipe.batch}: use a smaller --batch")
        self.recipe, self.rows, self.folder = recipe, rows, folder
        self.steps_per_epoch = len(rows) // recipe.batch
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.last = self.steps if stop_at is None else min(stop_at, self.steps)
        self.step = 0
        self._engine = LanguageEngine(recipe, threads)
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, held_out: Rows, activity: Activity = silent, say: Say = silent, save_every: float = 120.0) -> None:
        """From the current step to the end; a checkpoint is written every ``save_every`` seconds. Every tenth of the
        run its loss on ``held_out`` is said."""
        recipe, saved, losses, began, since = self.recipe, time.monotonic(), [], time.monotonic(), self.step
        report = max(1, self.steps // 10)
        try:
            while self.step < self.last:
                epoch, within = divmod(self.step, self.steps_per_epoch)
                order = np.random.default_rng([recipe.seed, epoch]).permutation(len(self.rows))
                for place in range(within, self.steps_per_epoch):
                    chosen = order[place * recipe.batch : (place + 1) * recipe.batch]
                    rate = learning_rate(recipe, self.step, self.steps)
                    losses.append(self._engine.step(self.rows.take(chosen), rate))
                    self.step += 1
                    if self.step % LOGGED == 0 or self.step == self.last:
                        speed = (self.step - since) * recipe.batch * recipe.context / (time.monotonic() - began)
                        line: dict[str, Any] = {"step": self.step, "loss": float(np.mean(losses)), "rate": rate}
                        losses = []
                        if self.step // report > (self.step - LOGGED) // report or self.step == self.last:
                            line["held_out"] = self.held_out(held_out)
                            say(f"step {self.step} of {self.steps}: {line['held_out']:.4f} nats per held-out token")
                        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
                            log.write(json.dumps(line) + "\n")
                        figures = f"loss {line['loss']:.3f}  {speed:,.0f} tokens/s"
                        activity("training", self.step, self.steps, figures)
                    if time.monotonic() - saved > save_every:
                        self.save()
                        saved = time.monotonic()
                    if self.step == self.last:
                        break
        finally:
            # also when the user interrupts: nothing but the step under way is lost
            self.save()

    def held_out(self, rows: Rows) -> float:
        """Nats per token, each row weighing the same."""
        size = self.recipe.batch
        parts = [np.arange(begin, min(begin + size, len(rows))) for begin in range(0, len(rows), size)]
        return float(np.average([self._engine.loss(rows.take(part)) for part in parts], weights=list(map(len, parts))))

    def model(self) -> Llama:
        return self._engine.model()

    def save(self) -> None:
        """Write the checkpoint."""
        head = {"step_of_run": np.array(self.step), "fingerprint": np.array(self.fingerprint())}
        write_npz(self.folder / "checkpoint.npz", head | self._engine.arrays())

    def resume(self) -> None:
        """Continue from the folder's checkpoint, if there is one; DataError if it is of another run."""
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if str(arrays.pop("fingerprint")) != self.fingerprint():
            raise DataError(
                f"{path} belongs to a run with another text or other settings: name another --run folder, or repeat "
                "the settings it was started with"
            )
        self.step = int(arrays.pop("step_of_run"))
        self._engine.restore(arrays)

    def fingerprint(self) -> str:
        """Identifies recipe and tokens."""
        digest = hashlib.sha256(json.dumps(asdict(self.recipe), sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.rows.stream).tobytes())
        return digest.hexdigest()
