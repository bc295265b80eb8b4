"""One contender in one scenario, in a process of its own: `python -m benchmarks.faults.trial`.

It takes what `Trial` holds as JSON, and writes a line of JSON for each finding.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict

from benchmarks.faults.registry import SCENARIOS
from benchmarks.faults.scenario import Contender, Effort

__all__ = ["main"]


def main(argument: str) -> None:
    """Run a trial."""
    # Outages are told in the log, and there are many of them.
    logging.getLogger("kcache").setLevel(logging.CRITICAL)
    told = json.loads(argument)
    scenario = next(each for each in SCENARIOS if each.name == told["scenario"])
    contender = Contender(told["who"], told["node"])
    for finding in scenario.run(contender, Effort(**told["effort"])):
        print(json.dumps(asdict(finding)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
