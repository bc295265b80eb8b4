"""Uses of the public API with the types that it promises."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, assert_type

from kcache import Cache, Invalidation, Namespace, Node, Plan, Ring
from kcache.policy import Task

node = Node("redis://10.0.0.2:6380?weight=2&name=r2")
other = Node(kind="memcached", host="10.0.0.1", port=11211, weight=2, name="m1")
assert_type(node.name, str)
assert_type(node.weight, int)
assert_type(node.label("libketama"), str)

ring = Ring([node, "memcached://10.0.0.1"], dialect="twemproxy", hash="md5", hash_tag="{}")
spy = Ring([other], "spymemcached", format="LIBMEMCACHED", weighted=True)
assert_type(ring.node_for("key"), Node)
assert_type(ring.node_for(b"key"), Node)
assert_type(ring.owners("key", 2), tuple[Node, ...])
assert_type(ring.failover("key"), tuple[Node, ...])
assert_type(ring.points, Sequence[tuple[int, Node]])
assert_type(ring.share(), dict[Node, Fraction])
assert_type(ring.nodes, tuple[Node, ...])
assert_type(ring.options, Mapping[str, Any])
assert_type(ring.with_node(node), Ring)
assert_type(ring.without("r2"), Ring)
assert_type(ring.plan(spy), Plan)
assert_type(ring.plan(spy).moved, Fraction)
assert_type(Ring.from_file(Path("servers.list")), Ring)

cache = Cache()
assert_type(cache.refill("k", lambda: 5, ttl=60, jitter=0.1), int)


def send(task: Task) -> None:
    assert_type(task.names, tuple[str | bytes, ...])
    assert_type(task.args, tuple[Any, ...])
    assert_type(task(), None)


assert_type(cache.get_or_set("k", lambda: "v", stale_ttl=60, refresh=send), str)


@cache.memoize
def area(width: int, height: int = 1) -> float:
    return float(width * height)


@cache.memoize(ttl=60, ignore=["depth"], stale_ttl=10)
async def volume(width: int, *, depth: int) -> str:
    return str(width * depth)


class Shop:
    @cache.memoize(self_key="number")
    def prices(self, currency: str) -> list[int]:
        return [len(currency)]

    @cache.memoize
    async def stock(self, item: str) -> int:
        return len(item)

    @cache.memoize
    @classmethod
    def of_class(cls, number: int) -> bytes:
        return bytes(number)

    @cache.memoize
    @staticmethod
    def static(number: int) -> bytes:
        return bytes(number)


assert_type(area(1, height=2), float)
assert_type(area.refresh(1), float)
assert_type(area.uncached(1), float)
assert_type(area.key(1, 2), str)
assert_type(area.delete(1), bool)
assert_type(area.get_many([(1,), (2, 3)]), list[float])
assert_type(area.invalidate(), Invalidation)
assert_type(area.namespace, Namespace)
assert_type(Shop().prices("EUR"), list[int])
assert_type(Shop().prices.refresh(currency="EUR"), list[int])
assert_type(Shop().prices.delete("EUR"), bool)
assert_type(Shop.prices(Shop(), "EUR"), list[int])
assert_type(Shop.of_class(1), bytes)
assert_type(Shop().of_class(1), bytes)
assert_type(Shop.static(1), bytes)
assert_type(cache.namespace("n").memoize(lambda: 5)(), int)


async def asynchronous() -> None:
    assert_type(await volume(1, depth=2), str)
    assert_type(await volume.refresh(1, depth=2), str)
    assert_type(await volume.delete(1, depth=2), bool)
    assert_type(await volume.get_many([(1,)]), list[str])
    assert_type(await volume.invalidate(), Invalidation)
    assert_type(await Shop().stock("pen"), int)
    assert_type(volume.key(1, depth=2), str)
