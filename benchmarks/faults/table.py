"""Outcomes as JSON, a figure at a time, and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import Environment
from benchmarks.faults.isolation import Outcome
from benchmarks.faults.scenario import KCACHE, Scenario

__all__ = ["Figure", "Line", "load", "markdown", "save"]

_HEAD = ("F", "scenario and load", "must hold", "kcache, Redis", "kcache, memcached")
_REST = ("holds", "peers", "seconds")
_WHOLE_FROM = 100
_NOTES = (
    """A cell says how many rounds were run and what went wrong in them; a round may have more than
    one fault. `wrong`: the value of another key; `missed`: a miss of what is there; `errors`: an
    exception of a call after it; `swallowed`: what was raised did not come out; `lost`: a
    connection, or a child process, is never seen again; `slow`: beyond the limit.""",
    """kcache's timeout is 5 s, and that of peers 1 s, where a scenario does not say otherwise;
    redis-py reads with hiredis; HashClient has `ignore_exc=True`; pymemcache waits for replies
    (`default_noreply=False`) but where it has no options. On several nodes HashClient has
    `use_pooling=True`, too, and pylibmc `ketama`, a client of its own for each thread, and all
    timeouts that its manual names.""",
    """Each contender is run in a process of its own. One that has not ended at a limit hangs, and
    what it had done until then is told.""",
    """Scenarios end after a time, too; the rounds are those that were run.""",
)


@dataclass(frozen=True)
class Line:
    """A scenario, and what came of it."""

    name: str
    unit: str
    must: str
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, scenario: Scenario, outcomes: Iterable[Outcome]) -> Line:
        """The line of a scenario."""
        return cls(scenario.name, scenario.unit, scenario.must, tuple(outcomes))

    @property
    def holds(self) -> bool:
        """Whether everything did that kcache promises."""
        ours = [outcome for outcome in self.outcomes if outcome.who == KCACHE]
        return bool(ours) and all(outcome.holds for outcome in ours)


@dataclass(frozen=True)
class Figure:
    """The lines of a figure, and where they were measured."""

    environment: Environment
    lines: tuple[Line, ...]


def load(file: Path) -> dict[str, Figure]:
    """The figures that were saved, by their names."""
    if not file.exists():
        return {}
    return {name: _figure(told) for name, told in json.loads(file.read_text()).items()}


def _figure(told: Mapping[str, Any]) -> Figure:
    lines = (
        Line(**{**line, "outcomes": tuple(Outcome(**each) for each in line["outcomes"])})
        for line in told["lines"]
    )
    return Figure(Environment(**told["environment"]), tuple(lines))


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write `faults.json` and `faults.md`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text = folder / "faults.json", folder / "faults.md"
    told = {name: asdict(figures[name]) for name in _in_order(figures)}
    data.write_text(json.dumps(told, indent=1) + "\n")
    text.write_text(markdown(figures))
    return [data, text]


def _in_order(figures: Iterable[str]) -> list[str]:
    return sorted(figures, key=lambda name: int(name[1:]))


def markdown(figures: Mapping[str, Figure]) -> str:
    """The report as Markdown: the table, and where each figure was measured."""
    parts = [
        "# Faults",
        "\n".join(f"* {' '.join(note.split())}" for note in _NOTES),
        "\n".join(_table(figures)),
        "## Where and when",
        "\n".join(_places(figures)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(figures: Mapping[str, Figure]) -> Iterator[str]:
    yield from _rows([*_HEAD, *_REST])
    for name in _in_order(figures):
        for line in figures[name].lines:
            yield from _rows(body=[_cells(name, line)])


def _rows(head: Sequence[str] = (), body: Iterable[Sequence[str]] = ()) -> Iterator[str]:
    if head:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
    for cells in body:
        yield f"| {' | '.join(cells)} |"


def _cells(name: str, line: Line) -> list[str]:
    ours = {o.node: _told(o, line.unit) for o in line.outcomes if o.who == KCACHE}
    peers = [f"{o.who}: {_told(o, line.unit)}" for o in line.outcomes if o.who != KCACHE]
    seconds = sum(outcome.seconds for outcome in line.outcomes)
    return [
        name,
        line.name,
        line.must,
        ours.get("redis", ""),
        ours.get("memcached", ""),
        "yes" if line.holds else "**no**",
        "<br>".join(peers),
        f"{seconds:.0f}",
    ]


def _told(outcome: Outcome, unit: str) -> str:
    faults = ", ".join(f"{count:,} {name}" for name, count in outcome.faults.items()) or "0 faults"
    parts = [f"{faults} in {outcome.count:,} {unit}" if outcome.count else ""]
    parts += [f"{name} {_number(value)}" for name, value in outcome.readings.items()]
    parts.append("" if outcome.ended == "done" else f"**{outcome.ended}**")
    return "; ".join(part for part in parts if part)


def _number(value: float) -> str:
    """Three digits, or all whole ones."""
    if value == int(value) or value >= _WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _places(figures: Mapping[str, Figure]) -> Iterator[str]:
    yield from _rows(["F", "date", "commit", "machine", "load before", "versions"])
    for name in _in_order(figures):
        place = figures[name].environment
        versions = ", ".join(f"{what} {number}" for what, number in place.versions.items())
        machine = f"{place.cpu}, {place.cores} cores, {place.system}, {place.python}"
        cells = [name, place.date, place.commit, machine, f"{place.load}", versions]
        yield from _rows(body=[cells])
