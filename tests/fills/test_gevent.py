"""Greenlets: of many one computes, and one that is ended leaves nobody hanging."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.servers import Memcached, Redis

_GEVENT = ("-m", "gevent.monkey", "--module", "tests.fills.gevent_main")


@pytest.mark.parametrize("kind", ["redis", "memcached"])
@pytest.mark.parametrize("namespace", ["", "shop"], ids=["plain", "namespaced"])
def test_of_many_greenlets_one_computes(
    kind: str, namespace: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    url = redises[0].url if kind == "redis" else memcacheds[0].url
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *_GEVENT, url, namespace],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "all is well\n"
    assert "Warning" not in done.stderr
