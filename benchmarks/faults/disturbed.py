"""F15: what is promised of a complete invalidation, while nodes, rings and clocks go wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path as Folder
from typing import Any

from benchmarks.faults.clients import Server
from benchmarks.faults.disturbing import (
    cut_off,
    evicted,
    frozen_often,
    nothing,
    restarted,
    restored,
    rolled_out,
)
from benchmarks.faults.invalidating import Member, Place, Seen, invalidated
from benchmarks.faults.scenario import (
    BOTH,
    KCACHE,
    Contender,
    Effort,
    Finding,
    Run,
    Scenario,
)
from tests.faults.nodes import fleet
from tests.faults.proxy import proxy
from tests.servers import redis

__all__ = ["SCENARIOS"]

_NODES = 2
_LONGEST_RETURN = 1.0
_HOUR = 3600.0
_CHANGES = 400


def _urls(servers: Sequence[Any], kind: str) -> tuple[str, ...]:
    """With names, since an address may be that of a proxy."""
    addresses = [server.address for server in servers]
    return tuple(f"{kind}://{a[0]}:{a[1]}?name=n{at}" for at, a in enumerate(addresses))


def _found(seen: Seen) -> Finding:
    late = sum(seconds > _LONGEST_RETURN for seconds in seen.returns)
    faults = {**seen.faults, "late": late}
    readings: dict[str, float] = {"complete": seen.complete, "incomplete": seen.incomplete}
    if seen.returns:
        readings |= {
            "returns": len(seen.returns),
            "told and used again after at most, s": max(seen.returns),
        }
    return Finding(seen.reads, {name: count for name, count in faults.items() if count}, readings)


def _on_nodes(contender: Contender, effort: Effort, disturbing: Any) -> Iterator[Finding]:
    """All processes have the same two nodes."""
    with fleet(contender.node, _NODES) as servers:
        member = (Place(_urls(servers, contender.node)),)
        members = [member] * (effort.count + 1)
        yield _found(invalidated(members, disturbing(servers), effort.seconds, effort.seed))


def _from_snapshots(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with ExitStack() as stack:
        temporary = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(_NODES)]
        folders = list(map(Folder, temporary))
        servers: list[Server] = [stack.enter_context(redis(folder=folder)) for folder in folders]
        members = [(Place(_urls(servers, contender.node)),)] * (effort.count + 1)
        disturb = restored(servers, folders)
        yield _found(invalidated(members, disturb, effort.seconds, effort.seed))


def _cut_off(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Every other process goes through the proxies, and so does this one."""
    with fleet(contender.node, _NODES) as servers, ExitStack() as stack:
        ways = [stack.enter_context(proxy(server.address)) for server in servers]
        cut, direct = (Place(_urls(each, contender.node)) for each in (ways, servers))
        members = [(cut if number % 2 else direct,) for number in range(effort.count)]
        seen = invalidated([*members, (cut,)], cut_off(ways), effort.seconds, effort.seed)
        yield _found(seen)


def _changes(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Place]:
    """The steps of the procedure, to and fro."""
    yield Place(old)
    for epoch in range(_CHANGES):
        yield Place(old, {"invalidate_nodes": new, "epoch": epoch})
        yield Place(new, {"invalidate_nodes": old, "epoch": epoch + 1})
        yield Place(new, {"epoch": epoch + 1})
        old, new = new, old


def _ring_changes(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with fleet(contender.node, _NODES + 1) as servers:
        urls = _urls(servers, contender.node)
        steps: Member = tuple(_changes(urls[:_NODES], urls))
        members = [steps] * (effort.count + 1)
        disturb = rolled_out(range(len(members)), len(steps))
        yield _found(invalidated(members, disturb, effort.seconds, effort.seed))


def _two_rings(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with fleet(contender.node, _NODES + 1) as servers:
        urls = _urls(servers, contender.node)
        old = Place(urls[:_NODES], {"invalidate_nodes": urls})
        new = Place(urls, {"invalidate_nodes": urls[:_NODES]})
        members: list[Member] = [(old if at % 2 else new,) for at in range(effort.count)]
        # The one that invalidates goes from one to the other.
        both = (old, new) * _CHANGES
        disturb = rolled_out([len(members)], len(both))
        yield _found(invalidated([*members, both], disturb, effort.seconds, effort.seed))


def _clocks(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Ages of values count where they are computed early."""
    with fleet(contender.node, _NODES) as servers:
        urls = _urls(servers, contender.node)
        offsets = (_HOUR, -_HOUR, 0.0)
        members: list[Member] = [
            (Place(urls, offset=offsets[number % len(offsets)]),)
            for number in range(effort.count + 1)
        ]
        seen = invalidated(members, nothing, effort.seconds, effort.seed, early=1, stale_ttl=600)
        yield _found(seen)


def _scenario(what: str, run: Run, contenders: tuple[Contender, ...] = BOTH) -> Scenario:
    return Scenario(
        "F15",
        f"{what}; a namespace is invalidated while 5 other processes read and compute what is "
        "missing",
        "reads",
        "0 stale after a complete one, 0 stale to the process itself; 0 complete with a node down; "
        "told and used again <= 1 s after it is back",
        run,
        Effort(5, 60),
        Effort(2, 2),
        contenders,
        200,
    )


SCENARIOS = (
    _scenario("version records are evicted every 10 ms", partial(_on_nodes, disturbing=evicted)),
    _scenario(
        "nodes are killed, and started again empty", partial(_on_nodes, disturbing=restarted)
    ),
    _scenario("nodes stop and go on", partial(_on_nodes, disturbing=frozen_often)),
    _scenario("replies of nodes do not get to 3 of 6 processes, requests do", _cut_off),
    _scenario(
        "nodes are killed, and started again from a snapshot",
        _from_snapshots,
        (Contender(KCACHE, "redis"),),
    ),
    _scenario("rings change, to 3 nodes and back to 2, by the procedure", _ring_changes),
    _scenario("half of the processes have a ring of 3 nodes, half one of 2", _two_rings),
    _scenario("clocks are 1 h fast, 1 h slow, and right", _clocks),
)
