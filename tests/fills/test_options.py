"""The options of fills: what is taken, what is refused, and the arithmetic behind them."""

from __future__ import annotations

from datetime import timedelta
from math import e, inf, nan
from typing import Any

import pytest

from kcache import Cache, ConfigurationError
from kcache.policy import Policy, policy_of

TIMES = ("stale_ttl", "stale_on_error", "lock_ttl", "wait")
NO_TIMES: list[Any] = [-1, -0.001, inf, None, "5", b"5", True, [], object(), timedelta(seconds=-1)]
WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in TIMES for value in NO_TIMES),
    ("lock_ttl", 0),
    *(("early", value) for value in (-1, inf, nan, None, "1", True)),
    *(("jitter", value) for value in (-0.1, 1.1, inf, nan, None, "1", True)),
    *(("errors", value) for value in (None, ValueError, [ValueError], {"ValueError": 5})),
    *(("errors", {kind: 5}) for kind in (BaseException, KeyboardInterrupt, int, ValueError("x"))),
    *(("errors", {ValueError: ttl}) for ttl in (0, -1, inf, None, "5")),
    *(("refresh", value) for value in (None, "threads", "", 5, True)),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=repr)
def test_what_cannot_be_used_is_refused_by_its_name(name: str, value: Any) -> None:
    with Cache() as cache, pytest.raises((ConfigurationError, TypeError)) as raised:
        cache.get_or_set("k", lambda: 1, **{name: value})
    message = f"{raised.value}"
    assert name in message
    assert "\n" not in message
    assert raised.type is ConfigurationError


@pytest.mark.parametrize("call", ["get_or_set", "get_or_set_many"])
def test_an_option_that_is_unknown_is_refused_with_those_that_there_are(call: str) -> None:
    with Cache() as cache, pytest.raises(ConfigurationError, match=r"stale_tll.*stale_ttl"):
        getattr(cache, call)("k", lambda *_: {"k": 1}, stale_tll=5)


def test_times_are_numbers_or_timedeltas() -> None:
    policy = policy_of(
        {"stale_ttl": timedelta(minutes=1), "wait": 0, "lock_ttl": 0.5, "early": 2, "jitter": 1}
    )
    assert policy == Policy(stale_ttl=60.0, wait=0.0, lock_ttl=0.5, early=2.0, jitter=1.0)


@pytest.mark.parametrize(
    ("options", "keeps", "is_dated", "is_simple"),
    [
        ({}, 0, False, True),
        ({"lock_ttl": 5, "wait": 5, "jitter": 0.5}, 0, False, True),
        ({"stale_ttl": 5}, 5, True, False),
        ({"stale_ttl": 5, "stale_on_error": 7}, 7, True, False),
        ({"stale_ttl": 7, "stale_on_error": 5}, 7, True, False),
        ({"early": 1}, 0, True, False),
        ({"errors": {ValueError: 5}}, 0, False, False),
    ],
)
def test_what_options_ask_for(
    options: Any,
    keeps: float,
    is_dated: bool,  # noqa: FBT001 - of a table
    is_simple: bool,  # noqa: FBT001 - the same
) -> None:
    policy = policy_of(options)
    assert (policy.keeps, policy.is_dated, policy.is_simple) == (keeps, is_dated, is_simple)


@pytest.mark.parametrize(
    ("jitter", "ttl", "chance", "expected"),
    [
        (0.0, 100.0, 0.9, 100.0),
        (0.5, 100.0, 0.0, 100.0),
        (0.5, 100.0, 0.5, 75.0),
        (0.1, 100.0, 1.0, 90.0),
        (1.0, 100.0, 0.25, 75.0),
        (0.5, None, 0.5, None),
    ],
)
def test_jitter(jitter: float, ttl: float | None, chance: float, expected: float | None) -> None:
    assert Policy(jitter=jitter).shortened(ttl, chance) == expected


# Of a value that took 2 s and is fresh until 100.
@pytest.mark.parametrize(
    ("early", "now", "chance", "is_due"),
    [
        (0.0, 99.999, 0.999, False),
        (1.0, 0.0, 0.5, False),
        (1.0, 99.0, 0.0, False),
        (1.0, 100.0, 0.0, True),
        # -ln(1/e) is 1: this far ahead, and not further.
        (1.0, 97.99, 1 - 1 / e, False),
        (1.0, 98.01, 1 - 1 / e, True),
        (3.0, 93.99, 1 - 1 / e, False),
        (3.0, 94.01, 1 - 1 / e, True),
        # The largest number that random() gives.
        (1.0, 30.0, 1 - 2**-53, True),
    ],
)
def test_when_a_value_is_computed_early(
    early: float,
    now: float,
    chance: float,
    is_due: bool,  # noqa: FBT001 - of a table
) -> None:
    assert Policy(early=early).is_due(100.0, 2.0, now, chance) is is_due


def test_the_first_class_that_fits_says_how_long_an_exception_is_kept() -> None:
    policy = policy_of({"errors": {KeyError: 5, LookupError: timedelta(minutes=1)}})
    assert policy.error_ttl(KeyError()) == 5
    assert policy.error_ttl(IndexError()) == 60
    assert policy.error_ttl(ValueError()) is None
    assert policy.error_ttl(KeyboardInterrupt()) is None


def test_what_was_checked_before_does_not_let_its_equal_pass() -> None:
    with Cache() as cache:
        assert cache.get_or_set("k", lambda: 1, early=1) == 1
        with pytest.raises(ConfigurationError, match="early"):
            cache.get_or_set("k", lambda: 1, early=True)
