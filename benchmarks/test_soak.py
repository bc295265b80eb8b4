"""Every scenario of the soak, once and short: `python -m benchmarks.soak --quick`."""

from __future__ import annotations

import re

import pytest

from benchmarks.faults.registry import SCENARIOS
from benchmarks.soak import main

_NEVER = (
    "wrong",
    "swallowed",
    "stale",
    "older read",
    "deleted, and read",
    "complete with a node down",
    "truncated",
    "divergences",
    "injected",
    "crossed",
    "old value",
    "said to be stored",
    "altered",
    "executed",
    "accepted",
)
"""Faults that no slowness of a machine explains."""


def test_every_scenario_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    table = capsys.readouterr().out
    # Of times it is for the tests of faults to judge, since a machine may be slow here.
    if wrong := re.findall(rf"\b[1-9][\d,]* (?:{'|'.join(_NEVER)})\b", table):
        pytest.fail(f"{wrong}\n{table}")
    if missing := [scenario.name for scenario in SCENARIOS if scenario.name not in table]:
        pytest.fail(f"not in the table: {missing}")
    if ended := [line for line in table.splitlines() if "**failed**" in line or "hangs**" in line]:
        pytest.fail("\n".join(ended))
