"""F26: what is stored goes wrong, and is read."""

from __future__ import annotations

import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from benchmarks.faults.clients import Server, served
from benchmarks.faults.fillers import DJANGO, FLASK
from benchmarks.faults.picklers import PICKLERS, pickler
from benchmarks.faults.scenario import BOTH, KCACHE, Contender, Effort, Finding, Scenario
from kcache import Cache, frame
from kcache.key import wire_key
from kcache.namespace import Path
from tests.cache.planting import Planter, planter_on
from tests.codec.corruption import SECRET, corrupted
from tests.codec.values import form

__all__ = ["SCENARIOS"]

_SAMPLES: tuple[Any, ...] = (
    *(None, 1.5, True, [1, 2], {"id": 1, "tags": ("a", "b")}, "5", b"abc", "x" * 5000),
)
_MISS = object()
_EACH = 320
_SPACE = "n"
_PEERS = tuple(each for each in PICKLERS if each.who in {FLASK, DJANGO})
_LEAST = 9  # bytes that `corrupted` takes
_TEXT_FLAGS = 16
_MEMORY = 1 << 30
_COUNT, _PEERS_COUNT = 100_000, 10_000


def _kept(value: Any) -> Any:
    """Other than all that is none."""
    return _MISS if value is None else value


def _outcome(read: Callable[[], Any], same: Any) -> str:
    try:
        value = read()
        if value is _MISS:
            return "missed"
        return "same" if form(value) == same else "altered"
    except Exception:  # noqa: BLE001 - that is what is counted
        return "exceptions"


class _Place:
    """Where a cache keeps values, of which each is framed, or left out."""

    def __init__(self, server: Server, *, secret: str | None, space: bool) -> None:
        self.cache = Cache([server.url], secret=secret, timeout=20, on_error="raise")
        self._opened: Any = self.cache.namespace(_SPACE) if space else self.cache
        path = Path(b"kc", (_SPACE,))
        kind = "signed" if secret else "unsigned"
        names = [f"{kind}{i}" for i in range(_EACH)]
        self._values = {name: _SAMPLES[i % len(_SAMPLES)] for i, name in enumerate(names)}
        self._wires = {name: path.place(name).key if space else wire_key(name) for name in names}
        self._opened.set_many(self._values)

    def framed(self, planter: Planter) -> dict[str, bytes]:
        """What is stored, where it is a frame; what is raw is guarded by nothing."""
        stored = planter.take(self._wires.values())
        found = {name: stored[wire] for name, wire in self._wires.items()}
        return {name: data for name, data in found.items() if data.startswith(frame.HEAD)}

    def read(
        self, stored: Mapping[str, bytes], planter: Planter, choice: random.Random
    ) -> Iterator[str]:
        """Corrupt all that is stored, and read it in two ways."""
        put = {self._wires[name]: corrupted(data, choice) for name, data in stored.items()}
        planter.put(put)
        try:
            together = self._opened.get_many(stored)
        except Exception:  # noqa: BLE001 - that is what is counted
            yield "exceptions"
            together = {}
        for name in stored:
            same = form(self._values[name])
            one = _outcome(partial(self._opened.get, name, _MISS), same)
            many = _outcome(partial(together.get, name, _MISS), same)
            yield one if one in {"exceptions", "altered"} else many


def _raw_text(server: Server, planter: Planter, choice: random.Random) -> Counter[str]:
    """Text under a plain key, without a secret, is stored as it is."""
    told: Counter[str] = Counter()
    with Cache([server.url], timeout=20, on_error="raise") as cache:
        text = "raw text " * 10
        cache.set("raw", text)
        stored = planter.take([b"raw"])[b"raw"]
        for _ in range(_EACH):
            planter.put({b"raw": corrupted(stored, choice)}, _TEXT_FLAGS)
            told[_outcome(lambda: cache.get("raw", _MISS), form(text))] += 1
    return told


def _ours(contender: Contender, effort: Effort) -> Iterator[Finding]:
    told: Counter[str] = Counter()
    with served(contender) as server, closing(planter_on(server)) as planter:
        choice = random.Random(effort.seed)  # noqa: S311 - the same each time
        raw = _raw_text(server, planter, choice)
        places = [
            _Place(server, secret=secret, space=space)
            for secret in (None, SECRET)
            for space in (False, True)
        ]
        stored = [(place, place.framed(planter)) for place in places]
        deadline = time.monotonic() + effort.seconds
        while _read(told) < effort.count and time.monotonic() < deadline:
            for place, frames in stored:
                told.update(place.read(frames, planter, choice))
            more = {
                "the same in spite of all": told["same"],
                f"beside, of {_EACH} raw texts altered": raw["altered"],
            }
            faults = _faults(told) | ({"exceptions": n} if (n := raw["exceptions"]) else {})
            yield Finding(_read(told), faults, more)
        for place in places:
            place.cache.close()


def _read(told: Counter[str]) -> int:
    return sum(told.values())


def _faults(told: Counter[str]) -> dict[str, int]:
    return {name: told[name] for name in ("altered", "exceptions") if told[name]}


def _peers(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """What they have stored, where it is long enough to go wrong in all ways."""
    told: Counter[str] = Counter()
    longest = 0.0
    with (
        served(contender) as server,
        closing(planter_on(server)) as planter,
        pickler(contender.who, server) as peer,
    ):
        choice = random.Random(effort.seed)  # noqa: S311 - the same each time
        stored: list[tuple[bytes, Any]] = []
        wire = peer.wire("k").encode()
        for value in _SAMPLES:
            peer.set("k", value)
            stored.append((planter.take([wire])[wire], form(value)))
        # A changed pickle may ask for gigabytes, which would slow down all that runs here.
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        long = [each for each in stored if len(each[0]) >= _LEAST]
        deadline = time.monotonic() + effort.seconds
        while _read(told) < min(effort.count, _PEERS_COUNT) and time.monotonic() < deadline:
            data, same = choice.choice(long)
            planter.put({wire: corrupted(data, choice)})
            begun = time.monotonic()
            told[_outcome(lambda: _kept(peer.get("k")), same)] += 1
            longest = max(longest, time.monotonic() - begun)
        readings = {
            "the same in spite of all": told["same"],
            "longest, ms, of 1 GiB at most": longest * 1e3,
        }
        yield Finding(_read(told), _faults(told), readings)


def _run(contender: Contender, effort: Effort) -> Iterator[Finding]:
    run = _ours if contender.who == KCACHE else _peers
    yield from run(contender, effort)


SCENARIOS = (
    Scenario(
        "F26",
        "stored values of which a byte is changed, bytes put in, the end or the start cut off, or "
        "the end zero; on plain keys and in a namespace, with a secret and without, read by get "
        "and get_many; text, bytes and whole numbers on plain keys without a secret are stored "
        "raw, guarded by nothing, and are counted beside",
        "reads",
        "0 exceptions, 0 altered",
        _run,
        Effort(_COUNT, 60),
        Effort(2_000, 3),
        (*BOTH, *_PEERS),
    ),
)
