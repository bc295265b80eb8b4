"""Looking up what a call has left in the cache, or making it, once for all that want it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from threading import get_ident
from typing import Any

from kcache import NodeError
from kcache.fills import LeftOut
from kcache_flask.recent import Recent

__all__ = ["Maker", "Making", "Unkept", "fetched"]


class Unkept(Exception):  # noqa: N818 - it is a result, on its way out of a fill
    """A result that is not stored. Nobody who waits for it may be given it.

    Attributes:
        reason: why not, in a few words.
        is_failure: whether what is kept beyond its time is better than this.
    """

    def __init__(self, reason: str, *, is_failure: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_failure = is_failure


class Making:
    """The computation of one caller.

    Attributes:
        caller: the thread that waits for it now; 0 for none. Whoever else calls it, or later,
            renews what is stale behind a caller that has been answered.
        has_run: whether it was this caller who computed.
        unkept: why the result is not stored; None if it is, or was not computed here.
    """

    caller: int = 0
    has_run: bool = False
    unkept: Unkept | None = None

    def make(self) -> Any:
        """Compute what is stored, and leave what the caller is given where that finds it.

        Raises:
            Unkept: nothing is stored.
        """
        raise NotImplementedError

    def renew(self) -> Any:
        """Compute what is stored, behind the caller.

        Raises:
            Unkept: nothing is stored.
        """
        twin = copy(self)
        twin.caller = get_ident()
        return twin.make()

    def __call__(self) -> Any:
        """The one or the other, noted.

        Raises:
            LeftOut: behind the caller, nothing is stored. Nobody need hear of it.
        """
        if self.caller != get_ident():
            try:
                return self.renew()
            except Unkept as error:
                raise LeftOut from error
        self.has_run = True
        try:
            return self.make()
        except Unkept as error:
            self.unkept = error
            raise

    def run_alone(self) -> None:
        """Compute for this caller only."""
        self.caller = get_ident()
        with suppress(Unkept):
            self()


class Maker(Making):
    """A computation by a function.

    Args:
        make: computes.
        renew: computes behind the caller.
    """

    def __init__(self, make: Callable[[], Any], renew: Callable[[], Any]) -> None:
        self._make = make
        self._renew = renew

    def make(self) -> Any:
        """What the function gives."""
        return self._make()

    def renew(self) -> Any:
        """What the other function gives."""
        return self._renew()


def fetched(
    fill: Callable[..., Any],
    place: tuple[tuple[str, ...], str],
    making: Making,
    *,
    ttl: Any,
    options: Any,
    passes: Recent[bool],
) -> Any:
    """What is stored under a key, or was made just now; None if it is not to be stored.

    Args:
        fill: `get_or_set` or `refill` of where the key is.
        place: the namespace and the key.
        making: makes it.
        ttl: of what is made: seconds, or a function of it.
        options: of fills.
        passes: keys that nobody waits for.
    """
    if passes.get(place):
        # The one before could not be stored, and so will this one.
        options = {**options, "wait": 0}
    making.caller = get_ident()
    try:
        stored = fill(place[1], making, ttl, **options)
    except Unkept as error:
        passes.put(place, value=True)
        if making.unkept is not error:
            # It was made for somebody else.
            making.run_alone()
        return None
    except NodeError:
        if making.has_run:
            # It is not the node of this cache.
            raise
        making.run_alone()
        return None
    finally:
        making.caller = 0
    if making.has_run and making.unkept is None:
        passes.drop(place)
    return stored
