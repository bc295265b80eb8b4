"""The full counts of what is promised of faults, for kcache and for its peers.

Run as `python -m benchmarks.soak`. Servers are started for the run. Results are stored after each
figure, beside those of figures that were not run; `--resume` goes on with a run that was cut short.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.environment import describe
from benchmarks.faults.isolation import Outcome, tried
from benchmarks.faults.registry import SCENARIOS
from benchmarks.faults.scenario import KCACHE, Contender, Effort, Scenario
from benchmarks.faults.table import Figure, Line, load, markdown, save

__all__ = ["FIGURES", "main"]

_RESULTS = Path(__file__).parent / "results"
_FILE = _RESULTS / "faults.json"
_PACKAGES = (
    "kcache-client",
    "redis",
    "hiredis",
    "pymemcache",
    "pylibmc",
    "python-memcached",
    "gevent",
    "Flask-Caching",
    "Django",
    "dogpile.cache",
    "cachelib",
)
FIGURES = tuple(dict.fromkeys(scenario.figure for scenario in SCENARIOS))
"""The names of all figures."""


def _measured(figure: str, *, quick: bool) -> Figure:
    environment = describe(_PACKAGES)
    lines = [
        Line.of(scenario, _outcomes(scenario, quick=quick))
        for scenario in SCENARIOS
        if scenario.figure == figure
    ]
    return Figure(environment, tuple(lines))


def _outcomes(scenario: Scenario, *, quick: bool) -> list[Outcome]:
    """Of all contenders; in a quick run, of ours, whose times are of no importance."""
    effort = scenario.quick if quick else scenario.full
    contenders = [each for each in scenario.contenders if not quick or each.who == KCACHE]
    with ThreadPoolExecutor(len(contenders) if quick or scenario.at_once else 1) as threads:
        return list(threads.map(lambda each: _outcome(scenario, each, effort), contenders))


def _outcome(scenario: Scenario, contender: Contender, effort: Effort) -> Outcome:
    _say(f"{scenario.figure} {scenario.name}: {contender.who}, {contender.node} ...")
    outcome = tried(scenario, contender, effort)
    faults = outcome.faults or "no faults"
    _say(
        f"    {outcome.ended} in {outcome.seconds} s: {faults} in {outcome.count:,} {outcome.told}"
    )
    return outcome


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _chosen(only: str | None, parser: argparse.ArgumentParser) -> list[str]:
    names = list(FIGURES) if only is None else only.split(",")
    if unknown := [name for name in names if name not in FIGURES]:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    return names


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure figures, print the table, and store it unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--only", metavar="F1,F2", help="these figures; others are kept")
    parser.add_argument("--resume", action="store_true", help="no figures that are stored already")
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    given = parser.parse_args(arguments)
    names = _chosen(given.only, parser)
    figures = {} if given.quick else load(_FILE)
    begun = time.monotonic()
    for name in names:
        if given.resume and name in figures:
            continue
        measured = _measured(name, quick=given.quick)
        # Another run may have stored others meanwhile.
        figures = (figures if given.quick else load(_FILE)) | {name: measured}
        if not given.quick:
            save(figures, _RESULTS)
    print(markdown(figures))
    _say(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
