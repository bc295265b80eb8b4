"""The in-process node against a model of what it promises."""

from __future__ import annotations

import os
import threading
from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kcache import ConfigurationError, Node
from kcache.errors import NotACounter
from kcache.memory import MemoryStore, open_store

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
TTLS = st.sampled_from([None, -1.0, 0.0, 0.5, 1.0, 3.0])
NUMBERS = st.sampled_from([0, 1, 7, 2**63 - 1])
DATA = st.sampled_from([b"", b"x", b"12", b"-3", b" 1", b"9" * 25, b"9223372036854775807"])


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Model(RuleBasedStateMachine):
    """Every call, in any order, against a plain dictionary of (data, flags, expires)."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore(clock=self.clock)
        self.entries: dict[bytes, tuple[bytes, int, float]] = {}
        self.tokens: dict[bytes, int] = {}

    def live(self, key: bytes) -> tuple[bytes, int, float] | None:
        entry = self.entries.get(key)
        return entry if entry is not None and entry[2] > self.clock.now else None

    def put(self, key: bytes, data: bytes, flags: int, ttl: float | None) -> None:
        expires = inf if ttl is None else self.clock.now + ttl
        self.entries[key] = (data, flags, expires)

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(key=KEYS, data=DATA, flags=st.integers(0, 3), ttl=TTLS)
    def set(self, key: bytes, data: bytes, flags: int, ttl: float | None) -> None:
        assert self.store.store(key, data, flags, ttl)
        self.put(key, data, flags, ttl)

    @rule(key=KEYS, data=DATA, ttl=TTLS, present=st.booleans())
    def add_or_replace(self, key: bytes, data: bytes, ttl: float | None, present: bool) -> None:  # noqa: FBT001
        expected = (self.live(key) is not None) == present
        assert self.store.store_if(key, data, 0, ttl, present=present) == expected
        if expected:
            self.put(key, data, 0, ttl)

    @rule(key=KEYS)
    def remember_token(self, key: bytes) -> None:
        entry = self.store.get(key)
        if entry is not None:
            self.tokens[key] = entry[2]

    @precondition(lambda self: self.tokens)
    @rule(data=DATA, ttl=TTLS, choice=st.data())
    def cas(self, data: bytes, ttl: float | None, choice: st.DataObject) -> None:
        key = choice.draw(st.sampled_from(sorted(self.tokens)))
        entry = self.store.get(key)
        expected = entry is not None and entry[2] == self.tokens[key]
        assert self.store.store_if(key, data, 0, ttl, token=self.tokens[key]) == expected
        if expected:
            self.put(key, data, 0, ttl)
            assert not self.store.store_if(key, data, 0, ttl, token=self.tokens[key])

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        assert self.store.delete(key) == (self.live(key) is not None)
        self.entries.pop(key, None)

    @rule(key=KEYS, ttl=TTLS)
    def touch(self, key: bytes, ttl: float | None) -> None:
        entry = self.live(key)
        assert self.store.touch(key, ttl) == (entry is not None)
        if entry is not None:
            self.put(key, entry[0], entry[1], ttl)

    @rule(key=KEYS, delta=st.sampled_from([1, -1, 5, -5]), initial=st.none() | NUMBERS, ttl=TTLS)
    def count(self, key: bytes, delta: int, initial: int | None, ttl: float | None) -> None:
        entry = self.live(key)
        if entry is None:
            assert self.store.count(key, delta, initial, 2, ttl) == initial
            if initial is not None:
                self.put(key, b"%d" % initial, 2, ttl)
            return
        # Text that looks like a number is none: its flags say so.
        is_number = entry[1] == 2 and entry[0].isdigit() and len(entry[0]) < 20
        number = int(entry[0]) if is_number else None
        if number is None or number + delta >= 2**63:
            with pytest.raises(NotACounter):
                self.store.count(key, delta, initial, 2, ttl)
            return
        expected = max(0, number + delta)
        assert self.store.count(key, delta, initial, 2, ttl) == expected
        self.entries[key] = (b"%d" % expected, entry[1], entry[2])

    @rule()
    def flush(self) -> None:
        self.store.flush()
        self.entries.clear()

    @invariant()
    def reads_agree(self) -> None:
        for key in (b"a", b"b", b"c", b"d"):
            expected = self.live(key)
            entry = self.store.get(key)
            assert (None if entry is None else (entry[0], entry[1], entry[3])) == expected
            left = None if expected is None else expected[2] - self.clock.now
            assert self.store.ttl(key) == left


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_entry_used_least_recently_goes_first() -> None:
    store = MemoryStore(max_entries=3)
    for key in (b"a", b"b", b"c"):
        store.store(key, b"x", 0, None)
    store.get(b"a")
    store.touch(b"b", None)
    store.store(b"d", b"x", 0, None)
    assert [key for key in (b"a", b"b", b"c", b"d") if store.get(key)] == [b"a", b"b", b"d"]
    assert len(store) == 3


def test_bytes_are_bounded() -> None:
    store = MemoryStore(max_bytes=100_000)
    for i in range(5_000):
        store.store(b"%d" % i, b"x" * (i % 997), 0, None)
        assert store.size <= 100_000
    assert len(store) > 50
    for i in range(5_000):
        store.delete(b"%d" % i)
    assert (len(store), store.size) == (0, 0)


def test_what_is_too_large_is_refused_and_what_was_there_is_gone() -> None:
    store = MemoryStore(max_bytes=1000)
    assert store.store(b"k", b"small", 0, None)
    assert not store.store(b"k", b"x" * 1000, 0, None)
    assert store.get(b"k") is None
    assert store.size == 0


def test_no_more_is_kept_than_a_server_would_give_back() -> None:
    store = MemoryStore(max_bytes=1 << 30)
    largest = bytes(64 << 20)
    assert store.store(b"k", largest, 0, None)
    assert not store.store(b"k", largest + b"x", 0, None)
    assert (store.get(b"k"), store.size) == (None, 0)


def test_an_expired_entry_takes_no_room_once_it_was_met() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    store.store(b"k", b"x", 0, 1.0)
    clock.now += 1.0
    assert store.get(b"k") is None
    assert (len(store), store.size) == (0, 0)


def test_threads_share_a_store() -> None:
    store = MemoryStore(max_entries=50)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for i in range(4_000):
                key = b"%d" % ((i * seed) % 97)
                store.store(key, key * 3, seed, 10.0)
                entry = store.get(key)
                assert entry is None or entry[0] == key * 3
                store.delete(b"%d" % (i % 97))
                store.count(b"total", 1, 0, 2, None)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(store) <= 50
    keys = [*(b"%d" % i for i in range(97)), b"total"]
    assert store.size == sum(
        len(key) + len(entry[0]) + 300 for key in keys if (entry := store.get(key))
    )


def in_child(check: Any) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if check() else 1)
        except BaseException:  # noqa: BLE001 - the status tells
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_fork_while_threads_store_leaves_a_sound_store() -> None:
    store = MemoryStore()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            store.store(b"busy", b"x" * 100, 0, None)
            store.delete(b"busy")

    threads = [threading.Thread(target=busy) for _ in range(4)]
    store.store(b"k", b"v", 1, None)
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            status = in_child(
                lambda: store.store(b"new", b"1", 0, None) and store.get(b"k") is not None
            )
            assert status == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert store.get(b"new") is None


def test_named_stores_are_shared_within_the_process() -> None:
    one, same = open_store(Node("memory://shared")), open_store(Node("memory://shared"))
    assert one is same
    assert open_store(Node("memory://other")) is not one
    bounded = open_store(Node("memory://bounded?max_entries=2&max_bytes=5000"))
    assert (bounded.max_entries, bounded.max_bytes) == (2, 5000)


def test_a_name_has_one_pair_of_bounds() -> None:
    open_store(Node("memory://twice"))
    with pytest.raises(ConfigurationError, match="is open with max_entries=100000"):
        open_store(Node("memory://twice?max_entries=3"))
