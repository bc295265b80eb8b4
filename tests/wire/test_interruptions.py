"""What a signal's handler raises comes out of every way to read, whatever else it would mean."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kcache.wire.errors import WireError
from kcache.wire.memcached_parser import MemcachedParser, parse_metas, parse_value, parse_values
from kcache.wire.resp import RespParser, parse_bulks

VALUE = b"VALUE k 0 1\r\nv\r\n"
BULKS = b"*2\r\n$2\r\n\r\n\r\n$1\r\nv\r\n"


class Interrupted(bytes):
    """Bytes in which a signal comes while they are searched."""

    __slots__ = ()

    def index(self, *args: Any) -> int:
        signal.raise_signal(signal.SIGUSR1)
        return super().index(*args)


class Long(bytes):
    """Bytes whose length is asked for by whoever is interrupted then."""

    __slots__ = ()

    def __len__(self) -> int:
        signal.raise_signal(signal.SIGUSR1)
        return 1


class Split(bytes):
    """Bytes that come apart into such."""

    __slots__ = ()

    def split(self, *args: Any) -> Any:
        return [Long(part) if part == b"v" else part for part in super().split(*args)]


class InterruptedLine(bytes):
    """The same, for a line that is taken out of them."""

    __slots__ = ()

    def __getitem__(self, at: Any) -> Any:
        signal.raise_signal(signal.SIGUSR1)
        return super().__getitem__(at)


@pytest.fixture(params=[IndexError, KeyError, ValueError, WireError])
def error(request: pytest.FixtureRequest) -> Iterator[Exception]:
    kind = request.param
    error: Exception = kind("of", b"the handler") if kind is WireError else kind("of the handler")

    def handler(_number: int, _frame: object) -> None:
        raise error

    before = signal.signal(signal.SIGUSR1, handler)
    yield error
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    "read",
    [
        lambda: parse_value(InterruptedLine(VALUE + b"END\r\n")),
        lambda: parse_metas(Interrupted(b"HD\r\nHD\r\n"), 2),
        lambda: parse_bulks(Interrupted(BULKS)),
        lambda: parse_bulks(Split(b"*1\r\n$1\r\nv\r\n")),
        lambda: parse_values(Split(VALUE + b"END\r\n")),
    ],
)
def test_what_a_handler_raises_is_not_taken_for_another_reply(
    error: Exception, read: Callable[[], object]
) -> None:
    with pytest.raises(type(error)) as raised:
        read()
    assert raised.value is error


def test_a_parser_of_redis_is_dead_after_that(error: Exception) -> None:
    parser = RespParser()
    parser.feed(Interrupted(BULKS))
    with pytest.raises(type(error)) as raised:
        parser.next_reply()
    assert raised.value is error
    with pytest.raises(WireError):
        parser.next_reply()
    assert not parser.is_idle


def test_a_parser_of_memcached_is_dead_after_that(error: Exception) -> None:
    parser = MemcachedParser()
    parser.feed(Interrupted(VALUE * 2 + b"END\r\n"))
    with pytest.raises(type(error)) as raised:
        parser.next_values()
    assert raised.value is error
    with pytest.raises(WireError):
        parser.next_reply()
    assert not parser.is_idle
