"""Samples with labels and class names: the one type for them, whatever the samples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from tinyengine.data.images import InputForm, Picture, to_pixels
from tinyengine.errors import DataError
from tinyengine.progress import Progress, silent

Values = TypeVar("Values", tuple[Picture, ...], np.ndarray)
#: side of a square, or height and width
Size = int | tuple[int, int]


@dataclass(eq=False)
class Samples(Generic[Values]):
    """N samples with what is known about each.

    ``values``: pictures as files, their pixels (:meth:`decoded`), a network's inputs (:meth:`inputs`, and
    those of number_sets), or any other array (N, ...).
    """

    values: Values
    labels: np.ndarray  # (N,) int32 indices into classes, -1 where a sample has none
    classes: tuple[str, ...] = ()
    named: bool = True  # whether the data says what its classes are called
    soft: np.ndarray | None = None  # (N, K) float32 probabilities by a teacher, NaN where there is none
    embedding: np.ndarray | None = None  # (N, D) float32, what a teacher saw, in units of its standard deviations
    teacher: str = ""  # the run of ``tinyengine teach`` that wrote ``soft`` and ``embedding``
    sources: np.ndarray | None = None  # (N,) int32 into source_names
    source_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # one per sample, where they are not files any more but came from some

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def answers(self) -> np.ndarray:
        """(N, K) float32: ``soft``, or NaN where no teacher has answered."""
        return np.full((len(self), len(self.classes)), np.nan, np.float32) if self.soft is None else self.soft

    def targets(self, soft_weight: float) -> np.ndarray:
        """(N, K) distributions to learn: label and teacher averaged where both exist, else the one that does.

        Raises DataError where a sample has neither."""
        hard, soft = np.eye(len(self.classes), dtype=np.float32)[np.maximum(self.labels, 0)], self.answers
        has_label, has_soft = self.labels >= 0, ~np.isnan(soft).any(axis=1)
        if neither := int((~has_label & ~has_soft).sum()):
            raise DataError(
                f"{neither} pictures have neither a label nor a teacher's answer, so there is nothing to learn from "
                "them: run tinyengine teach on them together with labelled pictures"
            )
        weight = np.where(has_label, np.where(has_soft, soft_weight, 0.0), 1.0).astype(np.float32)[:, None]
        return (1 - weight) * hard + weight * np.nan_to_num(soft)

    def take(self, indices: np.ndarray) -> Samples[Values]:
        """Some of the samples, in the order of ``indices``."""
        values = self.values
        known = (self.soft, self.embedding, self.sources)
        soft, embedding, sources = (None if array is None else array[indices] for array in known)
        return replace(
            self,
            values=values[indices] if isinstance(values, np.ndarray) else tuple(values[k] for k in indices),
            labels=self.labels[indices],
            soft=soft,
            embedding=embedding,
            sources=sources,
            names=tuple(self.names[k] for k in indices) if self.names else (),
        )

    def with_values(self, values: np.ndarray) -> Samples[np.ndarray]:
        """The same samples as an array (N, ...)."""
        return Samples(**{**vars(self), "values": values})

    def spread(self, limit: int | None) -> Samples[Values]:
        """At most ``limit`` samples, evenly over all, so that a part has every class and source."""
        if limit is None or limit >= len(self):
            return self
        return self.take(np.linspace(0, len(self) - 1, max(limit, 1)).astype(int))

    def decoded(
        self: Samples[tuple[Picture, ...]], size: Size, channels: int = 3, progress: Progress = silent
    ) -> Samples[np.ndarray]:
        """Every picture resized as a whole: uint8 (N, height, width, channels); DataError for one that is damaged."""
        height, width = (size, size) if isinstance(size, int) else size
        pixels = np.empty((len(self), height, width, channels), np.uint8)
        for k, picture in enumerate(self.values):
            progress(k, len(self))
            pixels[k] = to_pixels(picture.rgb(), height, width, channels)
        return self.with_values(pixels)

    def inputs(self: Samples[tuple[Picture, ...]], form: InputForm, progress: Progress = silent) -> Samples[np.ndarray]:
        """Every picture as int8 input of a network; DataError for one that is damaged."""
        values = []
        for k, picture in enumerate(self.values):
            progress(k, len(self))
            values.append(form.values(picture.rgb()))
        return replace(self.with_values(np.stack(values)), names=tuple(picture.name for picture in self.values))


Pictures = Samples[tuple[Picture, ...]]
"""Pictures as files, decoded when they are needed."""
Arrays = Samples[np.ndarray]


def no_classes(path: Path) -> DataError:
    """What is wrong with data without labels where there must be some."""
    return DataError(
        f"{path} names no classes: give a folder with one subfolder of pictures per class (or of files of numbers), of "
        "at least two classes, or an .npz with labels"
    )


def labelled(samples: Samples[Values], path: Path, fewest: int = 2) -> Samples[Values]:
    """Those of ``samples`` (read from ``path``) that have a label; DataError where none has, or for fewer classes than
    ``fewest``."""
    if len(samples.classes) < fewest or (samples.labels < 0).all():
        raise no_classes(path)
    return samples.take(np.flatnonzero(samples.labels >= 0))


def split(samples: Samples[Values], share: float, seed: int) -> tuple[Samples[Values], Samples[Values]]:
    """(to learn from, held out): of every class ``share`` of the samples, drawn by ``seed``, are held out, at least
    one and never all. DataError for a class with a single one."""
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for label, name in enumerate(samples.classes):
        mine = np.flatnonzero(samples.labels == label)
        if len(mine) == 1:
            raise DataError(f"class '{name}' has a single sample, and one has to be held out: add more")
        count = min(max(round(share * len(mine)), 1), len(mine) - 1) if len(mine) else 0
        held += rng.permutation(mine)[:count].tolist()
    mask = np.zeros(len(samples), bool)
    mask[held] = True
    return samples.take(np.flatnonzero(~mask)), samples.take(np.flatnonzero(mask))


def join(sets: Sequence[Pictures]) -> Pictures:
    """All pictures of several sets, which must agree on the classes (those without labels agree with everybody)."""
    first = sets[0]
    classes = next((each.classes for each in sets if (each.labels >= 0).any()), first.classes)
    softs, sources = [], []
    source_names: tuple[str, ...] = ()
    for each in sets:
        soft = each.answers
        if (each.labels >= 0).any():
            if each.classes != classes:
                raise DataError(
                    f"the data sets name different classes: {[*classes]} and {[*each.classes]} (the subfolders of a "
                    "folder are its classes; pictures without labels lie in the folder itself)"
                )
        elif np.isnan(soft).all():  # neither labels nor answers: its classes mean nothing
            soft = np.full((len(each), len(classes)), np.nan, np.float32)
        elif soft.shape[1] != len(classes) or (each.named and each.classes != classes):
            raise DataError(
                f"a data set without labels has answers for {[*each.classes]} and the others for {[*classes]}"
            )
        if _embedding_kind(each) != _embedding_kind(first):
            raise DataError(
                "the data sets have embeddings that do not belong together: run tinyengine teach with all of them, "
                "or leave the embeddings out (tinyengine fit --embedding-weight 0)"
            )
        softs.append(soft)
        own = np.zeros(len(each), np.int32) if each.sources is None else each.sources
        sources.append(own + len(source_names))
        source_names += each.source_names
    return Samples(
        tuple(picture for each in sets for picture in each.values),
        np.concatenate([each.labels for each in sets]),
        classes,
        any(each.named for each in sets),
        np.concatenate(softs),
        None if first.embedding is None else np.concatenate([each.embedding for each in sets]),
        next((each.teacher for each in sets if each.teacher), ""),
        np.concatenate(sources),
        source_names,
    )


def _embedding_kind(samples: Pictures) -> tuple[int, str] | None:
    return None if samples.embedding is None else (samples.embedding.shape[1], samples.teacher)
