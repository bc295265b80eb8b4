"""Many clients, keys, namespaces and nodes in any order, with losses in between (F17).

Every answer must be one that a register could give; see `tests/versions/register.py`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kcache.command import Command
from kcache.flow import Flow
from kcache.known import Known
from kcache.namespaced import Namespaced
from tests.versions.broken import FillsAnyway, TrustsKnown, Unconditional
from tests.versions.client import Call, Leg, Make, System, begin, legs_of, token_of
from tests.versions.register import Registers, Wrong, after, beginning
from tests.versions.spots import Events, Spots
from tests.versions.world import EMPTY, KINDS, Contents, Stored, act, without

CLIENTS = 4
NAMES = (("p",), ("p", "c"))
OWNERS = {"a": 0, "b": 1}
KEYS = tuple(OWNERS)
# Where all is drawn alike, hardly two calls meet.
A_CLIENT = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
A_PATH = st.sampled_from([0, 1, 1, 1])
A_KEY = st.sampled_from(["a", "a", "a", "b"])
STEPS = st.sampled_from([0, 1, 2, 3, 4, 6, 99, 99])
EXAMPLES = int(os.environ.get("KCACHE_EXAMPLES", "200"))
FILLS = ["miss", "miss", "renewal"]
ONE_KEY = [
    "get",
    "set",
    "delete",
    "add",
    "replace",
    "count",
    "gets",
    "touch",
    "miss",
    "miss",
    "renewal",
    "takeover",
]
MOST_LOSSES = 2
"""During one call; after some more it gives up, and says that the node keeps no record."""
HALVES = {"gets": "cas", "miss": "fill", "renewal": "fill", "takeover": "fill"}


class Process:
    """A client at work; its generators go on, and are not made again."""

    def __init__(self, system: System, number: int) -> None:
        self.number = number
        self.kind = system.kind
        self._known = Known(system.nodes)
        self._made = 0
        self.flows = [system.flows(path, self._known, self._fresh) for path in system.paths]
        self.call: Call | None = None
        self.legs: list[Leg] = []
        self.is_first = True
        self.losses = 0
        self.half: tuple[Call, Any] | None = None
        self._flow: Flow[Any]

    def _fresh(self) -> bytes:
        self._made += 1
        return token_of(self.number, self._made)

    def start(self, call: Call, memory: Any = None) -> None:
        """Begin a call; it has something to ask."""
        self._flow = begin(call, self.flows[call.path], memory)
        self.call, self.is_first, self.half, self.losses = call, True, None, 0
        assert self._send(None) is None

    def take(self, leg: int, reply: Any) -> Any:
        """Take a reply; the result, if that is the end of the call."""
        self.is_first = False
        self.legs[leg] = told = self.legs[leg]._replace(replies=(*self.legs[leg].replies, reply))
        if not told.is_done or not all(each.is_done for each in self.legs):
            return None
        return self._send({each.node: list(each.answer()) for each in self.legs})

    def _send(self, answers: Any) -> Any:
        try:
            batch = self._flow.send(answers)
            while not batch:
                batch = self._flow.send({})
        except StopIteration as end:
            result, memory = end.value
            if memory is not None and self.call is not None:
                self.half = self.call, memory
            self.call, self.legs = None, []
            return result
        self.legs = list(legs_of(self.kind, batch))
        return None


class Machine(RuleBasedStateMachine):
    """The world, and what its registers may be in."""

    kind: str
    make: Make = Namespaced

    def __init__(self) -> None:
        super().__init__()
        self.system = System(self.kind, NAMES, OWNERS, type(self).make)
        self.spots = Spots(self.system, [(path, key) for path in range(2) for key in KEYS])
        self.registers: list[Registers] = [beginning(CLIENTS) for _ in self.spots.all]
        self.contents: list[Contents] = [EMPTY, EMPTY]
        self.processes = [Process(self.system, number) for number in range(CLIENTS)]
        self.value = 100

    def tell(self, events: Events) -> None:
        for spot, event in events:
            try:
                self.registers[spot] = after(self.kind, self.registers[spot], event)
            except Wrong:
                raise AssertionError((self.spots.all[spot], event)) from None

    def new(self) -> int:
        self.value += 100
        return self.value

    def idle(self, client: int) -> Process | None:
        process = self.processes[client]
        return process if process.call is None else None

    @rule(
        client=A_CLIENT,
        name=st.sampled_from(ONE_KEY),
        path=A_PATH,
        key=A_KEY,
        steps=STEPS,
    )
    def start(self, client: int, name: str, path: int, key: str, steps: int) -> None:
        process = self.idle(client)
        if process is not None:
            value = (3, self.new()) if name == "count" else self.new()
            process.start(Call(name, path, ((key, value),)))
            self.advance(process, steps)

    @rule(client=A_CLIENT, steps=STEPS)
    def second_half(self, client: int, steps: int) -> None:
        """Store with what `gets`, `miss`, `renewal` or `takeover` gave."""
        process = self.idle(client)
        if process is not None and process.half is not None:
            call, memory = process.half
            process.start(
                Call(HALVES[call.name], call.path, ((call.items[0][0], self.new()),)), memory
            )
            self.advance(process, steps)

    @rule(
        client=A_CLIENT,
        name=st.sampled_from(["get_many", "set_many"]),
        path=A_PATH,
        keys=st.sets(st.sampled_from(KEYS), min_size=1),
        steps=STEPS,
    )
    def start_many(self, client: int, name: str, path: int, keys: set[str], steps: int) -> None:
        process = self.idle(client)
        if process is not None:
            process.start(Call(name, path, tuple((key, self.new()) for key in sorted(keys))))
            self.advance(process, steps)

    @rule(
        client=A_CLIENT,
        path=st.integers(0, 1),
        steps=STEPS,
    )
    def invalidate(self, client: int, path: int, steps: int) -> None:
        process = self.idle(client)
        if process is not None:
            process.start(Call("invalidate", path))
            self.advance(process, steps)

    @rule(client=A_CLIENT, leg=st.integers(0, 1), steps=st.integers(1, 12))
    def go_on(self, client: int, leg: int, steps: int) -> None:
        self.advance(self.processes[client], steps, leg)

    def advance(self, process: Process, steps: int, preferred: int = 0) -> None:
        """Do the next atomic commands of a client."""
        for _ in range(steps):
            open_legs = [at for at, leg in enumerate(process.legs) if not leg.is_done]
            call = process.call
            if call is None or not open_legs:
                return
            at = open_legs[preferred % len(open_legs)]
            leg = process.legs[at]
            command: Command = leg.steps[len(leg.replies)][1]
            self.tell(self.spots.before(process.number, call, command, is_first=process.is_first))
            contents, reply = act(self.kind, self.contents[leg.node], command)
            self.contents[leg.node] = contents
            self.tell(self.spots.after(process.number, call, process.take(at, reply)))

    @precondition(lambda self: any(self.contents))
    @rule(
        node=st.integers(0, 1),
        number=st.integers(0, 20),
        is_damaged=st.sampled_from([False] * 5 + [True]),
    )
    def lose(self, node: int, number: int, is_damaged: bool) -> None:  # noqa: FBT001 - drawn
        """Evict or damage an entry or a record; a record that expires is evicted, too."""
        contents = self.contents[node]
        present = sorted(key for key, stored in contents.items() if stored.data is not None)
        if not present or not self.may_lose():
            return
        key = present[number % len(present)]
        if is_damaged:
            damaged = Stored(b"damaged", contents[key].number + 1)
            self.contents[node] = {**contents, key: damaged}
        else:
            self.contents[node] = without(self.kind, contents, key)
        self.tell(self.spots.lost(node, key, "corrupt" if is_damaged else "renew"))

    def may_lose(self) -> bool:
        """Whether a loss is not one too many for any call; it is counted."""
        busy = [process for process in self.processes if process.call is not None]
        if any(process.losses >= MOST_LOSSES for process in busy):
            return False
        for process in busy:
            process.losses += 1
        return True

    @rule(node=st.integers(0, 1))
    def restart(self, node: int) -> None:
        """Restart a node, empty, while nobody has only half of an answer of it."""
        legs = [leg for process in self.processes for leg in process.legs if leg.node == node]
        if any(leg.replies and not leg.is_done for leg in legs) or not self.may_lose():
            return
        self.contents[node] = EMPTY
        self.tell(self.spots.lost(node, None))

    def teardown(self) -> None:
        """All calls end; then the first client reads everything."""
        for process in self.processes:
            self.advance(process, 1000)
            assert process.call is None
        for path in range(2):
            self.processes[0].start(Call("get_many", path, tuple((key, None) for key in KEYS)))
            self.advance(self.processes[0], 1000)


def check(kind: str, make: Make, examples: int, *phases: Phase) -> None:
    machine = type("Machine", (Machine,), {"kind": kind, "make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=60,
            deadline=None,
            derandomize=EXAMPLES == 200,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=phases or tuple(Phase),
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_in_any_order_the_answers_are_a_registers(kind: str) -> None:
    check(kind, Namespaced, EXAMPLES)


@pytest.mark.parametrize("make", [FillsAnyway, TrustsKnown, Unconditional])
def test_the_machine_finds_broken_variants(make: Make) -> None:
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        check("redis", make, 2000, Phase.generate)
