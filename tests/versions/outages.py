"""Processes and nodes that lose each other: the real flows, behind gates as the pools have them.

What is exchanged with a node in one round trip is one step. It may be done and answered; or the
answer is none, and what was asked is never done, or at any later time. A process that got no answer
leaves the node alone until its prober has told it what it missed; see `kcache.guard`, whose rules
these are. A node may be started again, from a snapshot or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from kcache.arrears import Arrears
from kcache.command import Answers, Batch, Command, Get, Identify, Set
from kcache.entry import Entries, Marker
from kcache.errors import NewerEpoch, NodeError, NodeUnavailable, TimedOut
from kcache.flow import MISSING
from kcache.guarded import changes, is_unknown
from kcache.known import Known
from kcache.mirror import Mirror
from kcache.namespace import Path
from kcache.namespaced import Namespaced
from kcache.node import Node
from kcache.route import Router
from kcache.versions.owing import Owing
from tests.versions.choices import Choices
from tests.versions.client import token_of
from tests.versions.rules import Rules
from tests.versions.world import EMPTY, Contents, act, join, split, without

__all__ = ["Ask", "Fault", "Program", "Setting", "Variant", "simulate"]

Program: TypeAlias = tuple[tuple[str, Any], ...]
"""Calls by name, with their argument, one after the other."""
Fault: TypeAlias = str
_Step: TypeAlias = Callable[[], None]
ENTRIES = Entries()
PATH, OTHER_PATH = Path(b"kc", ("p",)), Path(b"kc", ("q",))
KEY = "a"
NEVER, LATE = "never", "late"


@dataclass(frozen=True)
class Variant:
    """The parts of the protocol, each of which a broken variant has another one for."""

    namespaced: type[Namespaced] = Namespaced
    owing: type[Owing] = Owing
    mirrors: bool = True
    uses_arrears: bool = True
    leaves_debts: bool = True
    looks_first: bool = True
    says_incomplete: bool = True
    tells_both_rings: bool = True
    opens_early: bool = False
    replays_by_key: bool = False
    repeats_tokens: bool = False
    identity: Callable[[tuple[int, int]], bytes] = lambda reign: b"%d.%d" % reign


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Args:
        kind: of the nodes.
        programs: of the processes.
        faults: how many round trips may get no answer.
        losses: how many of these there may be: "snapshot", "promotion", "empty", "eviction".
        events: which of them.
        faulty: the nodes that may give no answer.
        owners: the node of the key, for each process; they differ where rings do.
        before: is done at first, undisturbed, by these processes.
        variant: the protocol.
    """

    kind: str
    programs: tuple[Program, ...]
    faults: int = 1
    losses: int = 0
    events: tuple[str, ...] = ()
    faulty: tuple[int, ...] = (0, 1)
    owners: tuple[int, ...] = ()
    before: tuple[tuple[int, tuple[str, Any]], ...] = ()
    variant: Variant = field(default_factory=Variant)


@dataclass
class _Server:
    contents: Contents = field(default_factory=lambda: EMPTY)
    saved: Contents = field(default_factory=lambda: EMPTY)
    reign: tuple[int, int] = (0, 0)
    starts: int = 0


class _Process:
    """A process: what it knows, its gates, and what it is doing."""

    def __init__(self, number: int, setting: Setting, nodes: Sequence[Node]) -> None:
        self.number = number
        self.variant = variant = setting.variant
        self.known = Known(len(nodes))
        self.made = 0
        owner = setting.owners[number] if setting.owners else 0
        rings_differ = len(set(setting.owners)) > 1
        router = Router(PATH.place, lambda _: owner)
        told = nodes if variant.tells_both_rings or not rings_differ else nodes[owner : owner + 1]
        self.flows, self.other_flows = (
            variant.namespaced(
                path, told, router, ENTRIES, known=self.known, fresh=self.fresh, strict=True
            )
            for path in (PATH, OTHER_PATH)
        )
        self.owing = variant.owing(b"kc", nodes, known=self.known, fresh=self.fresh)
        other = 1 - owner
        self.mirror = Mirror(b"kc", lambda _: other) if rings_differ and variant.mirrors else None
        everything = Path(b"kc", ()).records[0]
        self.arrears = [Arrears(everything) for _ in nodes]
        self.own: list[set[bytes]] = [set() for _ in nodes]
        self.is_down = [False] * len(nodes)
        self.starts: list[int | None] = [None] * len(nodes)
        self.new = set(range(len(nodes)))
        self.lease: Any = None
        self.unsure: tuple[int, Any] | None = None
        self.at = 0
        self.tasks: dict[str, _Task] = {}

    def fresh(self) -> bytes:
        self.made += not (self.variant.repeats_tokens and self.made)
        return token_of(self.number, self.made)

    def is_closed(self, node: int) -> bool:
        """Whether a node is left alone."""
        return self.is_down[node] or (self.variant.uses_arrears and bool(self.arrears[node]))

    def fail(self, node: int, missed: Path | None = None) -> None:
        """A node gives no answer, or has missed something in a namespace."""
        self.is_down[node] = True
        if missed is not None and self.variant.uses_arrears:
            self.arrears[node].add(missed.records[-1])

    def state(self) -> Hashable:
        return (
            self.at,
            self.made,
            tuple(frozenset(ids) for ids in self.own),
            tuple(self.is_down),
            tuple(bool(each) for each in self.arrears),
            tuple(frozenset(each._added) for each in self.arrears),  # noqa: SLF001 - all of it
            tuple(self.starts),
            frozenset(self.new),
            repr(self.lease),
            self.unsure,
            tuple(tuple(sorted(each.items())) for each in self.known._tokens),  # noqa: SLF001
            tuple((name, task.state()) for name, task in sorted(self.tasks.items())),
        )


