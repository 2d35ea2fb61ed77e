"""slow(but=n) of tests/conftest.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest

pytest_plugins = ["pytester"]

PARAMETRIZED = "@pytest.mark.parametrize('n', range(3))\n"
SLOW = "@pytest.mark.slow(but=1)\n"
SOURCES = {
    "function": f"import pytest\n{SLOW}{PARAMETRIZED}def test_it(n): pass\n",
    "class": f"import pytest\n{SLOW}class TestIt:\n    {PARAMETRIZED}    def test_it(self, n): pass\n",
    "module": f"import pytest\npytestmark = pytest.mark.slow(but=1)\n{PARAMETRIZED}def test_it(n): pass\n",
}


@pytest.mark.parametrize("marked", SOURCES)
def test_the_first_cases_of_a_slow_test_are_not_slow(marked: str, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(Path(conftest.__file__).read_text())
    pytester.makepyfile(SOURCES[marked])
    pytester.runpytest_inprocess("-m", "not slow").assert_outcomes(passed=1, deselected=2)
    pytester.runpytest_inprocess("-m", "slow").assert_outcomes(passed=2, deselected=1)
