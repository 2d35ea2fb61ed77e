"""Which output of a classifier stands for which class of the data: by name, never by the order of folders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tinyengine.data.samples import Samples, Values, no_classes
from tinyengine.device import Identity
from tinyengine.device.training import TrainingInfo
from tinyengine.errors import DataError


@dataclass(frozen=True)
class Wish:
    """What the user says about classes. ``names``: of the outputs, in their order. ``count``: outputs that take part.
    ``renamed``: classes of the data that are called otherwise."""

    names: tuple[str, ...] = ()
    count: int | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def parse_wish(classes: str | None, renamed: Sequence[str]) -> Wish:
    """A wish from options: ``classes`` a number of outputs or names with commas between them, each of ``renamed`` as
    OLD=NEW. DataError."""
    pairs = {}
    for text in renamed:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise DataError(f"--map {text} does not say what becomes of what: write --map OLD=NEW, names of classes")
        pairs[old] = new
    if classes is None:
        return Wish(renamed=pairs)
    if classes.isdecimal():
        if int(classes) < 2:
            raise DataError(f"--classes {classes}: a classifier tells at least 2 classes apart")
        return Wish(count=int(classes), renamed=pairs)
    names = tuple(name.strip() for name in classes.split(","))
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise DataError(
            f"--classes {classes}: give a number of outputs, or the names of two or more different classes with "
            "commas between them, cat,dog say"
        )
    return Wish(names, renamed=pairs)


@dataclass(frozen=True)
class Outputs:
    """The classes of a device. ``names``: of its first outputs, those that were taught. ``count``: all outputs."""

    names: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, identity: Identity, info: TrainingInfo) -> Outputs:
        """Those of a device: the classes that it was taught, else those that its network came with."""
        known = identity.metadata.classes
        return cls(info.class_names or (known if len(known) == info.classes else ()), info.classes)

    @classmethod
    def of_network(cls, identity: Identity, wish: Wish) -> Outputs:
        """Those of a network that is not trained on the device: as it calls them, or the user. DataError where neither
        says what they are called: the data's order would be no answer."""
        count = max(math.prod(identity.outputs[0].shape), 2)  # a single one tells two classes apart
        names = wish.names or identity.metadata.classes
        if len(names) != count:
            called = (
                f"names {len(names)} classes ({', '.join(names)})" if names else "does not say what they are called"
            )
            raise DataError(
                f"the network {identity.model} has {count} outputs and {called}: give the names of all of them in "
                "their order (--classes cat,dog say), or build it with their names in its MODEL.json"
            )
        return cls(names, count)

    def wished(self, wish: Wish, samples: Samples[Values], path: Path, learn: bool) -> Outputs:
        """With the names that they have after this command: the user's, else those that they have, else the data's.

        ``learn``: names may be new. DataError where there are more than outputs.
        """
        missing = [old for old in wish.renamed if old not in samples.classes]
        if missing:
            raise DataError(
                f"--map {missing[0]}={wish.renamed[missing[0]]}: {path} has no class {missing[0]}, only "
                f"{', '.join(samples.classes)}"
            )
        names = wish.names or self.names or tuple(dict.fromkeys(_renamed(samples, wish)))
        if len(names) < 2:
            raise no_classes(path)
        if not learn and self.names and len(names) > len(self.names):
            raise DataError(
                f"--classes names {len(names)} classes, but the device has learned {len(self.names)}: "
                f"{', '.join(self.names)}; give as many names, or train it with them first"
            )
        if len(names) > self.count:
            raise DataError(
                f"there are {len(names)} classes ({', '.join(names)}), but the network on the device tells "
                f"{self.count} apart: build it with --classes {len(names)}"
            )
        return replace(self, names=names)

    def taking_part(self, wish: Wish) -> int:
        """How many outputs take part. DataError where the user's number does not fit."""
        count = wish.count or len(self.names)
        if count < len(self.names):
            raise DataError(
                f"there are {len(self.names)} classes, more than the {count} of --classes: leave --classes out"
            )
        if count > self.count:
            raise DataError(
                f"{count} classes are wanted, but the network on the device tells {self.count} apart: build it with "
                f"--classes {count}"
            )
        return count

    def matched(
        self, samples: Samples[Values], wish: Wish, path: Path, learn: bool = False, beside: bool = False
    ) -> Samples[Values]:
        """``samples`` with these classes: each label becomes the output of its class's name.

        Data without names has numbers, which count the outputs. ``beside``: others are learned with them. DataError for
        samples of other classes.
        """
        theirs = _renamed(samples, wish) if samples.named else samples.classes
        if not samples.named:
            if len(theirs) > len(self.names):
                raise DataError(
                    f"{path} has labels up to {len(theirs) - 1}, but the device has learned {len(self.names)} classes: "
                    f"{', '.join(self.names)}"
                )
            return replace(samples, classes=self.names, soft=None)
        unknown = [name for name in dict.fromkeys(theirs) if name not in self.names]
        if unknown:
            raise DataError(self._unknown(unknown, theirs, path, learn))
        if learn and not beside and len(set(theirs)) < 2:
            raise DataError(
                f"{path} has pictures of {theirs[0]} alone, from which the device would learn to say nothing else: add "
                "pictures of another class, or show old ones again (--replay)"
            )
        places = np.array([self.names.index(name) for name in theirs] + [-1], np.int32)  # the last one: no label
        return replace(samples, labels=places[samples.labels], classes=self.names, soft=None)

    def _unknown(self, unknown: Sequence[str], theirs: Sequence[str], path: Path, learn: bool) -> str:
        both = (*self.names, *unknown)
        unused = [name for name in self.names if name not in theirs]
        ways = [f"say what they are called there (--map {unknown[0]}={unused[0]})"] if unused else []
        if not learn:
            ways.append("leave them out of the data")
        elif len(both) <= self.count:
            ways.append(f"teach them as well (--classes {','.join(both)})")
        else:
            ways.append(f"build the firmware with --classes {len(both)}")
        if learn and len(unknown) <= len(unused):
            new = dict(zip(unused, unknown, strict=False))  # those that both have keep their outputs
            ways.append(f"rename what it has learned (--classes {','.join(new.get(n, n) for n in self.names)})")
        return (
            f"{path} has the classes {', '.join(dict.fromkeys(theirs))}, but the device has learned "
            f"{', '.join(self.names)}: {', or '.join(ways)}"
        )


def _renamed(samples: Samples[Values], wish: Wish) -> tuple[str, ...]:
    """The classes of the data as the user calls them: two may be one then."""
    return tuple(wish.renamed.get(name, name) for name in samples.classes)
