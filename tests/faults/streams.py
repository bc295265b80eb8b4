"""Figure 6: reply streams as no server sends them.

A connection whose other end has said its lie already is put into the pool. What comes of a call
is the truth, from the real server that is asked then, or a miss: never what the lie says.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kcache import Cache, Namespace
from kcache.command import Get
from kcache.errors import CacheError
from kcache.net.connection import Connection
from kcache.net.pool import Pool
from kcache.net.talks import talk_for
from tests.faults.tally import EXPECTED, Tally

__all__ = ["lies", "look_alike", "through", "through_namespace"]

_KEYS = tuple(EXPECTED)
_TIMEOUT = 0.5
_SLOW = 0.55
_MOMENT = 0.05


def _redis(keys: Sequence[str]) -> bytes:
    bulks = [b"$%d\r\n%b\r\n" % (len(EXPECTED[key]), EXPECTED[key].encode()) for key in keys]
    return bulks[0] if len(keys) == 1 else b"*%d\r\n%b" % (len(keys), b"".join(bulks))


def _memcached(keys: Sequence[str]) -> bytes:
    values = [EXPECTED[key].encode() for key in keys]
    hits = [
        b"VALUE %b 16 %d\r\n%b\r\n" % (_WIRE[key], len(value), value)
        for key, value in zip(keys, values, strict=True)
    ]
    return b"".join(hits) + b"END\r\n"


_WIRE = {key: key.replace(" ", "_").encode() for key in EXPECTED}
_NAMED_KEYS = {wire.decode(): key for key, wire in _WIRE.items()}
_NAMED = {name: EXPECTED[key] for name, key in _NAMED_KEYS.items()}
# Of the reply to a read of an entry and two records, in both protocols.
_LINES = 7
_TRUTHS: dict[str, Callable[[Sequence[str]], bytes]] = {"redis": _redis, "memcached": _memcached}
_EXTRA = (b"\r\n", b"END\r\n", b"$3\r\nlie\r\n", b"VALUE k 0 1\r\nx\r\nEND\r\n", b"+OK\r\n", b"\0")
_HUGE: tuple[bytes, ...] = (
    b"$67108865\r\n",
    b"$99999999999999999999\r\n",
    b"*1048577\r\n",
    b"*2\r\n*2\r\n*2\r\n",
)
_HUGE += (b"VALUE k 0 4294967296\r\n", b"VA 99999999999 f0\r\n", b"$-2\r\n", b"*-5\r\n")


def lies(kind: str, keys: Sequence[str], chance: random.Random) -> bytes:
    """A stream that is not the reply to a request for these keys.

    On Redis, whose replies do not say what they answer, none that would be a right one to it.
    """
    ways = _distorted(_TRUTHS[kind](keys), _TRUTHS[kind](chance.sample(_KEYS, len(keys))), chance)
    if kind == "memcached":
        wrong = [key for key in _KEYS if key not in keys]
        ways += [_memcached(chance.sample(wrong, len(keys)))] * 2
    return chance.choice(ways)


def _distorted(truth: bytes, others: bytes, chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(truth))
    return [
        truth[:at],
        truth + chance.choice(_EXTRA),
        truth + truth,
        truth + others,
        chance.choice(_HUGE) + truth,
        truth[:at] + chance.choice(_HUGE) + truth[at:],
        chance.choice(_EXTRA) + truth,
        chance.randbytes(chance.randrange(40)),
    ]


def through(cache: Cache, kind: str, count: int, seed: int) -> Tally:
    """Read over connections that lie."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    (pool,) = cache._core.transport.ends  # noqa: SLF001 - where connections are put
    assert isinstance(pool, Pool)
    tally = Tally()
    for _ in range(count):
        keys = chance.sample(_KEYS, chance.choice((1, 1, 1, 3)))
        stream = lies(kind, keys, chance)
        with _said_already(pool, stream):
            _read(cache, keys, tally)
        tally.rounds += 1
    return tally


def through_namespace(cache: Cache, count: int, seed: int) -> Tally:
    """The same in a namespace, where the true reply for another key is a lie on every node."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    (pool,) = cache._core.transport.ends  # noqa: SLF001 - where connections are put
    assert isinstance(pool, Pool)
    place = cache.namespace("lies")
    assert place.set_many(_NAMED) == []
    truths = {name: _recorded(place, pool, name) for name in _NAMED}
    tally = Tally()
    for _ in range(count):
        # So that the direct path has seen the records, and compares with them.
        assert place.get(chance.choice(list(_NAMED))) is not None
        name, other = chance.sample(list(_NAMED), 2)
        ways = [*_distorted(truths[name], truths[other], chance), truths[other]]
        with _said_already(pool, chance.choice(ways)):
            _read(place, [_NAMED_KEYS[name]], tally)
        tally.rounds += 1
    return tally


def look_alike(cache: Cache) -> bool:
    """Whether a value is read that looks like the end of a reply, and comes in two pieces."""
    (pool,) = cache._core.transport.ends  # noqa: SLF001 - where connections are put
    assert isinstance(pool, Pool)
    place = cache.namespace("lies")
    assert place.set("k", "v")
    value = b"before" + _recorded(place, pool, "k").partition(b"v")[2] + b"after"
    assert place.set("k", value)
    reply = _recorded(place, pool, "k", _LINES + value.count(b"\r\n"))
    cut = reply.index(b"after")
    assert place.get("k") == value
    with _said_already(pool, reply[:cut], reply[cut:]):
        return bool(place.get("k") == value)


def _recorded(place: Namespace, pool: Pool, name: str, lines: int = _LINES) -> bytes:
    """What the node says to a read of one entry and its records."""
    wires = place._router.route(name)[1].key, *place._path.records  # noqa: SLF001 - the same
    request = talk_for(pool.node, [Get(wires)]).request
    with socket.create_connection((pool.node.host, pool.node.port)) as sock:
        sock.sendall(request)
        reply = b""
        while not reply.endswith(b"\r\n") or reply.count(b"\r\n") < lines:
            reply += sock.recv(1 << 16)
    return reply


@contextmanager
def _said_already(pool: Pool, stream: bytes, later: bytes = b"") -> Iterator[None]:
    """A connection, the only one in the pool, whose other end has said its lie.

    Args:
        pool: that it is put into.
        stream: what it has said.
        later: what it says after a moment.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(stream)
        speaker = threading.Timer(_MOMENT, theirs.sendall, [later])
        if later:
            speaker.start()
        else:
            theirs.shutdown(socket.SHUT_WR)
        pool.drop()
        connection = Connection(ours, _TIMEOUT)
        connection.epoch = pool.epoch
        pool.put(connection)
        assert pool.quick
        yield
        if later:
            speaker.join()


def _read(cache: Cache | Namespace, keys: Sequence[str], tally: Tally) -> None:
    names = [_WIRE[key].decode() for key in keys]
    begun = time.monotonic()
    try:
        alone = len(names) == 1
        found = {names[0]: cache.get(names[0])} if alone else dict(cache.get_many(names))
    except CacheError:
        found = {}
    except Exception:  # noqa: BLE001 - only kcache's own may come out
        tally.errors += 1
        return
    tally.slow += time.monotonic() - begun > _SLOW
    for key, name in zip(keys, names, strict=True):
        tally.wrong += found.get(name) not in (None, EXPECTED[key])
