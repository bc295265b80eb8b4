"""The programs whose interleavings are explored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product

from tests.versions.client import Call, System
from tests.versions.explore import Scenario
from tests.versions.world import KINDS

__all__ = [
    "COLD",
    "INVALIDATE",
    "STALE",
    "WARM",
    "levels",
    "nodes",
    "on",
    "pairs",
    "takeovers",
    "threes",
    "two_takeovers",
    "wide_losses",
]


def on(name: str, value: object = None, path: int = 0, key: str = "a") -> Call:
    """A call on one key."""
    return Call(name, path, ((key, value),))


Program = tuple[Call, ...]
INVALIDATE = Call("invalidate")
GET = on("get")

COLD: tuple[tuple[int, Call], ...] = ()
WARM = ((0, on("set", 1)), (1, GET))
STALE = (*WARM, (1, INVALIDATE), (1, on("set", 2)))
"""The first client knows tokens that are not there any more."""


def operations(client: int, path: int = 0) -> list[Program]:
    """Every call, with values of the client's own."""
    at = 10 * (client + 1)
    return [
        (on("get", None, path),),
        (on("set", at + 1, path),),
        (on("delete", None, path),),
        (on("add", at + 2, path),),
        (on("replace", at + 3, path),),
        (on("count", (5, at + 4), path),),
        (on("gets", None, path), on("cas", at + 5, path)),
        (on("touch", None, path),),
        (on("miss", None, path), on("fill", at + 6, path)),
        (on("renewal", None, path), on("fill", at + 7, path)),
        (Call("invalidate", path),),
    ]


def pairs(
    losses: int, before: Sequence[tuple[tuple[int, Call], ...]] = (COLD, WARM, STALE)
) -> Iterator[Scenario]:
    """Any call beside any other one, after which the second client reads."""
    for kind, prelude, one, other in product(KINDS, before, operations(0), operations(1)):
        yield Scenario(System(kind), (one, (*other, GET)), prelude, losses)


def takeovers(losses: int, others: Sequence[int] = range(11)) -> Iterator[Scenario]:
    """Any call beside one that takes over whatever lease there is, after which the former reads."""
    program = (on("takeover"), on("fill", 18))
    for kind, prelude, other in product(KINDS, (COLD, WARM, STALE), others):
        yield Scenario(System(kind), (program, (*operations(1)[other], GET)), prelude, losses)


def two_takeovers() -> Iterator[Scenario]:
    """Two of them."""
    programs = [(on("takeover"), on("fill", 10 * client + 18)) for client in range(2)]
    for kind, prelude in product(KINDS, (COLD, WARM)):
        yield Scenario(System(kind), (programs[0], (*programs[1], GET)), prelude)


def threes(
    losses: int, before: Sequence[tuple[tuple[int, Call], ...]] = (COLD, STALE)
) -> Iterator[Scenario]:
    """Any two calls, and a third client that invalidates and reads."""
    numbers = range(len(operations(0)))
    for kind, prelude, (one, other) in product(
        KINDS, before, combinations_with_replacement(numbers, 2)
    ):
        programs = (operations(0)[one], operations(1)[other], (INVALIDATE, GET))
        yield Scenario(System(kind), programs, prelude, losses)


def levels(losses: int) -> Iterator[Scenario]:
    """Any call in a namespace, beside an invalidation of it or of the one that it is in."""
    for kind, prelude, one, path in product(KINDS, (COLD, WARM), operations(0, 1), (0, 1)):
        within = tuple((client, call._replace(path=1)) for client, call in prelude)
        system = System(kind, (("p",), ("p", "c")))
        other = (Call("invalidate", path), on("get", None, 1))
        yield Scenario(system, (one, other), within, losses)


BOTH = (("a", 31), ("b", 32))
WARM_BOTH = ((0, Call("set_many", 0, (("a", 1), ("b", 2)))),)


def nodes(losses: int) -> Iterator[Scenario]:
    """Calls on keys of two nodes, beside an invalidation."""
    keys = (("a", None), ("b", None))
    ones = [(Call("set_many", 0, BOTH),), (Call("get_many", 0, keys), on("set", 33))]
    others = [
        (INVALIDATE, Call("get_many", 0, keys)),
        (on("delete", None, 0, "b"), Call("get_many", 0, keys)),
        (Call("set_many", 0, (("a", 41), ("b", 42))), Call("get_many", 0, keys)),
    ]
    for kind, prelude, one, other, owner in product(KINDS, (COLD, WARM_BOTH), ones, others, (0, 1)):
        system = System(kind, owners={"a": 0, "b": owner})
        yield Scenario(system, (one, other), prelude, losses)


def wide_losses() -> Iterator[Scenario]:
    """An eviction or a restart on one of two nodes."""
    one = (Call("set_many", 0, BOTH),)
    for kind, owner in product(KINDS, (0, 1)):
        system = System(kind, owners={"a": 0, "b": owner})
        yield Scenario(system, (one, (INVALIDATE, on("get", None, 0, "b"))), WARM_BOTH, 1)
