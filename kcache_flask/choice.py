"""Which of an app's caches a command is for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask, current_app

from kcache_flask.state import EXTENSION, State
from kcache_flask.terminal import Failure

__all__ = ["cache_option", "check_reachable", "described_cache", "states_of"]

_MISUSE = 2


def cache_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that chooses a cache; it receives its `State` first."""

    @click.option(
        "--cache",
        "chosen",
        metavar="NAME",
        help="Namespace or number of the cache, in an app that has several.",
    )
    @wraps(command)
    def with_state(*, chosen: str | None, **rest: Any) -> Any:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        return command(_chosen(app, chosen), **rest)

    return with_state


def states_of(app: Flask) -> list[State]:
    """The caches of an app, in the order in which they were given it."""
    return list(app.extensions.get(EXTENSION, {}).values())


def described_cache(state: State) -> str:
    """A cache in a few words: its namespace, and where it is."""
    nodes = "switched off"
    if state.is_enabled:
        nodes = ", ".join(node.name for node in state.cache.ring.nodes)
    return f"{_name(state)} ({nodes})"


def check_reachable(state: State) -> None:
    """Check that what a command does to a cache reaches other processes.

    Raises:
        Failure: it would reach nobody.
    """
    if all(node.kind == "memory" for node in state.cache.ring.nodes):
        raise Failure(
            "the nodes are within each process, where no command reaches what the others keep: "
            "restart them, or set KCACHE_NODES"
        )


def _chosen(app: Flask, wanted: str | None) -> State:
    """The cache that is meant.

    Raises:
        Failure: there is none, or it is not clear which one.
    """
    states = states_of(app)
    if not states:
        raise Failure(f"the app {app.name!r} has no cache: call cache.init_app(app)")
    found = states
    if wanted is not None:
        found = [state for state in states if _name(state) == wanted]
        if not found and wanted.isdecimal():
            found = states[int(wanted) - 1 : int(wanted)] if int(wanted) else []
    if len(found) != 1:
        listed = "; ".join(
            f"{number}: {described_cache(state)}" for number, state in enumerate(states, 1)
        )
        what = f"several of the app's caches are {wanted!r}" if found else f"no cache {wanted!r}"
        if wanted is None:
            what = f"the app has {len(states)} caches"
        raise Failure(f"{what}: choose by --cache, NAME or number, from {listed}", _MISUSE)
    if not found[0].is_enabled:
        raise Failure("caching is switched off in this app, by KCACHE_ENABLED or CACHE_TYPE")
    return found[0]


def _name(state: State) -> str:
    name = state.settings.options["namespace"]
    return name if isinstance(name, str) else repr(name)
