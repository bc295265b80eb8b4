"""A run's results as JSON, with every reading, and as Markdown, to be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.chart import Chart, draw
from benchmarks.environment import Environment
from benchmarks.harness import Goal, Measurement, Result, Verdict

__all__ = ["Report", "markdown", "store"]

_DIGITS = 6
_WHOLE_FROM = 100


@dataclass(frozen=True)
class Report:
    """Everything one run of a benchmark found out.

    Attributes:
        name: the files' name, without a suffix.
        title: the heading.
        notes: what a reader must know to judge the numbers.
        results: the rows, in the order shown.
        charts: drawn as SVG beside the report.
    """

    name: str
    title: str
    environment: Environment
    notes: tuple[str, ...]
    results: tuple[Result, ...]
    charts: tuple[Chart, ...] = ()


def store(report: Report, directory: Path) -> list[Path]:
    """Write `name.json`, `name.md` and the charts; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    data, text = directory / f"{report.name}.json", directory / f"{report.name}.md"
    data.write_text(json.dumps(_plain(report), indent=1) + "\n")
    text.write_text(markdown(report))
    drawn = [draw(chart, directory / f"{chart.name}.svg") for chart in report.charts]
    return [data, text, *drawn]


def _plain(report: Report) -> dict[str, object]:
    return {
        "title": report.title,
        "environment": asdict(report.environment),
        "notes": report.notes,
        "results": [_plain_result(result) for result in report.results],
        "charts": [asdict(chart) for chart in report.charts],
    }


def _plain_result(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "unit": result.unit,
        "floor": result.floor,
        "peers": result.peers,
        "measurements": [
            {
                "contender": m.contender,
                "median": round(m.median, _DIGITS),
                "ratios": {
                    other: round(result.ratio(m.contender, other), _DIGITS)
                    for other in _references(result)
                },
                "rounds": [round(reading, _DIGITS) for reading in m.rounds],
            }
            for m in result.measurements
        ],
        "goals": [
            {**asdict(v.goal), "value": round(v.value, _DIGITS), "reached": v.reached}
            for v in result.verdicts
        ],
    }


def markdown(report: Report) -> str:
    """The report as Markdown: environment, goals, and a table for every row."""
    parts = [
        f"# {report.title}",
        "\n".join(_environment(report.environment)),
        "\n".join(f"* {note}" for note in (*report.notes, _spread(report.results))),
        "## Goals",
        "\n".join(_goals(report.results)),
        "## Rows",
        *(f"### {result.name}\n\n" + "\n".join(_table(result)) for result in report.results),
        *(f"![{chart.title}]({chart.name}.svg)" for chart in report.charts),
    ]
    return "\n\n".join(parts) + "\n"


def _environment(environment: Environment) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in environment.versions.items())
    yield from _rows(["", ""], [])
    for what, told in (
        ("date", environment.date),
        ("CPU", f"{environment.cpu}, {environment.cores} cores, of which one is used"),
        ("system", environment.system),
        ("load before", str(environment.load)),
        ("Python", environment.python),
        ("commit", environment.commit),
        ("packages", versions),
    ):
        yield f"| {what} | {told} |"


def _spread(results: Iterable[Result]) -> str:
    spreads = {(r.name, m.contender): m.spread for r in results for m in r.measurements}
    (row, contender), widest = max(spreads.items(), key=lambda item: item[1])
    return (
        "Spread, the distance of the quartiles as a share of the median: "
        f"{median(spreads.values()):.1%} in the middle of all measurements, "
        f"{widest:.1%} at worst ({contender} in `{row}`)."
    )


def _goals(results: Iterable[Result]) -> Iterator[str]:
    yield from _rows(
        ["row", "goal", "measured", ""],
        [
            [result.name, _goal(verdict.goal, result.unit), *_outcome(verdict, result.unit)]
            for result in results
            for verdict in result.verdicts
        ],
    )


def _goal(goal: Goal, unit: str) -> str:
    limit = f"{goal.limit:g} {unit}" if goal.against is None else f"{goal.limit:g}x {goal.against}"
    return f"{goal.contender} <= {limit}"


def _outcome(verdict: Verdict, unit: str) -> tuple[str, str]:
    mark = "x" if verdict.goal.against else f" {unit}"
    return f"{_number(verdict.value)}{mark}", "reached" if verdict.reached else "**not reached**"


def _table(result: Result) -> Iterator[str]:
    references = _references(result)
    yield from _rows(
        ["contender", f"median, {result.unit}", "quartiles", *(f"/ {r}" for r in references)],
        [_line(result, measurement, references) for measurement in result.measurements],
    )


def _line(result: Result, measurement: Measurement, references: tuple[str, ...]) -> list[str]:
    low, high = measurement.quartiles
    ratios = [f"{_number(result.ratio(measurement.contender, other))}x" for other in references]
    return [
        measurement.contender,
        _number(measurement.median),
        f"{_number(low)} to {_number(high)}",
        *ratios,
    ]


def _references(result: Result) -> tuple[str, ...]:
    return result.peers if result.floor is None else (result.floor, *result.peers)


def _rows(head: list[str], body: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for cells in body:
        yield f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    """Three digits, or all whole ones."""
    if value >= _WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")
