"""A cache that is switched off: nothing is there, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kcache import Invalidation, Miss
from kcache.hit import MISS

__all__ = ["Nothing"]


class Nothing:
    """Stands for a cache and all of its namespaces. It has the calls that the extension makes."""

    def namespace(self, *_names: str) -> Nothing:
        """Itself."""
        return self

    def get(self, _key: str, default: Any = None) -> Any:
        """The default."""
        return default

    def lookup(self, _key: str) -> Miss:
        """A miss."""
        return MISS

    def get_many(self, _keys: Iterable[str]) -> dict[str, Any]:
        """No hits."""
        return {}

    def set(self, _key: str, _value: Any, _ttl: Any = None) -> bool:
        """False: it was not stored."""
        return False

    def add(self, key: str, value: Any, ttl: Any = None) -> bool:
        """False: it was not stored."""
        return self.set(key, value, ttl)

    replace = add

    def cas(self, _key: str, _value: Any, _token: Any, _ttl: Any = None) -> bool:
        """False: it was not stored."""
        return False

    def gets(self, _key: str) -> None:
        """None: there is no entry."""

    ttl = gets

    def touch(self, _key: str, _ttl: Any = None) -> bool:
        """False: there is no entry."""
        return False

    def get_or_set_many(
        self,
        keys: Iterable[str],
        factory_many: Callable[[list[str]], Any],
        *_: Any,
        **_options: Any,
    ) -> Any:
        """What the factory gives."""
        return factory_many(list(keys))

    def listen(self, _listener: Callable[..., Any]) -> Callable[[], None]:
        """Nothing happens that could be told."""
        return self.close

    def set_many(self, values: Mapping[str, Any], _ttl: Any = None) -> list[str]:
        """All keys: none was stored."""
        return list(values)

    def delete(self, _key: str) -> bool:
        """False: it was not there."""
        return False

    def delete_many(self, _keys: Iterable[str]) -> int:
        """None were there."""
        return 0

    def incr(self, _key: str, _delta: int = 1, **_options: Any) -> None:
        """None: there is no counter."""

    decr = incr

    def __contains__(self, _key: str) -> bool:
        return False

    def get_or_set(self, _key: str, factory: Callable[[], Any], *_: Any, **_options: Any) -> Any:
        """What the factory gives."""
        return factory()

    refill = get_or_set

    def invalidate(self) -> Invalidation:
        """Complete: there was nothing."""
        return Invalidation(complete=True, pending=())

    def stats(self) -> dict[tuple[str, ...], Any]:
        """No counts."""
        return {}

    def close(self) -> None:
        """Nothing is open."""
