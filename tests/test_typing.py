"""What type checkers see of the public API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "typing"


def mypy(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER.parent.parent,
    )
    return done.stdout


def test_right_uses_of_the_api_are_accepted() -> None:
    assert "Success" in mypy(FOLDER / "right.py")


def test_wrong_uses_of_the_api_are_found() -> None:
    path = FOLDER / "wrong.py"
    output = mypy(path)
    expected = {
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.endswith("# wrong")
    }
    found = {int(line.split(":")[1]) for line in output.splitlines() if ": error:" in line}
    assert found == expected
