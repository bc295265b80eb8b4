"""Apps with caches, in memory and on servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.flask.site import Site

PLACES = ("memory", "redis", "memcached")
_PATIENCE = 20.0


@pytest.fixture
def new_site() -> Iterator[Callable[..., Site]]:
    """Makes apps, with the given configuration, in the memory of the process if it says nothing."""
    with ExitStack() as stack:

        def new(name: str = "site", /, **config: Any) -> Site:
            site = Site(name, **config)
            stack.callback(site.close)
            return site

        yield new


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """An app whose cache is in memory."""
    return new_site()


@pytest.fixture
def timed(new_site: Callable[..., Site]) -> Site:
    """The same, on a clock that the test sets: `timed.time += 60`."""
    box: list[Site] = []
    made = new_site(KCACHE_CLOCK=lambda: box[0].time if box else 0.0)
    box.append(made)
    return made


@pytest.fixture(params=PLACES)
def anywhere(request: pytest.FixtureRequest, new_site: Callable[..., Site]) -> Site:
    """An app whose cache is on an empty node of each kind in turn."""
    if request.param == "memory":
        return new_site()
    servers = request.getfixturevalue(
        {"redis": "redises", "memcached": "memcacheds"}[request.param]
    )
    return new_site(KCACHE_NODES=[servers[0].url], KCACHE_TIMEOUT=_PATIENCE)
