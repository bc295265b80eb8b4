"""All interleavings of small programs answer as registers do (F16).

`tests/versions/register.py` says what that is. R1, R2 and R4 follow from it, in these readings:

* R1: a read gives a value that was stored for this namespace and key, or a miss.
* R2: a value is never read after an `invalidate` has returned if its `set` had returned before
  that was called, or anybody had read it before, or if it is a fill's, and the miss before the
  computation had been answered when `invalidate` was called. A `set` or a computation that runs
  beside an invalidation falls before or after it, and only once. No stricter reading can hold: a
  computation that begins while `invalidate` is under way may have met the new token on its node.
* R4: what was computed is stored only if nothing was written, deleted or invalidated since the miss
  that it began with was answered. A `set` counts from its call.
* One `add` wins; no count is lost or comes back; `cas`, `replace` and `delete` bring nothing back.

Entries and records are evicted, or expire, and nodes restart empty, at every point at which no
client has only half of an answer. What CI explores takes seconds. `KCACHE_SCOPE=large` explores
more; see RESULTS.
"""

from __future__ import annotations

import os

import pytest

from kcache.versions import filling
from tests.versions.explore import explore
from tests.versions.scenarios import (
    COLD,
    STALE,
    WARM,
    levels,
    nodes,
    pairs,
    takeovers,
    threes,
    two_takeovers,
    wide_losses,
)

RESULTS = """
States on CPython 3.11 (2 cores shared with others), none wrong:

    two clients, any two calls                         72,250
    two clients and a loss, from all beginnings     4,531,527
    three clients                                     187,222
    two levels and a loss                             222,189
    two nodes; and with a loss                        269,340
    any call and a takeover                            32,966
    any call, a takeover and a loss                 2,638,973
    together                                        7,954,467

The other scopes of the large run were last run when a lease that was tried for could still take
the place of a dead `set`, and found nothing else: 64,399,089 states in all.
"""

CI = {
    "two-clients": lambda: pairs(0),
    "two-clients-and-a-loss": lambda: pairs(1, (STALE,)),
    "takeovers": lambda: takeovers(0),
    "three-clients": lambda: threes(0, (STALE,)),
    "two-levels-and-a-loss": lambda: levels(1),
    "two-nodes": lambda: nodes(0),
    "two-nodes-and-a-loss": wide_losses,
}
LARGE = {
    "two-clients-and-a-loss-from-all-beginnings": lambda: pairs(1, (COLD, WARM)),
    "takeovers-and-a-loss": lambda: takeovers(1),
    "two-clients-and-two-losses": lambda: pairs(2, (WARM,)),
    "three-clients-from-nothing": lambda: threes(0, (COLD,)),
    "three-clients-and-a-loss": lambda: threes(1, (STALE,)),
    "two-levels-and-two-losses": lambda: levels(2),
}
IS_LARGE = os.environ.get("KCACHE_SCOPE") == "large"


@pytest.mark.parametrize("scope", [*CI, *(LARGE if IS_LARGE else ())])
def test_every_interleaving_answers_as_a_register_does(scope: str) -> None:
    states = 0
    for scenario in (CI | LARGE)[scope]():
        finding = explore(scenario)
        assert finding.trace == (), "\n".join((repr(scenario.programs), *finding.trace))
        states += finding.states
    print(f"{scope}: {states} states")  # noqa: T201
    assert states > 1000


def test_two_that_take_over_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # They could do so for long, where each attempt comes between two steps of the other's.
    monkeypatch.setattr(filling, "_ATTEMPTS", 3)
    for scenario in two_takeovers():
        assert explore(scenario).trace == ()
