"""Command lines that are run within the test's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kcache.cli.app import run
from tests.cli.fleet import Printed


@pytest.fixture(autouse=True)
def _no_nodes_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KCACHE_NODES", raising=False)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Run a command line that succeeds, and give what it printed."""

    def run_well(*arguments: str) -> str:
        status = run(arguments)
        output = capsys.readouterr()
        assert (status, output.err) == (0, "")
        return output.out

    return run_well


@pytest.fixture
def parsed(printed: Printed) -> Callable[..., Any]:
    return lambda *arguments: json.loads(printed(*arguments, "--json"))
