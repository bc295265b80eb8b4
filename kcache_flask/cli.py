"""The command line, `flask kcache`: added to every app that is given a cache.

It is no entry point of the group `flask.commands`: that would import this package, and show its
commands, for every Flask app of the environment, with a cache or without; and the commands would
not be there in `app.test_cli_runner()`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from flask import Flask, current_app

from kcache import InvalidationIncomplete
from kcache_flask.choice import cache_option, check_reachable, described_cache
from kcache_flask.node_facts import NodeFacts, facts_of
from kcache_flask.state import State
from kcache_flask.terminal import (
    Commands,
    bar,
    complain,
    json_option,
    print_json,
    print_table,
    say,
)

__all__ = ["add_commands"]

_NAME = "kcache"
_TIMEOUT = 1.0
_WHOLE = 100
_TIMES = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


@click.group(_NAME, cls=Commands)
def commands() -> None:
    """Look at the app's cache, and drop what it keeps."""


def add_commands(app: Flask) -> None:
    """Give an app the commands, unless it has one of that name."""
    if _NAME not in app.cli.commands:
        app.cli.add_command(commands)


@commands.command()
@cache_option
@json_option
def ring(state: State, *, as_json: bool) -> None:
    """Show each node's share of the keys."""
    its_ring = state.cache.ring
    points = Counter(node for _, node in its_ring.points)
    rows: list[dict[str, Any]] = [
        {
            "name": node.name,
            "kind": node.kind,
            "address": node.address,
            "weight": node.weight,
            "points": points[node],
            "share": float(share),
            "share_exact": f"{share}",
        }
        for node, share in its_ring.share().items()
    ]
    if as_json:
        print_json({"dialect": its_ring.dialect, "options": dict(its_ring.options), "nodes": rows})
        return
    largest = max(row["share"] for row in rows)
    say(f"{its_ring.dialect} ring of {described_cache(state)}\n")
    print_table(
        ("node", "kind", "weight", "points", "share", ""),
        (
            (
                row["name"],
                row["kind"],
                f"{row['weight']}",
                f"{row['points']}",
                f"{row['share'] * 100:.2f} %",
                bar(row["share"], largest),
            )
            for row in rows
        ),
        left=2,
    )


@commands.command()
@cache_option
@json_option
def stats(state: State, *, as_json: bool) -> int:
    """Show what the servers say: keys, memory, hits, misses.

    They count for everybody who uses them, since they were started. What this app alone did, each
    of its processes knows for itself: cache.cache.stats(). Exit with 1 if a node does not answer.
    """
    timeout = float(state.settings.options.get("timeout", _TIMEOUT))
    facts = facts_of(state.cache.ring.nodes, timeout)
    if as_json:
        rows = [{**vars(each), "node": each.node.name, "kind": each.node.kind} for each in facts]
        print_json({"nodes": rows})
    else:
        _print_stats(facts)
    return _exit(any(each.error for each in facts))


def _print_stats(facts: Sequence[NodeFacts]) -> None:
    print_table(
        ("node", "server", "keys", "memory", "hits", "misses", "evicted", "up"),
        (
            (
                each.node.name,
                "no answer" if each.error else each.server or _kind(each),
                _count(each.keys),
                _size(each),
                _count(each.hits),
                _count(each.misses),
                _count(each.evictions),
                _time(each.uptime),
            )
            for each in facts
        ),
        left=2,
    )
    for each in facts:
        if each.error:
            complain(f"node {each.node.name}: {each.error}")
    if any(each.node.kind == "memory" for each in facts):
        say("\nA node in the process is another one in each process; no command can look into it.")


def _kind(each: NodeFacts) -> str:
    return "in process" if each.node.kind == "memory" else "-"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _size(each: NodeFacts) -> str:
    if each.memory is None:
        return "-"
    used = _bytes(each.memory)
    return used if each.memory_limit is None else f"{used} of {_bytes(each.memory_limit)}"


def _bytes(number: float) -> str:
    for unit in _UNITS:
        if number < _STEP or unit == _UNITS[-1]:
            break
        number /= _STEP
    return f"{number:.0f} {unit}" if number >= _WHOLE else f"{number:.3g} {unit}"


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    unit, length = next(each for each in _TIMES if seconds >= 2 * each[1] or each[1] == 1)
    return f"{seconds // length} {unit}"


@commands.command()
@click.argument("path")
@click.option("--method", default="GET", show_default=True, help="Of the requests.")
@click.option(
    "--header", "-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="Repeatable."
)
@click.option("--host", help="That the requests are for; or give a whole URL as PATH.")
@cache_option
@json_option
def why(state: State, *, as_json: bool, **asked: Any) -> int:
    """Say whether a request for PATH is answered from the cache, and why not.

    It makes the request twice in this process, so the view RUNS, with all that it does, and what
    may be kept is kept. Exit with 1 if the second request is not answered from the cache.
    """
    from kcache_flask.why import explain, print_report  # noqa: PLC0415 - no server needs it

    report = explain(state, **asked)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    return _exit(not report["is_kept"])


@commands.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@cache_option
@json_option
def invalidate(state: State, *, names: tuple[str, ...], as_json: bool) -> int:
    """Drop what the app has in a namespace, and in those within it.

    Each NAME is one level, from the outermost, within the app's own. Exit with 1 if a node could
    not be told.
    """
    check_reachable(state)
    return _dropped(state, names, state.cache.namespace(*names), as_json=as_json)


@commands.command()
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@cache_option
@json_option
def clear(state: State, *, yes: bool, as_json: bool) -> int:
    """Drop everything that the app has in its namespace.

    Exit with 1 if a node could not be told.
    """
    check_reachable(state)
    if not yes:
        click.confirm(f"Drop everything in {described_cache(state)}?", abort=True, err=True)
    return _dropped(state, (), state.cache, as_json=as_json)


def _dropped(state: State, names: tuple[str, ...], space: Any, *, as_json: bool) -> int:
    path = (f"{state.settings.options['namespace']}", *names)
    name = "/".join(path)
    try:
        pending = space.invalidate().pending
    except InvalidationIncomplete as error:
        pending = error.pending
    nodes = state.cache.ring.nodes
    missed = [node.name for node in pending]
    if as_json:
        print_json({"namespace": list(path), "complete": not missed, "pending": missed})
    elif not missed:
        say(f"{name}: dropped on {len(nodes)} node{'s' if len(nodes) > 1 else ''}")
    if missed:
        others = "; the others were told" if len(missed) < len(nodes) else ""
        complain(f"{name}: not dropped on {', '.join(missed)}{others}")
    if any(node.kind == "memory" for node in nodes):
        complain("nodes in the process are other ones in each process, and were not reached")
    return _exit(bool(missed))


@commands.command()
@click.option("--live", is_flag=True, help="Ask the servers for their settings, too.")
@json_option
def doctor(*, live: bool, as_json: bool) -> int:
    """Look for unsafe uses of the decorators in the app's routes.

    It reads the source of the decorated functions, not of those that they call. An error is
    something that gives a visitor what is not meant for them, or stale data; a comment
    `# kcache: ignore[rule]` in the function silences a rule. Exit with 1 if there are errors.
    """
    from kcache_flask.doctor import ERROR, examine, print_findings  # noqa: PLC0415 - the same

    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    findings = examine(app, live=live)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        print_findings(app, findings)
    return _exit(any(finding.level == ERROR for finding in findings))


def _exit(is_failure: bool) -> int:  # noqa: FBT001 - a condition, and its only argument
    """End the command."""
    if is_failure:
        raise click.exceptions.Exit(1)
    return 0
