"""`flask kcache doctor`: unsafe uses of the decorators, and of the cache."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from flask import Flask
from flask.views import View

from kcache_flask.cached_view import Cached
from kcache_flask.choice import described_cache, states_of
from kcache_flask.doctor_functions import cached_findings, memoized_findings
from kcache_flask.doctor_views import Case, view_findings
from kcache_flask.findings import ERROR, LEVELS, NOTE, WARNING, Finding
from kcache_flask.memoize import Memoized
from kcache_flask.node_facts import NodeFacts, facts_of
from kcache_flask.role import endpoints_of
from kcache_flask.source import ANYTHING, name_of, source_of
from kcache_flask.state import State
from kcache_flask.terminal import say

__all__ = ["ERROR", "Finding", "examine", "print_findings"]

_TIMEOUT = 1.0


def examine(app: Flask, *, live: bool = False) -> list[Finding]:
    """What is wrong with the caches of an app, the worst first.

    Args:
        app: whose views have been registered.
        live: whether to ask the servers for their settings.
    """
    states = states_of(app)
    found = [finding for state in states for finding in _of_state(state, live=live)]
    found += _shared(states)
    return sorted(
        dict.fromkeys(found),
        key=lambda each: (LEVELS.index(each.level), each.function, each.rule, each.place),
    )


def _of_state(state: State, *, live: bool) -> Iterator[Finding]:
    yield from _of_settings(state)
    if live and state.is_enabled:
        timeout = float(state.settings.options.get("timeout", _TIMEOUT))
        for facts in facts_of(state.cache.ring.nodes, timeout):
            yield from _of_node(facts)
    decorated = list(state.extension.decorated)
    cached = [each for each in decorated if isinstance(each, Cached)]
    for each in cached:
        yield from _placed(each.function, _of_cached(state, each))
    for each in decorated:
        if isinstance(each, Memoized):
            yield from _placed(each.function, memoized_findings(state, each))
    yield from _same_keys(cached)


def _of_cached(state: State, cached: Cached) -> Iterator[Finding]:
    endpoints = endpoints_of(state.app, cached.wrapper)
    if not endpoints:
        yield from cached_findings(state, cached)
    for endpoint in endpoints:
        for finding in view_findings(_case(state, cached, endpoint)):
            yield replace(finding, endpoint=endpoint)


def _case(state: State, cached: Cached, endpoint: str) -> Case:
    rules = tuple(state.app.url_map.iter_rules(endpoint))
    methods = frozenset(method for rule in rules for method in rule.methods or ())
    kind = getattr(state.app.view_functions[endpoint], "view_class", None)
    # Its `__module__` is that of the class.
    inner = getattr(inspect.unwrap(cached.function), "__globals__", {})
    is_whole = kind is not None and inner.get("__name__") == View.__module__
    name = name_of(cached.function).rpartition(".")[2].upper()
    # The method of a class answers the method of that name.
    if kind is not None and not is_whole and name in methods:
        methods = frozenset({name})
    return Case(state, cached, endpoint, rules, methods, kind if is_whole else None)


def _placed(function: Callable[..., Any], findings: Iterator[Finding]) -> Iterator[Finding]:
    """Findings with the function where they are, but for those that it silences."""
    source = source_of(function)
    name = name_of(function)
    for finding in findings:
        if not source.ignored & {finding.rule, ANYTHING}:
            yield replace(finding, function=name, place=source.place)


def _same_keys(cached: list[Cached]) -> Iterator[Finding]:
    """Functions that give each other's results."""
    users: dict[tuple[tuple[str, ...], str], list[Cached]] = {}
    for each in cached:
        prefix, key = each.key.key_prefix, each.key
        if key.make_cache_key is None and isinstance(prefix, str) and not key.is_of_path:
            users.setdefault((each.options.names, prefix), []).append(each)
    for (_, prefix), sharing in users.items():
        names = sorted({name_of(each.function) for each in sharing})
        for each in sharing if len(names) > 1 else ():
            others = ", ".join(name for name in names if name != name_of(each.function))
            finding = Finding(
                ERROR,
                "same-key",
                f"its key {prefix!r} is that of {others}, too: each gives what the other has left",
                "give each a key_prefix= of its own",
            )
            yield from _placed(each.function, iter([finding]))


def _of_settings(state: State) -> Iterator[Finding]:
    if not state.is_enabled:
        yield Finding(
            NOTE,
            "switched-off",
            "caching is switched off: every function runs each time",
            "set KCACHE_NODES, and neither KCACHE_ENABLED=False nor CACHE_TYPE='NullCache'",
        )
        return
    if state.settings.options.get("on_error") == "raise":
        yield Finding(
            WARNING,
            "on-error",
            f"{described_cache(state)} raises where a node is down: cache.get and cache.set do so "
            "in the middle of a page",
            "leave KCACHE_ON_ERROR at 'miss', unless every call of the cache has a try of its own",
        )
    if any(node.kind == "memory" for node in state.cache.ring.nodes):
        app = state.app
        yield Finding(
            NOTE if app.debug or app.testing else WARNING,
            "in-process",
            f"{described_cache(state)} is within the process: each worker has its own, and what "
            "one invalidates the others keep",
            "set KCACHE_NODES to servers if there is more than one worker",
        )


def _of_node(facts: NodeFacts) -> Iterator[Finding]:
    name = facts.node.name
    if facts.error is not None:
        wrong = f"node {name} does not answer: {facts.error}"
        yield Finding(ERROR, "node-down", wrong, "start it, or take it out of KCACHE_NODES")
    elif facts.policy == "noeviction":
        limit = (
            "beyond its maxmemory it refuses every write"
            if facts.memory_limit
            else ("without a maxmemory it grows until the machine has no memory left")
        )
        yield Finding(
            WARNING,
            "noeviction",
            f"node {name} never drops an entry for want of memory: {limit}",
            "set its maxmemory, and its maxmemory-policy to allkeys-lru",
        )


def _shared(states: list[State]) -> Iterator[Finding]:
    """Caches of one app that are the same entries."""
    seen: dict[tuple[Any, ...], State] = {}
    for state in states:
        options = state.settings.options
        if not state.is_enabled or not options.get("nodes"):
            continue
        nodes = frozenset((each.address, each.database) for each in state.cache.ring.nodes)
        place = (options["namespace"], options.get("prefix"), nodes)
        if place in seen:
            yield Finding(
                WARNING,
                "same-place",
                f"two caches of the app are one: {described_cache(state)}. What one clears, the "
                "other loses",
                "give each a KCACHE_NAMESPACE of its own, by init_app(app, config={...})",
            )
        seen[place] = state


def print_findings(app: Flask, findings: list[Finding]) -> None:
    """Print what was found, and how much was looked at."""
    for each in findings:
        where = " ".join(filter(None, (each.place, each.function)))
        endpoint = f" (endpoint {each.endpoint})" if each.endpoint else ""
        say(f"{each.level}: {where or 'the cache'}{endpoint} [{each.rule}]")
        say(f"    {each.wrong}")
        say(f"    -> {each.advice}")
    counts = Counter(each.level for each in findings)
    looked = sum(len(state.extension.decorated) for state in states_of(app))
    said = ", ".join(f"{counts[level]} {level}{'s' * (counts[level] != 1)}" for level in LEVELS)
    say(f"{looked} decorated function{'s' * (looked != 1)}: {said}")
