"""Figure 6: reply streams as no server sends them.

A connection whose other end has said its lie already is put into the pool. What comes of a call
is the truth, from the real server that is asked then, or a miss: never what the lie says.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Sequence

from kcache import Cache
from kcache.errors import CacheError
from kcache.net.connection import Connection
from kcache.net.pool import Pool
from tests.faults.tally import EXPECTED, Tally

__all__ = ["lies", "through"]

_KEYS = tuple(EXPECTED)
_TIMEOUT = 0.5
_SLOW = 0.55


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
    truth = _TRUTHS[kind](keys)
    others = _TRUTHS[kind](chance.sample(_KEYS, len(keys)))
    at = chance.randrange(len(truth))
    ways = [
        truth[:at],
        truth + chance.choice(_EXTRA),
        truth + truth,
        truth + others,
        chance.choice(_HUGE) + truth,
        truth[:at] + chance.choice(_HUGE) + truth[at:],
        chance.choice(_EXTRA) + truth,
        chance.randbytes(chance.randrange(40)),
    ]
    if kind == "memcached":
        wrong = [key for key in _KEYS if key not in keys]
        ways += [_memcached(chance.sample(wrong, len(keys)))] * 2
    return chance.choice(ways)


def through(cache: Cache, kind: str, count: int, seed: int) -> Tally:
    """Read over connections that lie."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    (pool,) = cache._core.transport.ends  # noqa: SLF001 - where connections are put
    assert isinstance(pool, Pool)
    tally = Tally()
    for _ in range(count):
        keys = chance.sample(_KEYS, chance.choice((1, 1, 1, 3)))
        stream = lies(kind, keys, chance)
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(stream)
            theirs.shutdown(socket.SHUT_WR)
            pool.drop()
            pool.put(Connection(ours, _TIMEOUT))
            _read(cache, keys, tally)
        tally.rounds += 1
    return tally


def _read(cache: Cache, keys: Sequence[str], tally: Tally) -> None:
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
