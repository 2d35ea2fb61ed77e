"""Damaged files of all kinds (tests/helpers/damaged.py) by the thousand: each is accepted, or refused in a sentence.

    python -m tests.fuzz.mutations 0 1000               all kinds
    python -m tests.fuzz.mutations 0 1000 onnx uint8    some of them

Every fourth accepted file is compiled. Memory is limited to 6 GB. Exit code 1 if anything else happens.
"""

from __future__ import annotations

import resource
import sys
import traceback
import warnings
from collections import Counter

from tests.helpers.damaged import KINDS, damaged, outcome

MEMORY = 6 << 30


def main() -> None:
    first, last = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    findings = 0
    for name in sys.argv[3:] or KINDS:
        counts: Counter[str] = Counter()
        known: set[str] = set()
        for seed in range(first, last):
            try:
                said = outcome(KINDS[name], damaged(KINDS[name], seed), seed % 4 == 0)
            except BaseException as error:
                frames = traceback.extract_tb(error.__traceback__)
                frames = [f for f in frames if "/tinyengine/" in f.filename] or frames
                said = f"{type(error).__name__} {str(error)[:200]} in {frames[-1].filename}:{frames[-1].lineno}"
            counts[said if said in ("accepted", "refused") else "wrong"] += 1
            if said not in ("accepted", "refused"):
                findings += 1
                if said not in known:
                    print(f"{name} {seed}: {said}", flush=True)
                known.add(said)
        print(name, dict(counts), flush=True)
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
