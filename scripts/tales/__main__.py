"""Prints tales, one per line."""

from __future__ import annotations

import argparse
import random

from scripts.tales.plots import PLOTS
from scripts.tales.world import World


def tale(rng: random.Random) -> str:
    """One of any plot."""
    return rng.choice(PLOTS)(World(rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tales", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    for _ in range(arguments.tales):
        print(tale(rng))


if __name__ == "__main__":
    main()
