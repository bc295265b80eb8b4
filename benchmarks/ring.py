"""What the ring costs: to look a key up, to sort a million keys, to be built, to be kept.

Run as `python -m benchmarks.ring`; see README.md here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chart import Chart, Style, lines_of
from benchmarks.environment import describe
from benchmarks.harness import (
    PEAK,
    RETAINED,
    Contender,
    Goal,
    Meter,
    Result,
    Row,
    measure,
    pin_to_one_cpu,
)
from benchmarks.report import Report, markdown, store
from benchmarks.ring_agreement import check_agreement
from benchmarks.ring_contenders import (
    CONTENDERS,
    FROM_URLS,
    Find,
    RingContender,
)
from benchmarks.ring_work import build, cold, fresh_keys, group, seen

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_FLOOR = CONTENDERS[0].name
_RECALL = "floor: dict.get"
_PEERS = ("uhashring", "pylibmc (C)")
_OURS = ("kcache, libketama", "kcache, own dialect")
_LOOKUP_NODES = (4, 32, 256)
_GROUP_NODES = 16
_BUILD_NODES = 1000
_SEEN_KEYS = 1000
_PACKAGES = ("kcache-client", "mmh3", "uhashring", "pylibmc")

_NOTES = (
    "All make 160 points a node; `kcache, own dialect` makes 512.",
    "kcache is given `Node` objects that were made before, but for `from URLs`.",
    "Memory is what Python's allocators hold; pylibmc's is C's, and not seen by them.",
)

_STYLES = {
    "floor: _md5 + bisect": Style("#6e6e6e", dash="--"),
    "floor: hashlib + bisect": Style("#8f8f8f", dash=":"),
    "uhashring": Style("#d55e00"),
    "pylibmc (C)": Style("#009e73"),
    "kcache, libketama": Style("#0072b2", width=2.6),
    "kcache, own dialect": Style("#aa4499", width=2.6),
}


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        keys: looked up in a round.
        rounds: of lookups.
        long_rounds: of builds and of the grouping of many keys.
        memory_rounds: of memory, which hardly varies.
        many: keys to group.
        nodes: the sizes of rings in the charts; the table's are among them.
    """

    keys: int
    rounds: int
    long_rounds: int
    memory_rounds: int
    many: int
    nodes: tuple[int, ...]


_FULL = Effort(10_000, 31, 9, 3, 1_000_000, (4, 8, 16, 32, 64, 128, 256, 512, 1024))
_QUICK = Effort(2_000, 7, 3, 1, 100_000, (4, 32, 256))


def _cold(nodes: int, effort: Effort) -> Row:
    def contender(way: RingContender) -> Contender:
        find = way.of(nodes).find
        return Contender(way.name, lambda: cold(find, effort.keys))

    return Row(
        f"lookup of a key never seen, {nodes} nodes",
        tuple(map(contender, CONTENDERS)),
        operations=effort.keys,
        floor=_FLOOR,
        peers=_PEERS,
        goals=_against_uhashring(0.5),
        rounds=effort.rounds,
    )


def _seen(nodes: int, effort: Effort, *, same: bool) -> Row:
    times = effort.keys // _SEEN_KEYS

    keys = fresh_keys(_SEEN_KEYS)

    def contender(name: str, find: Find) -> Contender:
        return Contender(name, lambda: seen(find, keys, times, same=same))

    ways = (contender(way.name, way.of(nodes).find) for way in CONTENDERS)
    return Row(
        f"lookup of a key seen before, {'the same' if same else 'an equal'} str, {nodes} nodes",
        (contender(_RECALL, dict.fromkeys(keys).get), *ways),
        operations=times * _SEEN_KEYS,
        floor=_RECALL,
        peers=_PEERS,
        goals=tuple(Goal(name, 0.15) for name in _OURS),
        rounds=effort.rounds,
    )


def _group(effort: Effort) -> Row:
    def contender(way: RingContender) -> Contender:
        built = way.of(_GROUP_NODES)
        return Contender(way.name, lambda: group(built, effort.many))

    return Row(
        f"{effort.many:,} keys onto {_GROUP_NODES} nodes, per key",
        tuple(map(contender, CONTENDERS)),
        operations=effort.many,
        floor=_FLOOR,
        peers=_PEERS,
        goals=_against_uhashring(0.45),
        rounds=effort.long_rounds,
    )


def _build(nodes: int, effort: Effort) -> Row:
    return Row(
        f"ring build, {nodes} nodes",
        tuple(_builder(way, nodes) for way in (*CONTENDERS, FROM_URLS)),
        floor=_FLOOR,
        peers=_PEERS,
        goals=_against_uhashring(0.12, FROM_URLS.name),
        rounds=effort.long_rounds,
    )


def _memory(meter: Meter, what: str, goals: tuple[Goal, ...], effort: Effort) -> Row:
    # What pylibmc allocates in C, Python's allocators do not see.
    ways = [way for way in (*CONTENDERS, FROM_URLS) if way.name != "pylibmc (C)"]
    return Row(
        f"ring build, {_BUILD_NODES} nodes, {what}",
        tuple(_builder(way, _BUILD_NODES) for way in ways),
        floor=_FLOOR,
        peers=("uhashring",),
        goals=goals,
        meter=meter,
        rounds=effort.memory_rounds,
    )


def _builder(way: RingContender, nodes: int) -> Contender:
    return Contender(way.name, lambda: build(way, nodes))


def _against_uhashring(limit: float, *others: str) -> tuple[Goal, ...]:
    return tuple(Goal(name, limit, "uhashring") for name in (*_OURS, *others))


def _run(effort: Effort) -> Report:
    environment = describe(_PACKAGES)
    _say("checking that the contenders agree")
    notes = (*_NOTES, *check_agreement({*effort.nodes, _GROUP_NODES, _BUILD_NODES}))
    cold = {nodes: _measured(_cold(nodes, effort)) for nodes in effort.nodes}
    seen = [
        _measured(_seen(nodes, effort, same=same))
        for same in (False, True)
        for nodes in _LOOKUP_NODES
    ]
    builds = {nodes: _measured(_build(nodes, effort)) for nodes in effort.nodes}
    retained = _against_uhashring(0.2, FROM_URLS.name)
    others = [
        _measured(_group(effort)),
        _measured(_build(_BUILD_NODES, effort)),
        _measured(_memory(RETAINED, "memory kept", retained, effort)),
        _measured(_memory(PEAK, "memory at the peak", (), effort)),
    ]
    table = (*(cold[nodes] for nodes in _LOOKUP_NODES), *seen, *others)
    return Report("ring", "The ring", environment, notes, table, _charts(cold, builds))


def _charts(cold: dict[int, Result], builds: dict[int, Result]) -> tuple[Chart, ...]:
    return (
        Chart(
            "ring-lookup",
            "Lookup of a key never seen",
            "nodes, of 160 points each (own dialect: 512)",
            "microseconds a lookup",
            log_y=False,
            lines=lines_of(cold, _STYLES),
        ),
        Chart(
            "ring-build",
            "Ring build",
            "nodes, of 160 points each (own dialect: 512)",
            "milliseconds, logarithmic",
            log_y=True,
            lines=lines_of(builds, _STYLES, scale=1e-3),
        ),
    )


def _measured(row: Row) -> Result:
    _say(row.name)
    return measure(row)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the tables, and store them unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ring", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    report = _run(_QUICK if quick else _FULL)
    print(markdown(report))
    if not quick:
        for path in store(report, _RESULTS):
            _say(f"stored {path.relative_to(_RESULTS.parent)}")


if __name__ == "__main__":
    main()
