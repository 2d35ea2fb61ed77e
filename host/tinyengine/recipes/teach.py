"""Let a large network look at the pictures once and write down what it saw: what ``tinyengine teach`` does.

The result is one data set in the project's npz layout (``data.reader``) with three arrays more:

- ``soft``: (N, K) float32 probabilities. A logistic regression on the teacher's features, joined with the probabilities
  that the data set already had, learns them from the labels. A picture with a label gets the answer of a regression
  that did not see it (cross-fitting), for it would otherwise only repeat the label.
- ``embedding``: (N, D) float16, the first D principal components of the features, each divided by its standard
  deviation. A student that learns to predict them too learns to see more than one bit a picture.
- ``teacher``: names the run. Embeddings of two runs have other axes and must not be mixed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Pictures, join
from tinyengine.errors import DataError
from tinyengine.optional import processor_threads, scikit_learn
from tinyengine.paths import replacing
from tinyengine.progress import Activity, Progress, Say, part, silent
from tinyengine.recipes.cross_fit import FOLDS, answers, fewest, principal_components
from tinyengine.recipes.feature_cache import PART, FeatureCache
from tinyengine.recipes.teacher import Extractor, extractor


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


def teach(
    options: TeachOptions, activity: Activity = silent, say: Say = silent, extract: Extractor | None = None
) -> TeachResult:
    """Raises DataError or ToolError; the output appears only when everything succeeded.

    Features are kept in ``cache``. ``extract`` stands in for the teacher in tests. Answers that an earlier run of teach
    wrote are not learned from, for they have been learned from these labels already.
    """
    scikit_learn("teach")
    _check_output(options)
    data = _read(options.data, options.limit)
    everything = join([data, _read_judge(options.validate, data)]) if options.validate else data
    groups = _copies(everything)
    if fewest(data.labels, groups[: len(data)], len(data.classes)) < FOLDS or len(data.classes) < 2:
        raise DataError(
            f"a teacher's answers are learned from labels: {FOLDS} different pictures of each of two classes or more "
            "are the least"
        )
    if both := int(np.isin(groups[len(data) :], groups[: len(data)]).sum()):
        raise DataError(f"{both} pictures of {options.validate} are in --data too: take them out of one of the two")
    extract = extract or extractor(options.teacher, options.resolution, options.threads)
    cache = FeatureCache(options.cache, options.teacher, options.resolution, extract)
    features = _look(everything, cache, part(activity, "looking at pictures"))
    say("learning the teacher's answers from the labels ...")
    labels = everything.labels.copy()
    labels[len(data) :] = -1  # those that are only judged with
    with processor_threads(options.threads):
        soft = answers(features, labels, everything.answers, groups)
        embedding, variance = principal_components(features[: len(data)], options.components)
    train, rest = slice(len(data)), slice(len(data), None)
    known = int((data.labels >= 0).sum())
    compared = [_agreements(soft[part], everything.answers[part], everything.labels[part]) for part in (train, rest)]
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
    if unused := int((~np.isnan(data.answers[data.labels < 0]).any(axis=1)).sum()) if before is None else 0:
        say(f"the answers that {unused} pictures had are not used: none of the labelled ones has any")
    run = hashlib.sha256(embedding.tobytes()).hexdigest()[:12]
    _write(options.out, data, soft[train], embedding, f"{options.teacher} at {options.resolution}, {run}")
    _tell(say, result, embedding.shape[1])
    return result


def _read(paths: list[Path], limit: int | None) -> Pictures:
    sets = [replace(read_pictures(path, limit, labelled=False), embedding=None) for path in paths]
    return join([replace(each, soft=None, teacher="") if each.teacher else each for each in sets])


def _look(data: Pictures, cache: FeatureCache, progress: Progress) -> np.ndarray:
    """(N, F) float16 features."""
    parts = []
    progress(0, len(data))
    for first in range(0, len(data), PART):
        chosen = range(first, min(first + PART, len(data)))
        parts.append(cache.part(data, chosen))
        progress(chosen.stop, len(data))
    return np.concatenate(parts)


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


def _read_judge(path: Path, data: Pictures) -> Pictures:
    judge = _read([path], None)
    if (judge.labels < 0).any() or judge.classes != data.classes:
        raise DataError(f"{path} must have labels of the same classes: {', '.join(data.classes)}")
    return judge


def _copies(data: Pictures) -> np.ndarray:
    """(N,) numbers, the same for pictures whose files are the same."""
    digests = [hashlib.sha256(data.values[k].content()).hexdigest() for k in range(len(data))]
    return np.unique(digests, return_inverse=True)[1]


def _tell(say: Say, result: TeachResult, components: int) -> None:
    def compared(now: float, before: float | None) -> str:
        return f"{now:.1f} %" if before is None else f"{now:.1f} % (those in the data: {before:.1f} %)"

    say(f"answers agree with {compared(result.agreement, result.agreement_before)} of the labels, cross-fitted")
    if result.validation is not None:
        say(f"and with {compared(result.validation, result.validation_before)} of the validation labels")
    say(f"wrote {result.out}: {result.pictures} pictures, embedding of {components} components")


def _write(path: Path, data: Pictures, soft: np.ndarray, embedding: np.ndarray, teacher: str) -> None:
    files = [data.values[k].content() for k in range(len(data))]
    assert data.sources is not None
    try:
        with replacing(path) as partial:
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
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
