"""Trials in processes of their own, which are ended with all that they started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.faults.scenario import KCACHE, Contender, Effort, Scenario

__all__ = ["Outcome", "tried"]

_ROOT = Path(__file__).parents[2]
_TOLD = 2000


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        ended: "done", "failed" (by an exception), "crashed" (by a signal) or "hangs".
        count, faults, readings: of the last finding that there was.
        told: the end of what it wrote about its failure, or about kcache's faults.
    """

    who: str
    node: str
    ended: str
    seconds: float
    count: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    readings: dict[str, float] = field(default_factory=dict)
    told: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything did that must."""
        return self.ended == "done" and self.count > 0 and not self.faults


def tried(scenario: Scenario, contender: Contender, effort: Effort) -> Outcome:
    """Run a trial, and end it at the scenario's limit."""
    argument = {"scenario": scenario.name, **asdict(contender), "effort": asdict(effort)}
    command = [sys.executable, "-m", "benchmarks.faults.trial", json.dumps(argument)]
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdout=output, stderr=errors, start_new_session=True
        )
        ended = _ended(process, scenario.limit)
        seconds = round(time.monotonic() - begun, 1)
        last = _last(_read(output))
        is_fine = ended == "done" and not (contender.who == KCACHE and last.get("faults"))
        told = "" if is_fine else _read(errors).strip()[-_TOLD:]
    return Outcome(contender.who, contender.node, ended, seconds, told=told, **last)


def _ended(process: subprocess.Popen[bytes], limit: float) -> str:
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        return "hangs"
    finally:
        # Its servers and its children, too: it leads a group of its own.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return "done" if status == 0 else "crashed" if status < 0 else "failed"


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last(lines: str) -> dict[str, Any]:
    """The last finding that was written whole."""
    whole = [line for line in lines.split("\n")[:-1] if line.startswith("{")]
    return dict(json.loads(whole[-1])) if whole else {}
