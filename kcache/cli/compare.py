"""`kcache ring compare`: dialects side by side, and where two fleets' clients disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count
from math import floor
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.keys import key_options
from kcache.cli.output import json_option, percent, print_json, print_table, readable, say
from kcache.cli.show import spread
from kcache.cli.simulate import place_keys
from kcache.errors import ConfigurationError
from kcache.ring import Ring
from kcache.ring.dialects import DIALECTS

__all__ = ["compare"]

_EXAMPLES = 8
_FEW = 4


@dataclass(frozen=True)
class _Side:
    """One of the rings compared; the owners of the keys are given by address."""

    title: str
    ring: Ring
    owners: Sequence[str]


@click.command()
@fleet_options
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="DIALECT[:HASH]",
    help="Compare with a dialect, and its key hash; repeatable.",
)
@click.option("--against", metavar="FILE", help="Compare with the fleet of another file.")
@click.option("--against-pool", metavar="NAME", help="Pool of that file, if it has several.")
@key_options(20_000)
@json_option
def compare(
    choice: Choice,
    *,
    others: tuple[str, ...],
    against: str | None,
    against_pool: str | None,
    keys: list[bytes],
    as_json: bool,
) -> None:
    """Compare dialects on the same nodes, or the fleets of two files, key by key.

    Without --with and --against, all dialects. Owners are the same if their addresses are.
    """
    rings, refusals = _rings(choice, others, against, against_pool)
    sides = [
        _Side(title, ring, [node.address for node in place_keys(ring, keys, title)[0]])
        for title, ring in rings
    ]
    report = _report(sides, refusals, keys)
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _rings(
    choice: Choice, others: tuple[str, ...], against: str | None, pool: str | None
) -> tuple[list[tuple[str, Ring]], dict[str, str]]:
    """The rings to compare by title, and the dialects that refuse these nodes."""
    first = choice.ring()
    rings = {(choice.title if against else first.dialect): first}
    if against is not None:
        other = Choice((), against, pool, None, {})
        rings[_unused(other.title, rings)] = other.ring()
    elif pool is not None:
        raise ConfigurationError("--against-pool chooses a pool of --against, and there is none")
    for title in others:
        dialect, _, key_hash = title.partition(":")
        options = {"hash": key_hash} if key_hash else {}
        rings[_unused(title, rings)] = choice.ring_in(dialect, options)
    refusals = {}
    if len(rings) == 1:
        for dialect in DIALECTS:
            if dialect != first.dialect:
                try:
                    rings[dialect] = choice.ring_in(dialect, {})
                except ConfigurationError as error:
                    refusals[dialect] = str(error)
    return list(rings.items()), refusals


def _unused(title: str, titles: Container[str]) -> str:
    """A title that is not taken yet."""
    return next(
        t for t in chain([title], map(f"{title} ({{}})".format, count(2))) if t not in titles
    )


def _agreement(left: _Side, right: _Side) -> float:
    same = sum(a == b for a, b in zip(left.owners, right.owners, strict=True))
    return same / len(left.owners)


def _report(
    sides: Sequence[_Side], refusals: dict[str, str], keys: Sequence[bytes]
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "keys": len(keys),
        "rings": [
            {
                "title": side.title,
                "dialect": side.ring.dialect,
                "options": dict(side.ring.options),
                "points": len(side.ring.points),
                "spread": spread(side.ring),
                "agreement": {other.title: _agreement(side, other) for other in sides},
            }
            for side in sides
        ],
        "refused": refusals,
    }
    if len(sides) == 2:  # noqa: PLR2004 - a pair
        report["disagreement"] = _disagreement(sides[0], sides[1], keys)
    return report


def _disagreement(left: _Side, right: _Side, keys: Sequence[bytes]) -> dict[str, Any]:
    differing = [
        (key, a, b) for key, a, b in zip(keys, left.owners, right.owners, strict=True) if a != b
    ]
    pairs = Counter((a, b) for _, a, b in differing)
    return {
        "share": len(differing) / len(keys),
        "exact": _exact(left, right),
        "pairs": [
            {"owners": [a, b], "share": count / len(keys)} for (a, b), count in pairs.most_common()
        ],
        "examples": [
            {"key": readable(key), "owners": [a, b]} for key, a, b in differing[:_EXAMPLES]
        ],
    }


def _exact(left: _Side, right: _Side) -> str | None:
    """The exact share of keys that differ, where both hash keys alike and name nodes alike."""
    same_names = {n.name: n.address for n in left.ring.nodes} == {
        n.name: n.address for n in right.ring.nodes
    }
    if not same_names or not left.ring.hashes_like(right.ring):
        return None
    return str(left.ring.plan(right.ring).moved)


def _print_report(report: dict[str, Any]) -> None:
    rings = report["rings"]
    say(f"{report['keys']} keys: per cent with the same owner, and largest over mean share\n")
    numbers = [str(i) for i, _ in enumerate(rings, start=1)]
    print_table(
        ("", "ring", *numbers, "max/mean"),
        (
            (
                number,
                ring["title"],
                *(_per_cent(ring["agreement"][other["title"]], len(rings)) for other in rings),
                f"{ring['spread']:.2f}",
            )
            for number, ring in zip(numbers, rings, strict=True)
        ),
        left=2,
    )
    for dialect, reason in report["refused"].items():
        say(f"{dialect}: {reason}")
    if "disagreement" in report:
        _print_disagreement(report["disagreement"], [ring["title"] for ring in rings])


def _per_cent(share: float, rings: int) -> str:
    """Two digits where room is short; rounded down, so that 100 is all of them."""
    # Less than one key in the largest sample, more than the error of a division.
    share += 1e-9
    return f"{floor(share * 1000) / 10:.1f}" if rings <= _FEW else str(floor(share * 100))


def _print_disagreement(found: dict[str, Any], titles: Sequence[str]) -> None:
    exact = "" if found["exact"] is None else f" (exactly {percent(Fraction(found['exact']))})"
    say(f"\nClients of the two would disagree on {percent(found['share'])} of the keys{exact}\n")
    if found["examples"]:
        print_table(
            ("for example", *titles),
            ((example["key"], *example["owners"]) for example in found["examples"]),
            left=3,
        )
