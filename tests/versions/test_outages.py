"""Processes and nodes that lose each other (F16): R2, R3 and R4 hold, and what is broken is found.

The large scope (KCACHE_SCOPE=large) takes more orders; see RESULTS.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.versions.choices import Found, every_way, some_ways
from tests.versions.outage_settings import BROKEN, SCOPES, SMALL, WIDE, Broken
from tests.versions.outages import Setting, simulate

RESULTS = """
"""

SEED = 20_261_123
IS_LARGE = os.environ.get("KCACHE_SCOPE") == "large"
WAYS = 200_000 if IS_LARGE else 1000
LOOKED_FOR = 20_000
each_kind = pytest.mark.parametrize("kind", ["redis", "memcached"])


@pytest.mark.parametrize("scope", [*SMALL, *(WIDE if IS_LARGE else ())])
def test_in_every_order_no_read_gives_what_was_dropped(scope: str) -> None:
    states = every_way(simulate({**SMALL, **WIDE}[scope]))
    print(f"{scope}: {states} states")  # noqa: T201
    assert states > 20


@each_kind
@pytest.mark.parametrize("scope", SCOPES)
def test_in_orders_at_random_no_read_gives_what_was_dropped(scope: str, kind: str) -> None:
    setting = SCOPES[scope]
    # memcached begins empty, and has no replicas.
    events = setting.events if kind == "redis" else setting.events[2:]
    some_ways(simulate(replace(setting, kind=kind, events=events)), WAYS, SEED)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.fault)
def test_what_is_broken_is_found(broken: Broken) -> None:
    setting: Setting = replace(broken.setting, variant=broken.variant)
    with pytest.raises(Found) as found:
        some_ways(simulate(setting), LOOKED_FOR, SEED)
    print(found.value)  # noqa: T201
