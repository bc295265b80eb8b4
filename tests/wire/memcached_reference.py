"""memcached's replies written a second time, plainly, with no thought of speed or of pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from kcache.wire.errors import WireError
from kcache.wire.memcached_parser import END, End, Meta, Reply, Value
from kcache.wire.reply import ErrorReply, Limits, Status

LIMITS = Limits(body=5000, line=400)
_WORDS = [b"OK", b"STORED", b"NOT_STORED", b"EXISTS", b"NOT_FOUND", b"DELETED", b"TOUCHED"]
_CODES = [b"HD", b"EN", b"NF", b"NS", b"EX", b"MN"]
_NUMBER = rb"(0|[1-9][0-9]{0,19})"
_VALUE = re.compile(rb"VALUE ([^ \n]{1,250}) %b %b(?: %b)?" % (_NUMBER, _NUMBER, _NUMBER))
_VA = re.compile(rb"VA %b((?: [^ \n]+)*)" % _NUMBER)
_META = re.compile(rb"(HD|EN|NF|NS|EX|MN)((?: [^ \n]+)*)")
_ERROR = re.compile(rb"(ERROR|CLIENT_ERROR|SERVER_ERROR)( [^\n]*)?")


class Bad(Exception):  # noqa: N818 - a verdict
    pass


class More(Exception):  # noqa: N818 - a verdict
    pass


def encoded(reply: Reply) -> bytes:
    match reply:
        case Value():
            cas = b"" if reply.cas is None else b" %d" % reply.cas
            head = b"VALUE %b %d %d%b" % (reply.key, reply.flags, len(reply.data), cas)
            return head + b"\r\n" + reply.data + b"\r\n"
        case Meta():
            if reply.data is None:
                return b" ".join([reply.code, *reply.flags]) + b"\r\n"
            head = b" ".join([b"VA %d" % len(reply.data), *reply.flags])
            return head + b"\r\n" + reply.data + b"\r\n"
        case End():
            return b"END\r\n"
        case Status() | ErrorReply():
            return reply.text + b"\r\n"


def stream(*replies: Reply) -> bytes:
    return b"".join(map(encoded, replies))


def replies(data: bytes) -> list[object]:
    """All of them; the class `WireError` at the end where the stream goes wrong."""
    found: list[object] = []
    try:
        while data:
            reply, data = _reply(data)
            found.append(reply)
    except More:
        pass
    except Bad:
        found.append(WireError)
    return found


def _reply(data: bytes) -> tuple[Reply, bytes]:
    line, lf, rest = data.partition(b"\n")
    if len(line) - 1 > LIMITS.line:
        raise Bad
    if not lf:
        raise More
    if line[-1:] != b"\r":
        raise Bad
    line = line[:-1]
    if found := _VALUE.fullmatch(line):
        key, flags, size, cas = found.groups()
        if int(flags) >= 2**32 or int(cas or 0) >= 2**64:
            raise Bad
        data, rest = _body(rest, int(size))
        return Value(key, int(flags), data, None if cas is None else int(cas)), rest
    if found := _VA.fullmatch(line):
        data, rest = _body(rest, int(found[1]))
        return Meta(b"VA", tuple(found[2].split(b" ")[1:]), data), rest
    return _line(line), rest


def _line(line: bytes) -> Reply:
    if line == b"END":
        return END
    if line in _WORDS or line == b"VERSION" or line.startswith(b"VERSION "):
        return Status(line)
    if found := _META.fullmatch(line):
        return Meta(found[1], tuple(found[2].split(b" ")[1:]))
    if _ERROR.fullmatch(line):
        return ErrorReply(line)
    raise Bad


def _body(rest: bytes, size: int) -> tuple[bytes, bytes]:
    if size > LIMITS.body:
        raise Bad
    ending = rest[size : size + 2]
    if not b"\r\n".startswith(ending):
        raise Bad
    if len(ending) < 2:
        raise More
    return rest[:size], rest[size + 2 :]


def random_body(random: Random) -> bytes:
    if random.random() < 0.3:
        parts = [b"VALUE k 0 1\r\nx\r\n", b"END\r\n", b"\r\n", b"VA 1\r\nx\r\n", b"HD\r\n"]
        return b"".join(random.choices(parts, k=2))
    return random.randbytes(random.choice([0, 1, 9, 100, 1500]))


def random_value(random: Random) -> Value:
    key = bytes(random.choices(b"abcXYZ019_\x80\xff", k=random.choice([1, 8, 250])))
    flags = random.choice([0, 1, 16, 5000, 2**32 - 1])
    return Value(key, flags, random_body(random), random.choice([None, None, 0, 2**64 - 1]))


def random_reply(random: Random) -> Reply:
    flags = tuple(
        random.sample([b"f0", b"t-1", b"O12", b"kabc", b"W", b"c99"], random.randint(0, 3))
    )
    choices: list[Callable[[], Reply]] = [
        lambda: random_value(random),
        lambda: random_value(random),
        lambda: END,
        lambda: Meta(b"VA", flags, random_body(random)),
        lambda: Meta(random.choice(_CODES), flags),
        lambda: Status(random.choice([*_WORDS, b"VERSION 1.6.18"])),
        lambda: ErrorReply(random.choice([b"ERROR", b"CLIENT_ERROR bad", b"SERVER_ERROR o o m"])),
    ]
    return random.choice(choices)()
