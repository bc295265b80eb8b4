"""Every scenario of the soak, once and short: `python -m benchmarks.soak --quick`."""

from __future__ import annotations

import pytest

from benchmarks.faults.registry import SCENARIOS
from benchmarks.soak import main


def test_every_scenario_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    table = capsys.readouterr().out
    # What must hold is for the tests of faults to judge; a machine may be slow here.
    if missing := [scenario.name for scenario in SCENARIOS if scenario.name not in table]:
        pytest.fail(f"not in the table: {missing}")
    if ended := [line for line in table.splitlines() if "**failed**" in line or "hangs**" in line]:
        pytest.fail("\n".join(ended))
