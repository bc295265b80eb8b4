"""What a process that has just started reads without making a parser."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from kcache.wire import memcached_parser, resp
from kcache.wire.reply import INCOMPLETE


@pytest.fixture(scope="module")
def redis() -> dict[str, Any]:
    """The names of a module that has read nothing yet."""
    return runpy.run_path(resp.__file__)


@pytest.fixture(scope="module")
def memcached() -> dict[str, Any]:
    return runpy.run_path(memcached_parser.__file__)


def test_bulks_of_less_than_a_kibibyte(redis: dict[str, Any]) -> None:
    for size in range(1024):
        body = b"\n" * size
        assert redis["parse_bulk"](b"$%d\r\n%b\r\n" % (size, body)) == body
    assert redis["parse_bulk"](b"$1024\r\n%b\r\n" % bytes(1024)) is INCOMPLETE


def test_arrays_of_bulks(redis: dict[str, Any]) -> None:
    short, long = bytes(4095), bytes(4096)
    for bodies, is_read in (
        ([b"", short, b"\n"], True),
        ([b"\r\n", short[:1023]], True),
        ([b"\r\n", short[:1024]], False),
        ([long], False),
    ):
        data = b"*%d\r\n" % len(bodies)
        data += b"".join(b"$%d\r\n%b\r\n" % (len(body), body) for body in bodies)
        assert redis["parse_bulks"](data) == (bodies if is_read else INCOMPLETE)


def test_a_value_of_less_than_a_kibibyte(memcached: dict[str, Any]) -> None:
    read = memcached["parse_value"]
    for size in range(1024):
        data = b"VALUE k %d %d\r\n%b\r\nEND\r\n" % (size, size, bytes(size))
        assert read(data) == (b"k", size, bytes(size), None)
    for flags, size in ((1024, 1), (1, 1024)):
        data = b"VALUE k %d %d\r\n%b\r\nEND\r\n" % (flags, size, bytes(size))
        assert read(data) is INCOMPLETE


def test_values_of_less_than_four_kibibytes(memcached: dict[str, Any]) -> None:
    for size, is_read in ((0, True), (4095, True), (4096, False)):
        data = b"VALUE k 1 %d\r\n%b\r\nEND\r\n" % (size, bytes(size))
        hits = [(b"k", 1, bytes(size))]
        assert memcached["parse_values"](data) == (hits if is_read else INCOMPLETE)


def test_metas_with_values_of_less_than_a_kibibyte(memcached: dict[str, Any]) -> None:
    for size, is_read in ((0, True), (1023, True), (1024, False)):
        data = b"VA %d f1\r\n%b\r\n" % (size, bytes(size))
        metas = [(b"VA", (b"f1",), bytes(size))]
        assert memcached["parse_metas"](data) == (metas if is_read else INCOMPLETE)
