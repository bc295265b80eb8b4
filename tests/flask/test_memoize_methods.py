"""Memoized methods, and how their results are deleted."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG005

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kcache_flask import (
    Cache,
)
from tests.flask.site import Named, Site


def _shelf(site: Site) -> Any:
    class Shelf(Named):
        @site.cache.memoize()
        def add(self, a: int, b: int = 0) -> str:
            return f"{self.name} {a + b} {site.count()}"

        @classmethod
        @site.cache.memoize()
        def made(cls, a: int) -> str:
            return f"{cls.__name__} {a} {site.count()}"

        @staticmethod
        @site.cache.memoize()
        def plain(a: int) -> str:
            return f"{a} {site.count()}"

        @property
        @site.cache.memoize()
        def size(self) -> str:
            return f"{self.name} {site.count()}"

    class Sub(Shelf):
        pass

    made: Any = Shelf
    made.sub = Sub
    return made


def test_methods(anywhere: Site) -> None:
    shelf = _shelf(anywhere)
    one, two = shelf("one"), shelf("two")
    assert [one.add(1), two.add(1), one.add(1, b=0), shelf("one").add(a=1)] == [
        "one 1 1",
        "two 1 2",
        "one 1 1",
        "one 1 1",
    ]
    assert [shelf.made(1), shelf.sub.made(1), one.made(1)] == ["Shelf 1 3", "Sub 1 4", "Shelf 1 3"]
    assert [shelf.plain(1), one.plain(1)] == ["1 5", "1 5"]
    assert [one.size, two.size, one.size] == ["one 6", "two 7", "one 6"]
    assert shelf.sub("one").add(1) == "one 1 8"


def _three(shelf: Any) -> list[str]:
    one, two = shelf("one"), shelf("two")
    return [each.split()[-1] for each in (one.add(1), one.add(2), two.add(1))]


@pytest.mark.parametrize(
    ("delete", "left"),
    [
        (lambda c, s: c.delete_memoized(s.add), [4, 5, 6]),
        (lambda c, s: c.delete_memoized_verhash(s.add), [4, 5, 6]),
        (lambda c, s: s.add.delete_memoized(), [4, 5, 6]),
        (lambda c, s: c.delete_memoized(s("one").add), [4, 5, 3]),
        (lambda c, s: c.delete_memoized(s("one").add, 1), [4, 2, 3]),
        (lambda c, s: c.delete_memoized(s("one").add, a=1), [4, 2, 3]),
        (lambda c, s: c.delete_memoized(s.add, s("one"), 1), [4, 2, 3]),
        (lambda c, s: c.delete_memoized(s.add, s("one"), a=1, b=0), [4, 2, 3]),
        (lambda c, s: c.delete(s.add.make_cache_key(None, s("one"), 1)), [4, 2, 3]),
        (lambda c, s: c.delete_memoized(s.made), [1, 2, 3]),
        (lambda c, s: c.clear(), [4, 5, 6]),
    ],
)
def test_deleting_results_of_methods(
    anywhere: Site, delete: Callable[[Cache, Any], object], left: list[int]
) -> None:
    shelf = _shelf(anywhere)
    assert _three(shelf) == ["1", "2", "3"]
    delete(anywhere.cache, shelf)
    assert _three(shelf) == [f"{number}" for number in left]


def test_deleting_results_of_class_methods_and_functions(anywhere: Site) -> None:
    shelf, cache = _shelf(anywhere), anywhere.cache
    assert [shelf.made(1), shelf.sub.made(1), shelf.plain(1)] == ["Shelf 1 1", "Sub 1 2", "1 3"]
    cache.delete_memoized(shelf.made, shelf, 1)
    assert [shelf.made(1), shelf.sub.made(1)] == ["Shelf 1 4", "Sub 1 2"]
    cache.delete_memoized(shelf.made)
    cache.delete_memoized(shelf.plain, 1)
    assert [shelf.made(1), shelf.sub.made(1), shelf.plain(1)] == ["Shelf 1 5", "Sub 1 6", "1 7"]


def test_what_cannot_be_deleted_says_so(site: Site) -> None:
    shelf = _shelf(site)
    with pytest.raises(TypeError, match="is not memoized: give the decorated function"):
        site.cache.delete_memoized(len)
    with pytest.raises(ValueError, match="class as its first argument"):
        site.cache.delete_memoized(shelf.made, 1)
    with pytest.raises(ValueError, match="instance as its first argument"):
        site.cache.delete_memoized(shelf.add, a=1)
