"""`kcache invalidate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kcache import Cache
from kcache.cli.app import run
from tests.cli.fleet import Printed, options
from tests.servers import Memcached, Redis
from tests.servers.connect import free_port


def test_a_namespace_is_dropped_and_no_other(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...], printed: Printed
) -> None:
    urls = [redises[0].url, memcacheds[0].url]
    with Cache(urls) as cache:
        spaces = [cache.namespace("photos", "42"), cache.namespace("songs")]
        for space in spaces:
            assert space.set_many({f"k{i}": i for i in range(20)}) == []
        assert "photos: invalidated on 2 nodes" in printed("invalidate", "photos", *options(urls))
        assert spaces[0].get_many([f"k{i}" for i in range(20)]) == {}
        assert len(spaces[1].get_many([f"k{i}" for i in range(20)])) == 20


def test_other_prefixes_are_other_namespaces(
    redises: tuple[Redis, ...], parsed: Callable[..., Any]
) -> None:
    urls = [redises[0].url]
    with Cache(urls, prefix="mine", namespace="shop") as cache:
        cache.set("k", 1)
        expected = {"namespace": ["shop"], "complete": True, "pending": []}
        assert parsed("invalidate", "shop", *options(urls)) == expected
        assert cache.get("k") == 1
        assert parsed("invalidate", "shop", "--prefix", "mine", *options(urls)) == expected
        assert cache.get("k") is None


def test_a_node_that_is_down_is_said_and_is_the_exit_status(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = f"redis://127.0.0.1:{free_port()}"
    assert run(["invalidate", "shop", *options([redises[0].url, dead])]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("kcache: shop: not invalidated on 127.0.0.1:")
    assert captured.err.count("\n") == 1


def test_a_namespace_has_a_name() -> None:
    assert run(["invalidate", "--node", "memory://x"]) == 2
