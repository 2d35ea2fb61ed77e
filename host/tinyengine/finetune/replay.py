"""Replay against forgetting: some samples of former trainings, kept on the host, are shown again with new ones.

Half of the steps show old samples, whatever their number (experience replay with a tiny memory, Chaudhry et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.data.numbers import open_arrays
from tinyengine.data.samples import Arrays, Samples
from tinyengine.errors import DataError
from tinyengine.paths import replacing


@dataclass(frozen=True, eq=False)
class Reservoir:
    """``samples``: inputs of a network with their classes, each of which has some. ``seen``: how many samples of each
    class they were chosen from."""

    samples: Arrays
    seen: tuple[int, ...]

    def taking(self, new: Arrays, capacity: int, seed: int) -> Reservoir:
        """At most ``capacity`` samples of these and of ``new`` ones, evenly over the classes; of a class that both
        have, old and new ones as many as were seen of each. The classes become those of ``new``."""
        rng = np.random.default_rng(seed)
        old = without(self.known_as(new.classes), new)
        seen = np.zeros(len(new.classes), np.int64)
        for name, count in zip(self.samples.classes, self.seen, strict=True):
            if name in new.classes:
                seen[new.classes.index(name)] = count
        fresh = np.bincount(new.labels, minlength=len(new.classes))
        present = np.flatnonzero(seen + fresh)
        olds, news = [], []
        for place, label in enumerate(present):
            room = capacity // len(present) + (place < capacity % len(present))
            mine, theirs = (rng.permutation(np.flatnonzero(each.labels == label)) for each in (old, new))
            wanted = round(room * seen[label] / (seen[label] + fresh[label]))
            from_old = min(len(mine), max(wanted, room - len(theirs)))
            olds.append(mine[:from_old])
            news.append(theirs[: room - from_old])
        kept = _joined(old.take(np.concatenate(olds)), new.take(np.concatenate(news)))
        return Reservoir(kept, tuple((seen + fresh).tolist()))

    def known_as(self, classes: tuple[str, ...]) -> Arrays:
        """The samples with labels among ``classes``, which must have all of theirs."""
        places = np.array([classes.index(name) if name in classes else -1 for name in self.samples.classes], np.int32)
        return replace(self.samples, labels=places[self.samples.labels], classes=classes)


def mixed(new: Arrays, old: Arrays, seed: int) -> Arrays:
    """``new`` and as many old samples, each of those equally often, give or take one."""
    if len(old) == 0:
        return new
    rng = np.random.default_rng(seed)
    rounds = -(-len(new) // len(old))
    order = np.concatenate([rng.permutation(len(old)) for _ in range(rounds)])[: len(new)]
    return _joined(new, old.take(order))


def without(old: Arrays, others: Arrays) -> Arrays:
    """The old samples that are not among ``others``, those that judge a training say."""
    there = {values.tobytes() for values in others.values}
    return old.take(np.array([k for k, values in enumerate(old.values) if values.tobytes() not in there], np.int64))


def write_reservoir(reservoir: Reservoir, path: Path, form: str) -> None:
    """``form`` says what the inputs mean. DataError where the file cannot be written."""
    samples = reservoir.samples
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                values=samples.values,
                labels=samples.labels,
                classes=np.array(samples.classes, np.str_),
                names=np.array(samples.names, np.str_),
                seen=np.array(reservoir.seen, np.int64),
                form=np.array(form),
            )
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def read_reservoir(path: Path, form: str, known: Sequence[str]) -> Reservoir | None:
    """What :func:`write_reservoir` wrote, None where there is no file yet. DataError for anything else, for inputs that
    mean something else, and for classes that are not ``known`` on the device."""
    if not path.exists():
        return None
    try:
        archive = open_arrays(path)
        samples = Samples(
            archive["values"],
            archive["labels"].astype(np.int32),
            tuple(map(str, archive["classes"])),
            names=tuple(map(str, archive["names"])),
        )
        seen, theirs = tuple(int(count) for count in archive["seen"]), str(archive["form"])
        present = [samples.classes[label] for label in np.unique(samples.labels)]
        if not (len(samples.values) == len(samples) == len(samples.names) and len(seen) == len(samples.classes)):
            raise ValueError("its arrays do not fit each other")
    except (DataError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"{path} holds no samples for --replay ({error}): name another file with --reservoir"
        ) from error
    if theirs != form:
        raise DataError(
            f"{path} keeps samples of a network with other inputs ({theirs}, not {form}): name another file with "
            "--reservoir"
        )
    if unknown := [name for name in present if name not in known]:
        raise DataError(
            f"{path} keeps samples of the classes {', '.join(present)}, but those here are {', '.join(known)}: say "
            f"them as well (--classes {','.join([*known, *unknown])}), or name another file with --reservoir"
        )
    return Reservoir(samples, seen)


def _joined(one: Arrays, other: Arrays) -> Arrays:
    labels, names = np.concatenate([one.labels, other.labels]), one.names + other.names
    values = np.concatenate([one.values, other.values])
    return Samples(values, labels, one.classes, names=names if len(names) == len(labels) else ())
