"""Figures 4 and 5, short: parent and children each get their own replies."""

from __future__ import annotations

import pytest

from kcache import Cache
from tests.faults.conftest import Server
from tests.faults.forks import in_busy_process, in_children
from tests.faults.tally import EXPECTED


@pytest.mark.parametrize("namespace", [None, "shop"])
def test_parent_and_children_get_what_is_right(server: Server, namespace: str | None) -> None:
    with Cache([server.url], timeout=5, namespace=namespace) as cache:
        cache.set_many(EXPECTED)
        tally = in_children(cache.get, 500)
        assert not tally.faults, f"{tally}"


@pytest.mark.parametrize("namespace", [None, "shop"])
def test_a_fork_while_threads_are_busy_neither_hangs_nor_mixes_up_replies(
    server: Server, namespace: str | None
) -> None:
    with Cache([server.url], timeout=10, namespace=namespace) as cache:
        cache.set_many(EXPECTED)
        tally = in_busy_process(cache.get, 25)
        assert not tally.faults, f"{tally}"


def test_a_fork_while_threads_use_memory_does_not_hang() -> None:
    with Cache() as cache:
        cache.set_many(EXPECTED)
        tally = in_busy_process(cache.get, 10)
        assert not tally.faults, f"{tally}"
