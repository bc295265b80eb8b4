"""The calls that compute what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, Unpack

from kcache.calls import UNSET, Calls, Unset
from kcache.errors import NodeError
from kcache.executor import run
from kcache.fills import Job
from kcache.flow import MISSING
from kcache.net.request import UNDONE
from kcache.policy import FillOptions, Policy, policy_of
from kcache.route import Key
from kcache.ttl import Ttl

__all__ = ["FillCalls"]

T = TypeVar("T")
K = TypeVar("K", bound=Key)


class FillCalls(Calls):
    """`get_or_set`, for one key and for many."""

    def get_or_set(
        self,
        key: Key,
        factory: Callable[[], T],
        ttl: Ttl | Unset = UNSET,
        **options: Unpack[FillOptions],
    ) -> T:
        """The value of an entry; computed and stored where there is none.

        One caller of one process computes; the others wait for it, or are given the value that is
        stale, if one is kept. In a namespace, what was computed is not stored if the key was set or
        deleted, or the namespace invalidated, since the computation began; on plain keys the last
        one to store wins.

        Args:
            key: of the entry.
            factory: computes its value, without arguments.
            ttl: as for `set`.
            **options: see `kcache.policy.Policy`; times are in seconds.

        Returns:
            The value. One that the codec does not take is given, and not stored.

        Raises:
            InvalidKey: as for `get`.
            ConfigurationError: an option that cannot be used.
            NodeError: the node failed, under `on_error="raise"`; else everybody computes.
            Exception: what `factory` raises. Callers who waited for it get the same.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.get_or_set("answer", lambda: 6 * 7, ttl=60)
            42
            >>> cache.get("answer")
            42
        """
        policy = policy_of(options)
        return self._filled(key, factory, self._life(ttl), policy)  # type: ignore[no-any-return]

    def get_or_set_many(
        self,
        keys: Iterable[K],
        factory_many: Callable[[list[K]], Mapping[K, Any]],
        ttl: Ttl | Unset = UNSET,
        **options: Unpack[FillOptions],
    ) -> dict[K, Any]:
        """The values of entries, by key; those that are missing are computed in one call.

        Args:
            keys: of the entries.
            factory_many: computes the values of some keys. A key that it leaves out has no value.
            ttl: as for `set`.
            **options: as for `get_or_set`.

        Raises:
            InvalidKey, ConfigurationError, NodeError, Exception: as for `get_or_set`.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.get_or_set_many(["a", "bb"], lambda keys: {key: len(key) for key in keys})
            {'a': 1, 'bb': 2}
        """
        return self._fills.get_many(list(keys), factory_many, self._life(ttl), policy_of(options))

    def _filled(
        self, key: Key, factory: Callable[[], Any], ttl: float | None, policy: Policy
    ) -> Any:
        # To compute early, one has to know how old a value is, which the direct path does not tell.
        if not policy.early:
            try:
                value = self._quick.get(key)
                if value is UNDONE:
                    value = run(self._flows.get(key), self._core.transport)
            except NodeError:
                if self._core.raises:
                    raise
                return factory()
            if value is not MISSING:
                self._account.hit(key)
                return value
            if policy.is_simple:
                self._account.miss(key)
                return self._fills.compute(Job(key, factory, ttl, policy))
        return self._fills.get(Job(key, factory, ttl, policy))
