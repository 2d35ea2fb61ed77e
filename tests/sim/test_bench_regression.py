"""No network has become slower or bigger than bench/baseline.json says."""

from __future__ import annotations

from types import ModuleType

import pytest
from click.testing import CliRunner
from tinyengine.cores import ARM
from tinyengine.project.toolchain import find_compiler

from tests.helpers import bench_script, needs

pytestmark = needs.simulated_core


@pytest.fixture(scope="module")
def run() -> ModuleType:
    return bench_script.load()


LARGE = 600_000  # bytes of a file: such networks are measured in exact mode only, whose loops are the same


@pytest.mark.slow
@pytest.mark.parametrize("requant", ["exact", "fast"])
def test_nothing_got_worse(run: ModuleType, requant: str) -> None:
    if not run.default_models():
        pytest.skip("no networks: models/ is empty and TINYENGINE_SHARED is not there")
    compilers = {entry.compiler.rsplit(" ", 1)[0] for entry in run.load_baseline().values()}
    if find_compiler(ARM).version not in compilers:
        pytest.skip(f"the baseline was made by {', '.join(compilers)}, not by {find_compiler(ARM).version}")
    models = [str(path) for path in run.default_models() if requant == "exact" or path.stat().st_size < LARGE]
    assert models
    result = CliRunner().invoke(run.main, [*models, "--requant", requant])
    assert result.exit_code == 0, result.output
    assert "not compared" not in result.output and "new:" not in result.output, (
        f"bench/baseline.json is not up to date (bench/run.py --update):\n{result.output}"
    )
