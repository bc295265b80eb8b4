"""Figure 6, short: whatever a server says, no key has another key's value."""

from __future__ import annotations

import pytest

from kcache import Cache
from tests.faults.conftest import Server
from tests.faults.streams import look_alike, through, through_namespace
from tests.faults.tally import EXPECTED, comes_true, descriptors

SEED = 20_261_122
COUNT = 4000


@pytest.mark.parametrize("on_error", ["miss", "raise"])
def test_no_stream_of_replies_gives_a_wrong_value(server: Server, on_error: str) -> None:
    kind = "redis" if "redis" in server.url else "memcached"
    with Cache([server.url], on_error="raise" if on_error == "raise" else "miss") as cache:
        cache.set_many({key.replace(" ", "_"): value for key, value in EXPECTED.items()})
        before = descriptors()
        tally = through(cache, kind, COUNT, SEED)
        assert not tally.faults, f"seed {SEED}: {tally}"
        assert comes_true(lambda: descriptors() <= before + 1)


def test_no_stream_of_replies_gives_a_wrong_value_in_a_namespace(server: Server) -> None:
    with Cache([server.url]) as cache:
        cache.set("warm", 1)
        before = descriptors()
        tally = through_namespace(cache, COUNT, SEED)
        assert not tally.faults, f"seed {SEED}: {tally}"
        assert comes_true(lambda: descriptors() <= before + 1)


def test_a_value_that_looks_like_the_end_of_a_reply_is_a_value(server: Server) -> None:
    with Cache([server.url]) as cache:
        assert look_alike(cache)
