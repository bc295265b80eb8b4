"""The protocol with one thing wrong at a time, and a scenario that shows why it is wrong."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from kcache.command import (
    ABSENT,
    PRESENT,
    Answers,
    Batch,
    Command,
    Condition,
    Get,
    Gets,
    Set,
    SetIf,
    Swap,
)
from kcache.entry import FRAME_FLAGS, Marker
from kcache.errors import DecodeError, NodeError
from kcache.flow import MISSING, Flow, fitting
from kcache.namespace import Path, Place
from kcache.namespaced import Namespaced
from kcache.record import TOKEN_SIZE, pack_record
from kcache.sight import Sight
from kcache.versions import RECORD_TTL, Lease, Seen, Tokens, joined
from tests.versions.client import Call, System
from tests.versions.explore import Scenario
from tests.versions.scenarios import BOTH, COLD, INVALIDATE, STALE, WARM, on

__all__ = ["BROKEN", "Broken"]

GET = on("get")
REMEMBERED = b"\x02" + bytes(TOKEN_SIZE - 1)


def number(count: int) -> bytes:
    return b"\x02" + count.to_bytes(TOKEN_SIZE - 1, "big")


class Counters(Namespaced):
    """A record begins at 1, and every invalidation adds 1."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "fresh": lambda: number(1)})

    def _renewal(self, record: bytes) -> Command:
        seen = self._known.tokens(0, (record,)) or (number(1),)
        token = number(1 + int.from_bytes(seen[0][1:], "big"))
        return SetIf((record, pack_record(token), FRAME_FLAGS), RECORD_TTL, PRESENT)


class Clocks(Namespaced):
    """Tokens are the time of day, and two calls fall between two ticks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "fresh": lambda: number(1700)})


class FillsUnderNewTokens(Namespaced):
    def fill(self, lease: Lease, *args: Any) -> Flow[bool]:
        now = yield from self._versions(lease.node, ())
        return (yield from super().fill(lease._replace(versions=now), *args))


class FillsAnyway(Namespaced):
    """What was computed is stored, whatever became of the lease."""

    def fill(self, lease: Lease, *args: Any) -> Flow[bool]:
        done: bool = yield from _unconditional(super().fill(lease, *args))
        return done


class LeavesOthers(Namespaced):
    """An entry whose lease is taken over stays the very same."""

    def _over_entry(
        self, index: int, place: Place, marker: Marker, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        return self.renewal_at(index, place, marker, now=inf, lock_ttl=lock_ttl)


class DeletesTheLiving(Namespaced):
    """Where there is nothing alive, there is nothing to delete."""

    def delete(self, key: Any) -> Flow[bool]:
        if (yield from self.get(key)) is MISSING:
            return False
        return (yield from super().delete(key))


class InstallsAgain(Namespaced):
    """An attempt to install that did not help is made again with the same token."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sent: dict[bytes, Command] = {}

    def _additions(self, index: int, seen: Tokens) -> list[Command]:
        additions = super()._additions(index, seen)
        return [
            self._sent.setdefault(command.item[0], command)
            for command in additions
            if isinstance(command, SetIf)
        ]


class AbsentIsEqual(Namespaced):
    """An absent record is one more state of it, equal to itself; none is installed."""

    def _value(self, place: Place, data: bytes | None, tokens: Tokens) -> Any:
        if data is None:
            return MISSING
        try:
            value, stamp = self._entries.unframe(data)
        except DecodeError:
            return MISSING
        return value if stamp == place.digest + joined(tokens) else MISSING

    def _installed(self, seen: Mapping[int, Tokens]) -> Flow[dict[int, bytes | NodeError]]:
        yield {}
        return {index: joined(tokens) for index, tokens in seen.items()}


class ReadsRecordsFirst(Namespaced):
    def _reading(self, *places: Place) -> Get:
        return Get((*self.path.records, *(place.key for place in places)))


class SeesRecordsFirst(Namespaced):
    def _see(self, index: int, place: Place) -> Flow[Seen]:
        answers = yield {index: (Get(self.path.records), Gets(place.key))}
        replies = answers[index]
        assert not isinstance(replies, NodeError)
        found, held = replies
        _, tokens = self._taken_apart(index, found)
        data = None if held is None else held.data
        return Seen(held, tokens, self._value(place, data, tokens))


