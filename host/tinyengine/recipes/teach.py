"""Let a large network look at the pictures once and write down what it saw: what ``tinyengine teach`` does.

The result is one data set in the project's npz layout (``recipes.pictures``) with two arrays more:

- ``soft``: (N, K) float32 probabilities. A logistic regression on the teacher's features, joined with the probabilities
  that the data set already had, learns them from the labels. A picture with a label gets the answer of a regression
  that did not see it (cross-fitting), for it would otherwise only repeat the label.
- ``embedding``: (N, D) float16, the first D principal components of the features, each divided by its standard
  deviation. A student that learns to predict them too learns to see more than one bit a picture.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinyengine.errors import DataError
from tinyengine.optional import scikit_learn
from tinyengine.recipes.album import Album, join, read_album
from tinyengine.recipes.pictures import decode_one
from tinyengine.recipes.teacher import Extractor, extractor

_FOLDS, _CHUNK = 5, 256
#: inverse strengths of the L2 penalty that are tried, the best by log loss on pictures left out is taken
_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


@dataclass(slots=True)
class TeachOptions:
    data: list[Path]
    out: Path
    teacher: str = "efficientnet-lite2"
    resolution: int = 160
    components: int = 64
    threads: int = 1
    limit: int | None = None
    cache: Path = Path("runs/teach")


@dataclass(slots=True)
class TeachResult:
    """What ``--json`` prints. ``agreement``: per cent of the labels that the cross-fitted answers agree with, with the
    probabilities that the data brought (``agreement_before``, None where it brought none) for comparison; ``variance``:
    the share of the features' variance that the embedding keeps."""

    out: Path
    teacher: str
    pictures: int
    labelled: int
    agreement: float
    agreement_before: float | None
    variance: float


def teach(options: TeachOptions, quiet: bool = False, extract: Extractor | None = None) -> TeachResult:
    """Raises DataError or ToolError; the output appears only when everything succeeded.

    Features are kept in ``cache``, so that an interrupted run goes on where it was. ``extract`` stands in for the
    teacher in tests.
    """
    scikit_learn("teach")
    if options.out.suffix != ".npz":
        raise DataError(f"{options.out} is to be a data set: give it a name that ends in .npz")
    console = Console(stderr=True, quiet=quiet)
    data = join([read_album(path, options.limit) for path in options.data])
    counts = np.bincount(data.labels[data.labels >= 0], minlength=len(data.classes))
    if len(counts) < 2 or counts.min() < _FOLDS:
        raise DataError(f"a teacher's answers are learned from labels: {_FOLDS} pictures of every class are the least")
    extract = extract or extractor(options.teacher, options.resolution, options.threads)
    features = _features(options, data, extract, console)
    console.print("learning the teacher's answers from the labels ...")
    soft = answers(features, data.labels, data.soft)
    embedding, variance = principal_components(features, options.components)
    known = data.labels >= 0
    had = known & ~np.isnan(data.soft[:, 0])
    result = TeachResult(
        options.out,
        options.teacher,
        len(data.labels),
        int(known.sum()),
        100 * float((soft.argmax(1) == data.labels)[known].mean()),
        100 * float((data.soft.argmax(1) == data.labels)[had].mean()) if had.any() else None,
        variance,
    )
    _write(options.out, data, soft, embedding, options.teacher)
    before = "" if result.agreement_before is None else f" (those in the data: {result.agreement_before:.1f} %)"
    console.print(f"the answers agree with {result.agreement:.1f} % of {result.labelled} labels{before}")
    console.print(f"wrote {options.out}: {result.pictures} pictures, embedding of {embedding.shape[1]} components")
    return result


def answers(features: np.ndarray, labels: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """(N, K) probabilities from (N, F) features and the (N, K) probabilities there were (NaN where there were none).

    ``labels`` is (N,), -1 where a picture has none. Two logistic regressions: one on the standardized features, and
    one that weighs its log probabilities against those in ``soft``, where every picture has them.
    """
    known = labels >= 0
    scores = _cross_fitted(features, labels, known, _STRENGTHS)
    if np.isnan(soft).any():
        return scores
    return _cross_fitted(np.hstack([_log(scores), _log(soft)]), labels, known, (1.0,))


def principal_components(features: np.ndarray, components: int) -> tuple[np.ndarray, float]:
    """Scores (N, D) of unit variance on the first D principal components, and the share of the variance they keep."""
    library = scikit_learn("teach")
    analysis = library.decomposition.PCA(min(components, *features.shape), whiten=True, random_state=0)
    scores = analysis.fit_transform(features.astype(np.float32))
    return scores.astype(np.float16), float(analysis.explained_variance_ratio_.sum())


def _cross_fitted(x: np.ndarray, labels: np.ndarray, known: np.ndarray, strengths: Iterable[float]) -> np.ndarray:
    """Probabilities of all rows of ``x``, those of rows with a label by a regression that has not seen them."""
    library = scikit_learn("teach")
    folds = library.model_selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    x, y = x.astype(np.float32), labels[known]

    def regression(strength: float):
        scale, regress = library.preprocessing.StandardScaler(), library.linear_model.LogisticRegression
        return library.pipeline.make_pipeline(scale, regress(C=strength, max_iter=1000))

    best, best_loss, best_strength = None, np.inf, 0.0
    for strength in strengths:
        left_out = library.model_selection.cross_val_predict(
            regression(strength), x[known], y, cv=folds, method="predict_proba"
        )
        loss = library.metrics.log_loss(y, left_out)
        if loss < best_loss:
            best, best_loss, best_strength = left_out, loss, strength
    result = np.empty((len(x), best.shape[1]), np.float32)
    result[known] = best
    if not known.all():
        result[~known] = regression(best_strength).fit(x[known], y).predict_proba(x[~known])
    return result


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, 1e-4, 1))


def _features(options: TeachOptions, data: Album, extract: Extractor, console: Console) -> np.ndarray:
    """(N, F) float16, from the cache as far as it goes."""
    parts = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("looking at pictures", total=len(data))
        for first in range(0, len(data), _CHUNK):
            chunk = range(first, min(first + _CHUNK, len(data)))
            digest = hashlib.sha256(f"{options.teacher} {options.resolution}".encode())
            for k in chunk:
                digest.update(data.content(k))
            kept = options.cache / f"{digest.hexdigest()[:24]}.npy"
            if not kept.is_file():
                features = extract(np.stack([decode_one(data, k, options.resolution) for k in chunk]))
                options.cache.mkdir(parents=True, exist_ok=True)
                partial = kept.with_suffix(".partial.npy")
                np.save(partial, features.astype(np.float16))
                os.replace(partial, kept)
            parts.append(np.load(kept))
            progress.update(task, completed=chunk.stop)
    return np.concatenate(parts)


def _write(path: Path, data: Album, soft: np.ndarray, embedding: np.ndarray, teacher: str) -> None:
    partial, files = path.with_suffix(".partial.npz"), [data.content(k) for k in range(len(data))]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            partial,
            jpeg=np.frombuffer(b"".join(files), np.uint8),
            offset=np.cumsum([0, *(len(file) for file in files)]),
            y=data.labels,
            class_names=np.array(data.classes),
            src=data.sources,
            src_names=np.array(data.source_names),
            soft=soft.astype(np.float32),
            embedding=embedding,
            teacher=np.array(teacher),
        )
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
