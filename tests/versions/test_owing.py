"""What becomes of nodes that are to be told what they missed, and refuse, or do not answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from kcache.command import Command, Delete, Get, Gets, Identify, Refused, SetIf
from kcache.errors import NodeRefused
from kcache.flow import MISSING
from kcache.known import Known
from kcache.namespace import debts_key
from kcache.record import ids_of
from kcache.versions.owing import Owing
from tests.versions.client import NODES, token_of
from tests.versions.troubled import DOWN, FULL, Fault, Troubled
from tests.versions.world import KINDS


@pytest.fixture(params=KINDS)
def nodes(request: pytest.FixtureRequest) -> Troubled:
    """Nodes of which the first has the entry "a"."""
    nodes = Troubled(request.param)
    nodes.run(nodes.process().set("a", 1, None))
    return nodes


@pytest.fixture
def owing() -> Owing:
    numbers = count()
    return Owing(b"kc", NODES, known=Known(2), fresh=lambda: token_of(9, next(numbers)))


def answering(kind: type[Command], reply: Any) -> Fault:
    """Commands of one kind get this reply; and servers tell which they are."""

    def fault(command: Command, _commands: Sequence[Command]) -> Any:
        if isinstance(command, kind):
            return reply
        return b"" if isinstance(command, Identify) else None

    return fault


def make_ready(nodes: Troubled, owing: Owing, fault: Fault) -> Any:
    """Why the first node, which missed an invalidation, cannot be used; None if it can be."""
    record = nodes.fleet.paths[1].records[-1]
    (outcome,) = nodes.run(owing.make_ready({0: [record]}, [1], own={}), fault).values()
    return outcome


def test_a_node_is_told_what_it_missed(nodes: Troubled, owing: Owing) -> None:
    assert make_ready(nodes, owing, answering(Identify, b"")) is None
    assert nodes.value() is MISSING


def test_a_server_that_does_not_say_which_it_is_is_trusted(nodes: Troubled, owing: Owing) -> None:
    assert make_ready(nodes, owing, answering(Identify, Refused("NOPERM"))) is None
    assert nodes.value() is MISSING


def test_a_server_that_is_busy_is_asked_again(nodes: Troubled, owing: Owing) -> None:
    outcome = make_ready(nodes, owing, answering(Identify, Refused("BUSY")))
    assert isinstance(outcome, NodeRefused)
    assert nodes.value() == 1


@pytest.mark.parametrize("kind", [Identify, Gets, Get, SetIf])
def test_a_node_that_does_not_answer_is_not_used(
    nodes: Troubled, owing: Owing, kind: type[Command]
) -> None:
    assert make_ready(nodes, owing, answering(kind, DOWN)) is DOWN
    assert nodes.value() == 1


@pytest.mark.parametrize("kind", [Gets, Get])
def test_a_node_that_refuses_to_be_asked_is_not_used(
    nodes: Troubled, owing: Owing, kind: type[Command]
) -> None:
    outcome = make_ready(nodes, owing, answering(kind, FULL))
    assert isinstance(outcome, NodeRefused)
    assert outcome.node is NODES[0]
    assert nodes.value() == 1


def test_a_node_without_memory_for_a_record_loses_it(nodes: Troubled, owing: Owing) -> None:
    assert make_ready(nodes, owing, answering(SetIf, FULL)) is None
    assert nodes.value() is MISSING


@pytest.mark.parametrize(("reply", "kind"), [(FULL, NodeRefused), (DOWN, type(DOWN))])
def test_a_node_that_does_not_lose_it_is_not_used(
    nodes: Troubled, owing: Owing, reply: Any, kind: type[Exception]
) -> None:
    def fault(command: Command, commands: Sequence[Command]) -> Any:
        return reply if isinstance(command, Delete) else answering(SetIf, FULL)(command, commands)

    assert isinstance(make_ready(nodes, owing, fault), kind)
    assert nodes.value() == 1


def test_a_debt_is_left_where_it_can_be(nodes: Troubled, owing: Owing) -> None:
    key = debts_key(b"kc", NODES[0].name)
    for kind in (Gets, SetIf):
        left = nodes.run(owing.leave([0], [1]), answering(kind, DOWN))
        assert key not in nodes.fleet.contents[1]
        assert set(left) == {0}
    left = nodes.run(owing.leave([0], [1]))
    assert ids_of(nodes.fleet.contents[1][key].data) == left[0]
    assert len(left[0]) == 1
    # Another one is added to it.
    more = nodes.run(owing.leave([0], [1]))
    assert ids_of(nodes.fleet.contents[1][key].data) == left[0] | more[0]


def test_where_others_are_always_quicker_a_debt_that_nobody_has_paid_stands_for_all(
    nodes: Troubled, owing: Owing
) -> None:
    left = nodes.run(owing.leave([0], [1]), answering(SetIf, reply=False))
    assert len(left[0]) == 8
    (debt,) = ids_of(nodes.fleet.contents[1][debts_key(b"kc", NODES[0].name)].data)
    assert debt not in left[0]
