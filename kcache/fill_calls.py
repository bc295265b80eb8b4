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

_Life = float | None | Callable[[Any], Ttl]


class FillCalls(Calls):
    """`get_or_set`, for one key and for many, and `refill`."""

    def get_or_set(
        self,
        key: Key,
        factory: Callable[[], T],
        ttl: Ttl | Unset | Callable[[T], Ttl] = UNSET,
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
            ttl: as for `set`; or a function that gives it, from the value that was computed.
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
        return self._filled(key, factory, self._life_of(ttl), policy)  # type: ignore[no-any-return]

    def refill(
        self,
        key: Key,
        factory: Callable[[], T],
        ttl: Ttl | Unset | Callable[[T], Ttl] = UNSET,
        **options: Unpack[FillOptions],
    ) -> T:
        """Compute an entry's value now, whatever is kept, and store that.

        Others are given what is kept meanwhile, and wait where there is nothing. Who has begun to
        compute it before stores no more. In a namespace, what was computed is not stored if the
        key was set or deleted, or the namespace invalidated, or if the old entry came to its end,
        since the computation began; on plain keys the last one to store wins.

        Args:
            key: of the entry.
            factory: computes its value, without arguments. It is called once, here.
            ttl: as for `get_or_set`.
            **options: as for `get_or_set`.

        Returns:
            The new value. One that the codec does not take is given, and nothing is kept.

        Raises:
            InvalidKey, ConfigurationError: as for `get_or_set`.
            NodeError: the node failed, under `on_error="raise"`; else the value is computed.
            Exception: what `factory` raises. A value that is kept stays, as long as it is served.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.refill("answer", lambda: 41), cache.refill("answer", lambda: 42)
            (41, 42)
            >>> cache.get("answer")
            42
        """
        value: T = self._fills.refill(Job(key, factory, self._life_of(ttl), policy_of(options)))
        return value

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

    def _life_of(self, ttl: Ttl | Unset | Callable[[Any], Ttl]) -> _Life:
        return ttl if callable(ttl) else self._life(ttl)

    def _filled(  # noqa: PLR0917 - the fields of a Job, in their order
        self,
        key: Key,
        factory: Callable[[], Any],
        ttl: _Life,
        policy: Policy,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        # To compute early, one has to know how old a value is, which the direct path does not tell.
        if not policy.early:
            try:
                value = self._quick.get(key)
                if value is UNDONE:
                    value = run(self._flows.get(key), self._transport)
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
        return self._fills.get(Job(key, factory, ttl, policy, args, kwargs))
