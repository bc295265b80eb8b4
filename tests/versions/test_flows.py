"""What calls in a namespace cost, and what they do with what others left."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any

import pytest

from kcache.command import Get, Set, SetIf
from kcache.entry import Marker
from kcache.flow import MISSING, Flow
from kcache.known import Known
from kcache.namespaced import Namespaced
from tests.versions.fleet import Fleet
from tests.versions.world import KINDS, Stored


@pytest.fixture(params=KINDS)
def fleet(request: pytest.FixtureRequest) -> Fleet:
    return Fleet(request.param)


Start = Callable[[Namespaced], Flow[Any]]
READS: dict[str, tuple[Start, Any]] = {
    "get": (lambda flows: flows.get("a"), 1),
    "gets": (lambda flows: flows.gets("a"), None),
    "ttl": (lambda flows: flows.ttl("a"), inf),
    "touch": (lambda flows: flows.touch("a", 50), True),
    "delete": (lambda flows: flows.delete("a"), True),
    "get_many": (lambda flows: flows.get_many(["a", "a1", "a2"]), {"a": 1}),
    "delete_many": (lambda flows: flows.delete_many(["a", "a1"]), 1),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_is_one_round_trip_to_one_node_in_a_process_that_has_just_started(
    fleet: Fleet, name: str
) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    _, fresh = fleet.process()
    start, expected = READS[name]
    result = fleet.run(start(fresh))
    assert expected is None or result == expected
    assert [set(batch) for batch in fleet.batches] == [{0}]


@pytest.mark.parametrize("name", READS)
def test_a_read_of_nothing_is_one_round_trip_too(fleet: Fleet, name: str) -> None:
    _, child = fleet.process()
    fleet.run(READS[name][0](child))
    assert [set(batch) for batch in fleet.batches] == [{0}]


def test_many_keys_on_two_nodes_are_one_round_trip(fleet: Fleet) -> None:
    _, child = fleet.process()
    values = {f"{letter}{number}": number for letter in "ab" for number in range(50)}
    assert fleet.run(child.set_many(values, None)) == []
    assert fleet.run(child.get_many(values)) == values
    assert [set(batch) for batch in fleet.batches] == [{0, 1}]
    assert fleet.run(child.set_many(values, None)) == []
    assert [set(batch) for batch in fleet.batches] == [{0, 1}]


def test_a_set_with_known_tokens_is_one_round_trip(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    assert fleet.run(child.set("a1", 2, None)) is True
    assert [set(batch) for batch in fleet.batches] == [{0}]


def test_a_read_teaches_the_tokens(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    _, other = fleet.process()
    fleet.run(other.get("a"))
    assert fleet.run(other.set("a", 2, None)) is True
    assert len(fleet.batches) == 1


marks = count()


def leased(fleet: Fleet, flows: Namespaced) -> Any:
    marker = Marker(b"%d" % next(marks), inf)
    return fleet.run(flows.lease("a", marker, now=0.0, lock_ttl=30.0))


def test_the_first_use_of_a_node_costs_at_most_two_round_trips_more(fleet: Fleet) -> None:
    _, child = fleet.process()
    assert fleet.run(child.set("a", 1, None)) is True
    assert len(fleet.batches) == 3
    _, other = fleet.process()
    assert fleet.run(other.set("a", 2, None)) is True
    assert len(fleet.batches) == 2


def test_a_miss_installs_absent_records_in_one_round_trip_more(fleet: Fleet) -> None:
    _, child = fleet.process()
    sight = leased(fleet, child)
    assert len(fleet.batches) == 2
    assert fleet.run(child.fill(sight.lease, 5, None)) is True
    assert len(fleet.batches) == 1
    assert leased(fleet, child).kept.value == 5
    assert len(fleet.batches) == 1


@pytest.mark.parametrize("entries", [0, 1, 50])
def test_an_invalidation_is_one_round_trip_to_each_node_whatever_there_is(
    fleet: Fleet, entries: int
) -> None:
    parent, child = fleet.process()
    if entries:
        fleet.run(child.set_many({f"a{number}": number for number in range(entries)}, None))
    assert fleet.run(parent.invalidate()) == []
    (batch,) = fleet.batches
    assert [(node, [type(command) for command in batch[node]]) for node in sorted(batch)] == [
        (0, [SetIf, Get]),
        (1, [SetIf, Get]),
    ]
    assert fleet.run(child.get_many([f"a{number}" for number in range(entries)])) == {}


def test_an_invalidation_leaves_no_trace_where_nothing_is(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    fleet.run(child.invalidate())
    assert dict(fleet.contents[1]) == {}


def test_each_node_is_sent_a_token_of_its_own(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.invalidate())
    (batch,) = fleet.batches
    sent = [command for commands in batch.values() for command in commands]
    assert len({command.item[1] for command in sent if isinstance(command, SetIf)}) == 2


def test_entries_are_read_before_records(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.get("a"))
    (batch,) = fleet.batches
    path = fleet.paths[1]
    assert batch[0] == (Get((path.place("a").key, *path.records)),)


def test_an_invalidation_spares_other_namespaces(fleet: Fleet) -> None:
    parent, child = fleet.process()
    fleet.run(parent.set("a", 1, None))
    fleet.run(child.set("a", 2, None))
    fleet.run(child.invalidate())
    assert fleet.run(parent.get("a")) == 1
    assert fleet.run(child.get("a")) is MISSING


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("garbage", [b"", b"garbage", bytes(40)])
def test_a_corrupt_record_is_replaced(fleet: Fleet, level: int, garbage: bytes) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    record = fleet.paths[1].records[level]
    fleet.contents[0] = {**fleet.contents[0], record: Stored(garbage, 9)}
    assert fleet.run(child.get("a")) is MISSING
    _, other = fleet.process()
    assert fleet.run(other.set("a", 2, None)) is True
    assert len(fleet.batches) == 3
    assert fleet.run(child.get("a")) == 2


def test_a_corrupt_entry_is_a_miss_and_is_overwritten(fleet: Fleet) -> None:
    _, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    place = fleet.paths[1].place("a")
    fleet.contents[0] = {**fleet.contents[0], place.key: Stored(b"garbage", 9)}
    assert fleet.run(child.get("a")) is MISSING
    assert fleet.run(child.add("a", 3, None)) is True
    assert fleet.run(child.get("a")) == 3


def test_an_entry_moved_to_another_key_is_a_miss(fleet: Fleet) -> None:
    parent, child = fleet.process()
    fleet.run(child.set_many({"a": 1, "a1": 2}, None))
    fleet.run(parent.set("a", 3, None))
    a, other = fleet.paths[1].place("a").key, fleet.paths[1].place("a1").key
    above = fleet.paths[0].place("a").key
    contents = fleet.contents[0]
    fleet.contents[0] = {**contents, a: contents[other], above: contents[a]}
    assert fleet.run(child.get("a")) is MISSING
    assert fleet.run(parent.get("a")) is MISSING


def test_an_entry_with_fewer_tokens_is_a_miss(fleet: Fleet) -> None:
    _, child = fleet.process()
    lease = leased(fleet, child).lease
    versions = lease.versions
    for part in (b"", versions[:-16], versions[16:], versions[:-1], versions + versions[-16:]):
        fleet.run(child.fill(lease._replace(versions=part), 5, None))
        assert fleet.run(child.get("a")) is MISSING
        lease = leased(fleet, child).lease
    fleet.run(child.fill(lease, 5, None))
    assert fleet.run(child.get("a")) == 5


def test_a_computation_from_before_an_invalidation_is_not_seen_after_it(fleet: Fleet) -> None:
    parent, child = fleet.process()
    lease = leased(fleet, child).lease
    fleet.run(parent.invalidate())
    assert fleet.run(child.fill(lease, 5, None)) is False
    assert fleet.run(child.get("a")) is MISSING


def test_one_that_begins_while_an_invalidation_is_under_way_may_be_seen_after_it(
    fleet: Fleet,
) -> None:
    """It began after the call of `invalidate`, and so after what that was called for."""
    _, child = fleet.process()
    fleet.run(child.set_many({"a": 1, "b": 1}, None))
    invalidating = child.invalidate()
    batch = next(invalidating)
    first = fleet.answers({0: batch[0]})
    lease = leased(fleet, child).lease
    with pytest.raises(StopIteration) as end:
        invalidating.send(first | fleet.answers({1: batch[1]}))
    assert end.value.value == []
    assert fleet.run(child.fill(lease, 5, None)) is True
    assert fleet.run(child.get("a")) == 5
    assert fleet.run(child.get("b")) is MISSING


def test_known_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kcache.known.MAX_KNOWN", 2)
    known = Known(1)
    records = [b"v0", b"v1", b"v2"]
    known.note(0, records, [b"t0", b"t1", b"t2"])
    assert known.tokens(0, [b"v2"]) == (b"t2",)
    assert sum(len(known.tokens(0, [record])) for record in records) <= 2


def test_too_many_tokens_to_know_cost_round_trips_only(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kcache.known.MAX_KNOWN", 2)
    _, child = fleet.process()
    for value in range(3):
        assert fleet.run(child.set("a", value, None)) is True
        assert fleet.run(child.get("a")) == value


def test_no_record_is_sent_again(fleet: Fleet) -> None:
    """One that came a second time could bring back what was invalidated after the first."""
    parent, child = fleet.process()
    fleet.run(child.set("a", 1, None))
    for record in fleet.paths[1].records:
        for damaged in (None, b"no record"):
            contents = {key: held for key, held in fleet.contents[0].items() if key != record}
            if damaged is not None:
                contents[record] = Stored(damaged, 1)
            fleet.contents[0] = contents
            for flow in (child.set("a", 2, None), child.set("a", 3, None), parent.invalidate()):
                fleet.run(flow)
                for batch in fleet.batches:
                    for command in (each for commands in batch.values() for each in commands):
                        if isinstance(command, Set) and command.items[0][0] == record:
                            assert command.once
