"""Let a large network look at the pictures once and write down what it saw: what ``tinyengine teach`` does.

The result is one data set in the project's npz layout (``recipes.album``) with three arrays more:

- ``soft``: (N, K) float32 probabilities. A logistic regression on the teacher's features, joined with the probabilities
  that the data set already had, learns them from the labels. A picture with a label gets the answer of a regression
  that did not see it (cross-fitting), for it would otherwise only repeat the label.
- ``embedding``: (N, D) float16, the first D principal components of the features, each divided by its standard
  deviation. A student that learns to predict them too learns to see more than one bit a picture.
- ``teacher``: names the run. Embeddings of two runs have other axes and must not be mixed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinyengine.errors import DataError
from tinyengine.optional import processor_threads, scikit_learn
from tinyengine.recipes.album import Album, join, read_album
from tinyengine.recipes.feature_cache import PART, FeatureCache
from tinyengine.recipes.teacher import Extractor, extractor

_FOLDS = 5
#: inverse strengths of the L2 penalty, tried from the strongest until the log loss on pictures left out rises
_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


@dataclass(slots=True)
class TeachOptions:
    data: list[Path]
    out: Path
    validate: Path | None = None
    teacher: str = "efficientnet-lite2"
    resolution: int = 160
    components: int = 64
    threads: int = 1
    limit: int | None = None
    cache: Path = Path("runs/teach")


@dataclass(slots=True)
class TeachResult:
    """What ``--json`` prints. ``agreement``: per cent of the labels that the cross-fitted answers agree with, with the
    probabilities that the data brought (``agreement_before``, None where it brought none) for comparison on the same
    pictures;
    ``validation`` and ``validation_before``: the same on pictures whose labels no regression saw, None without them;
    ``variance``: the share of the features' variance that the embedding keeps."""

    out: Path
    teacher: str
    pictures: int
    labelled: int
    agreement: float
    agreement_before: float | None
    validation: float | None
    validation_before: float | None
    variance: float


def teach(options: TeachOptions, quiet: bool = False, extract: Extractor | None = None) -> TeachResult:
    """Raises DataError or ToolError; the output appears only when everything succeeded.

    Features are kept in ``cache``. ``extract`` stands in for the teacher in tests. Answers that an earlier run of teach
    wrote are not learned from, for they have been learned from these labels already.
    """
    scikit_learn("teach")
    _check_output(options)
    console = Console(stderr=True, quiet=quiet)
    data = _read(options.data, options.limit)
    everything = join([data, _read_judge(options.validate, data)]) if options.validate else data
    groups = _copies(everything)
    if _fewest(data.labels, groups[: len(data)], len(data.classes)) < _FOLDS or len(data.classes) < 2:
        raise DataError(
            f"a teacher's answers are learned from labels: {_FOLDS} different pictures of each of two classes or more "
            "are the least"
        )
    if both := int(np.isin(groups[len(data) :], groups[: len(data)]).sum()):
        raise DataError(f"{both} pictures of {options.validate} are in --data too: take them out of one of the two")
    extract = extract or extractor(options.teacher, options.resolution, options.threads)
    cache = FeatureCache(options.cache, options.teacher, options.resolution, extract)
    features = _look(everything, cache, console)
    console.print("learning the teacher's answers from the labels ...")
    labels = everything.labels.copy()
    labels[len(data) :] = -1  # those that are only judged with
    with processor_threads(options.threads):
        soft = answers(features, labels, everything.soft, groups)
        embedding, variance = principal_components(features[: len(data)], options.components)
    train, rest = slice(len(data)), slice(len(data), None)
    known = int((data.labels >= 0).sum())
    compared = [_agreements(soft[part], everything.soft[part], everything.labels[part]) for part in (train, rest)]
    (agreement, before), (validation, validation_before) = compared
    result = TeachResult(
        options.out,
        options.teacher,
        len(data),
        known,
        agreement or 0.0,
        before,
        validation,
        validation_before,
        variance,
    )
    if unused := int((~np.isnan(data.soft[data.labels < 0]).any(axis=1)).sum()) if before is None else 0:
        console.print(f"the answers that {unused} pictures had are not used: none of the labelled ones has any")
    run = hashlib.sha256(embedding.tobytes()).hexdigest()[:12]
    _write(options.out, data, soft[train], embedding, f"{options.teacher} at {options.resolution}, {run}")
    _say(console, result, embedding.shape[1])
    return result


