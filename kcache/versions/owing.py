"""What nodes have missed: noted on others, and told to them before they are used again.

A node that could not be told of an invalidation is *in arrears* with whoever tried, who tells it
later. Should that process be gone by then, or others talk to the node before: a *debt*, an id that
is never used again, lies on the nodes that were reached. Whoever sees a debt that the node has not
noted as paid drops all of the node's entries, by a new token at level 0, and notes the ids there.

Debts are only added to, in a store that fails if anything else came in between; where there are
too many, a new one that nobody can have paid stands for all of them. So a store that arrives late,
from a connection that was given up long ago, takes no debt away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kcache.command import (
    ABSENT,
    PRESENT,
    Command,
    Condition,
    Delete,
    Get,
    Gets,
    Held,
    Identify,
    Refused,
    Reply,
    Set,
    SetIf,
)
from kcache.entry import FRAME_FLAGS
from kcache.errors import NodeError, NodeRefused
from kcache.flow import Flow, Flows
from kcache.known import Known
from kcache.namespace import Path, debts_key, epoch_key, paid_key
from kcache.node import Node
from kcache.record import (
    epoch_of,
    ids_of,
    pack_epoch,
    pack_ids,
    pack_record,
    token_of,
    tokens_of,
)
from kcache.versions.reading import RECORD_TTL

__all__ = ["MOST_DEBTS", "Owing"]

MOST_DEBTS = 64
"""Ids under one key, of 16 bytes each."""
_MOST_PAID = 1024
_NO_RIGHT = "NOPERM"
_ATTEMPTS = 8


class _Case(NamedTuple):
    """What was found on a node that is to be made ready."""

    identity: bytes | None
    generation: Held | None
    paid: frozenset[bytes]
    epoch: int


class Owing(Flows):
    """The flows by which nodes are told what they missed.

    Args:
        prefix: of the cache.
        nodes: by their indexes in batches.
        known: is told which server answers.
        fresh: gives a token that was never given before.
        trusts_restart: whether what a server holds counts, wherever it has it from.
        epoch: of the ring. A node that belongs to an older one joins this one.
        gains: the nodes that own more in it than in the one before, and so drop what they have:
            it was not kept up to date while others owned it.
    """

    def __init__(
        self,
        prefix: bytes,
        nodes: Sequence[Node],
        *,
        known: Known,
        fresh: Callable[[], bytes],
        trusts_restart: bool = False,
        epoch: int = 0,
        gains: Collection[int] = (),
    ) -> None:
        super().__init__(nodes, strict=False)
        self._generation = Path(prefix, ()).records[0]
        self._debts = [debts_key(prefix, node.name) for node in nodes]
        self._paid = paid_key(prefix)
        self._known = known
        self._fresh = fresh
        self._trusts_restart = trusts_restart
        self._epoch_key = epoch_key(prefix)
        self._epoch = epoch
        self._gains = frozenset(gains)

    def make_ready(
        self,
        owed: Mapping[int, Collection[bytes]],
        others: Iterable[int],
        *,
        own: Mapping[int, Collection[bytes]],
    ) -> Flow[dict[int, NodeError | None]]:
        """Tell nodes what they missed.

        Args:
            owed: the records that are to be renewed, by the index of the node.
            others: nodes that may know of debts; those that do not answer are not waited for
                again.
            own: ids of debts that are paid by renewing these records.

        Returns:
            By node: why it cannot be used, or None.
        """
        answers = yield self._questions(owed, others)
        outcomes: dict[int, NodeError | None] = {}
        debts = {index: self._debts_in(index, answers) for index in owed}
        commands: dict[int, list[SetIf]] = {}
        notes: dict[int, list[Set]] = {}
        for index, records in owed.items():
            failures: list[NodeError] = []
            case = self._case(index, answers, failures)
            outcomes[index] = failures[0] if failures else None
            if case is None:
                continue
            unpaid = debts[index] - case.paid
            joins = case.epoch < self._epoch
            is_anew = (joins and index in self._gains) or bool(
                unpaid.difference(own.get(index, ()))
            )
            commands[index] = self._renewals(case, records, is_anew=is_anew)
            paid = self._paid_of(debts[index], case.paid) if unpaid else ()
            notes[index] = self._notes(paid, joins=joins)
            self._known.identities[index] = case.identity
        yield from self._carried_out(commands, outcomes)
        # Only what was renewed is paid.
        notes = {index: note for index, note in notes.items() if outcomes[index] is None}
        yield from self._carried_out(notes, outcomes)
        return outcomes

    def leave(self, missed: Sequence[int], reached: Iterable[int]) -> Flow[dict[int, set[bytes]]]:
        """Leave a debt for nodes on others.

        Args:
            missed: the nodes that an invalidation did not reach.
            reached: those that it did.

        Returns:
            The ids that were left, by the index of the node that missed something.
        """
        left: dict[int, set[bytes]] = {index: set() for index in missed}
        wanted = {(on, index) for on in reached for index in missed}
        for _ in range(_ATTEMPTS):
            if not wanted:
                break
            by_node = {on: [i for o, i in sorted(wanted) if o == on] for on, _ in sorted(wanted)}
            answers = yield {
                on: [Gets(self._debts[index]) for index in indexes]
                for on, indexes in by_node.items()
            }
            aims: dict[int, list[Command]] = {}
            for on, indexes in by_node.items():
                helds = self._replies(on, answers, [])
                if helds is None:
                    wanted -= {(on, index) for index in indexes}
                    continue
                pairs = zip(indexes, helds, strict=True)
                aims[on] = [self._addition(index, held, left) for index, held in pairs]
            answers = yield aims
            for on in aims:
                replies = self._replies(on, answers, [])
                done = replies or [True] * len(by_node[on])
                wanted -= {(on, i) for i, ok in zip(by_node[on], done, strict=True) if ok}
        # Others were always faster. One that nobody can have paid stands for all of theirs, too.
        yield {
            on: [self._sole(index) for other, index in sorted(wanted) if other == on]
            for on, _ in sorted(wanted)
        }
        return left

    def _sole(self, index: int) -> Set:
        """The command that leaves a debt in the place of all others."""
        item = self._debts[index], pack_ids((self._fresh(),)), FRAME_FLAGS
        return Set((item,), RECORD_TTL, once=True)

    def _addition(self, index: int, held: Held | None, left: Mapping[int, set[bytes]]) -> Command:
        """The command that adds a debt to what lies there."""
        # Each attempt has an id of its own: one that arrives late is nobody's.
        debt = self._fresh()
        left[index].add(debt)
        ids = sorted(ids_of(None if held is None else held.data))
        kept = (*ids, debt) if len(ids) < MOST_DEBTS else (self._fresh(),)
        item = self._debts[index], pack_ids(kept), FRAME_FLAGS
        condition = ABSENT if held is None else Condition(present=None, token=held.token)
        return SetIf(item, RECORD_TTL, condition)

    def _questions(
        self, owed: Mapping[int, Collection[bytes]], others: Iterable[int]
    ) -> dict[int, list[Command]]:
        asked: dict[int, list[Command]] = {
            index: [Identify(), Gets(self._generation), Get((self._paid, self._epoch_key))]
            for index in owed
        }
        for on in others:
            keys = tuple(self._debts[index] for index in owed if index != on)
            if keys:
                asked.setdefault(on, []).append(Get(keys))
        return asked

    def _debts_in(self, index: int, answers: Mapping[int, Any]) -> frozenset[bytes]:
        """The debts of a node, by what all others said."""
        key = self._debts[index]
        found: set[bytes] = set()
        for replies in answers.values():
            last = [] if isinstance(replies, NodeError) else replies[-1]
            hits = last if isinstance(last, list) else []
            found.update(*(ids_of(data) for wire, _, data in hits if wire == key))
        return frozenset(found)

    def _case(
        self, index: int, answers: Mapping[int, Any], failures: list[NodeError]
    ) -> _Case | None:
        """What was found on a node; None after a failure, which is noted."""
        replies: list[Reply] | NodeError = answers[index]
        if isinstance(replies, NodeError):
            failures.append(replies)
            return None
        identity, generation, hits = replies[:3]
        if self._trusts_restart or (isinstance(identity, Refused) and _NO_RIGHT in identity.text):
            # Who may not ask which server it is trusts it.
            identity = None
        for reply in (identity, generation, hits):
            if isinstance(reply, Refused):
                failures.append(NodeRefused(self._nodes[index], reply.text))
                return None
        found = {wire: data for wire, _, data in hits}
        paid, epoch = found.get(self._paid), found.get(self._epoch_key)
        return _Case(identity, generation, ids_of(paid), epoch_of(epoch))

    @staticmethod
    def _paid_of(debts: Collection[bytes], before: Collection[bytes]) -> list[bytes]:
        """What was paid now, and what others, who may know of other debts, have paid before."""
        others = sorted(set(before).difference(debts))
        return [*sorted(debts), *others[: max(0, _MOST_PAID - len(debts))]]

    def _notes(self, paid_ids: Collection[bytes], *, joins: bool) -> list[Set]:
        """What a node is to keep when all is done."""
        paid = self._paid, pack_ids(paid_ids), FRAME_FLAGS
        epoch = self._epoch_key, pack_epoch(self._epoch), FRAME_FLAGS
        notes = [Set((paid,), RECORD_TTL, once=True)] if paid_ids else []
        return [*notes, Set((epoch,), None, once=True)] if joins else notes

    def _renewals(self, case: _Case, records: Collection[bytes], *, is_anew: bool) -> list[SetIf]:
        """What tells a node that it missed something."""
        renewed = [record for record in records if record != self._generation]
        commands = [
            SetIf((record, pack_record(self._fresh()), FRAME_FLAGS), RECORD_TTL, PRESENT)
            for record in renewed
        ]
        generation = pack_record(self._fresh(), case.identity or b""), FRAME_FLAGS
        item = self._generation, *generation
        if is_anew or len(renewed) < len(records):
            commands.append(SetIf(item, RECORD_TTL, PRESENT))
        elif case.generation is not None and _is_foreign(case):
            # Whoever else has seen that does the same.
            condition = Condition(present=None, token=case.generation.token)
            commands.append(SetIf(item, RECORD_TTL, condition))
        return commands

    def _carried_out(
        self, commands: Mapping[int, Sequence[SetIf | Set]], outcomes: dict[int, NodeError | None]
    ) -> Flow[None]:
        """Do what there is to be done; a node that has no memory for a record loses it instead."""
        wanted = {index: listed for index, listed in commands.items() if listed}
        answers = yield wanted
        doomed: dict[int, list[Command]] = {}
        for index, listed in wanted.items():
            replies = answers[index]
            if isinstance(replies, NodeError):
                outcomes[index] = replies
                continue
            refused = [
                _key_of(command)
                for command, reply in zip(listed, replies, strict=True)
                if isinstance(reply, Refused) or (isinstance(command, Set) and reply)
            ]
            if refused:
                doomed[index] = [Delete(tuple(refused))]
        answers = yield doomed
        for index in doomed:
            failures: list[NodeError] = []
            if self._replies(index, answers, failures) is None:
                outcomes[index] = failures[0]


def _is_foreign(case: _Case) -> bool:
    """Whether level 0 was made on another server, or cannot be read."""
    data = case.generation.data if case.generation is not None else None
    return case.identity is not None and tokens_of((data,), case.identity) != (token_of(data),)


def _key_of(command: SetIf | Set) -> bytes:
    item = command.item if isinstance(command, SetIf) else command.items[0]
    return item[0]
