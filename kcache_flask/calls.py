"""The calls of the extension object: on the entries of the current app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from kcache import Cache as CoreCache
from kcache import Invalidation
from kcache_flask.answer import value_of
from kcache_flask.entry import entry_in, shown
from kcache_flask.state import EXTENSION, State
from kcache_flask.timeouts import Timeout, seconds_of

if TYPE_CHECKING:
    from kcache import Namespace

__all__ = ["Calls", "no_app"]


def no_app() -> Flask | None:
    """There is none before `init_app`."""
    return None


class Calls:
    """What can be done with entries, with the names and the meaning of Flask-Caching."""

    _last: Callable[[], Flask | None]

    @property
    def app(self) -> Flask:
        """The current app; outside of any context, the one that was initialised last.

        Raises:
            RuntimeError: there is none.
        """
        return self.state().app

    @property
    def cache(self) -> CoreCache:
        """The cache of `kcache` under it, which has more calls than this object."""
        core: CoreCache = self.state().cache
        return core

    def get(self, key: str) -> Any:
        """The value of an entry; None if there is none.

        A key that `make_cache_key` gave has what the view, or the function, gave.
        """
        state = self.state()
        space, rest = state.place(key)
        return _shown(state, space.get(rest))

    def get_many(self, *keys: str) -> list[Any]:
        """The values of entries in the order of the keys; None where there is none."""
        found = self.get_dict(*keys)
        return [found[key] for key in keys]

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """The values of entries by key; None where there is none."""
        state = self.state()
        values: dict[str, Any] = dict.fromkeys(keys)
        for space, inner in _by_space(state, keys):
            found = space.get_many(list(inner))
            for rest, key in inner.items():
                values[key] = _shown(state, found.get(rest))
        return values

    def set(self, key: str, value: Any, timeout: Timeout = None) -> bool:
        """Store a value; whether it was stored.

        Args:
            key: of the entry.
            value: of any type that the codec takes.
            timeout: seconds, or a timedelta; None is the default, 0 is no end.

        Raises:
            EncodeError: the codec does not take the value.
        """
        state = self.state()
        space, rest = state.place(key)
        is_stored: bool = space.set(rest, value, seconds_of(timeout, state.default_ttl))
        return is_stored

    def set_many(self, mapping: Mapping[str, Any], timeout: Timeout = None) -> list[str]:
        """Store values; the keys of those that were stored."""
        state = self.state()
        ttl = seconds_of(timeout, state.default_ttl)
        lost: set[str] = set()
        for space, inner in _by_space(state, mapping):
            failed = space.set_many({rest: mapping[key] for rest, key in inner.items()}, ttl)
            lost |= {inner[rest] for rest in failed}
        return [key for key in mapping if key not in lost]

    def add(self, key: str, value: Any, timeout: Timeout = None) -> bool:
        """Store a value where there is none; whether it was stored."""
        state = self.state()
        space, rest = state.place(key)
        is_stored: bool = space.add(rest, value, seconds_of(timeout, state.default_ttl))
        return is_stored

    def has(self, key: str) -> bool:
        """Whether there is an entry."""
        space, rest = self.state().place(key)
        return rest in space

    def delete(self, key: str) -> bool:
        """Delete an entry, of a view with all variants of its page; whether it was there."""
        space, rest = self.state().place(key)
        was_there: bool = space.delete(rest)
        return was_there

    def delete_many(self, *keys: str) -> list[str]:
        """Delete entries. Those that were not there count as deleted, as in Flask-Caching."""
        for space, inner in _by_space(self.state(), keys):
            space.delete_many(list(inner))
        return list(keys)

    unlink = delete_many

    def clear(self) -> bool:
        """Drop everything that the app has in its namespace; whether all nodes were told.

        Raises:
            ConfigurationError: the app has no namespace; see `kcache.Cache.flush_nodes`.
        """
        return self.invalidate().complete

    def incr(self, key: str, delta: int = 1, **options: Any) -> int | None:
        """Add to a counter; see `kcache.Cache.incr`."""
        space, rest = self.state().place(key)
        number: int | None = space.incr(rest, delta, **options)
        return number

    def decr(self, key: str, delta: int = 1, **options: Any) -> int | None:
        """Subtract from a counter; see `kcache.Cache.decr`."""
        space, rest = self.state().place(key)
        number: int | None = space.decr(rest, delta, **options)
        return number

    def close(self) -> None:
        """Close the idle connections, such as at the end of a test. A call after that opens new."""
        self.state().cache.close()

    def namespace(self, *names: str) -> Namespace:
        """A namespace within the app's own, with the views, fragments and functions in it.

        Example:
            >>> from flask import Flask
            >>> from kcache_flask import Cache
            >>> app = Flask("shop")
            >>> cache = Cache(app)
            >>> @cache.memoize(namespace="albums")
            ... def title(number):
            ...     return f"Album {number}"
            >>> title(1)
            'Album 1'
            >>> cache.namespace("albums").invalidate().complete
            True
        """
        space: Namespace = self.state().cache.namespace(*names)
        return space

    def invalidate(self) -> Invalidation:
        """Drop everything that the app has in its namespace.

        Raises:
            ConfigurationError: the app has no namespace.
        """
        dropped: Invalidation = self.state().cache.invalidate()
        return dropped

    def state(self) -> State:
        """What the current app has of this object.

        Raises:
            RuntimeError: there is no app, or it was not initialised.
        """
        try:
            app: Flask | None = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of a proxy
        except RuntimeError:
            app = self._last()
        if app is None:
            raise RuntimeError("this cache has no app yet: call cache.init_app(app) first")
        states = app.extensions.get(EXTENSION)
        state: State | None = None if states is None else states.get(self)
        if state is None:
            raise RuntimeError(
                f"this cache has not been given the app {app.name!r}: call cache.init_app(app)"
            )
        return state


def _shown(state: State, stored: Any) -> Any:
    """What the user sees of what is stored."""
    if type(stored) is not list:
        return stored
    entry = entry_in(stored)
    return shown(stored) if entry is None else value_of(state.app, entry)


def _by_space(state: State, keys: Iterable[str]) -> Iterable[tuple[Any, dict[str, str]]]:
    """Keys by where they are: the key there, and as it was given."""
    groups: dict[tuple[str, ...], tuple[Any, dict[str, str]]] = {}
    for key in keys:
        space, rest = state.place(key)
        names = getattr(space, "names", ())
        groups.setdefault(names, (space, {}))[1][rest] = key
    return groups.values()
