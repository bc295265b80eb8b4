"""Functions whose results are kept, and coroutine functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from kcache.arguments import Arguments
from kcache.invalidation import Invalidation
from kcache.policy import FillOptions, policy_of

if TYPE_CHECKING:
    from kcache.cache import Namespace

__all__ = ["Memoized", "MemoizedClassMethod", "MemoizedFunction", "Recipe", "Wrapper", "keyed"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a memoized function does.

    Attributes:
        function: that computes.
        arguments: from a call to its key.
        space: where the results are.
        options: of fills.
        is_instant: whether to look there takes no waiting, and tells all.
        call: gives the result of a call, from its positional and its keyword arguments.
    """

    function: Callable[..., Any]
    arguments: Arguments
    space: Namespace
    options: FillOptions
    is_instant: bool
    call: Callable[[tuple[Any, ...], dict[str, Any]], Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "call", self._caller())

    def _caller(self) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        # In variables of a closure, which are found faster than attributes. The same as
        # `get_or_set`, whose options are looked at but once.
        space, function, key_of = self.space, self.function, self.arguments.key
        policy, ttl = policy_of(self.options), space._ttl  # noqa: SLF001
        fill = space._filled  # noqa: SLF001

        def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            key = key_of(args, kwargs)
            return fill(key, lambda: function(*args, **kwargs), ttl, policy, args, kwargs)

        return call

    def fill(
        self,
        key: str,
        compute: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """The result of a call, as `get_or_set` gives it; `call` does the same, faster."""
        space = self.space
        ttl, policy = space._ttl, policy_of(self.options)  # noqa: SLF001 - a part of it
        return space._filled(key, compute, ttl, policy, args, kwargs)  # noqa: SLF001 - the same

    def fill_many(
        self,
        known: Mapping[str, tuple[Any, ...]],
        compute: Callable[[list[str]], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """The results of many calls by key, as `get_or_set_many` gives them.

        Args:
            known: the arguments of each key.
            compute: the results of some keys.
        """
        space, policy = self.space, policy_of(self.options)
        ttl, fills = space._ttl, space._fills  # noqa: SLF001 - a part of it, as memoize is
        return fills.get_many(known, compute, ttl, policy, known)


class Wrapper(Generic[P]):
    """What all kinds of memoized functions share.

    Args:
        recipe: what they do.
        head: the instance or class that a method is bound to, if it is.
    """

    __name__: str
    __qualname__: str

    def __init__(self, recipe: Recipe, head: tuple[Any, ...] = ()) -> None:
        self._recipe = recipe
        self._head = head
        if head:
            # The rest is made when it is asked for: there is one of these for each call.
            self.__doc__ = recipe.function.__doc__
        else:
            wrapper: Any = self
            update_wrapper(wrapper, recipe.function)

    @property
    def namespace(self) -> Namespace:
        """Where the results are, under `key`."""
        return self._recipe.space

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of a call in `namespace`.

        Raises:
            EncodeError: no key can be made of an argument; the message says what to do.
            TypeError: the function takes no such arguments.
        """
        return self._recipe.arguments.key(self._head + args, kwargs)

    def _original(self) -> Callable[..., Any]:
        function = self._recipe.function
        return MethodType(function, self._head[0]) if self._head else function

    def __repr__(self) -> str:
        return f"<memoized {self._original()!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # As functions and methods do: by name.
        name: str = self._recipe.function.__qualname__
        return (getattr, (self._head[0], name.rpartition(".")[2])) if self._head else name

    if not TYPE_CHECKING:

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            # Of those that are bound, which are made for each call: their name, their signature.
            if name == "_head" or not self._head:
                raise AttributeError(f"a memoized function has no {name}", name=name, obj=self)
            return self._original() if name == "__wrapped__" else getattr(self._original(), name)


class Memoized(Wrapper[P], Generic[P, R]):
    """A function whose results are kept; or a method that is bound.

    To call it gives the result that is kept, and computes one where there is none; see
    `Cache.get_or_set`, whose errors it raises, those of the function, and those of `key`.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call."""
        result: R = self._recipe.call(self._head + args, kwargs)
        return result

    @property
    def uncached(self) -> Callable[P, R]:
        """The function as it was, which only computes."""
        return self._original()

    def delete(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Drop the result of a call; whether it was there.

        Raises:
            EncodeError, TypeError: as for `key`.
            NodeError: the node failed, under `on_error="raise"`.
        """
        return self._recipe.space.delete(self.key(*args, **kwargs))

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute now, whatever is kept, and keep that. Others get the old result meanwhile.

        What was computed before an invalidation is not kept after it; see `Cache.refill`.

        Raises:
            EncodeError, TypeError: as for `key`.
            NodeError: the node failed, under `on_error="raise"`.
        """
        key = self.key(*args, **kwargs)
        recipe = self._recipe
        return recipe.space.refill(key, lambda: self.uncached(*args, **kwargs), **recipe.options)

    def get_many(self, calls: Iterable[tuple[Any, ...]]) -> list[R]:
        """The results of many calls; those that are not kept are computed, one after the other.

        All nodes are asked at once.

        Args:
            calls: the positional arguments of each.

        Returns:
            The results, in the order of the calls.

        Raises:
            EncodeError, TypeError: as for `key`; nothing is computed, then.
            NodeError: a node failed, under `on_error="raise"`.
        """
        keys, known = keyed(self._recipe, self._head, calls)
        function = self._recipe.function
        found = self._recipe.fill_many(
            known, lambda missing: {key: function(*known[key]) for key in missing}
        )
        return [found[key] for key in keys]

    def invalidate(self) -> Invalidation:
        """Drop all results of the function, for every process: one round trip to each node.

        Raises:
            InvalidationIncomplete: a node failed, under `on_error="raise"`.
        """
        return self._recipe.space.invalidate()


class MemoizedFunction(Memoized[P, R]):
    """A function that becomes a method of the instances of the class that it is in."""

    # Of the class: mypy does not say whether it is a class method, a static method, or neither.
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Memoized[..., R]: ...

    @overload
    def __get__(
        self: MemoizedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> Memoized[Q, R]: ...

    # To pyright, class methods and static methods on an instance are these.
    @overload
    def __get__(
        self: MemoizedFunction[Concatenate[type[S], Q], R],
        instance: S,
        owner: type | None = None,
    ) -> Memoized[Q, R]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Memoized[P, R]: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The function itself, of the class; or the method of an instance."""
        return self if instance is None else Memoized(self._recipe, (instance,))


class MemoizedClassMethod(Memoized[P, R]):
    """A class method."""

    def __get__(self, instance: object, owner: type | None = None) -> Memoized[P, R]:
        """The method of a class."""
        return Memoized(self._recipe, (owner or type(instance),))


def keyed(
    recipe: Recipe, head: tuple[Any, ...], calls: Iterable[tuple[Any, ...]]
) -> tuple[list[str], dict[str, tuple[Any, ...]]]:
    """The keys of calls, in order; and the arguments of each key.

    Raises:
        EncodeError: no key can be made of an argument.
        TypeError: a call is no tuple, or has arguments that the function does not take.
    """
    keys: list[str] = []
    known: dict[str, tuple[Any, ...]] = {}
    for call in calls:
        if not isinstance(call, tuple):
            raise TypeError(f"get_many takes a tuple of arguments for each call, not {call!r}")
        args = head + call
        keys.append(recipe.arguments.key(args, {}))
        known.setdefault(keys[-1], args)
    return keys, known
