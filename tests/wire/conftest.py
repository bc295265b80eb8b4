"""Conversations with real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcache.wire.memcached_parser import MemcachedParser
from kcache.wire.resp import RespParser
from tests.servers import Memcached, Redis
from tests.wire.live import Conversation


@pytest.fixture(params=[1, 7, 1 << 16])
def redis(
    redises: tuple[Redis, ...], request: pytest.FixtureRequest
) -> Iterator[Conversation[RespParser]]:
    with redises[0].connection() as sock:
        yield Conversation(sock, RespParser(), request.param)


@pytest.fixture(params=[1, 7, 1 << 16])
def memcached(
    memcacheds: tuple[Memcached, ...], request: pytest.FixtureRequest
) -> Iterator[Conversation[MemcachedParser]]:
    with memcacheds[0].connection() as sock:
        yield Conversation(sock, MemcachedParser(), request.param)