class CreatesRecords(Namespaced):
    """Where there is no record, an invalidation makes one, with the token that it made once."""

    def invalidate(self) -> Flow[list[NodeError]]:
        record = self.path.records[-1]
        made = SetIf((record, pack_record(REMEMBERED), FRAME_FLAGS), RECORD_TTL, ABSENT)
        commands = (self._renewal(record), made)
        yield dict.fromkeys(range(len(self._nodes)), commands)
        return []


class OneNode(Namespaced):
    def invalidate(self) -> Flow[list[NodeError]]:
        record = self.path.records[-1]
        yield {0: (self._renewal(record),)}
        return []


class OneLevel(Namespaced):
    """Entries carry the token of their own namespace only."""

    def __init__(self, path: Path, *args: Any, **options: Any) -> None:
        own = Path(path.prefix, path.names)
        own.records = path.records[-1:]
        super().__init__(own, *args, **options)


class StoresAgainAnyway(Namespaced):
    """A store that came too late for its tokens is done again, whatever is there now."""

    def _store_again(
        self,
        values: Mapping[int, Mapping[Place, Any]],
        stored: Mapping[int, Iterable[Place]],
        newer: Mapping[int, Tokens],
        ttl: float | None,
        failures: list[NodeError],
    ) -> Flow[list[tuple[int, Place]]]:
        del stored
        tokens = yield from self._installed(newer)
        frames, lost = self._framed(values, tokens, failures)
        yield {index: (Set(fitting(items.values()), ttl),) for index, items in frames.items()}
        return lost


class NewerTokens(Namespaced):
    """What is decided from a value is stored under the tokens that are there then."""

    def _installed(self, seen: Mapping[int, Tokens]) -> Flow[dict[int, bytes | NodeError]]:
        return (yield from super()._installed(dict.fromkeys(seen, ())))


class TrustsKnown(Namespaced):
    """A `set` stores under the tokens it knows, and does not look at the records."""

    def _store(
        self,
        values: Mapping[int, Mapping[Place, Any]],
        ttl: float | None,
        failures: list[NodeError],
    ) -> Flow[list[tuple[int, Place]]]:
        records = self.path.records
        tokens = yield from self._installed(
            {index: self._known.tokens(index, records) for index in values}
        )
        frames, lost = self._framed(values, tokens, failures)
        yield {index: (Set(fitting(items.values()), ttl),) for index, items in frames.items()}
        return lost


class LooksAfterwards(Namespaced):
    """It stores, and then looks at the records: this is what kcache did at first."""

    def _store(self, *args: Any) -> Flow[list[tuple[int, Place]]]:
        lost: list[tuple[int, Place]] = yield from _turned(super()._store(*args))
        return lost

    def _conditionally(self, *args: Any) -> Flow[tuple[bool | None, Tokens]]:
        done: tuple[bool | None, Tokens] = yield from _turned(super()._conditionally(*args))
        return done


def _turned(flow: Flow[Any]) -> Generator[Batch, Answers, Any]:
    """A flow whose pairs of a look and a store are sent the other way round."""
    answers: Any = None
    try:
        while True:
            batch = flow.send(answers)
            turned = {
                index
                for index, commands in batch.items()
                if len(commands) > 1 and isinstance(commands[0], Get)
            }
            answers = yield {
                index: commands[::-1] if index in turned else commands
                for index, commands in batch.items()
            }
            answers = {
                index: replies[::-1]
                if index in turned and not isinstance(replies, NodeError)
                else replies
                for index, replies in answers.items()
            }
    except StopIteration as end:
        return end.value


def _unconditional(flow: Flow[Any]) -> Generator[Batch, Answers, Any]:
    """A flow whose conditional stores have no condition."""
    answers: Any = None
    try:
        while True:
            batch = flow.send(answers)
            answers = yield {
                index: [
                    command._replace(condition=Condition(present=None))
                    if isinstance(command, SetIf)
                    else command
                    for command in commands
                ]
                for index, commands in batch.items()
            }
    except StopIteration as end:
        return end.value


class Unconditional(Namespaced):
    """What was decided is stored, whatever was stored meanwhile."""

    def _conditionally(
        self, index: int, place: Place, command: SetIf | Swap
    ) -> Flow[tuple[bool | None, Tokens]]:
        always = SetIf(command.item, None, Condition(present=None))
        return (yield from super()._conditionally(index, place, always))


class CasUnderNewTokens(Namespaced):
    """The token of `cas` is the entry's alone."""

    def cas(self, key: Any, value: Any, token: Any, ttl: float | None) -> Flow[bool]:
        index, _ = self._router.route(key)
        versions = (yield from self._installed({index: ()}))[index]
        return (yield from super().cas(key, value, token._replace(versions=versions), ttl))


