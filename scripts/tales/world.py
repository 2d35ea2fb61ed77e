"""Who and what there is in a tale, and sentences with choices in them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

GIRLS = "Kate Vera Uma Mia Lena Rosa Ada Nina Clara Ella Ivy Tess Wanda Zoe Luna Hazel Olive Ruby Anna".split()
BOYS = "Kai Victor Tom Ben Oskar Finn Leo Max Noah Theo Milo Hugo Emil Jack Otto Paul Sam Felix".split()
ANIMALS = "fox rabbit mouse bear hedgehog squirrel otter badger duck frog".split()
STRANGERS = "owl crow goat turtle deer mole beaver heron donkey goose".split()
TRAITS = "kind brave curious shy clever quiet cheerful patient gentle stubborn lively dreamy".split()
COLOURS = "red blue green yellow white golden silver purple".split()
OLD = ["grandmother", "grandfather", "mother", "father", "aunt", "uncle"]
HER = {"grandmother", "mother", "aunt"}

TOYS = "kite ball boat drum flute hat scarf lantern bell wagon puppet basket".split()
TREASURES = "shell button feather stone ring coin whistle ribbon marble key".split()
FRUITS = "apples pears plums cherries nuts carrots buns cookies berries pancakes".split()
PLACES = {
    # where it is: (what one does there, where something can hide)
    "in the forest": (["behind a mossy rock", "under an old oak", "in a hollow log", "among the ferns"]),
    "by the river": (["between two wet stones", "under the wooden bridge", "in the tall reeds", "behind a willow"]),
    "on the farm": (["behind the barn", "in a pile of hay", "under the old cart", "beside the well"]),
    "in the garden": (["under a rose bush", "behind the shed", "among the pumpkins", "beside the gate"]),
    "on the beach": (["behind a sand hill", "under a fishing boat", "in a small cave", "among the seaweed"]),
    "in the village": (["behind the bakery", "under a bench", "beside the fountain", "on the steps of the school"]),
    "in the park": (["under the slide", "behind a tall hedge", "in a bed of tulips", "beside the pond"]),
    "on the hill": (["behind the windmill", "under a thorn bush", "in a rabbit hole", "beside a stone wall"]),
}
TIMES = ["one morning", "one sunny day", "one afternoon", "one windy day", "one autumn day", "early one day"]


@dataclass(frozen=True)
class Person:
    """``name`` is how a sentence calls them, ``intro`` how the first one does; the pronouns are those of a sentence."""

    name: str
    intro: str
    he: str
    him: str
    his: str

    def __str__(self) -> str:
        return self.name

    @property
    def Name(self) -> str:  # noqa: N802 - begins a sentence
        return self.name[0].upper() + self.name[1:]

    @property
    def He(self) -> str:  # noqa: N802
        return self.he.capitalize()

    @property
    def His(self) -> str:  # noqa: N802
        return self.his.capitalize()


class World:
    """What a tale is about. ``slots`` fill the braces of its sentences."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        names = [*((name, "she", "her", "her") for name in GIRLS), *((name, "he", "him", "his") for name in BOYS)]
        rng.shuffle(names)
        self._names = names
        self._animals = rng.sample(ANIMALS, len(ANIMALS))
        self._strangers = rng.sample(STRANGERS, len(STRANGERS))
        self.place = rng.choice(list(PLACES))
        hiding = rng.sample(PLACES[self.place], 3)
        old, toy = rng.choice(OLD), rng.choice(TOYS)
        treasure = rng.choice(TREASURES)
        first, second = rng.sample(COLOURS, 2)
        self.slots: dict[str, object] = {
            "h": self._hero(),
            "f": self._hero(),
            "s": self._stranger(),
            "s2": self._stranger(),
            "place": self.place,
            "hide": hiding[0],
            "hide2": hiding[1],
            "hide3": hiding[2],
            "toy": toy,
            "gem": treasure,
            "c": first,
            "c2": second,
            "fruit": rng.choice(FRUITS),
            "old": old,
            "she": "she" if old in HER else "he",
            "She": "She" if old in HER else "He",
            "her": "her" if old in HER else "him",
            "time": rng.choice(TIMES),
            "Time": rng.choice(TIMES).capitalize(),
        }

    def tell(self, *sentences: str) -> str:
        """``[a|b]`` is one of its choices, ``@`` the article before a word, ``{h.his}`` a slot."""
        text = " ".join(sentences)
        while match := re.search(r"\[([^\[\]]*)\]", text):
            text = text[: match.start()] + self.rng.choice(match[1].split("|")) + text[match.end() :]
        text = " ".join(text.format(**self.slots).split())
        text = re.sub(r"@ (?=[aeiou])", "an ", text)
        return re.sub(r" ([,.!?])", r"\1", text.replace("@ ", "a "))

    def _hero(self) -> Person:
        name, he, him, his = self._names.pop()
        trait = self.rng.choice(TRAITS)
        if self.rng.random() < 0.5:
            kind = "girl" if he == "she" else "boy"
        else:
            kind = self._animals.pop()
        return Person(name, f"a {trait} {kind} named {name}", he, him, his)

    def _stranger(self) -> Person:
        kind, trait = self._strangers.pop(), self.rng.choice(["old", "wise", "big", "friendly", "grey", "sleepy"])
        article = "an" if trait[0] in "aeiou" else "a"
        return Person(f"the {kind}", f"{article} {trait} {kind}", "it", "it", "its")
