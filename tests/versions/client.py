"""Clients: the real flows, stepped by one atomic command at a time.

A generator cannot be copied. So a client's state is what it has been told in its present call, and
what it kept from those before it: its known tokens, what `gets`, `miss`, `renewal` or `takeover`
gave it, and the number of tokens that it made. The generator is made again from that, and run up
to where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, TypeAlias

from kcache.command import Answers, Batch, Command, Delete, Get, Reply, Set
from kcache.entry import Entries, Marker
from kcache.flow import MISSING
from kcache.frame import Dates
from kcache.known import Known
from kcache.namespace import Path
from kcache.namespaced import Namespaced
from kcache.node import Node
from kcache.record import TOKEN_SIZE
from kcache.route import Router
from kcache.sight import Sight
from tests.versions.register import BUSY, MISSED
from tests.versions.world import join, split

__all__ = [
    "Call",
    "Client",
    "Kept",
    "Leg",
    "Make",
    "State",
    "System",
    "begin",
    "legs_of",
    "token_of",
]

NODES = [Node("memory://versions-0"), Node("memory://versions-1")]
ENTRIES = Entries()
Flow: TypeAlias = Generator[Batch, Answers, Any]


class Call(NamedTuple):
    """A call in a client's program.

    Attributes:
        name: of the method; `miss` and `fill` are the two halves of a `get_or_set`, and so are
            `renewal` and `fill` where the entry is there, `takeover` and `fill` wherever.
        path: number of the namespace.
        items: keys, with the values or arguments that belong to them.
    """

    name: str
    path: int = 0
    items: tuple[tuple[str, Any], ...] = ()


class Kept(NamedTuple):
    """What a client has between two calls.

    Attributes:
        at: number of the next call.
        known: node, record and token.
        memory: the token of `gets`, or the lease of `miss`, `renewal` or `takeover`.
        made: how many tokens it has made.
    """

    at: int = 0
    known: tuple[tuple[int, bytes, bytes], ...] = ()
    memory: Any = None
    made: int = 0


class Leg(NamedTuple):
    """The part of a batch that goes to one node.

    Attributes:
        node: its number.
        types: of the commands; tuples of two types can be equal.
        commands: of the batch.
        steps: the atomic commands that they are done as.
        replies: to the first of these.
    """

    node: int
    types: tuple[type, ...]
    commands: tuple[Command, ...]
    steps: tuple[tuple[int, Command], ...]
    replies: tuple[Reply, ...] = ()

    @property
    def is_done(self) -> bool:
        return len(self.replies) == len(self.steps)

    def answer(self) -> tuple[Reply, ...]:
        """The replies to the commands."""
        gathered: list[list[Reply]] = [[] for _ in self.commands]
        for (number, _), reply in zip(self.steps, self.replies, strict=True):
            gathered[number].append(reply)
        return tuple(
            join(command, tuple(replies))
            for command, replies in zip(self.commands, gathered, strict=True)
        )


class State(NamedTuple):
    """Where a client is.

    Attributes:
        kept: from the calls before this one.
        log: the answers to the batches of this call.
        legs: the batch under way; empty at the end of the program.
    """

    kept: Kept
    log: tuple[tuple[tuple[int, tuple[Reply, ...]], ...], ...] = ()
    legs: tuple[Leg, ...] = ()

    @property
    def is_called(self) -> bool:
        """Whether a command of the present call has been done."""
        return bool(self.log) or any(leg.replies for leg in self.legs)


Make: TypeAlias = Callable[..., Namespaced]


@dataclass(frozen=True)
class System:
    """What all clients share.

    Args:
        kind: of the nodes.
        names: of the namespaces.
        owners: the number of the node of each key.
        make: the flows of a namespace, as `Namespaced` does; a broken variant is another.
    """

    kind: str
    names: tuple[tuple[str, ...], ...] = (("p",),)
    owners: Mapping[str, int] | None = None
    make: Make = Namespaced

    @property
    def paths(self) -> list[Path]:
        return [Path(b"kc", names) for names in self.names]

    @property
    def nodes(self) -> int:
        """How many there are."""
        return 1 + max((self.owners or {"a": 0}).values())

    def owner(self, key: str) -> int:
        return (self.owners or {}).get(key, 0)

    def flows(self, path: Path, known: Known, fresh: Callable[[], bytes]) -> Namespaced:
        """The flows of a client in a namespace."""
        owners = {path.place(key): node for key, node in (self.owners or {"a": 0}).items()}
        router = Router(path.place, lambda place: owners[place])
        nodes = NODES[: self.nodes]
        return self.make(path, nodes, router, ENTRIES, known=known, fresh=fresh, strict=True)


class Client:
    """One client's program.

    Args:
        system: the world around it.
        number: of the client; its tokens begin with it.
        program: its calls.
    """

    def __init__(self, system: System, number: int, program: Sequence[Call]) -> None:
        self.system = system
        self.number = number
        self.program = program
        self._paths = system.paths
        self._records = [
            (node, record)
            for node in range(system.nodes)
            for record in sorted({r for path in self._paths for r in path.records})
        ]

    def start(self, kept: Kept | None = None) -> State:
        """Before the first call; calls that have nothing to ask are over at once."""
        state, _ = self._run(kept or Kept(), ())
        return state

    def advance(self, state: State, leg: int, reply: Reply) -> tuple[State, Any]:
        """Give it the reply to the next atomic command of a leg.

        Returns:
            Its state then; and the result of the call if that was its end, else None.
        """
        told = state.legs[leg]._replace(replies=(*state.legs[leg].replies, reply))
        legs = (*state.legs[:leg], told, *state.legs[leg + 1 :])
        if not all(each.is_done for each in legs):
            return state._replace(legs=legs), None
        answers = tuple((each.node, each.answer()) for each in legs)
        return self._run(state.kept, (*state.log, answers))

    def _run(self, kept: Kept, log: tuple[Any, ...]) -> tuple[State, Any]:
        """Run the present call up to its next batch, or to the beginning of the next call."""
        if kept.at == len(self.program):
            return State(kept), None
        call = self.program[kept.at]
        known = Known(self.system.nodes)
        for node, record, token in kept.known:
            known.note(node, (record,), (token,))
        made = kept.made

        def fresh() -> bytes:
            nonlocal made
            made += 1
            return token_of(self.number, made)

        flows = [self.system.flows(path, known, fresh) for path in self._paths]
        flow = begin(call, flows[call.path], kept.memory)
        told = iter(log)
        try:
            batch = next(flow)
            while True:
                if not batch:
                    batch = flow.send({})
                    continue
                answers = next(told, None)
                if answers is None:
                    return State(kept, log, legs_of(self.system.kind, batch)), None
                batch = flow.send({node: list(replies) for node, replies in answers})
        except StopIteration as end:
            result, memory = end.value
        later = Kept(kept.at + 1, self._dump(known), memory, made)
        return self._run(later, ())[0], result

    def _dump(self, known: Known) -> tuple[tuple[int, bytes, bytes], ...]:
        return tuple(
            (node, record, token)
            for node, record in self._records
            for token in known.tokens(node, (record,))
        )


def _hashable(command: Command) -> Command:
    match command:
        case Set(items, ttl, once):
            return Set(tuple(items), ttl, once)
        case Get(keys):
            return Get(tuple(keys))
        case Delete(keys):
            return Delete(tuple(keys))
    return command


def legs_of(kind: str, batch: Batch) -> tuple[Leg, ...]:
    """A batch, before any of it is done."""
    return tuple(
        Leg(
            node,
            tuple(map(type, commands)),
            commands,
            tuple(
                (number, step)
                for number, command in enumerate(commands)
                for step in split(kind, command)
            ),
        )
        for node, commands in (
            (node, tuple(map(_hashable, commands))) for node, commands in batch.items()
        )
    )


def token_of(client: int, number: int) -> bytes:
    """The token that a client makes; no two are equal."""
    return bytes([client]) + number.to_bytes(TOKEN_SIZE - 1, "big")


def begin(call: Call, flows: Namespaced, memory: Any) -> Flow:
    """The flow of a call; its result, by key where there are keys, and what to remember."""
    name, _, items = call
    if name == "invalidate":
        assert (yield from flows.invalidate()) == []
        return {}, None
    if name == "get_many":
        found = yield from flows.get_many([key for key, _ in items])
        return {key: found.get(key, MISSING) for key, _ in items}, None
    if name == "set_many":
        lost = yield from flows.set_many(dict(items), None)
        return {key: key not in lost for key, _ in items}, None
    ((key, value),) = items
    if name in ("gets", "miss", "renewal", "takeover", "fill", "cas"):
        result, memory = yield from _in_two_halves(name, flows, key, value, memory)
    else:
        result = yield from _once(name, flows, key, value)
        memory = None
    return {key: result}, memory


def _once(name: str, flows: Namespaced, key: str, value: Any) -> Flow:
    match name:
        case "get" | "delete":
            return (yield from getattr(flows, name)(key))
        case "touch":
            return (yield from flows.touch(key, None))
        case "count":
            delta, initial = value
            return (yield from flows.count(key, delta, initial, None))
    return (yield from getattr(flows, name)(key, value, None))


def _in_two_halves(name: str, flows: Namespaced, key: str, value: Any, memory: Any) -> Flow:
    """What remembers, and what needs what was remembered; None where there is nothing to do."""
    match name:
        case "gets":
            found = yield from flows.gets(key)
            return (MISSING, None) if found is None else found
        case "miss":
            # To some, every lease that they find is over.
            now = inf if value is not None and value % 300 == 0 else 0.0
            marker = _marker(flows)
            return _seen((yield from flows.lease(key, marker, now=now, lock_ttl=30.0)))
        case "renewal" | "takeover":
            clock = {"now": 0.0} if name == "renewal" else {}
            lease = getattr(flows, name)(key, _marker(flows), **clock, lock_ttl=30.0)
            return _seen((yield from lease))
        case _ if memory is None:
            return None, None
        case "cas":
            return (yield from flows.cas(key, value, memory, None)), None
        case _:
            dates = Dates(inf, 0.0, flows._fresh()[-8:])  # noqa: SLF001 - as in a process
            filled = yield from flows.fill(memory, value, None, dates)
            return filled, None


def _marker(flows: Namespaced) -> Marker:
    return Marker(flows._fresh(), inf)  # noqa: SLF001 - as in a process


def _seen(sight: Sight[Any]) -> tuple[Any, Any]:
    """The answer to a caller that would compute, and the lease if it may."""
    if sight.lease is not None:
        return MISSED if sight.kept is None else sight.kept.value, sight.lease
    return (BUSY if sight.kept is None or sight.holder else sight.kept.value), None
