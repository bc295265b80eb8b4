"""What is tried of processes and nodes that lose each other, and variants that must be found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kcache.command import Set
from kcache.entry import FRAME_FLAGS
from kcache.flow import Flow
from kcache.record import pack_ids
from kcache.versions.owing import Owing
from kcache.versions.reading import RECORD_TTL
from tests.versions.client import token_of
from tests.versions.homes import Failover, Moving
from tests.versions.outages import Program, Setting, Variant

__all__ = ["BROKEN", "SCOPES", "SMALL", "WIDE", "Broken"]

WARM = ((0, ("set", 1)), (1, ("get", None)))
WRITTEN = ((0, ("set", 1)),)
AT_ANOTHER = ((1, ("set", 1)), (0, ("get", None)))
DEBTS = (*WARM, (2, ("get", None)))
GET: Program = (("get", None),)
DROP: Program = (("invalidate", None),)
OTHER: Program = (("invalidate", "q"),)
LOOK: Program = (("look", None),)
FILL: Program = (("miss", None), ("fill", 3))
DELETE: Program = (("delete", None),)


def sets(value: int) -> Program:
    return (("set", value),)


SMALL: Mapping[str, Setting] = {
    "who-drops-reads": Setting("redis", (DROP + GET,), before=WRITTEN),
    "a-snapshot": Setting(
        "redis", (DROP + GET,), faults=0, losses=1, events=("snapshot",), before=WRITTEN
    ),
    "a-promotion": Setting(
        "redis", (DROP + GET,), faults=0, losses=1, events=("promotion",), before=WRITTEN
    ),
    "a-late-set": Setting("memcached", (sets(2) + GET,), before=WRITTEN),
}
"""Gone through in every order."""

WIDE: Mapping[str, Setting] = {
    "others-look": Setting("redis", (DROP, LOOK + GET), before=WARM),
    "others-begin-later": Setting("redis", (DROP, GET), before=WRITTEN),
    "who-drops-reads-beside-another": Setting("redis", (DROP + GET, GET), before=WARM),
}
"""The same, in the large scope."""

SCOPES: Mapping[str, Setting] = {
    "drops-and-reads": Setting(
        "redis", (DROP + GET + GET, GET + sets(2) + GET), faults=2, before=WARM
    ),
    "drops-and-sets": Setting(
        "memcached", (DROP + sets(2) + GET, GET + sets(3) + GET), faults=2, before=WARM
    ),
    "sets-and-deletes": Setting(
        "redis", (sets(2) + GET + GET, DELETE + GET, sets(4) + GET), faults=2, before=WARM
    ),
    "fills": Setting("redis", (FILL + GET, DROP + GET + GET, sets(4) + GET), faults=2),
    # Where no node was reached, no debt is left.
    "debts": Setting(
        "memcached", (DROP, OTHER + GET, LOOK + GET), faults=2, faulty=(0,), before=DEBTS
    ),
    "a-process-that-begins-later": Setting(
        "redis", (DROP + GET, DROP, GET + GET), faults=1, before=WARM
    ),
    "restarts": Setting(
        "redis",
        (DROP + GET + sets(2) + GET, GET + sets(3) + DROP + GET),
        faults=1,
        losses=2,
        events=("snapshot", "promotion", "empty", "eviction"),
        before=WARM,
    ),
    "two-rings": Setting(
        "redis",
        (sets(2) + DROP + GET, GET + sets(3) + GET),
        faults=1,
        owners=(0, 1),
        before=WARM,
    ),
    "two-rings-of-three": Setting(
        "memcached",
        (sets(2) + GET, FILL + GET, DROP + GET),
        faults=1,
        owners=(0, 1, 1),
        before=WARM,
    ),
}
"""Gone through in some orders, at random."""


class DebtsOverwritten(Owing):
    """A debt takes the place of another one."""

    def leave(self, missed: Sequence[int], reached: Iterable[int]) -> Flow[dict[int, set[bytes]]]:
        left = {index: {self._fresh()} for index in missed}
        yield {
            on: [
                Set(((self._debts[index], pack_ids(left[index]), FRAME_FLAGS),), RECORD_TTL)
                for index in missed
            ]
            for on in reached
        }
        return left


class DebtsBelieved(Owing):
    """Whoever finds a debt notes it as paid, and drops nothing."""

    def make_ready(
        self,
        owed: Mapping[int, Collection[bytes]],
        others: Iterable[int],
        *,
        own: Mapping[int, Collection[bytes]],
    ) -> Flow[dict[int, Any]]:
        del own
        every: Mapping[int, Any] = {index: _Everything() for index in owed}
        return (yield from super().make_ready(owed, others, own=every))


class _Everything:
    """Any id is in it."""

    def __contains__(self, _: object) -> bool:
        return True

    def __iter__(self) -> Iterator[bytes]:
        return iter([token_of(process, made) for process in range(4) for made in range(40)])

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True)
class Broken:
    """A protocol without a part of it, and where that shows."""

    fault: str
    variant: Variant
    setting: Setting = field(default_factory=lambda: SCOPES["drops-and-reads"])


BROKEN = (
    Broken(
        "records at a home, which another node stands in for",
        Variant(namespaced=Failover),
        Setting("redis", (DROP, GET + GET), faulty=(1,), before=WARM),
    ),
    Broken(
        "records at a home that moves with the ring",
        Variant(namespaced=Moving, mirrors=False),
        Setting("redis", (DROP, GET), faults=0, owners=(1, 0), before=AT_ANOTHER),
    ),
    Broken("acknowledged with a node down", Variant(says_incomplete=False), SCOPES["debts"]),
    Broken("a node that missed something is used", Variant(uses_arrears=False)),
    Broken("a node is used before it is told", Variant(opens_early=True)),
    Broken("no debts are left", Variant(leaves_debts=False), SCOPES["debts"]),
    Broken(
        "who begins looks for no debts",
        Variant(looks_first=False),
        SCOPES["a-process-that-begins-later"],
    ),
    Broken("a debt is overwritten", Variant(owing=DebtsOverwritten), SCOPES["debts"]),
    Broken("a debt is paid by noting it", Variant(owing=DebtsBelieved), SCOPES["debts"]),
    Broken(
        "a write of unknown outcome is repeated by key",
        Variant(replays_by_key=True),
        SCOPES["sets-and-deletes"],
    ),
    Broken("a token is sent twice", Variant(repeats_tokens=True)),
    Broken(
        "the run id alone is the identity",
        Variant(identity=lambda reign: b"%d" % reign[0]),
        SCOPES["restarts"],
    ),
    Broken("nobody asks which server it is", Variant(identity=lambda _: b""), SCOPES["restarts"]),
    Broken("own ring only", Variant(tells_both_rings=False), SCOPES["two-rings"]),
    Broken("own owner only", Variant(mirrors=False), SCOPES["two-rings"]),
)
