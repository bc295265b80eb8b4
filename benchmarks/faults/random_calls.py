"""F17: all calls in any order against one dictionary, while connections are reset and delayed.

The machine is that of the tests, in a namespace. Of a call that failed it is not known whether it
was done; so faults come with a change each, and once the node is used again it is looked at what
there is: all that was there before, or less.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from benchmarks.faults.clients import served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache, HealthPolicy, NodeError, NotACounter
from kcache.route import Key
from tests.cache.test_model import KEYS, NAMES, TTLS, VALUES, Model, one
from tests.faults.proxy import HOLD, Proxy, Rule, proxy

__all__ = ["SCENARIOS"]

_NODES = 2
_STEPS, _CHUNK = 50, 100
_TIMEOUT, _LATE = 0.1, 0.13
_SETTLED, _MOMENT = 0.05, 0.003
_PATIENCE = 10.0
_PROBE = HealthPolicy(first_probe=0.005, longest_probe=0.05, patience=1.0)
_FAULTS = (
    {"requests": Rule(limit=0, reset=True)},
    {"requests": Rule(limit=30, reset=True)},
    {"replies": Rule(limit=0, reset=True)},
    {"replies": Rule(limit=3, reset=True)},
    {"requests": Rule(delay=_LATE)},
    {"replies": Rule(delay=_LATE)},
    {"requests": HOLD},
    {"replies": HOLD},
)
# What changes no value, or may have none to keep.
_KEEPING = {"touch", "get_or_set"}


@dataclass(frozen=True)
class _Place:
    """Nodes behind proxies."""

    kind: str
    ways: tuple[Proxy, ...]

    def open(self) -> Cache:
        """A cache that is soon done with an outage."""
        urls = [f"{self.kind}://127.0.0.1:{way.port}" for way in self.ways]
        return Cache(urls, namespace="model", timeout=_TIMEOUT, on_error="raise", health=_PROBE)


class _Failing(Model):
    """The machine, with calls that fail."""

    place: Any
    examples = 0
    faults = 0

    def __init__(self) -> None:
        super().__init__()
        _Failing.examples += 1

    @precondition(lambda self: self.tokens)
    @rule(value=VALUES, ttl=TTLS, choice=st.data())
    def cas(self, value: Any, ttl: float | None, choice: st.DataObject) -> None:
        """As that of the machine, where an equal value may be in other bytes."""
        key = choice.draw(st.sampled_from(sorted(self.tokens)))
        token, store, old = self.tokens[key]
        is_there = key in self.held
        is_unchanged = is_there and self.stores[key] == store
        # Redis compares bytes, and there are other ones once the namespace began anew.
        is_equal = is_there and self.place.kind == "redis" and self.held[key][0] == old
        is_stored = self.cache.cas(key, value, token, ttl)
        if is_stored < is_unchanged or is_stored > (is_unchanged or is_equal):
            raise AssertionError(f"cas of {key!r} is {is_stored}")
        if is_stored:
            self.keep(key, value, ttl)

    @rule(
        fault=st.sampled_from(_FAULTS),
        key=KEYS,
        value=VALUES,
        what=st.sampled_from(("set", "delete", "incr", "get_or_set", "touch", "set_many")),
        resets=st.booleans(),
    )
    def fail(
        self,
        fault: dict[str, Rule],
        key: Key,
        value: Any,
        what: str,
        resets: bool,  # noqa: FBT001 - Hypothesis gives names
    ) -> None:
        """Change something while a fault is in force; what was said to be done, is."""
        _Failing.faults += 1
        allowed = {name: [value] for name, (value, _) in self.held.items()}
        for way in self.place.ways:
            way.switch(**fault)
        with suppress(NodeError, NotACounter):
            result = self._change(what, key, value)
            was_there = allowed.get(one(key), []) if what in _KEEPING else []
            allowed[one(key)] = [*was_there, *result]
        for way in self.place.ways:
            if resets:
                way.reset()
            way.switch()
        # What is late and not lost still comes, and may delete what there is by then.
        is_lost = resets or any(each.reset for each in fault.values())
        time.sleep(_MOMENT if is_lost else _SETTLED)
        self._await_nodes()
        self._compare(allowed)

    def _change(self, what: str, key: Key, value: Any) -> list[Any]:
        """Make a change; what may be there after it."""
        cache = self.cache
        if what == "set":
            cache.set(key, value)
        elif what == "set_many":
            cache.set_many({key: value})
        elif what == "delete":
            cache.delete(key)
            return []
        elif what == "touch":
            cache.touch(key, 1000)
            return []
        elif what == "incr":
            return [cache.incr(key, 1, initial=0)]
        else:
            return [cache.get_or_set(key, lambda: value)]
        return [value]

    def _await_nodes(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                self.cache.get_many(f"{number}" for number in range(20))
                self.cache.set_many({f"{number}": 0 for number in range(20)})
            except NodeError:
                time.sleep(0.001)
            else:
                return
        raise AssertionError("nodes are not used again")

    def _compare(self, allowed: dict[bytes, list[Any]]) -> None:
        """Take what there is for what is held, if it may be there."""
        found = {one(name): value for name, value in self.cache.get_many(NAMES).items()}
        for name in {one(each) for each in NAMES}:
            if name not in found:
                self.keep(name, None, 0)
                continue
            kinds = [(type(value), value) for value in allowed.get(name, [])]
            if (type(found[name]), found[name]) not in kinds:
                raise AssertionError(f"{name!r}: {found[name]!r}, where there may be {kinds}")
            if name in self.held and self.held[name][0] == found[name]:
                # The same as before, or the same once more: tokens say which of them.
                self.tokens.pop(name, None)
            self.keep(name, found[name], self.cache.ttl(name))


def _is_late(error: BaseException | None) -> bool:
    """Whether a node was too late where nothing was to fail, though not when that was repeated."""
    if isinstance(error, BaseExceptionGroup):
        # What Hypothesis saw once, and not when it was repeated.
        return all(_is_late(each) for each in error.exceptions)
    return error is not None and (isinstance(error, NodeError) or _is_late(error.__context__))


def _run(kind: str, ways: tuple[Proxy, ...], count: int, start: int) -> tuple[int, str]:
    """Run some examples; how many there were, and what came of the last one."""
    machine: Any = type("PlacedFailing", (_Failing,), {"place": _Place(kind, ways)})
    _Failing.examples = 0
    given = settings(
        max_examples=count,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(start)(machine), settings=given)
    except Exception as error:  # noqa: BLE001 - that is what is counted
        told = "".join(traceback.format_exception(error))
        print(told, file=sys.stderr)
        # A machine that does much else keeps nodes waiting, too; and with faults in between not
        # every run goes as far, where Hypothesis takes the same choices once more.
        is_given_up = _is_late(error) or isinstance(error, FlakyStrategyDefinition)
        return _Failing.examples, "given up" if is_given_up else "divergences"
    return _Failing.examples, ""


def _random(contender: Contender, effort: Effort) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    deadline, turn = time.monotonic() + effort.seconds, 0
    while counts["examples"] < effort.count and time.monotonic() < deadline:
        with ExitStack() as stack:
            servers = [stack.enter_context(served(contender)) for _ in range(_NODES)]
            ways = tuple(stack.enter_context(proxy(server.address)) for server in servers)
            wanted = min(_CHUNK, effort.count - counts["examples"])
            run, ended = _run(contender.node, ways, wanted, effort.seed + turn)
        counts["examples"] += run
        counts[ended] += 1
        turn += 1
        faults = {"divergences": counts["divergences"]} if counts["divergences"] else {}
        readings = {"faults": _Failing.faults, "given up": counts["given up"]}
        yield Finding(counts["examples"], faults, readings)


SCENARIOS = (
    Scenario(
        "F17",
        "examples of 50 random calls in a namespace on 2 nodes, of which some are reset, cut or "
        "delayed; timeout 100 ms",
        "examples",
        "each call answers as a dictionary would; after one that failed there is what was there "
        "before, or less",
        _random,
        Effort(10_000, 10_800),
        Effort(8, 2),
        BOTH,
        11_000,
        at_once=True,
    ),
)
