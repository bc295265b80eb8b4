"""What goes wrong with nodes, again and again, until it is over."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path as Folder
from typing import Any

from benchmarks.faults.clients import Server
from benchmarks.faults.invalidating import NAMESPACE, Outages, Rollout
from kcache.namespace import Path
from tests.faults.proxy import HOLD, Proxy
from tests.servers import Memcached, Redis, frozen, kill, memcached, redis

__all__ = ["cut_off", "evicted", "frozen_often", "nothing", "restarted", "restored", "rolled_out"]

_EVICTION_PAUSE = 0.01
_QUIET, _FILLED = 0.5, 0.2
_LONGEST_PAUSE = 0.05
_STOPPED, _BETWEEN = (0.02, 1.0), (0.2, 1.5)
_chance = random.Random(20_261_122)  # noqa: S311 - the same each time


def nothing(over: threading.Event, _outages: Outages, _rollout: Rollout) -> None:
    """All is well but what the processes are given."""
    over.wait()


def evicted(
    servers: Sequence[Server],
) -> Callable[[threading.Event, Outages, Rollout], None]:
    """Version records go every 10 ms, one or all of them."""

    def disturb(over: threading.Event, _outages: Outages, _rollout: Rollout) -> None:
        records = Path(b"kc", (NAMESPACE,)).records
        with ExitStack() as stack:
            ways = [stack.enter_context(_deleting(server)) for server in servers]
            while not over.wait(_EVICTION_PAUSE):
                chosen = _chance.choice([records, *((each,) for each in records)])
                for delete in ways:
                    delete(chosen)

    return disturb


@contextmanager
def _deleting(server: Server) -> Iterator[Callable[[Sequence[bytes]], None]]:
    """What deletes keys at once."""
    with server.connection() as sock, sock.makefile("rb") as replies:

        def delete(keys: Sequence[bytes]) -> None:
            for key in keys:
                if isinstance(server, Memcached):
                    sock.sendall(b"delete %b\r\n" % key)
                    expected = b"DELETED\r\n", b"NOT_FOUND\r\n"
                else:
                    sock.sendall(b"*2\r\n$3\r\nDEL\r\n$%d\r\n%b\r\n" % (len(key), key))
                    expected = b":1\r\n", b":0\r\n"
                if (reply := replies.readline()) not in expected:
                    raise AssertionError(reply)

        yield delete


def frozen_often(
    servers: Sequence[Server],
) -> Callable[[threading.Event, Outages, Rollout], None]:
    """A node stops and goes on, one after the other."""

    def disturb(over: threading.Event, outages: Outages, _rollout: Rollout) -> None:
        turn = 0
        while not over.wait(_chance.uniform(*_BETWEEN)):
            with frozen(servers[turn % len(servers)]), outages.one():
                over.wait(_chance.uniform(*_STOPPED))
            outages.is_back()
            turn += 1

    return disturb


def restarted(
    servers: list[Server], *folders: Folder
) -> Callable[[threading.Event, Outages, Rollout], None]:
    """A node is killed, and started again: empty, or from what its folder has."""

    def disturb(over: threading.Event, outages: Outages, _rollout: Rollout) -> None:
        turn = 0
        with ExitStack() as stack:
            while not over.wait(_chance.uniform(*_BETWEEN)):
                place = turn % len(servers)
                if folders and turn % (2 * len(servers)) >= len(servers):
                    # Once from what was just saved, and once from what is older.
                    _save(servers[place])
                    over.wait(_chance.uniform(0, _BETWEEN[0]))
                outages.is_quiet = _chance.random() < _QUIET
                # By then everything was computed that is asked for, and no fill is lost.
                over.wait(_FILLED)
                kill(servers[place])
                with outages.one():
                    over.wait(_chance.uniform(*_STOPPED))
                options = {"folder": folders[place]} if folders else {}
                servers[place] = stack.enter_context(_again(servers[place], **options))
                outages.is_back()
                if outages.is_quiet:
                    over.wait(_BETWEEN[1])
                    outages.is_quiet = False
                turn += 1

    return disturb


def _again(server: Server, **options: Any) -> Any:
    start: Any = memcached if isinstance(server, Memcached) else redis
    return start(port=server.port, **options)


def restored(
    servers: list[Server], folders: Sequence[Folder]
) -> Callable[[threading.Event, Outages, Rollout], None]:
    """A node is killed, and started again from its snapshot."""
    for server in servers:
        _save(server)
    return restarted(servers, *folders)


def _save(server: Server) -> None:
    if not isinstance(server, Redis):
        raise TypeError(f"{server.url} has no snapshots")
    with server.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(b"*1\r\n$4\r\nSAVE\r\n")
        if (reply := replies.readline()) != b"+OK\r\n":
            raise AssertionError(reply)


def cut_off(ways: Sequence[Proxy]) -> Callable[[threading.Event, Outages, Rollout], None]:
    """Requests get to a node, and its replies do not come back."""

    def disturb(over: threading.Event, outages: Outages, _rollout: Rollout) -> None:
        turn = 0
        while not over.wait(_chance.uniform(*_BETWEEN)):
            way = ways[turn % len(ways)]
            way.switch(replies=HOLD)
            with outages.one():
                over.wait(_chance.uniform(*_STOPPED))
            if turn % 2:
                way.reset()
            way.switch()
            outages.is_back()
            turn += 1

    return disturb


def rolled_out(
    members: Sequence[int], steps: int
) -> Callable[[threading.Event, Outages, Rollout], None]:
    """Step after step is taken by one process after the other, round and round."""

    def disturb(over: threading.Event, _outages: Outages, rollout: Rollout) -> None:
        for step in range(1, steps):
            for number in _chance.sample(members, len(members)):
                rollout.proceed(number, step, over.is_set)
                if over.wait(_chance.uniform(0, _LONGEST_PAUSE)):
                    return
        over.wait()

    return disturb
