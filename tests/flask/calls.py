"""Scenarios of memoized functions and of fragments of templates."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from typing import Any

from flask import render_template_string

from tests.flask.scenario import Extension, Scenario, Verdict, counter

__all__ = ["CALLS"]

_FRAGMENT = "{% cache 60, 'fragment', one, other %}{{ one }} {{ other }}{% endcache %}"


class _Album:
    """One that looks like every other."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __repr__(self) -> str:
        return "<Album>"

    def title(self) -> str:
        return self._title


def _told_apart(extension: Extension, *, is_method: bool) -> Verdict:
    app, cache = extension.new_app()

    class Shelf(_Album):
        @cache.memoize()
        def label(self) -> str:
            return self.title()

    @cache.memoize()
    def label_of(album: _Album) -> str:
        return album.title()

    # Whoever keeps results of such objects may warn of it.
    with app.app_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shelves = [Shelf("one"), Shelf("two")]
        seen = [shelf.label() if is_method else label_of(shelf) for shelf in shelves]
    return Verdict(seen == ["one", "two"], f"results for two objects: {seen}")


def _fragment_keys(extension: Extension) -> Verdict:
    keys = [extension.fragment_key("f", names) for names in (["a_b", "c"], ["a", "b_c"])]
    app, _ = extension.new_app()
    with app.app_context():
        seen = [
            render_template_string(_FRAGMENT, one=one, other=other)
            for one, other in (("a_b", "c"), ("a", "b_c"))
        ]
    is_right = len(set(keys)) == len(keys) and seen == ["a_b c", "a b_c"]
    return Verdict(is_right, f"keys {keys}; fragments {seen}")


def _integers_in_fragments(extension: Extension) -> Verdict:
    app, _ = extension.new_app()
    with app.app_context():
        seen = [
            render_template_string(_FRAGMENT, one=1, other=2),
            render_template_string(_FRAGMENT, one=1, other=3),
        ]
    keys = {extension.fragment_key("f", [number]) for number in (1, 2)}
    return Verdict(seen == ["1 2", "1 3"] and len(keys) == 2, f"fragments {seen}")


def _unless(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    count = counter()

    @cache.memoize(unless=lambda: 1)
    def function() -> int:
        return count()

    with app.app_context():
        seen = [function(), function()]
    return Verdict(seen == [1, 2], f"two calls: {seen}")


def _coroutine(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    function = cache.memoize()(_double)
    with app.app_context():
        given: Any = function(21)
        if not inspect.isawaitable(given):
            return Verdict(
                is_right=False, seen=f"a call outside a loop gave {given!r}, not an awaitable"
            )
        result = asyncio.run(_awaited(given))
    return Verdict(result == 42, f"awaited: {result}")


def _coroutine_in_a_loop(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    count = counter()

    @cache.memoize()
    async def function(number: int) -> int:
        await asyncio.sleep(0)
        return number * 100 + count()

    async def main() -> list[int]:
        return [await function(1), await function(1), await function(2)]

    with app.app_context():
        seen = asyncio.run(main())
    return Verdict(seen == [101, 101, 202], f"three calls: {seen}")


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def _awaited(given: Any) -> Any:
    return await given


CALLS = (
    Scenario(
        "equal_repr_argument",
        "two arguments of equal repr",
        "each has its result",
        lambda extension: _told_apart(extension, is_method=False),
    ),
    Scenario(
        "equal_repr_self",
        "a method of two objects of equal repr",
        "each has its result",
        lambda extension: _told_apart(extension, is_method=True),
    ),
    Scenario(
        "fragment_keys",
        "fragments with the keys 'a_b', 'c' and 'a', 'b_c'",
        "each has its text",
        _fragment_keys,
    ),
    Scenario(
        "integers_in_fragments",
        "integers as keys of fragments",
        "each has its text",
        _integers_in_fragments,
    ),
    Scenario("unless_memoized", "memoize(unless=lambda: 1)", "nothing is kept", _unless),
    Scenario("coroutine", "a memoized coroutine function", "it gives an awaitable", _coroutine),
    Scenario(
        "coroutine_in_a_loop",
        "a memoized coroutine function in a running loop",
        "it is awaited, and kept",
        _coroutine_in_a_loop,
    ),
)
