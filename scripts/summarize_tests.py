"""Closes a test run: how many tests were skipped and why, then the totals. Argument: pytest's JUnit XML file."""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter


def main(path: str) -> None:
    """Print the summary; a missing file means that pytest did not get as far as writing it."""
    try:
        suites = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        sys.exit(f"error: pytest left no results ({error})")
    reasons: Counter[str] = Counter()
    failed = total = 0
    for case in suites.iter("testcase"):
        total += 1
        failed += case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped")
        if skipped is not None:
            reasons[skipped.get("message", "no reason given")] += 1
    if reasons:
        print(f"{reasons.total()} tests were skipped:")
        for reason, count in reasons.most_common():
            print(f"  {count:5}  {reason}")
    print(f"tests: {total - failed - reasons.total()} passed, {failed} failed, {reasons.total()} skipped")


if __name__ == "__main__":
    main(sys.argv[1])
