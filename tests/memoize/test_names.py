"""Two functions of one name share what they must not: a warning. A function that is loaded anew is
no other."""

from __future__ import annotations

import gc
import importlib
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kcache import Cache, SameNameWarning


@pytest.fixture
def cache() -> Cache:
    return Cache()


def one(x: int) -> int:
    return x


def two(x: int) -> int:
    return -x


def adder(cache: Cache, number: Any) -> Callable[[int], int]:
    log: list[int] = []

    @cache.memoize
    def add(x: int) -> int:
        log.append(x)
        return x + int(number)

    return add


def test_two_functions_of_one_name_are_a_warning_and_but_one(cache: Cache) -> None:
    cache.memoize(name="f")(one)
    with pytest.warns(SameNameWarning, match=r"(?s)test_names\.one \(.*test_names\.two \(.*name="):
        cache.memoize(name="f")(two)
    cache.memoize(name="f")(two)
    cache.memoize(name="f")(one)


def test_the_warning_points_to_the_function(cache: Cache) -> None:
    def renamed(x: int) -> int:
        return -x

    renamed.__qualname__ = "one"
    cache.memoize(one)
    cache.memoize(name="f")(one)
    with pytest.warns(SameNameWarning) as caught:
        cache.memoize(name="f")(two)
    with pytest.warns(SameNameWarning) as caught_bare:
        cache.memoize(renamed)
    assert {each.filename for each in [*caught, *caught_bare]} == {__file__}


def test_two_lambdas_of_a_module_are_two_functions(cache: Cache) -> None:
    cache.memoize(lambda x: x)
    with pytest.warns(SameNameWarning):
        cache.memoize(lambda x: -x)


def test_the_same_function_is_no_other(cache: Cache) -> None:
    for _ in range(3):
        cache.memoize(one)
        cache.memoize(ttl=5)(one)
        adder(cache, 1)


def test_closures_over_different_numbers_are_different(cache: Cache) -> None:
    adder(cache, 1)
    with pytest.warns(SameNameWarning):
        adder(cache, 2)


def test_what_is_made_anew_each_time_does_not_make_another_function(cache: Cache) -> None:
    # As in an application that is made twice.
    adder(cache, ModuleType("one"))
    adder(cache, ModuleType("two"))


def test_options_that_make_other_keys_are_a_warning(cache: Cache) -> None:
    cache.memoize(name="f", key=lambda x: x)(one)
    with pytest.warns(SameNameWarning):
        cache.memoize(name="f", key=lambda x: x + 1)(one)
    cache.memoize(name="g")(one)
    with pytest.warns(SameNameWarning):
        cache.memoize(name="g", ignore=["x"])(one)


def test_other_places_are_other_names(cache: Cache) -> None:
    cache.memoize(name="f")(one)
    cache.memoize(name="f", version=2)(two)
    cache.memoize(name="f", namespace="n")(two)
    cache.namespace("m").memoize(name="f")(two)
    Cache().memoize(name="f")(two)
    with pytest.warns(SameNameWarning):
        cache.namespace("n").memoize(name="f")(one)


def test_a_module_that_is_loaded_again_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder: Any = ModuleType("kcache_test_holder")
    holder.cache = Cache()
    monkeypatch.setitem(sys.modules, "kcache_test_holder", holder)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "kcache_test_reloaded.py"
    text = "from kcache_test_holder import cache\n\n@cache.memoize\ndef f(x):\n    return x + {}\n"
    path.write_text(text.format(0), encoding="utf-8")
    module = importlib.import_module("kcache_test_reloaded")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for number in range(1, 4):
                path.write_text("\n" * number + text.format(number * 10), encoding="utf-8")
                module = importlib.reload(module)
                assert module.f.uncached(1) == 1 + number * 10
    finally:
        del sys.modules["kcache_test_reloaded"]


def test_the_same_text_in_two_modules_is_two_functions(cache: Cache) -> None:
    text = compile("def f(x):\n    return x + AMOUNT\n", "text.py", "exec")
    found = []
    for amount in (1, 2):
        module: dict[str, Any] = {"__name__": f"module_{amount}", "AMOUNT": amount}
        exec(text, module)  # noqa: S102 - what two files with one text are
        found.append(module["f"])
    cache.memoize(name="f")(found[0])
    with pytest.warns(SameNameWarning, match="module_2"):
        cache.memoize(name="f")(found[1])


def test_warnings_do_not_keep_a_cache_alive() -> None:
    cache = Cache()
    core = weakref.ref(cache._core)  # noqa: SLF001 - what the registry refers to
    cache.memoize(one)
    del cache
    gc.collect()
    assert core() is None
