"""Coroutine functions whose results are kept."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from kcache.invalidation import Invalidation
from kcache.memoized import Recipe, Wrapper, keyed
from kcache.off_loop import Compute, off_loop, shared

__all__ = ["AsyncMemoized", "AsyncMemoizedClassMethod", "AsyncMemoizedFunction"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class AsyncMemoized(Wrapper[P], Generic[P, R]):
    """A coroutine function whose results are kept; or a method that is bound.

    What talks to nodes is awaited, and done in threads. Of those that await one key at the same
    time in an event loop one computes, and all get its result, the very object. A computation is
    cancelled when nobody awaits it any more.
    """

    def __init__(self, recipe: Recipe, head: tuple[Any, ...] = ()) -> None:
        super().__init__(recipe, head)
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)
        else:
            self._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call."""
        recipe = self._recipe
        whole: Any = self._head + args
        key = recipe.arguments.key(whole, kwargs)
        if recipe.is_instant:
            hit = recipe.space.lookup(key)
            if hit:
                kept: R = hit.value
                return kept
        compute_one = partial(recipe.function, *whole, **kwargs)

        def fill(compute: Compute) -> R:
            result: R = recipe.fill(key, lambda: compute(compute_one), whole, kwargs)
            return result

        return await shared((recipe, key), lambda: off_loop(fill))

    @property
    def uncached(self) -> Callable[P, Coroutine[Any, Any, R]]:
        """The function as it was, which only computes."""
        return self._original()

    async def delete(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Drop the result of a call; see `Memoized.delete`."""
        key = self.key(*args, **kwargs)
        return await off_loop(lambda _: self._recipe.space.delete(key))

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute now, whatever is kept, and keep that; see `Memoized.refresh`."""
        recipe, key = self._recipe, self.key(*args, **kwargs)
        compute_one = partial(self.uncached, *args, **kwargs)

        def refresh(compute: Compute) -> R:
            result: R = recipe.space.refill(key, lambda: compute(compute_one), **recipe.options)
            return result

        return await off_loop(refresh)

    async def get_many(self, calls: Iterable[tuple[Any, ...]]) -> list[R]:
        """The results of many calls; see `Memoized.get_many`. They are computed concurrently."""
        recipe = self._recipe
        keys, known = keyed(recipe, self._head, calls)

        async def compute_all(missing: list[str]) -> dict[str, R]:
            results = await asyncio.gather(*(recipe.function(*known[key]) for key in missing))
            return dict(zip(missing, results, strict=True))

        def fill(compute: Compute) -> dict[str, R]:
            return recipe.fill_many(known, lambda missing: compute(partial(compute_all, missing)))

        found = await off_loop(fill)
        return [found[key] for key in keys]

    async def invalidate(self) -> Invalidation:
        """Drop all results of the function, for every process; see `Memoized.invalidate`."""
        return await off_loop(lambda _: self._recipe.space.invalidate())


class AsyncMemoizedFunction(AsyncMemoized[P, R]):
    """A coroutine function that becomes a method of the instances of the class that it is in."""

    # Of the class: mypy does not say whether it is a class method, a static method, or neither.
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> AsyncMemoized[..., R]: ...

    @overload
    def __get__(
        self: AsyncMemoizedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> AsyncMemoized[Q, R]: ...

    # To pyright, class methods and static methods on an instance are these.
    @overload
    def __get__(
        self: AsyncMemoizedFunction[Concatenate[type[S], Q], R],
        instance: S,
        owner: type | None = None,
    ) -> AsyncMemoized[Q, R]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> AsyncMemoized[P, R]: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The function itself, of the class; or the method of an instance."""
        return self if instance is None else AsyncMemoized(self._recipe, (instance,))


class AsyncMemoizedClassMethod(AsyncMemoized[P, R]):
    """A class method that is a coroutine function."""

    def __get__(self, instance: object, owner: type | None = None) -> AsyncMemoized[P, R]:
        """The method of a class."""
        return AsyncMemoized(self._recipe, (owner or type(instance),))
