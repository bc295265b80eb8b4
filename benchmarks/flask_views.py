"""What a hit costs in a Flask app: of a cached view over a bare one, of a function, of a fragment.

Run as `python -m benchmarks.flask_views`; see README.md here. Servers are started for the run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response
from flask_caching import Cache as FlaskCaching
from werkzeug.test import create_environ

from benchmarks.bare import ask, open_sockets
from benchmarks.cache_ways import KEY, place_of
from benchmarks.calls import Call, measured, repeated
from benchmarks.environment import describe
from benchmarks.harness import Contender, Goal, Measurement, Result, Row, Work, pin_to_one_cpu
from benchmarks.report import Report, markdown, store
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache_flask import Cache
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    *("kcache-client", "Flask-Caching", "Flask", "Werkzeug", "cachelib"),
    *("redis", "hiredis", "pylibmc"),
)
_BARE, _KCACHE, _FLASK = "bare", "kcache_flask", "Flask-Caching"
_FLOOR = "floor: bare, and a GET on a bare socket"
_OVER = "over the bare one"
_NOTES = (
    "Client and server run on one CPU, over loopback; each call is a hit.",
    "An app is called as a server calls it: a WSGI environment, and its response read and closed.",
    f"`{_OVER}` is what a contender took more than the bare one in the same round.",
    "The functions take a str and give one of 100 B; the fragments are of 1 KB.",
    """Flask-Caching keeps pages under their path; kcache_flask tells schemes, hosts and variants
    apart, and its responses have an ETag, Age and Cache-Status.""",
)
_TIMEOUT = 3600
_RESULT = "x" * 100
_FRAGMENT = "{% cache 3600, 'fragment' %}{{ text }}{% endcache %}"


@dataclass(frozen=True)
class Effort:
    """How much is done: requests in a round, and rounds."""

    requests: int
    rounds: int


_FULL, _QUICK = Effort(1000, 9), Effort(20, 2)


@dataclass(frozen=True)
class _Place:
    """Where entries are.

    Attributes:
        name: of the place.
        ours: the settings of kcache_flask.
        theirs: those of Flask-Caching.
        get: from a length to a GET of a value of that length on a bare socket; None in memory.
        limit: of our overhead, as a share of Flask-Caching's; None for no goal.
    """

    name: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    get: Callable[[int], Call] | None
    limit: float | None


@dataclass(frozen=True)
class _Apps:
    """The apps of a place, each with its cache; the bare one has one that does nothing."""

    place: _Place
    bare: Flask
    ours: tuple[Flask, Cache]
    theirs: tuple[Flask, Any]


def _text(size: int) -> str:
    return "soup " * (size // 5)


_PAGES: Mapping[str, tuple[int, Callable[[], Any]]] = {
    "text of 1 KB": (1000, partial(_text, 1000)),
    "text of 20 KB": (20_000, partial(_text, 20_000)),
    "Response of 1 KB": (1000, lambda: Response(_text(1000), headers={"X-Kitchen": "open"})),
    "dict": (500, lambda: {"soups": [{"name": f"soup {i}", "price": i} for i in range(20)]}),
}
"""What views give, and about how many bytes are stored of it."""


def _in_memory() -> _Place:
    return _Place("memory", {}, {"CACHE_TYPE": "SimpleCache"}, None, 0.4)


def _on_redis(server: Redis) -> _Place:
    (sock,) = open_sockets([server.address])
    theirs = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": server.url}

    def get(size: int) -> Call:
        key, data = f"{KEY}:{size}".encode(), b"x" * size
        ask(sock, (resp.encode_set(key, data), len(resp.OK_BYTES)))()
        return ask(sock, (resp.encode_get(key), len(b"$%d\r\n%b\r\n" % (size, data))))

    return _Place("Redis", _nodes(server), theirs, get, 0.3)


def _on_memcached(server: Memcached) -> _Place:
    (sock,) = open_sockets([server.address])
    host, port = place_of(server)
    theirs = {"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": [f"{host}:{port}"]}

    def get(size: int) -> Call:
        key, data = f"{KEY}:{size}".encode(), b"x" * size
        ask(sock, (mc.encode_ms(key, data, 0), len(b"HD\r\n")))()
        reply = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, size, data)
        return ask(sock, (b"get %b\r\n" % key, len(reply)))

    return _Place("memcached", _nodes(server), theirs, get, None)


def _nodes(server: Redis | Memcached) -> dict[str, Any]:
    # A run of many rounds on a busy machine must not meet a timeout.
    return {"KCACHE_NODES": [server.url], "KCACHE_TIMEOUT": 30.0}


def _apps(place: _Place) -> _Apps:
    ours, theirs = Flask("ours"), Flask("theirs")
    return _Apps(
        place,
        Flask("bare"),
        (ours, Cache(ours, config=place.ours)),
        (theirs, FlaskCaching(theirs, config=dict(place.theirs))),
    )


def _rows(place: _Place, effort: Effort) -> Iterator[Row]:
    for name, (size, make) in _PAGES.items():
        yield _view_row(name, size, make, place, effort)
    yield _function_row(place, effort)
    yield _fragment_row(place, effort)


def _view_row(name: str, size: int, make: Callable[[], Any], place: _Place, effort: Effort) -> Row:
    apps = _apps(place)
    made = make()

    def view() -> Any:
        # A Response is made anew for each request, as a view does.
        return make() if isinstance(made, Response) else made

    views = {
        _BARE: (apps.bare, view),
        _KCACHE: (apps.ours[0], apps.ours[1].cached(_TIMEOUT)(view)),
        _FLASK: (apps.theirs[0], apps.theirs[1].cached(_TIMEOUT)(view)),
    }
    for app, decorated in views.values():
        app.add_url_rule("/menu", "menu", decorated)
    works = {way: _repeated_request(app, effort.requests) for way, (app, _) in views.items()}
    if place.get is not None:
        get = place.get(size)
        works[_FLOOR] = _repeated_request(apps.bare, effort.requests, get)
    return _row(f"view, {name}, {place.name}", works, effort.requests, effort, place.limit)


def _function_row(place: _Place, effort: Effort) -> Row:
    apps = _apps(place)
    times = 5 * effort.requests

    def function(_name: str) -> str:
        return _RESULT

    functions = {
        _BARE: (apps.bare, function),
        _KCACHE: (apps.ours[0], apps.ours[1].memoize(_TIMEOUT)(function)),
        _FLASK: (apps.theirs[0], apps.theirs[1].memoize(_TIMEOUT)(function)),
    }
    works = {
        way: _in_context(app, repeated(partial(decorated, KEY), times))
        for way, (app, decorated) in functions.items()
    }
    if place.get is not None:
        works[_FLOOR] = _with_get(place.get(len(_RESULT)), partial(function, KEY), times)
    return _row(f"function, {place.name}", works, times, effort)


def _fragment_row(place: _Place, effort: Effort) -> Row:
    apps = _apps(place)
    times = 5 * effort.requests
    text = _text(1000)
    sources = {
        _BARE: (apps.bare, "{{ text }}"),
        _KCACHE: (apps.ours[0], _FRAGMENT),
        _FLASK: (apps.theirs[0], _FRAGMENT),
    }
    renders = {
        way: (app, partial(app.jinja_env.from_string(source).render, text=text))
        for way, (app, source) in sources.items()
    }
    works = {
        way: _in_context(app, repeated(render, times)) for way, (app, render) in renders.items()
    }
    if place.get is not None:
        works[_FLOOR] = _with_get(place.get(len(text)), renders[_BARE][1], times)
    return _row(f"fragment, {place.name}", works, times, effort)


def _row(
    name: str,
    works: Mapping[str, Work],
    operations: int,
    effort: Effort,
    limit: float | None = None,
) -> Row:
    goals = () if limit is None else (Goal(_KCACHE, limit, _FLASK),)
    return Row(
        name,
        tuple(Contender(way, partial(_same, work)) for way, work in works.items()),
        operations=operations,
        floor=_BARE,
        peers=(_FLASK,),
        goals=goals,
        rounds=effort.rounds,
    )


def _same(work: Work) -> Work:
    return work


def _repeated_request(app: Flask, times: int, before: Call | None = None) -> Work:
    """The same request to an app, many times; each as a server makes it."""
    environ = create_environ("/menu", "http://localhost/")
    answer = app.wsgi_app
    seen: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _info: Any = None) -> Any:
        seen[:] = [status]

    def work() -> None:
        for _ in range(times):
            if before is not None:
                before()
            body: Any = answer(environ.copy(), start_response)
            for _ in body:
                pass
            # A list of bytes has none.
            getattr(body, "close", _nothing)()
        if seen != ["200 OK"]:
            raise RuntimeError(f"a page was answered with {seen}")

    return work


def _nothing() -> None:
    """What there is to do where there is no `close`."""


def _in_context(app: Flask, work: Work) -> Work:
    def inside() -> None:
        with app.app_context():
            work()

    return inside


def _with_get(get: Call, call: Call, times: int) -> Work:
    def work() -> None:
        for _ in range(times):
            get()
            call()

    return work


def _over(result: Result) -> Result:
    """What contenders take more than the bare one, round by round."""
    bare = result[_BARE].rounds
    over = tuple(
        Measurement(each.contender, tuple(a - b for a, b in zip(each.rounds, bare, strict=True)))
        for each in result.measurements
        if each.contender != _BARE
    )
    floor = _FLOOR if any(each.contender == _FLOOR for each in over) else None
    return Result(f"{result.name}: {_OVER}", result.unit, floor, (_FLASK,), over, result.goals)


def _both(row: Row) -> tuple[Result, Result]:
    result = measured(row)
    whole = Result(
        result.name, result.unit, result.floor, result.peers, result.measurements, goals=()
    )
    return whole, _over(result)


def _run(effort: Effort) -> Report:
    environment = describe(_PACKAGES)
    with ExitStack() as stack:
        places = (
            _in_memory(),
            _on_redis(stack.enter_context(redis())),
            _on_memcached(stack.enter_context(memcached())),
        )
        results = tuple(
            result for place in places for row in _rows(place, effort) for result in _both(row)
        )
    notes = tuple(" ".join(note.split()) for note in _NOTES)
    return Report("flask_views", "Hits in a Flask app", environment, notes, results, ())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the table, and store it unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flask_views", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args(arguments)
    pin_to_one_cpu()
    report = _run(_QUICK if options.quick else _FULL)
    print(markdown(report))
    if not (options.quick or options.dry):
        store(report, _RESULTS)


if __name__ == "__main__":
    main()
