"""F27: pickles that somebody has planted, and signed values that were moved."""

from __future__ import annotations

import pickle
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

import memcache
import pylibmc
import pymemcache
from pymemcache.serde import pickle_serde

from benchmarks.faults.clients import Server, served
from benchmarks.faults.picklers import PICKLERS, pickler
from benchmarks.faults.scenario import BOTH, KCACHE, Contender, Effort, Finding, Scenario
from kcache import Cache, NotACounter
from kcache.key import wire_key
from kcache.namespace import Path
from kcache.record import token_of
from kcache.signed import stamp_of
from tests.cache.places import SECRET
from tests.cache.planting import EXECUTED, Gadget, Planter, planter_on
from tests.cache.test_trust import crafted, moved
from tests.servers import Memcached

__all__ = ["SCENARIOS"]

_WAYS: tuple[dict[str, Any], ...] = ({}, {"secret": SECRET}, {"secret": SECRET, "codec": "pickle"})
_FLAGS = (0, 1, 2, 4, 8, 9, 16, 32, 0x6B00)
_NAMES = ("a", "b", "c")
_EACH = 500
_PEERS_COUNT = 1_000
_LIFE = 600

Plant = Callable[[], object]
Target = tuple[Any, bytes, bytes]
"""A cache or namespace, what goes out for the key "k" there, and the stamp of its entry."""


def _executed(count: int, errors: int = 0, more: Mapping[str, float] | None = None) -> Finding:
    faults = {"executed": len(EXECUTED), "errors": errors}
    return Finding(count, {name: times for name, times in faults.items() if times}, more or {})


class _Targets:
    """Caches of all ways to trust, and where their entries lie."""

    def __init__(self, server: Server, planter: Planter, stack: ExitStack) -> None:
        self.caches = [
            stack.enter_context(Cache([server.url], timeout=20, on_error="raise", **options))
            for options in _WAYS
        ]
        self._planter = planter
        self._path = Path(b"kc", ("n",))

    def __iter__(self) -> Iterator[Target]:
        place = self._path.place("k")
        for cache in self.caches:
            inner = cache.namespace("n")
            inner.set("k", 1)
            records = self._planter.take(self._path.records)
            tokens = b"".join(token_of(records[record]) or b"" for record in self._path.records)
            yield cache, b"k", stamp_of(b"k")
            yield inner, place.key, place.digest + tokens


def _reads(opened: Any) -> Iterable[Callable[[], object]]:
    return (
        lambda: opened.get("k"),
        lambda: opened.get("k"),
        lambda: opened.get_many(["k"]),
        lambda: opened.lookup("k"),
        lambda: opened.gets("k"),
        lambda: "k" in opened,
        lambda: opened.incr("k"),
        lambda: opened.get_or_set("k", lambda: 1, ttl=_LIFE),
    )


def _plants(server: Server, planter: Planter, target: Target, stack: ExitStack) -> list[Plant]:
    """All that is written under the key: as it is, as frames, and as other clients pickle it."""
    _, wire, stamp = target

    def raw(data: bytes, flags: int) -> Plant:
        return lambda: planter.put({wire: data}, flags)

    flags = _FLAGS if isinstance(server, Memcached) else _FLAGS[:1]
    bodies = [
        *crafted(server, stamp),
        *(b"!" + pickle.dumps(Gadget("flask")), pickle.dumps(Gadget("old"), protocol=0)),
    ]
    plants = [raw(data, each) for data in bodies for each in flags]
    if isinstance(server, Memcached):
        plants += _theirs(server, wire, stack)
    return plants


def _theirs(server: Memcached, wire: bytes, stack: ExitStack) -> Iterator[Plant]:
    pair = "{}:{}".format(*server.address)
    libmc = pylibmc.Client([pair])
    stack.callback(libmc.disconnect_all)
    pure = memcache.Client([pair])
    stack.callback(pure.disconnect_all)
    pym = pymemcache.Client(server.address, serde=pickle_serde, default_noreply=False)
    stack.callback(pym.close)
    yield lambda: libmc.set(wire, Gadget("pylibmc"))
    yield lambda: libmc.set(wire, Gadget("pylibmc" * 200), min_compress_len=4)
    yield lambda: pure.set(wire, Gadget("python-memcached"))
    yield lambda: pym.set(wire, Gadget("pymemcache"))


