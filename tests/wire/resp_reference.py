"""RESP2 written a second time, as plainly as possible, with no thought of speed or of pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from kcache.wire.errors import WireError
from kcache.wire.reply import ErrorReply, Limits, Status
from kcache.wire.resp import Reply

LIMITS = Limits(body=5000, line=60, array=40, depth=3)
_HEADERS = re.compile(rb"([$*])(-1|0|[1-9]\d*)|(:)(0|-?[1-9]\d*)|([+-])(.*)", re.DOTALL)


class Bad(Exception):  # noqa: N818 - a verdict
    pass


class More(Exception):  # noqa: N818 - a verdict
    pass


def encoded(reply: Reply) -> bytes:
    match reply:
        case None:
            return b"$-1\r\n"
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case int():
            return b":%d\r\n" % reply
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))
        case Status():
            return b"+" + reply.text + b"\r\n"
        case ErrorReply():
            return b"-" + reply.text + b"\r\n"


def stream(*replies: Reply) -> bytes:
    return b"".join(map(encoded, replies))


def replies(data: bytes) -> list[object]:
    """All of them; the class `WireError` at the end where the stream goes wrong."""
    found: list[object] = []
    try:
        while data:
            reply, data = _reply(data, 0)
            found.append(reply)
    except More:
        pass
    except Bad:
        found.append(WireError)
    return found


def _reply(data: bytes, depth: int) -> tuple[Reply, bytes]:
    if not data:
        raise More
    if data[:1] not in {b"$", b"*", b":", b"+", b"-"}:
        raise Bad
    line, lf, rest = data.partition(b"\n")
    if len(line) - 1 > LIMITS.line:
        raise Bad
    if not lf:
        raise More
    parts = _HEADERS.fullmatch(line[:-1])
    if line[-1:] != b"\r" or parts is None:
        raise Bad
    kind, text = (part for part in parts.groups() if part is not None)
    if kind in {b"+", b"-"}:
        return (Status if kind == b"+" else ErrorReply)(text), rest
    return _numbered(kind, int(text), rest, depth)


def _numbered(kind: bytes, number: int, rest: bytes, depth: int) -> tuple[Reply, bytes]:
    if kind == b":":
        if not -(2**63) <= number < 2**63:
            raise Bad
        return number, rest
    if number == -1:
        return None, rest
    return _bulk(rest, number) if kind == b"$" else _array(rest, number, depth)


def _bulk(rest: bytes, size: int) -> tuple[Reply, bytes]:
    if size > LIMITS.body:
        raise Bad
    ending = rest[size : size + 2]
    if not b"\r\n".startswith(ending):
        raise Bad
    if len(ending) < 2:
        raise More
    return rest[:size], rest[size + 2 :]


def _array(rest: bytes, count: int, depth: int) -> tuple[Reply, bytes]:
    if count > LIMITS.array or depth >= LIMITS.depth:
        raise Bad
    items: list[Reply] = []
    for _ in range(count):
        item, rest = _reply(rest, depth + 1)
        items.append(item)
    return items, rest


def random_reply(random: Random, depth: int = 0) -> Reply:
    spliced = [b"$3\r\nabc\r\n", b"\r\n", b"+OK\r\n", b"*1\r\n"]
    choices: list[Callable[[], Reply]] = [
        lambda: random.randbytes(random.choice([0, 1, 5, 100, 1500])),
        lambda: b"".join(random.choices(spliced, k=3)),
        lambda: None,
        lambda: random.choice([0, 1, -1, 7, 2**63 - 1, -(2**63)]),
        lambda: Status(random.choice([b"OK", b"QUEUED", b"", b"a\rb"])),
        lambda: ErrorReply(random.choice([b"ERR no", b"", b"WRONGTYPE x y"])),
    ]
    if depth < LIMITS.depth:
        choices += [
            lambda: [random_reply(random, depth + 1) for _ in range(random.randint(0, 6))],
        ] * 2
    return random.choice(choices)()
