"""What Flask-Caching does wrong with pages and functions, and kcache_flask with the same.

    python -m benchmarks.flask_defects

Runs every scenario of `tests.flask.defects` on the installed Flask-Caching and on kcache_flask, and
those that depend on nodes on real servers, too. `results/flask_defects.md` has what was seen.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.environment import Environment, describe
from tests.flask.defects import DEFECTS
from tests.flask.scenario import Extension, Scenario, Verdict
from tests.servers import memcached, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    *("kcache-client", "Flask-Caching", "Flask", "Werkzeug", "cachelib"),
    *("redis", "pymemcache", "asgiref"),
)
_PEER, _OURS = "Flask-Caching", "kcache_flask"
_WAYS = (f"{_PEER}, SimpleCache", f"{_PEER}, RedisCache")
_OUR_WAYS = (f"{_OURS}, memory", f"{_OURS}, Redis", f"{_OURS}, memcached")
_NOTES = (
    """A cell says what was seen where it is wrong. What does not depend on where entries lie is
    tried in memory alone.""",
    """Each scenario begins with an empty cache, in one process; apps are asked by Werkzeug's test
    client. What callers do at once, they do in threads.""",
    """Flask-Caching is given nothing but `CACHE_TYPE` and its server, kcache_flask nothing but
    `KCACHE_NODES`, and in memory nothing.""",
)


@dataclass(frozen=True)
class _Row:
    """A scenario, and the verdict on every way that it was tried in."""

    scenario: Scenario
    verdicts: Mapping[str, Verdict]

    @property
    def ours_is_right(self) -> bool:
        """Whether kcache_flask is right in every way."""
        return all(verdict.is_right for way, verdict in self._of(_OURS))

    @property
    def peer_is_right(self) -> bool:
        """Whether Flask-Caching is."""
        return all(verdict.is_right for way, verdict in self._of(_PEER))

    def _of(self, who: str) -> list[tuple[str, Verdict]]:
        return [(way, told) for way, told in self.verdicts.items() if way.startswith(who)]

    def told(self, who: str) -> str:
        """A cell: what was wrong, and where."""
        wrong = [
            f"**wrong**{_at(way)}: {_escaped(told.seen)}"
            for way, told in self._of(who)
            if not told.is_right
        ]
        right = [way for way, told in self._of(who) if told.is_right]
        if right:
            wrong.insert(0, "right" + (_at(*right) if wrong or len(right) > 1 else ""))
        return "<br>".join(wrong)


def _at(*ways: str) -> str:
    return f" ({', '.join(way.partition(', ')[2] for way in ways)})"


def _escaped(text: str) -> str:
    for character in "\\|*_<":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _tried(scenario: Scenario) -> _Row:
    verdicts = {}
    with ExitStack() as stack:
        for way, extension in _extensions(scenario, stack):
            verdicts[way] = scenario.verdict(extension)
    return _Row(scenario, verdicts)


def _extensions(scenario: Scenario, stack: ExitStack) -> Iterator[tuple[str, Extension]]:
    """The ways, each with nodes of its own."""
    yield _WAYS[0], Extension("flask_caching", {"CACHE_TYPE": "SimpleCache"})
    yield _OUR_WAYS[0], Extension("kcache_flask")
    if scenario.depends_on_nodes:
        theirs, ours = stack.enter_context(redis()), stack.enter_context(redis())
        config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": theirs.url}
        yield _WAYS[1], Extension("flask_caching", config)
        yield _OUR_WAYS[1], Extension("kcache_flask", {"KCACHE_NODES": [ours.url]})
        other = stack.enter_context(memcached())
        yield _OUR_WAYS[2], Extension("kcache_flask", {"KCACHE_NODES": [other.url]})


def _markdown(environment: Environment, rows: Sequence[_Row]) -> str:
    ours, peers = (
        sum(not row.ours_is_right for row in rows),
        sum(not row.peer_is_right for row in rows),
    )
    parts = [
        "# Defects of Flask-Caching, and kcache_flask",
        "\n".join(_place(environment)),
        "\n".join(f"* {' '.join(note.split())}" for note in _NOTES),
        f"Wrong in {len(rows)} scenarios: {_PEER} {peers}, {_OURS} {ours}.",
        "\n".join(_table(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def _place(environment: Environment) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in environment.versions.items())
    told = {
        "date": environment.date,
        "CPU": f"{environment.cpu}, {environment.cores} cores",
        "system": environment.system,
        "Python": environment.python,
        "commit": environment.commit,
        "packages": versions,
    }
    return _rows(["", ""], told.items())


def _table(rows: Iterable[_Row]) -> Iterator[str]:
    cells = (
        [row.scenario.situation, row.scenario.must, row.told(_PEER), row.told(_OURS)]
        for row in rows
    )
    return _rows(["situation", "must hold", _PEER, _OURS], cells)


def _rows(head: Sequence[str], body: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for cells in body:
        yield f"| {' | '.join(cells)} |"


def _store(environment: Environment, rows: Sequence[_Row]) -> None:
    told = {
        "environment": asdict(environment),
        "rows": {
            row.scenario.name: {way: asdict(verdict) for way, verdict in row.verdicts.items()}
            for row in rows
        },
    }
    _RESULTS.mkdir(parents=True, exist_ok=True)
    (_RESULTS / "flask_defects.json").write_text(json.dumps(told, indent=1) + "\n")
    (_RESULTS / "flask_defects.md").write_text(_markdown(environment, rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every scenario, print the table, and store it unless told not to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flask_defects", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="store nothing")
    dry = parser.parse_args(arguments).dry
    # Flask-Caching logs what it could not do; what is asked for here is what its user sees.
    logging.disable(logging.CRITICAL)
    environment = describe(_PACKAGES)
    rows = [_tried(scenario) for scenario in DEFECTS]
    print(_markdown(environment, rows))
    if not dry:
        _store(environment, rows)


if __name__ == "__main__":
    main()
