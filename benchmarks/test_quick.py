"""The benchmarks of the cache, from their first row to the table: `python -m ... --quick`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["cache", "flask_views", "memoize", "namespaces", "stampede"])
def test_a_quick_run_prints_every_table(name: str) -> None:
    # In a process of its own: it stays on one CPU, and changes how it collects garbage.
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--quick"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [line.removesuffix(" ...") for line in done.stderr.splitlines()]
    if done.returncode or not rows:
        pytest.fail(done.stderr)
    if missing := [row for row in rows if f"### {row}\n" not in done.stdout]:
        pytest.fail(f"no table: {missing}")
