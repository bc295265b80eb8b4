"""What calls in a namespace do where a node refuses a command, or does not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import Random
from typing import Any

import pytest

from kcache.command import TOO_LARGE, Command, Delete, Get, Gets, Refused, Set, SetIf, Swap
from kcache.entry import Marker
from kcache.errors import NewerEpoch, NodeError, NodeRefused, NodeUnavailable
from kcache.flow import LARGE, MISSING, Flow
from kcache.namespace import epoch_key
from kcache.namespaced import Namespaced
from kcache.record import pack_epoch
from kcache.versions import Lease
from tests.versions.client import NODES
from tests.versions.troubled import DOWN, FULL, Fault, Troubled
from tests.versions.world import KINDS, Stored

BIG = Refused(f"SERVER_ERROR object {TOO_LARGE} for cache")
MARKER = Marker(b"mark" * 4, inf)
# No compression makes it small.
LARGE_VALUE = Random(1).randbytes(LARGE + 1)  # noqa: S311 - the same in every run


@pytest.fixture(params=KINDS)
def nodes(request: pytest.FixtureRequest) -> Troubled:
    return Troubled(request.param)


def on(kind: type[Command], reply: Any) -> Fault:
    """A fault that all commands of one kind have."""

    def fault(command: Command, _commands: Sequence[Command]) -> Any:
        if not isinstance(command, kind):
            return None
        if isinstance(command, Set) and isinstance(reply, Refused):
            return [(key, reply) for key, _, _ in command.items]
        return reply

    return fault


def never_stored(nodes: Troubled) -> Fault:
    """Somebody else is always quicker to change the entry "a"."""

    def fault(command: Command, _commands: Sequence[Command]) -> Any:
        return False if isinstance(command, SetIf) and command.item[0] == nodes.key else None

    return fault


def beside(kind: type[Command], other: type[Command], reply: Any) -> Fault:
    """A fault of the commands of one kind that are sent together with one of another kind."""

    def fault(command: Command, commands: Sequence[Command]) -> Any:
        is_that = isinstance(command, kind) and other in map(type, commands)
        return reply if is_that else None

    return fault


def test_an_invalidation_that_is_refused_deletes_the_record(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    assert nodes.run(child.invalidate(), on(SetIf, FULL)) == []
    assert nodes.value() is MISSING


def test_an_invalidation_tells_of_each_node_that_has_not_done_it(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))

    def refused(command: Command, _commands: Sequence[Command]) -> Any:
        return FULL if isinstance(command, (SetIf, Delete)) else None

    failures = nodes.run(child.invalidate(), refused)
    assert [(type(failure), failure.reason[:3]) for failure in failures] == [
        (NodeRefused, "OOM"),
        (NodeRefused, "OOM"),
    ]
    assert nodes.run(child.invalidate(), on(SetIf, DOWN)) == [DOWN, DOWN]
    assert nodes.value() == 1


CALLS: dict[str, Callable[[Namespaced], Flow[Any]]] = {
    "set": lambda flows: flows.set("a", 2, None),
    "set_many": lambda flows: flows.set_many({"a": 2}, None),
    "add": lambda flows: flows.add("a", 2, None),
    "count": lambda flows: flows.count("a", 1, 1, None),
    "lease": lambda flows: flows.lease("a", MARKER, now=0.0, lock_ttl=30.0),
    "takeover": lambda flows: flows.takeover("a", MARKER, lock_ttl=30.0),
}


def test_an_invalidation_tells_of_nodes_that_belong_to_a_newer_ring(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    ring = epoch_key(b"kc")
    for epoch, newer in ((0, []), (1, [NODES[1]])):
        nodes.fleet.contents[1] = {**nodes.fleet.contents[1], ring: Stored(pack_epoch(epoch), 1)}
        failures = nodes.run(child.invalidate())
        assert [type(failure) for failure in failures] == [NewerEpoch] * len(newer)
        assert [failure.node for failure in failures] == newer
    assert nodes.run(child.invalidate(), on(Get, FULL)) == []


def renewal(flows: Namespaced) -> Flow[Any]:
    return flows.renewal("a", MARKER, now=0.0, lock_ttl=30.0)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("reply", "says"), [(FULL, "OOM"), (DOWN, "down"), (True, "keeps no version record")]
)
def test_nothing_is_stored_where_no_record_can_be(
    nodes: Troubled, name: str, reply: Any, says: str
) -> None:
    with pytest.raises(NodeError, match=says):
        nodes.run(CALLS[name](nodes.process()), on(SetIf, reply))
    assert nodes.value() is MISSING
    assert all(stored.data is None for stored in nodes.fleet.contents[0].values())


def test_a_set_that_is_refused_leaves_nothing_there(nodes: Troubled) -> None:
    child = nodes.process()
    for reply in (FULL, BIG):
        assert nodes.run(child.set("a", 1, None)) is True
        if reply is BIG:
            assert nodes.run(child.set("a", 2, None), on(Set, reply)) is False
            assert nodes.run(child.set_many({"a": 2, "b": 3}, None), on(Set, reply)) == ["a", "b"]
        else:
            with pytest.raises(NodeRefused, match="OOM"):
                nodes.run(child.set("a", 2, None), on(Set, reply))
        assert nodes.value() is MISSING


@pytest.mark.parametrize(("value", "left"), [(2, 1), (LARGE_VALUE, MISSING)])
def test_a_set_without_an_answer_deletes_what_a_large_value_was_to_take_the_place_of(
    nodes: Troubled, value: Any, left: Any
) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    with pytest.raises(NodeUnavailable):
        nodes.run(child.set("a", value, None), on(Set, DOWN))
    assert nodes.value() == left


@pytest.mark.parametrize("kind", [Gets, SetIf])
@pytest.mark.parametrize("reply", [FULL, DOWN])
def test_a_set_after_an_invalidation_by_others_tells_why_it_was_not_done(
    nodes: Troubled, kind: type[Command], reply: Any
) -> None:
    child, other = nodes.process(), nodes.process()
    nodes.run(child.set("a", 1, None))
    for call in (child.set("a", 2, None), child.set_many({"a": 2}, None)):
        nodes.run(other.invalidate())
        with pytest.raises(NodeError):
            nodes.run(call, on(kind, reply))
        assert nodes.value() is MISSING


def test_a_set_after_an_invalidation_that_lost_its_record_tells_why_it_was_not_done(
    nodes: Troubled,
) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    record = nodes.fleet.paths[1].records[-1]
    contents = nodes.fleet.contents[0]
    nodes.fleet.contents[0] = {key: held for key, held in contents.items() if key != record}
    with pytest.raises(NodeRefused, match="OOM"):
        nodes.run(child.set("a", 2, None), on(SetIf, FULL))
    assert nodes.value() is MISSING


def test_a_value_that_is_set_again_later_tells_why_it_was_not_stored(nodes: Troubled) -> None:
    child = nodes.process()
    sight = nodes.run(child.lease("a", MARKER, now=0.0, lock_ttl=30.0))
    place = sight.lease.place
    held = nodes.fleet.contents[0][place.key].data or b""
    tokens = tuple(sight.lease.versions[at : at + 16] for at in range(0, 48, 16))
    item = place.key, held, 0

    def again() -> Flow[bool]:
        return child.set_again(0, place, 5, None, item=item, tokens=tokens)

    with pytest.raises(NodeUnavailable):
        nodes.run(again(), on(Gets, DOWN))
    with pytest.raises(NodeRefused, match="OOM"):
        nodes.run(again(), on(SetIf, FULL))
    assert nodes.value() is MISSING
    assert nodes.run(again()) is True
    assert nodes.value() == 5


def test_a_set_that_others_are_always_quicker_than_comes_to_an_end(nodes: Troubled) -> None:
    child, other = nodes.process(), nodes.process()
    nodes.run(child.set("a", 1, None))
    nodes.run(other.invalidate())
    nodes.run(child.set("a", 2, None), never_stored(nodes))
    assert nodes.value() is MISSING


@pytest.mark.parametrize("name", ["add", "count"])
def test_a_change_that_others_are_always_quicker_than_is_given_up(
    nodes: Troubled, name: str
) -> None:
    with pytest.raises(NodeRefused, match="was changed 1000 times"):
        nodes.run(CALLS[name](nodes.process()), never_stored(nodes))


def test_a_change_that_is_refused_leaves_nothing_there(nodes: Troubled) -> None:
    child = nodes.process()
    changes: list[tuple[Callable[[], Flow[Any]], type[Command]]] = [
        (lambda: child.replace("a", 2, None), SetIf),
        (lambda: child.count("a", 1, 1, None), Swap),
    ]
    for reply in (FULL, BIG):
        for start, kind in changes:
            nodes.run(child.set("a", 1, None))
            if reply is BIG:
                assert not nodes.run(start(), on(kind, reply))
            else:
                with pytest.raises(NodeRefused, match="OOM"):
                    nodes.run(start(), on(kind, reply))
            assert nodes.value() is MISSING


@pytest.mark.parametrize(("value", "left"), [(2, 1), (LARGE_VALUE, MISSING)])
def test_a_change_without_an_answer_deletes_what_a_large_value_was_to_take_the_place_of(
    nodes: Troubled, value: Any, left: Any
) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    with pytest.raises(NodeUnavailable):
        nodes.run(child.replace("a", value, None), on(SetIf, DOWN))
    assert nodes.value() == left


def test_a_change_whose_records_cannot_be_read_tells_why(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    with pytest.raises(NodeRefused, match="OOM"):
        nodes.run(child.replace("a", 2, None), beside(Get, SetIf, FULL))


@pytest.mark.parametrize(
    "start",
    [
        lambda flows: flows.get("a"),
        lambda flows: flows.gets("a"),
        lambda flows: flows.get_many(["a"]),
        lambda flows: flows.sight("a", now=0.0),
        lambda flows: flows.lease("a", MARKER, now=0.0, lock_ttl=30.0),
        lambda flows: flows.renewal("a", MARKER, now=0.0, lock_ttl=30.0),
        lambda flows: flows.takeover("a", MARKER, lock_ttl=30.0),
    ],
)
@pytest.mark.parametrize("reply", [FULL, DOWN])
def test_a_read_without_an_answer_tells_why(
    nodes: Troubled, start: Callable[[Namespaced], Flow[Any]], reply: Any
) -> None:
    nodes.run(nodes.process().set("a", 1, None))
    with pytest.raises(NodeError):
        nodes.run(start(nodes.process()), on(Get, reply))
    assert nodes.value() == 1


@pytest.mark.parametrize(
    "start", [lambda flows: flows.delete("a"), lambda flows: flows.delete_many(["a"])]
)
def test_a_delete_tells_why_it_cannot_say_what_was_alive(
    nodes: Troubled, start: Callable[[Namespaced], Flow[Any]]
) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    for kind, reply in ((Delete, FULL), (Get, DOWN)):
        with pytest.raises(NodeError):
            nodes.run(start(child), on(kind, reply))
        assert nodes.value() == 1
    with pytest.raises(NodeError):
        nodes.run(start(child), on(Get, FULL))
    assert nodes.value() is MISSING


def test_a_lease_beside_an_entry_that_others_always_get_is_given_up(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    sight = nodes.run(renewal(child), on(SetIf, reply=False))
    assert (sight.lease, sight.kept, sight.holder) == (None, None, None)
    assert nodes.value() == 1


def test_what_was_computed_and_is_refused_leaves_the_place_to_others(nodes: Troubled) -> None:
    child = nodes.process()
    for reply in (FULL, BIG):
        lease = nodes.run(child.lease("a", MARKER, now=0.0, lock_ttl=30.0)).lease
        fault = beside(SetIf, Get, reply)
        if reply is BIG:
            assert nodes.run(child.fill(lease, 5, None), fault) is False
        else:
            with pytest.raises(NodeRefused, match="OOM"):
                nodes.run(child.fill(lease, 5, None), fault)
        sight = nodes.run(child.sight("a", now=0.0))
        assert (sight.kept, sight.holder) == (None, None)


@pytest.mark.parametrize("reply", [FULL, DOWN])
def test_what_was_computed_is_not_said_to_be_alive_where_the_records_cannot_be_read(
    nodes: Troubled, reply: Any
) -> None:
    child = nodes.process()
    lease = nodes.run(child.lease("a", MARKER, now=0.0, lock_ttl=30.0)).lease
    with pytest.raises(NodeError):
        nodes.run(child.fill(lease, 5, None), beside(Get, SetIf, reply))


def test_a_lease_is_withdrawn_by_its_mark_alone(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.lease("a", MARKER, now=0.0, lock_ttl=30.0))
    nodes.run(child.withdraw("a", b"another mark...."))
    assert nodes.run(child.sight("a", now=0.0)).holder is not None
    with pytest.raises(NodeUnavailable):
        nodes.run(child.withdraw("a", MARKER.mark), on(Gets, DOWN))
    nodes.run(child.withdraw("a", MARKER.mark), on(Gets, FULL))
    nodes.run(child.withdraw("a", MARKER.mark), on(Get, FULL))
    assert nodes.run(child.sight("a", now=0.0)).holder is None


@pytest.fixture(params=[b"", b"garbage"])
def damaged(nodes: Troubled, request: pytest.FixtureRequest) -> Troubled:
    """Nodes on which the entry "a" is damaged."""
    nodes.run(nodes.process().set("a", 1, None))
    contents = nodes.fleet.contents[0]
    nodes.fleet.contents[0] = {**contents, nodes.key: Stored(request.param, 9)}
    return nodes


def test_a_damaged_entry_is_neither_seen_nor_renewed_nor_withdrawn(damaged: Troubled) -> None:
    child = damaged.process()
    before = damaged.fleet.contents[0][damaged.key]
    damaged.run(child.withdraw("a", MARKER.mark))
    for look in (
        child.sight("a", now=0.0),
        renewal(child),
    ):
        sight = damaged.run(look)
        assert (sight.lease, sight.kept, sight.holder) == (None, None, None)
    assert damaged.fleet.contents[0][damaged.key] == before


@pytest.mark.parametrize("name", ["lease", "takeover"])
def test_a_damaged_entry_is_in_nobody_s_way(damaged: Troubled, name: str) -> None:
    child = damaged.process()
    sight = damaged.run(CALLS[name](child))
    assert damaged.run(child.fill(sight.lease, 5, None)) is True
    assert damaged.value() == 5


def test_a_set_again_spares_what_is_damaged_meanwhile(nodes: Troubled) -> None:
    child, other = nodes.process(), nodes.process()
    nodes.run(child.set("a", 1, None))
    nodes.run(other.invalidate())

    def damage(command: Command, _commands: Sequence[Command]) -> Any:
        if isinstance(command, Gets):
            contents = nodes.fleet.contents[0]
            nodes.fleet.contents[0] = {**contents, nodes.key: Stored(b"garbage", 9)}

    assert nodes.run(child.set("a", 2, None), damage) is True
    assert nodes.fleet.contents[0][nodes.key].data == b"garbage"


def test_a_takeover_that_is_refused_leaves_nothing_to_be_kept(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    sight = nodes.run(child.takeover("a", MARKER, lock_ttl=30.0), on(Swap, FULL))
    assert sight.kept is None or sight.lease is None
    assert nodes.value() is MISSING


def test_a_takeover_without_an_answer_leaves_the_entry(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    with pytest.raises(NodeUnavailable):
        nodes.run(child.takeover("a", MARKER, lock_ttl=30.0), on(Swap, DOWN))
    assert nodes.value() == 1


@pytest.mark.parametrize("reply", [FULL, DOWN])
def test_a_lease_that_cannot_be_tried_for_tells_why(nodes: Troubled, reply: Any) -> None:
    child = nodes.process()
    nodes.run(child.set("b", 1, None))
    nodes.run(child.set("a1", 1, None))
    lease = child.lease("a", MARKER, now=0.0, lock_ttl=30.0)
    with pytest.raises(NodeError):
        nodes.run(lease, on(Gets, reply))


def test_a_lease_beside_an_entry_is_given_up(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    ends: list[Callable[[Lease], Flow[Any]]] = [
        child.release,
        lambda _lease: child.withdraw("a", MARKER.mark),
    ]
    for end in ends:
        sight = nodes.run(renewal(child))
        assert sight.kept.value == 1
        assert nodes.run(child.sight("a", now=0.0)).holder == MARKER.mark
        nodes.run(child.withdraw("a", b"another mark...."))
        assert nodes.run(child.sight("a", now=0.0)).holder == MARKER.mark
        nodes.run(end(sight.lease))
        assert nodes.run(child.sight("a", now=0.0)).holder is None
        assert nodes.value() == 1


def test_a_lease_that_is_dropped_takes_the_entry_with_it(nodes: Troubled) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    sight = nodes.run(renewal(child))
    nodes.run(child.set("a", 2, None))
    nodes.run(child.drop(sight.lease))
    assert nodes.value() == 2
    sight = nodes.run(renewal(child))
    nodes.run(child.drop(sight.lease))
    assert nodes.value() is MISSING
    assert nodes.run(child.sight("a", now=0.0)).holder is None


def test_what_no_node_takes_is_not_sent(nodes: Troubled, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("flow", "versions.changing", "versions.filling"):
        monkeypatch.setattr(f"kcache.{module}.MAX_VALUE", LARGE)
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    assert nodes.run(child.set("a", LARGE_VALUE, None), on(Set, DOWN)) is False
    assert nodes.value() is MISSING
    lease = nodes.run(child.lease("a", MARKER, now=0.0, lock_ttl=30.0)).lease
    assert nodes.run(child.fill(lease, LARGE_VALUE, None), beside(SetIf, Get, DOWN)) is False
    assert nodes.run(child.sight("a", now=0.0)).holder is None
    nodes.run(child.set("a", 1, None))
    assert nodes.run(child.replace("a", LARGE_VALUE, None), on(SetIf, DOWN)) is False
    assert nodes.value() is MISSING


@pytest.mark.parametrize("deletes", [False, True])
def test_a_set_takes_its_place_back_from_a_computation_over_it_and_from_no_other(
    nodes: Troubled,
    deletes: bool,  # noqa: FBT001 - a parameter
) -> None:
    child, other = nodes.process(), nodes.process()
    nodes.run(child.set("a", 1, None))
    nodes.run(other.invalidate())
    leases: list[Lease] = []

    def meanwhile(command: Command, _commands: Sequence[Command]) -> None:
        if isinstance(command, Gets) and not leases:
            if deletes:
                nodes.run(other.delete("a"))
            leases.append(nodes.run(CALLS["lease"](other)).lease)

    assert nodes.run(child.set("a", 2, None), meanwhile) is True
    assert nodes.value() == (MISSING if deletes else 2)
    assert nodes.run(other.fill(leases[0], 5, None)) is deletes
    assert nodes.value() == (5 if deletes else 2)


@pytest.mark.parametrize("name", ["lease", "renewal", "takeover"])
def test_the_first_failure_of_a_node_is_the_one_that_is_told(nodes: Troubled, name: str) -> None:
    child = nodes.process()
    nodes.run(child.set("a", 1, None))
    starts = {**CALLS, "renewal": renewal}

    def fault(command: Command, _commands: Sequence[Command]) -> Any:
        return Refused(type(command).__name__)

    with pytest.raises(NodeRefused) as raised:
        nodes.run(starts[name](child), fault)
    assert raised.value.reason == {"lease": "SetIf", "renewal": "Gets", "takeover": "Gets"}[name]
    assert raised.value.node == NODES[0]


def test_a_takeover_of_an_entry_gives_the_lease_and_ends_that_of_others(nodes: Troubled) -> None:
    child, other = nodes.process(), nodes.process()
    nodes.run(child.set("a", 1, None))
    before = nodes.run(renewal(other)).lease
    sight = nodes.run(CALLS["takeover"](child))
    assert (sight.kept.value, sight.lease.place.key) == (1, nodes.key)
    assert nodes.value() == 1
    assert nodes.run(other.fill(before, 4, None)) is False
    assert nodes.value() == 1
    assert nodes.run(child.fill(sight.lease, 5, None)) is True
    assert nodes.value() == 5