def _ours(contender: Contender, effort: Effort) -> Iterator[Finding]:
    EXECUTED.clear()
    count = errors = refused = 0
    deadline = time.monotonic() + effort.seconds
    with ExitStack() as stack:
        server = stack.enter_context(served(contender))
        planter = stack.enter_context(closing(planter_on(server)))
        targets = list(_Targets(server, planter, stack))
        planted = [
            (target[0], plant)
            for target in targets
            for plant in _plants(server, planter, target, stack)
        ]
        while count < effort.count and time.monotonic() < deadline:
            for opened, plant in planted:
                for read in _reads(opened):
                    plant()
                    try:
                        read()
                    except NotACounter:
                        # That is what `incr` says of bytes that are stored raw.
                        refused += 1
                    except Exception:  # noqa: BLE001 - of a pickle there is none to be had
                        errors += 1
                    count += 1
            yield _executed(count, errors, {"no counter, says incr": refused})


def _peers(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Written past the peer, in the form in which it would have written it."""
    with (
        served(contender) as server,
        closing(planter_on(server)) as planter,
        pickler(contender.who, server) as peer,
    ):
        wire = peer.wire("k").encode()
        peer.set("k", Gadget("planted"))
        data = planter.take([wire])[wire]
        EXECUTED.clear()
        count = 0
        for _ in range(min(effort.count, _PEERS_COUNT)):
            # What all three on memcached have for a pickle; Redis has no flags.
            planter.put({wire: data}, flags=1)
            peer.get("k")
            count += 1
        yield _executed(count)


def _planted(contender: Contender, effort: Effort) -> Iterator[Finding]:
    run = _ours if contender.who == KCACHE else _peers
    yield from run(contender, effort)


def _swapped(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Each under the key of another, in another namespace too; and those of generations before."""
    choice = random.Random(effort.seed)  # noqa: S311 - the same each time
    keys = [f"key{i}" for i in range(_EACH)]
    count = accepted = 0
    with (
        served(contender) as server,
        closing(planter_on(server)) as planter,
        Cache([server.url], secret=SECRET, timeout=20, on_error="raise") as signed,
    ):
        places: list[tuple[Any, str, bytes]] = [(signed, key, wire_key(key)) for key in keys]
        for name in _NAMES:
            path, inner = Path(b"kc", (name,)), signed.namespace(name)
            places += [(inner, key, path.place(key).key) for key in keys]
        wires = [wire for _, _, wire in places]
        old: dict[bytes, bytes] = {}
        while count < effort.count:
            for opened in (signed, *map(signed.namespace, _NAMES)):
                opened.set_many({key: [key, count] for key in keys})
            stored = planter.take(wires)
            before = {wire: old[wire] for wire in wires[len(keys) :] if old}
            for planted in filter(None, (moved(choice, stored), before)):
                planter.put(planted)
                # What a shuffle has left in its place is no swap.
                put = [place for place in places if _is_other(place[2], planted, stored)]
                accepted += sum(opened.get(key) is not None for opened, key, _ in put)
                count += len(put)
            old = stored
            for name in _NAMES:
                signed.namespace(name).invalidate()
            yield Finding(count, {"accepted": accepted} if accepted else {})


def _is_other(wire: bytes, planted: dict[bytes, bytes], stored: dict[bytes, bytes]) -> bool:
    return wire in planted and planted[wire] != stored[wire]


SCENARIOS = (
    Scenario(
        "F27",
        "planted pickles: under the keys of entries, plain and in a namespace, as they are, in "
        "frames as kcache makes them, and as other clients pickle; kcache without a secret, with "
        "one, and with one and codec='pickle'; read by seven methods",
        "reads",
        "0 executed",
        _planted,
        Effort(10_000, 40),
        Effort(500, 3),
        (*BOTH, *PICKLERS),
    ),
    Scenario(
        "F27",
        "signed values swapped between keys, namespaces, and generations of namespaces",
        "swaps",
        "0 accepted",
        _swapped,
        Effort(10_000, 60),
        Effort(1_000, 5),
    ),
)
