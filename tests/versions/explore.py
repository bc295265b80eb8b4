"""Every interleaving of some clients' programs, and of what may happen to the nodes between.

A state is what the nodes hold, where the clients are, and what the registers may be in. Each of
these is numbered when it is met first, so that a state is a tuple of small numbers, and what
follows from one is worked out once. A call begins with its first command and ends with its last:
whatever else may be the case has fewer orders to explain, and so is covered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from kcache.command import Command
from tests.versions.client import Call, Client, State, System
from tests.versions.register import Registers, Wrong, after, beginning
from tests.versions.show import Names
from tests.versions.spots import Events, Spots
from tests.versions.world import EMPTY, Contents, act, without

__all__ = ["Finding", "Scenario", "TooMany", "explore"]

T = TypeVar("T", bound=Hashable)
Position: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Scenario:
    """What is explored.

    Args:
        system: the world.
        programs: of the clients.
        before: calls that are done in turn at first, each by the client of this number.
        losses: how many evictions and restarts there may be.
        restarts: whether there may be restarts.
    """

    system: System
    programs: tuple[tuple[Call, ...], ...]
    before: tuple[tuple[int, Call], ...] = ()
    losses: int = 0
    restarts: bool = True


@dataclass(frozen=True)
class Finding:
    """What came of it.

    Attributes:
        states: how many there are.
        trace: the shortest way to a wrong answer, in words; empty if there is none.
    """

    states: int
    trace: tuple[str, ...] = ()


class TooMany(Exception):  # noqa: N818 - no error of anything
    """There are more states than were allowed."""


class Numbers(Generic[T]):
    """Things by the order in which they were met."""

    def __init__(self) -> None:
        self.things: list[T] = []
        self._numbers: dict[Hashable, int] = {}

    def of(self, thing: T, key: Hashable = None) -> int:
        """Its number."""
        at = thing if key is None else key
        number = self._numbers.setdefault(at, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


class Step(NamedTuple):
    """Something that can happen in a state.

    Attributes:
        client: whose command it is; -1 for a loss.
        what: the number of the client's leg, or the key that is evicted; None for a restart.
        node: where it happens.
    """

    client: int
    what: Any
    node: int


@dataclass
class World:
    """The numbered parts of states, and what follows from them."""

    scenario: Scenario
    clients: list[Client] = field(init=False)

    def __post_init__(self) -> None:
        system = self.scenario.system
        self.kind = system.kind
        self.clients = [
            Client(system, number, program) for number, program in enumerate(self.scenario.programs)
        ]
        calls = [call for program in self.scenario.programs for call in program]
        calls += [call for _, call in self.scenario.before]
        self.spots = Spots(system, {(call.path, key) for call in calls for key, _ in call.items})
        self.names = Names(system.paths, self.spots.all)
        self.contents: Numbers[Any] = Numbers()
        self.states: Numbers[State] = Numbers()
        self.registers: Numbers[Registers] = Numbers()
        self._acted: dict[Any, tuple[int, Any]] = {}
        self._advanced: dict[Any, Any] = {}
        self._followed: dict[Any, int] = {}

    # A position: losses left, contents of each node, state of each client, register of each spot.

    @property
    def first_client(self) -> int:
        return 1 + self.scenario.system.nodes

    @property
    def first_register(self) -> int:
        return self.first_client + len(self.clients)

    def start(self) -> Position:
        """The position in which the programs begin."""
        system = self.scenario.system
        contents = [EMPTY] * system.nodes
        registers = [beginning(len(self.clients)) for _ in self.spots.all]
        kepts = [client.start().kept._replace(at=0) for client in self.clients]
        for number, call in self.scenario.before:
            client = Client(system, number, (call,))
            state = client.start(kepts[number])
            result: Any = None
            while state.legs:
                leg = next(i for i, leg in enumerate(state.legs) if not leg.is_done)
                node, command = self.command(state, leg)
                events = self.spots.before(number, call, command, is_first=not state.is_called)
                contents[node], reply = act(self.kind, contents[node], command)
                state, result = client.advance(state, leg, reply)
                for spot, event in events:
                    registers[spot] = after(self.kind, registers[spot], event)
            for spot, event in self.spots.after(number, call, result):
                registers[spot] = after(self.kind, registers[spot], event)
            kepts[number] = state.kept._replace(at=0)
        return (
            self.scenario.losses,
            *map(self.number_of, contents),
            *(
                self.states.of(client.start(kept))
                for client, kept in zip(self.clients, kepts, strict=True)
            ),
            *map(self.registers.of, registers),
        )

    def number_of(self, contents: Contents) -> int:
        """The number of what a node holds."""
        return self.contents.of(contents, tuple(sorted(contents.items())))

    @staticmethod
    def command(state: State, leg: int) -> tuple[int, Command]:
        """The next atomic command of a leg, and its node."""
        node, _, _, steps, replies = state.legs[leg]
        return node, steps[len(replies)][1]

    def steps(self, position: Position) -> Iterator[Step]:
        """All that can happen."""
        busy = set()
        for number in range(len(self.clients)):
            state = self.states.things[position[self.first_client + number]]
            for leg, (node, _, _, steps, replies) in enumerate(state.legs):
                if len(replies) < len(steps):
                    yield Step(number, leg, node)
                    if replies:
                        busy.add(node)
        if position[0]:
            for node in range(self.scenario.system.nodes):
                contents = self.contents.things[position[1 + node]]
                for key, stored in contents.items():
                    if stored.data is not None:
                        yield Step(-1, key, node)
                # Who is in the middle of a batch would lose its connection, and so a reply.
                if contents and node not in busy and self.scenario.restarts:
                    yield Step(-1, None, node)

    def follow(self, position: Position, step: Step) -> Position:
        """The position after a step."""
        if step.client < 0:
            return self._lost(position, step)
        at = self.first_client + step.client
        state = self.states.things[position[at]]
        node, command = self.command(state, step.what)
        following = list(position)
        key = (position[1 + node], type(command), command)
        acted = self._acted.get(key)
        if acted is None:
            contents, reply = act(self.kind, self.contents.things[position[1 + node]], command)
            acted = self._acted[key] = self.number_of(contents), reply
        following[1 + node], reply = acted
        told = (step.client, position[at], step.what, reply)
        advanced = self._advanced.get(told)
        if advanced is None:
            later, result = self.clients[step.client].advance(state, step.what, reply)
            call = self.clients[step.client].program[state.kept.at]
            events = self.spots.before(step.client, call, command, is_first=not state.is_called)
            events += self.spots.after(step.client, call, result)
            advanced = self._advanced[told] = self.states.of(later), events
        following[at] = advanced[0]
        self._tell(following, advanced[1])
        return tuple(following)

    def _tell(self, position: list[int], events: Events) -> None:
        for spot, event in events:
            at = self.first_register + spot
            key = (position[at], event)
            followed = self._followed.get(key)
            if followed is None:
                left = after(self.kind, self.registers.things[position[at]], event)
                followed = self._followed[key] = self.registers.of(left)
            position[at] = followed

    def _lost(self, position: Position, step: Step) -> Position:
        _, key, node = step
        contents = self.contents.things[position[1 + node]]
        left = EMPTY if key is None else without(self.kind, contents, key)
        following = list(position)
        following[0] -= 1
        following[1 + node] = self.number_of(left)
        self._tell(following, self.spots.lost(node, key))
        return tuple(following)

    def told(self, position: Position, step: Step) -> str:
        """A step in words."""
        if step.client < 0:
            what = (
                "it restarts, empty"
                if step.what is None
                else f"{self.names.key(step.what)} is lost"
            )
            return f"node {step.node}: {what}"
        state = self.states.things[position[self.first_client + step.client]]
        call = self.clients[step.client].program[state.kept.at]
        node, command = self.command(state, step.what)
        _, reply = act(self.kind, self.contents.things[position[1 + node]], command)
        _, result = self.clients[step.client].advance(state, step.what, reply)
        return f"node {node}: " + self.names.step(
            step.client, call, command, reply=reply, result=result
        )


def explore(scenario: Scenario, most: int = 10_000_000) -> Finding:
    """Go through all interleavings, the shortest first.

    Raises:
        TooMany: there are more than `most` states.
    """
    world = World(scenario)
    start = world.start()
    parents: dict[Position, tuple[Position, Step] | None] = {start: None}
    queue = deque([start])
    while queue:
        position = queue.popleft()
        for step in world.steps(position):
            try:
                following = world.follow(position, step)
            except Wrong:
                return Finding(len(parents), _way(world, parents, position, step))
            if following not in parents:
                parents[following] = position, step
                queue.append(following)
                if len(parents) > most:
                    raise TooMany
    return Finding(len(parents))


def _way(
    world: World,
    parents: dict[Position, tuple[Position, Step] | None],
    position: Position,
    step: Step,
) -> tuple[str, ...]:
    way = [world.told(position, step)]
    at = parents[position]
    while at is not None:
        way.append(world.told(*at))
        at = parents[at[0]]
    return tuple(reversed(way))
