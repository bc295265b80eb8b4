"""Tallies of programs: gevent, for one, is to be told of before anything else is imported."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from tests.faults.tally import Tally

__all__ = ["told"]


def told(command: Sequence[str]) -> Tally:
    """The tally that a program prints; one that prints none has failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    counts = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", done.stdout)}
    return Tally(**counts) if counts else Tally(rounds=1, errors=1)