def answers(features: np.ndarray, labels: np.ndarray, soft: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(N, K) probabilities from (N, F) features and the (N, K) probabilities there were (NaN where there were none).

    ``labels`` is (N,), -1 where a picture has none; pictures of the same of the (N,) ``groups`` are left out together.
    Two logistic regressions: one on the standardized features, and one that weighs its log probabilities against those
    in ``soft``. The second one learns from and answers for the pictures that have these, if the labelled ones among
    them are enough.
    """
    result = _cross_fitted(features, labels, groups, _STRENGTHS)
    both = ~np.isnan(soft).any(axis=1)
    if _fewest(labels[both], groups[both], result.shape[1]) >= _FOLDS:
        x = np.hstack([_log(result[both]), _log(soft[both])])
        result[both] = _cross_fitted(x, labels[both], groups[both], (1.0,))
    return result


def principal_components(features: np.ndarray, components: int) -> tuple[np.ndarray, float]:
    """Scores (N, D) of unit variance on the first D principal components, and the share of the variance they keep."""
    library = scikit_learn("teach")
    analysis = library.decomposition.PCA(min(components, *features.shape), whiten=True, random_state=0)
    scores = analysis.fit_transform(features.astype(np.float32))
    return scores.astype(np.float16), float(analysis.explained_variance_ratio_.sum())


def _read(paths: list[Path], limit: int | None) -> Album:
    albums = [replace(read_album(path, limit, labelled=False), embedding=None) for path in paths]
    return join([replace(a, soft=np.full_like(a.soft, np.nan), teacher="") if a.teacher else a for a in albums])


def _look(data: Album, cache: FeatureCache, console: Console) -> np.ndarray:
    """(N, F) float16 features."""
    parts = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("looking at pictures", total=len(data))
        for first in range(0, len(data), PART):
            chosen = range(first, min(first + PART, len(data)))
            parts.append(cache.part(data, chosen))
            progress.update(task, completed=chosen.stop)
    return np.concatenate(parts)


def _cross_fitted(x: np.ndarray, labels: np.ndarray, groups: np.ndarray, strengths: Iterable[float]) -> np.ndarray:
    """Probabilities of all rows of ``x``, those of rows with a label by a regression that has not seen their group."""
    library = scikit_learn("teach")
    known = labels >= 0
    x, y = x.astype(np.float32), labels[known]
    folds = list(_folds(y, groups[known]))

    def regression(strength: float):
        scale, regress = library.preprocessing.StandardScaler(), library.linear_model.LogisticRegression
        return library.pipeline.make_pipeline(scale, regress(C=strength, max_iter=1000))

    best, best_loss, best_strength = None, np.inf, 0.0
    for strength in strengths:
        left_out = library.model_selection.cross_val_predict(
            regression(strength), x[known], y, cv=folds, method="predict_proba"
        )
        loss = library.metrics.log_loss(y, left_out)
        if loss >= best_loss:
            break
        best, best_loss, best_strength = left_out, loss, strength
    result = np.empty((len(x), best.shape[1]), np.float32)
    result[known] = best
    if not known.all():
        result[~known] = regression(best_strength).fit(x[known], y).predict_proba(x[~known])
        first = {group: row for row, group in zip(np.flatnonzero(known)[::-1], groups[known][::-1], strict=True)}
        for row in np.flatnonzero(~known & np.isin(groups, groups[known])):
            result[row] = result[first[groups[row]]]  # a copy of a picture with a label: this regression knows it
    return result


def _folds(y: np.ndarray, groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(train, test) rows. Copies of a picture stay together, or a regression would know the label of what it judges."""
    selection = scikit_learn("teach").model_selection
    if len(np.unique(groups)) == len(groups):  # the same split, much faster
        return selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(y, y)
    return selection.StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0).split(y, y, groups)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, 1e-4, 1))


def _agreements(soft: np.ndarray, before: np.ndarray, labels: np.ndarray) -> tuple[float | None, float | None]:
    """Per cent of the labels that answers agree with, and that those of before do, both where there are some of before
    if there are any; None where nothing can be compared."""
    labelled, had = labels >= 0, ~np.isnan(before).any(axis=1)
    judged = labelled & had if (labelled & had).any() else labelled
    if not judged.any():
        return None, None
    now, then = (100 * float((answer.argmax(1) == labels)[judged].mean()) for answer in (soft, before))
    return now, then if had[judged].all() else None


def _check_output(options: TeachOptions) -> None:
    if options.out.suffix != ".npz" or options.out.is_dir():
        raise DataError(f"{options.out} is to be a data set: name a file that ends in .npz")
    read = [*options.data, *([options.validate] if options.validate else [])]
    if options.out.resolve() in [path.resolve() for path in read]:
        raise DataError(f"{options.out} would replace the data it is made of: name another file")


def _read_judge(path: Path, data: Album) -> Album:
    judge = _read([path], None)
    if (judge.labels < 0).any() or judge.classes != data.classes:
        raise DataError(f"{path} must have labels of the same classes: {', '.join(data.classes)}")
    return judge


def _copies(data: Album) -> np.ndarray:
    """(N,) numbers, the same for pictures whose files are the same."""
    digests = [hashlib.sha256(data.content(k)).hexdigest() for k in range(len(data))]
    return np.unique(digests, return_inverse=True)[1]


def _fewest(labels: np.ndarray, groups: np.ndarray, classes: int) -> int:
    """Different pictures of the class that has fewest."""
    return min((len(np.unique(groups[labels == k])) for k in range(classes)), default=0)


def _say(console: Console, result: TeachResult, components: int) -> None:
    def compared(now: float, before: float | None) -> str:
        return f"{now:.1f} %" if before is None else f"{now:.1f} % (those in the data: {before:.1f} %)"

    console.print(
        f"answers agree with {compared(result.agreement, result.agreement_before)} of the labels, cross-fitted"
    )
    if result.validation is not None:
        console.print(f"and with {compared(result.validation, result.validation_before)} of the validation labels")
    console.print(f"wrote {result.out}: {result.pictures} pictures, embedding of {components} components")


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
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if path.parent.is_dir():
            partial.unlink(missing_ok=True)