@dataclass(frozen=True)
class Broken:
    """A wrong variant, and where it shows."""

    fault: str
    make: type[Namespaced]
    programs: tuple[tuple[Call, ...], ...]
    before: tuple[tuple[int, Call], ...] = COLD
    losses: int = 0
    kinds: tuple[str, ...] = ("redis", "memcached")
    names: tuple[tuple[str, ...], ...] = (("p",),)
    two_nodes: bool = False

    def scenario(self, kind: str, make: type[Namespaced]) -> Scenario:
        owners = {"a": 0, "b": int(self.two_nodes)}
        system = System(kind, self.names, owners, make)
        return Scenario(system, self.programs, self.before, self.losses)


KEYS = (("a", None), ("b", None))
MISS_B = on("miss", None, 0, "b")
FILL = (on("miss"), on("fill", 15))
RENEWAL = (on("renewal"), on("fill", 16))
SEES = (INVALIDATE, GET)
SET_SEES = (on("set", 21), INVALIDATE, GET)

BROKEN = [
    Broken("counters", Counters, ((on("set", 11), INVALIDATE, MISS_B, GET),), losses=1),
    Broken("a clock", Clocks, (SET_SEES,)),
    Broken("a fill takes its tokens when it stores", FillsUnderNewTokens, (FILL, SEES)),
    Broken("a fill stores without its lease", FillsAnyway, (FILL, (on("set", 21), GET))),
    Broken("a renewal stores without its lease", FillsAnyway, (RENEWAL, (on("delete"), GET)), WARM),
    Broken(
        "a takeover leaves what others have begun",
        LeavesOthers,
        (RENEWAL, (on("takeover"), on("fill", 26), GET)),
        WARM,
    ),
    Broken("a delete leaves a lease", DeletesTheLiving, (FILL, (on("delete"), GET))),
    Broken("an install is tried again", InstallsAgain, ((MISS_B,), SET_SEES), losses=1),
    Broken("absent equals absent", AbsentIsEqual, (SET_SEES,)),
    Broken(
        "records are read before the entry",
        ReadsRecordsFirst,
        ((GET,), FILL, (INVALIDATE,)),
        kinds=("memcached",),
    ),
    Broken(
        "records are seen before the entry",
        SeesRecordsFirst,
        ((on("add", 12),), (INVALIDATE, on("set", 21), GET)),
        WARM,
    ),
    Broken(
        "an invalidation creates records",
        CreatesRecords,
        ((INVALIDATE, on("set", 11), INVALIDATE, INVALIDATE, GET),),
        losses=1,
    ),
    Broken(
        "an invalidation reaches one node",
        OneNode,
        ((Call("set_many", 0, BOTH), INVALIDATE, Call("get_many", 0, KEYS)),),
        two_nodes=True,
    ),
    Broken(
        "an entry depends on one level",
        OneLevel,
        ((on("set", 11, 1), INVALIDATE, on("get", None, 1)),),
        names=(("p",), ("p", "c")),
    ),
    Broken(
        "a set that was too late is done again anyway",
        StoresAgainAnyway,
        ((on("set", 11),), (on("delete"), GET)),
        STALE,
    ),
    Broken("a count takes newer tokens", NewerTokens, ((on("count", (5, 7)),), SEES), WARM),
    Broken("cas takes newer tokens", CasUnderNewTokens, ((on("gets"), on("cas", 14)), SEES), WARM),
    Broken("known tokens are trusted", TrustsKnown, ((on("set", 11), GET), (GET,)), STALE),
    Broken("a set looks after it stored", LooksAfterwards, ((on("set", 11),), (GET, *SEES)), WARM),
    Broken(
        "a count looks after it stored",
        LooksAfterwards,
        ((on("count", (5, 7)),), (GET, *SEES)),
        WARM,
    ),
    Broken(
        "cas looks after it stored",
        LooksAfterwards,
        ((on("gets"), on("cas", 14)), (GET, *SEES)),
        WARM,
    ),
    Broken("an add has two winners", Unconditional, ((on("add", 12),), (on("add", 22),))),
    Broken(
        "a count is lost",
        Unconditional,
        ((on("count", (5, 7)),), (on("count", (5, 7)), GET)),
        WARM,
    ),
    Broken(
        "a replace brings back what was deleted",
        Unconditional,
        ((on("replace", 13),), (on("delete"), GET)),
        WARM,
    ),
]
