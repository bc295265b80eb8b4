"""All calls in any order, on each kind of node, against one dictionary."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kcache import Hit, Miss, NotACounter
from kcache.route import Key
from tests.cache.places import Place

# The second is not sent as it is; the third is the first.
NAMES: list[Key] = ["a", "b c", b"a", "d", b"\xff", "e" * 300]
KEYS = st.sampled_from(NAMES)
VALUES = st.sampled_from(
    [None, 0, 1, 7, -3, 2**63 - 1, 2**63, "", "5", "x", b"", b"5", b"\xff", 1.5, [1], {"k": (1,)}]
)
# Long enough for no entry to end while a test runs, or over at once.
TTLS = st.sampled_from([None, 1000, 5_000_000, 0, -1])
DELTAS = st.sampled_from([0, 1, 5, -1, -7, 2**62, -(2**62), 2**63, -(2**64)])
INITIALS = st.sampled_from([None, 0, 3, 2**63 - 1])


def one(key: Key) -> bytes:
    return key if isinstance(key, bytes) else key.encode()


class Model(RuleBasedStateMachine):
    """A cache, and what it should hold: value, ttl and the number of the last store."""

    place: Place
    # Seconds that memcached may keep more: 4, and 7 where counts have moved the end.
    slack = 12

    def __init__(self) -> None:
        super().__init__()
        self.cache = self.place.open()
        self.cache.flush_nodes()
        self.held: dict[bytes, tuple[Any, float]] = {}
        self.stores: dict[bytes, int] = {}
        self.tokens: dict[bytes, tuple[Any, int, Any]] = {}

    def teardown(self) -> None:
        self.cache.close()

    def keep(self, key: Key, value: Any, ttl: float | None) -> None:
        self.changed(key)
        if ttl is not None and ttl <= 0:
            self.held.pop(one(key), None)
        else:
            self.held[one(key)] = (value, inf if ttl is None else ttl)

    def changed(self, key: Key) -> None:
        self.stores[one(key)] = self.stores.get(one(key), 0) + 1

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def set(self, key: Key, value: Any, ttl: float | None) -> None:
        assert self.cache.set(key, value, ttl) is True
        self.keep(key, value, ttl)

    @rule(values=st.dictionaries(KEYS, VALUES, max_size=6), ttl=TTLS)
    def set_many(self, values: dict[Key, Any], ttl: float | None) -> None:
        assert self.cache.set_many(values, ttl) == []
        for key, value in values.items():
            self.keep(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def add(self, key: Key, value: Any, ttl: float | None) -> None:
        expected = one(key) not in self.held
        assert self.cache.add(key, value, ttl) is expected
        if expected:
            self.keep(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def replace(self, key: Key, value: Any, ttl: float | None) -> None:
        expected = one(key) in self.held
        assert self.cache.replace(key, value, ttl) is expected
        if expected:
            self.keep(key, value, ttl)

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        assert self.cache.delete(key) is (one(key) in self.held)
        self.keep(key, None, 0)

    @rule(keys=st.lists(KEYS, max_size=6))
    def delete_many(self, keys: list[Key]) -> None:
        names = {one(key) for key in keys}
        assert self.cache.delete_many(keys) == len(names & set(self.held))
        for key in keys:
            self.keep(key, None, 0)

    @rule(key=KEYS, ttl=TTLS)
    def touch(self, key: Key, ttl: float | None) -> None:
        found = self.held.get(one(key))
        assert self.cache.touch(key, ttl) is (found is not None)
        if found is not None and (ttl is None or ttl > 0):
            self.held[one(key)] = (found[0], inf if ttl is None else ttl)
        elif found is not None:
            self.keep(key, None, 0)

    @rule(key=KEYS, delta=DELTAS, initial=INITIALS, ttl=TTLS, down=st.booleans())
    def count(
        self,
        key: Key,
        delta: int,
        initial: int | None,
        ttl: float | None,
        down: bool,  # noqa: FBT001 - Hypothesis gives names
    ) -> None:
        call = self.cache.decr if down else self.cache.incr
        found = self.held.get(one(key))
        if found is None:
            assert call(key, delta, initial=initial, ttl=ttl) == initial
            if initial is not None:
                self.keep(key, initial, ttl)
            return
        value, left = found
        number = max(0, value + (-delta if down else delta)) if type(value) is int else -1
        if type(value) is not int or not 0 <= value < 2**63 or number >= 2**63:
            with pytest.raises(NotACounter):
                call(key, delta, initial=initial, ttl=ttl)
            return
        assert call(key, delta, initial=initial, ttl=ttl) == number
        self.changed(key)
        self.held[one(key)] = (number, left)

    @rule(key=KEYS)
    def gets(self, key: Key) -> None:
        found = self.cache.gets(key)
        expected = self.held.get(one(key))
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            assert_same(found[0], expected[0])
            self.tokens[one(key)] = (found[1], self.stores[one(key)], found[0])

    @precondition(lambda self: self.tokens)
    @rule(value=VALUES, ttl=TTLS, choice=st.data())
    def cas(self, value: Any, ttl: float | None, choice: st.DataObject) -> None:
        key = choice.draw(st.sampled_from(sorted(self.tokens)))
        token, store, old = self.tokens[key]
        if isinstance(token, bytes):
            found = self.held.get(key)
            expected = found is not None and (type(found[0]), found[0]) == (type(old), old)
        else:
            expected = key in self.held and self.stores[key] == store
        assert self.cache.cas(key, value, token, ttl) is expected
        if expected:
            self.keep(key, value, ttl)

    @rule(keys=st.lists(KEYS, max_size=8))
    def read(self, keys: list[Key]) -> None:
        expected = {key: self.held[one(key)] for key in keys if one(key) in self.held}
        found = self.cache.get_many(keys)
        assert set(found) == set(expected)
        for key in keys:
            if key in expected:
                value, left = expected[key]
                assert_same(found[key], value)
                assert_same(self.cache.get(key), value)
                assert self.cache.lookup(key) == Hit(value)
                assert key in self.cache
                self.check_ttl(key, left)
            else:
                assert self.cache.get(key, "miss") == "miss"
                assert self.cache.lookup(key) == Miss()
                assert self.cache.ttl(key) is None

    def check_ttl(self, key: Key, left: float) -> None:
        told = self.cache.ttl(key)
        assert told is not None
        # The time that the test has taken, and memcached's slack.
        assert told == left or left - 200 < told <= left + self.slack, (told, left)

    @rule()
    def flush(self) -> None:
        assert self.cache.flush_nodes()
        for key in list(self.held):
            self.keep(key, None, 0)

    @rule()
    def close(self) -> None:
        self.cache.close()


def assert_same(found: Any, expected: Any) -> None:
    assert (type(found), found) == (type(expected), expected)


def test_every_kind_of_node_does_as_a_dictionary_would(place: Place) -> None:
    machine = type("PlacedModel", (Model,), {"place": place})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
