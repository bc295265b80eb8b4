"""Uses of the public API that a type checker must refuse."""

from kcache import Cache, Node, Ring

Node("redis://h", weight="2")  # wrong
Node("redis://h").weight = 2  # wrong
ring = Ring(["redis://h"])
Ring(7)  # wrong
Ring(["redis://h"], nonsense=True)  # wrong
Ring(["redis://h"], hash=7)  # wrong
ring.node_for(7)  # wrong
ring.node_for(None)  # wrong
ring.without(Node("redis://h"))  # wrong
cache = Cache()


@cache.memoize(ttl=60)
def area(width: int, height: int = 1) -> float:
    return float(width * height)


class Shop:
    @cache.memoize(self_key="number")
    def prices(self, currency: str) -> list[int]:
        return [len(currency)]


area("1")  # wrong
area()  # wrong
area.delete(1, depth=2)  # wrong
area.refresh(width="1")  # wrong
area.nothing()  # wrong
Shop().prices(1)  # wrong
Shop().prices.key("EUR", 1)  # wrong
cache.memoize(5)  # wrong
cache.refill("k", 5)  # wrong
cache.get_or_set("k", lambda: 5, refresh=lambda: None)  # wrong
cache.memoize(jitter="much")  # wrong
cache.memoize(nonsense=True)  # wrong
