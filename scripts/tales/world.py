"""Who and what there is in a tale, and sentences with choices in them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass


def words(line: str) -> list[str]:
    return line.split()


GIRLS = words("Kate Vera Uma Mia Lena Rosa Ada Nina Clara Ella Ivy Tess Wanda Zoe Luna Hazel Olive Ruby Anna")
BOYS = words("Kai Victor Tom Ben Oskar Finn Leo Max Noah Theo Milo Hugo Emil Jack Otto Paul Sam Felix")
ANIMALS = words("fox rabbit mouse bear hedgehog squirrel otter badger duck frog")
STRANGERS = words("owl crow goat turtle deer mole beaver heron donkey goose")
TRAITS = words("kind brave curious shy clever quiet cheerful patient gentle stubborn lively dreamy")
COLOURS = words("red blue green yellow white golden silver purple")
OLD = words("grandmother grandfather mother father aunt uncle")
HER = {"grandmother", "mother", "aunt"}

TOYS = words("kite ball boat drum flute hat scarf lantern bell wagon puppet basket")
TREASURES = words("shell button feather stone ring coin whistle ribbon marble key")
FRUITS = words("apples pears plums cherries nuts carrots buns cookies berries pancakes")
PLACES = {  # and where something can hide there
    "in the forest": ["behind a mossy rock", "under an old oak", "in a hollow log", "among the ferns"],
    "by the river": ["between two wet stones", "under the wooden bridge", "in the tall reeds", "behind a willow"],
    "on the farm": ["behind the barn", "in a pile of hay", "under the old cart", "beside the well"],
    "in the garden": ["under a rose bush", "behind the shed", "among the pumpkins", "beside the gate"],
    "on the beach": ["behind a sand hill", "under a fishing boat", "in a small cave", "among the seaweed"],
    "in the village": ["behind the bakery", "under a bench", "beside the fountain", "on the steps of the school"],
    "in the park": ["under the slide", "behind a tall hedge", "in a bed of tulips", "beside the pond"],
    "on the hill": ["behind the windmill", "under a thorn bush", "in a rabbit hole", "beside a stone wall"],
}
TIMES = ["one morning", "one sunny day", "one afternoon", "one windy day", "one autumn day", "early one day"]


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


@dataclass(frozen=True)
class Person:
    """``name``: what sentences call them; ``kind``: what they are; ``intro``: what the first sentence says."""

    name: str
    kind: str
    intro: str
    he: str
    him: str
    his: str

    def __str__(self) -> str:
        return self.name

    # with a capital: begins a sentence
    @property
    def Name(self) -> str:
        return self.name[0].upper() + self.name[1:]

    @property
    def Intro(self) -> str:
        return self.intro[0].upper() + self.intro[1:]

    @property
    def He(self) -> str:
        return self.he.capitalize()

    @property
    def His(self) -> str:
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
            "Hide2": hiding[1][0].upper() + hiding[1][1:],
            "hide3": hiding[2],
            "toy": toy,
            "gem": treasure,
            "c": first,
            "c2": second,
            "fruit": rng.choice(FRUITS),
            "old": old,
            "she": "she" if old in HER else "he",
            "hers": "her" if old in HER else "his",
            "time": rng.choice(TIMES),
            "Time": rng.choice(TIMES).capitalize(),
        }

    def tell(self, *sentences: str) -> str:
        """``[a|b]`` is one of its choices, ``{h.his}`` a slot."""
        text = " ".join(sentences)
        while match := re.search(r"\[([^\[\]]*)\]", text):
            text = text[: match.start()] + self.rng.choice(match[1].split("|")) + text[match.end() :]
        text = " ".join(text.format(**self.slots).split())
        return re.sub(r" ([,.!?])", r"\1", text)

    def _hero(self) -> Person:
        name, he, him, his = self._names.pop()
        trait = self.rng.choice(TRAITS)
        child = self.rng.random() < 0.5
        kind = ("girl" if he == "she" else "boy") if child else self._animals.pop()
        return Person(name, f"a {trait} {kind}", f"a {trait} {kind} named {name}", he, him, his)

    def _stranger(self) -> Person:
        kind, trait = self._strangers.pop(), self.rng.choice(["old", "wise", "big", "friendly", "grey", "sleepy"])
        return Person(f"the {kind}", kind, f"{article(trait)} {trait} {kind}", "it", "it", "its")