Flow: TypeAlias = Generator[Batch, Answers, Any]


class _Task:
    """A flow under way: the round trips of its present batch that have had no answer yet."""

    def __init__(self, flow: Flow, *, prober: int | None = None) -> None:
        self.flow = flow
        self.prober = prober
        self.batch: Batch = {}
        self.answers: dict[int, Any] = {}
        self.log: list[Any] = []
        self.result: Any = None
        self.is_over = False
        self.go_on(None)

    def go_on(self, answers: Answers | None) -> None:
        try:
            batch = next(self.flow) if answers is None else self.flow.send(answers)
            while not batch:
                batch = self.flow.send({})
            self.batch, self.answers = dict(batch), {}
        except StopIteration as end:
            self.result, self.is_over = end.value, True
        except NodeError as error:
            self.result, self.is_over = error, True

    @property
    def open(self) -> list[int]:
        return [] if self.is_over else [n for n in self.batch if n not in self.answers]

    def take(self, node: int, answer: Any) -> None:
        self.answers[node] = answer
        self.log.append((node, repr(answer)))
        if not self.open:
            self.go_on(self.answers)

    def state(self) -> Hashable:
        return tuple(self.log)


class Ask:
    """The simulation of a setting."""

    def __init__(self, setting: Setting, choices: Choices) -> None:
        self.setting = setting
        self.choices = choices
        count = 1 + max((1, *setting.owners))
        self.nodes = [Node(f"memory://outage-{number}") for number in range(count)]
        self.servers = [_Server() for _ in range(count)]
        self.processes = [
            _Process(number, setting, self.nodes) for number in range(len(setting.programs))
        ]
        self.late: list[tuple[int, int, tuple[Command, ...]]] = []
        self.faults, self.losses = setting.faults, setting.losses
        self.rules = Rules(setting.owners or [0] * len(self.processes))
        self.trace: list[str] = []

    # What can happen.

    def run(self) -> None:
        for number, call in self.setting.before:
            self._begin(self.processes[number], call)
            while self.processes[number].tasks:
                self._trips(self.processes[number], is_prober=False)[0]()
        for server in self.servers:
            server.saved = server.contents
        for process in self.processes:
            process.at = 0
        while groups := self._groups():
            steps = [step for group in groups.values() for step in group]
            sizes = {name: len(group) for name, group in groups.items()}
            number = self.choices.pick(sizes, self._state) if len(steps) > 1 else 0
            steps[number]()
        self.rules.end()

    def _groups(self) -> dict[str, list[_Step]]:
        """What can happen next, by who does it."""
        groups: dict[str, list[_Step]] = {}
        for process in self.processes:
            program = self.setting.programs[process.number]
            calls = self._trips(process, is_prober=False)
            if "call" not in process.tasks and process.at < len(program):
                calls.append(partial(self._begin, process, program[process.at]))
            groups[f"{process.number}"] = calls
            # A node that does not answer the first question is only asked again.
            groups[f"prober of {process.number}"] = [
                *self._trips(process, is_prober=True),
                *(
                    partial(self._probe, process, node)
                    for node in range(len(self.nodes))
                    if process.is_closed(node) and f"probe {node}" not in process.tasks
                ),
            ]
        groups["late"] = [partial(self._do_late, at) for at in range(len(self.late))]
        if self.losses and any(p.at < len(self.setting.programs[p.number]) for p in self.processes):
            groups["losses"] = [
                partial(self._lose, node, event)
                for event in self.setting.events
                for node in range(len(self.servers))
                if self.servers[node].contents
            ]
        return {name: group for name, group in groups.items() if group}

    def _trips(self, process: _Process, *, is_prober: bool) -> list[_Step]:
        """Each open round trip of a process: it is answered, or it is not."""
        steps: list[_Step] = []
        for name, task in list(process.tasks.items()):
            if (task.prober is not None) != is_prober:
                continue
            for node in task.open:
                steps.append(partial(self._trip, process, name, node, None))
                may_fail = self.faults and node in self.setting.faulty
                if may_fail and self._is_lent(process, task, node):
                    steps += [
                        partial(self._trip, process, name, node, fault) for fault in (NEVER, LATE)
                    ]
        return steps

    def _state(self) -> Hashable:
        return (
            tuple((tuple(sorted(s.contents.items())), s.reign, s.starts) for s in self.servers),
            tuple(process.state() for process in self.processes),
            tuple(sorted(self.late, key=repr)) and repr(sorted(self.late, key=repr)),
            self.faults,
            self.losses,
            self.rules.state(),
        )

    # Round trips.

    def _is_lent(self, process: _Process, task: _Task, node: int) -> bool:
        return task.prober == node or not process.is_closed(node)

    def _trip(self, process: _Process, name: str, node: int, fault: Fault | None) -> None:
        task = process.tasks[name]
        commands = tuple(task.batch[node])
        answer: Any
        if not self._is_lent(process, task, node):
            answer = NodeUnavailable(self.nodes[node], "is down")
        elif self._is_other(process, task, node):
            answer = NodeUnavailable(self.nodes[node], "another server answers")
            process.fail(node)
        elif fault is not None:
            self.faults -= 1
            answer = TimedOut(self.nodes[node], "no answer")
            if fault == LATE:
                self.late.append((node, self.servers[node].starts, commands))
            if task.prober != node:
                process.fail(node)
        else:
            answer = self._done(node, commands)
        self.trace.append(f"{process.number} {name}: node {node} {fault or 'answers'} {commands}")
        task.take(node, answer)
        self._after(process, name)

    def _is_other(self, process: _Process, task: _Task, node: int) -> bool:
        """Whether the server is not the one that the process found ready: a new connection says."""
        if task.prober == node or process.starts[node] is None:
            process.starts[node] = self.servers[node].starts
            return False
        return process.starts[node] != self.servers[node].starts

    def _done(self, node: int, commands: Sequence[Command]) -> list[Any]:
        server = self.servers[node]
        replies: list[Any] = []
        for command in commands:
            if isinstance(command, Identify):
                replies.append(self._identity(node))
                continue
            parts: list[Any] = []
            for step in split("redis", command):
                server.contents, reply = act(self.setting.kind, server.contents, step)
                parts.append(reply)
            joined = join(command, tuple(parts))
            replies.append(list(joined) if isinstance(command, (Get, Set)) else joined)
        return replies

    def _identity(self, node: int) -> bytes:
        if self.setting.kind == "memcached":
            return b""
        return self.setting.variant.identity(self.servers[node].reign)

    def _do_late(self, at: int) -> None:
        node, starts, commands = self.late.pop(at)
        self.trace.append(f"late: node {node} {commands}")
        # What was sent to a server that ended was never done.
        if starts == self.servers[node].starts:
            self._done(node, commands)

    def _lose(self, node: int, event: str) -> None:
        self.losses -= 1
        self.trace.append(f"node {node}: {event}")
        server = self.servers[node]
        run, history = server.reign
        if event == "eviction":
            for record in PATH.records:
                if record in server.contents and server.contents[record].data is not None:
                    server.contents = without(self.setting.kind, server.contents, record)
                    return
            return
        server.starts += 1
        if event == "empty":
            server.contents, server.reign = EMPTY, (run + 1, history + 1)
        elif event == "snapshot":
            server.contents, server.reign = server.saved, (run + 1, history + 1)
        else:
            # It was a replica meanwhile, and is behind.
            server.contents, server.reign = server.saved, (run, history + 1)

    # Calls, and what a process does by itself.

    def _begin(self, process: _Process, call: tuple[str, Any]) -> None:
        name, value = call
        process.at += 1
        self.trace.append(f"{process.number}: {name} {value}")
        self.rules.called(process.number, name, value)
        process.tasks["call"] = _Task(self._call(process, name, value))
        self._after(process, "call")

    def _call(self, process: _Process, name: str, value: Any) -> Flow:
        if process.new and process.variant.looks_first:
            yield from self._look(process, sorted(process.new))
        match name:
            case "look":
                result = yield from self._look(process, range(len(self.nodes)))
            case "get":
                result = yield from self._guarded(process, process.flows.get(KEY))
            case "set":
                result = yield from self._set(process, value)
            case "delete":
                yield from self._guarded(process, process.flows.delete(KEY))
                result = True
            case "miss":
                result = yield from self._miss(process)
            case "fill":
                result = yield from self._fill(process, value)
            case _:
                path = PATH if value is None else OTHER_PATH
                result = yield from self._invalidate(process, path)
        return result

    def _miss(self, process: _Process) -> Flow:
        marker = Marker(process.fresh(), float("inf"))
        lease = process.flows.lease(KEY, marker, now=float("inf"), lock_ttl=30.0)
        sight = yield from self._guarded(process, lease)
        process.lease = sight.lease
        return sight.lease is not None

    def _fill(self, process: _Process, value: Any) -> Flow:
        lease, process.lease = process.lease, None
        if lease is None:
            return None
        return (yield from self._guarded(process, process.flows.fill(lease, value, None)))

    def _set(self, process: _Process, value: Any) -> Flow:
        if not process.variant.replays_by_key:
            return (yield from self._guarded(process, process.flows.set(KEY, value, None)))
        try:
            return (yield from process.flows.set(KEY, value, None))
        except TimedOut as error:
            process.unsure = self.nodes.index(error.node), value
            raise

    def _invalidate(self, process: _Process, path: Path) -> Flow:
        flows = process.flows if path is PATH else process.other_flows
        failures = yield from self._guarded(process, flows.invalidate(), path)
        failed = {each.node for each in failures if not isinstance(each, NewerEpoch)}
        missed = [n for n, node in enumerate(self.nodes) if node in failed]
        for node in missed:
            process.fail(node, path)
        reached = [n for n in range(len(self.nodes)) if n not in missed]
        if missed and process.variant.leaves_debts:
            left = yield from process.owing.leave(missed, reached)
            for node, ids in left.items():
                process.own[node] |= ids
        return not missed if process.variant.says_incomplete else True

    def _look(self, process: _Process, nodes: Sequence[int]) -> Flow:
        wanted = [node for node in nodes if not process.is_closed(node)]
        outcomes = yield from process.owing.make_ready(
            dict.fromkeys(wanted, ()), range(len(self.nodes)), own={}
        )
        process.new -= {node for node, error in outcomes.items() if error is None}

    def _guarded(self, process: _Process, flow: Flow, path: Path = PATH) -> Flow:
        """As `kcache.guarded.Guarded` does it."""
        answers: Answers | None = None
        while True:
            try:
                batch = next(flow) if answers is None else flow.send(answers)
            except StopIteration as end:
                return end.value
            whole, mirrored = (batch, {}) if process.mirror is None else process.mirror.added(batch)
            answers = yield whole
            for node, answer in answers.items():
                if isinstance(answer, NodeError) and (
                    node in mirrored or (is_unknown(answer) and changes(batch[node]))
                ):
                    process.fail(node, path)
            if mirrored:
                answers = Mirror.removed(batch, answers, mirrored)

    def _probe(self, process: _Process, node: int) -> None:
        """The prober: tells the node what it missed, over a connection of its own."""
        own = frozenset(process.own[node])
        owed = {node: process.arrears[node].take()}
        others = [other for other in range(len(self.nodes)) if other != node]

        def ready() -> Flow:
            outcomes = yield from process.owing.make_ready(owed, others, own={node: own})
            if process.unsure is not None and process.unsure[0] == node:
                yield from process.flows.set(KEY, process.unsure[1], None)
                process.unsure = None
            if outcomes[node] is None:
                process.own[node] -= own
                process.arrears[node].settled()
                process.new.discard(node)
            return outcomes[node] is None

        if process.variant.opens_early:
            process.is_down[node] = False
            process.arrears[node].settled()
        self.trace.append(f"{process.number}: asks node {node} whether it is ready")
        process.tasks[f"probe {node}"] = _Task(ready(), prober=node)
        self._after(process, f"probe {node}")

    def _after(self, process: _Process, name: str) -> None:
        task = process.tasks.get(name)
        if task is None or not task.is_over:
            return
        del process.tasks[name]
        if task.prober is not None:
            if task.result is True and not process.arrears[task.prober]:
                process.is_down[task.prober] = False
                self.rules.ready(process.number, task.prober)
            return
        result = task.result
        self.trace.append(f"{process.number}: returns {result!r}")
        self.rules.returned(process.number, MISSING if isinstance(result, NodeError) else result)


def simulate(setting: Setting) -> Callable[[Choices], None]:
    """The simulation of a setting, for `choices.every_way`."""

    def simulation(choices: Choices) -> None:
        ask = Ask(setting, choices)
        try:
            ask.run()
        except AssertionError as error:
            raise type(error)("\n".join((f"{error}", *ask.trace))) from None

    return simulation
