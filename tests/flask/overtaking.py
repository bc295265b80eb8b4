"""Scenarios of threads: many that miss at once, and deletions while something is computed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

from flask import Flask

from tests.flask.scenario import Extension, Scenario, Verdict, page

__all__ = ["OVERTAKING"]

_CALLERS = 20
_SECONDS = 0.2
_PATIENCE = 10.0


def _at_once(call: Callable[[], str]) -> list[str]:
    """What callers are given who begin in one moment."""
    barrier = Barrier(_CALLERS)

    def one() -> str:
        barrier.wait(_PATIENCE)
        return call()

    with ThreadPoolExecutor(_CALLERS) as pool:
        calls = [pool.submit(one) for _ in range(_CALLERS)]
        return [each.result(_PATIENCE) for each in calls]


class _Computation:
    """Takes its time, and counts."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def __call__(self) -> str:
        self.runs.append(1)
        time.sleep(_SECONDS)
        return "done"

    def verdict(self, answers: list[str]) -> Verdict:
        is_right = len(self.runs) == 1 and answers == ["done"] * _CALLERS
        return Verdict(is_right, f"{len(self.runs)} computations for {len(answers)} callers")


def _crowd_at_a_page(extension: Extension) -> Verdict:
    compute = _Computation()

    def view() -> str:
        return compute()

    app = page(extension, view)
    return compute.verdict(_at_once(lambda: app.test_client().get("/").text))


def _crowd_at_a_function(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    compute = _Computation()

    @cache.memoize()
    def function(_number: int) -> str:
        return compute()

    return compute.verdict(_at_once(lambda: _within(app, lambda: function(1))))


def _within(app: Flask, call: Callable[[], str]) -> str:
    with app.app_context():
        return call()


class _Record:
    """What a view reads; the first reading is held up while the record changes."""

    def __init__(self) -> None:
        self._value = "old"
        self._is_read, self._is_changed = Event(), Event()

    def read(self) -> str:
        value = self._value
        self._is_read.set()
        self._is_changed.wait(_PATIENCE)
        return value

    def overtake(self, ask: Callable[[], str], delete: Callable[[], object]) -> Verdict:
        """Delete while it is computed from what was there before; then ask twice."""
        reader = Thread(target=ask)
        reader.start()
        assert self._is_read.wait(_PATIENCE), "nothing was computed"
        self._value = "new"
        delete()
        self._is_changed.set()
        reader.join(_PATIENCE)
        seen = [ask(), ask()]
        return Verdict(seen == ["new", "new"], f"afterwards: {seen}")


def _delete_cached(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    record = _Record()

    @app.route("/")
    @cache.cached()
    def view() -> str:
        return record.read()

    def delete() -> object:
        with app.app_context():
            return cache.delete_cached(view, path="/")

    return record.overtake(lambda: app.test_client().get("/").text, delete)


def _clear(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    record = _Record()

    @app.route("/")
    @cache.cached()
    def view() -> str:
        return record.read()

    def clear() -> object:
        with app.app_context():
            return cache.clear()

    return record.overtake(lambda: app.test_client().get("/").text, clear)


def _delete_memoized(extension: Extension, *arguments: int) -> Verdict:
    app, cache = extension.new_app()
    record = _Record()

    @cache.memoize()
    def function(_number: int) -> str:
        return record.read()

    def delete() -> object:
        with app.app_context():
            return cache.delete_memoized(function, *arguments)

    return record.overtake(lambda: _within(app, lambda: function(1)), delete)


OVERTAKING = (
    Scenario(
        "crowd_at_a_page",
        f"{_CALLERS} requests at once for a page that is missing",
        "one computation",
        _crowd_at_a_page,
        depends_on_nodes=True,
    ),
    Scenario(
        "crowd_at_a_function",
        f"{_CALLERS} calls at once of a memoized function",
        "one computation",
        _crowd_at_a_function,
        depends_on_nodes=True,
    ),
    Scenario(
        "delete_cached_meanwhile",
        "delete_cached while the view is computed",
        "what was computed from before is not seen after it",
        _delete_cached,
        depends_on_nodes=True,
    ),
    Scenario(
        "delete_memoized_meanwhile",
        "delete_memoized(f, 1) while f(1) is computed",
        "what was computed from before is not seen after it",
        lambda extension: _delete_memoized(extension, 1),
        depends_on_nodes=True,
    ),
    Scenario(
        "delete_function_meanwhile",
        "delete_memoized(f) while f(1) is computed",
        "what was computed from before is not seen after it",
        _delete_memoized,
        depends_on_nodes=True,
    ),
    Scenario(
        "clear_meanwhile",
        "clear while a view is computed",
        "what was computed from before is not seen after it",
        _clear,
        depends_on_nodes=True,
    ),
)
