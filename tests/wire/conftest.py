"""Conversations with real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcache.wire.memcached_parser import MemcachedParser
from kcache.wire.resp import RespParser
from tests.servers import Address, Memcached, connection
from tests.wire.live import Conversation, redis_server


@pytest.fixture(scope="session")
def redis_address() -> Iterator[Address]:
    with redis_server() as address:
        yield address


@pytest.fixture(params=[1, 7, 1 << 16])
def redis(
    redis_address: Address, request: pytest.FixtureRequest
) -> Iterator[Conversation[RespParser]]:
    with connection(redis_address) as sock:
        conversation = Conversation(sock, RespParser(), request.param)
        conversation.ask(b"FLUSHALL\r\n")
        yield conversation


@pytest.fixture(params=[1, 7, 1 << 16])
def memcached(
    memcacheds: tuple[Memcached, ...], request: pytest.FixtureRequest
) -> Iterator[Conversation[MemcachedParser]]:
    with connection(memcacheds[0].address) as sock:
        yield Conversation(sock, MemcachedParser(), request.param)
