"""kcache_flask has none of Flask-Caching's defects, on any kind of node."""

from __future__ import annotations

import pytest

from tests.flask.defects import DEFECTS
from tests.flask.scenario import Extension, Scenario
from tests.servers import Memcached, Redis

_ON_NODES = [scenario for scenario in DEFECTS if scenario.depends_on_nodes]


def _name(scenario: Scenario) -> str:
    return scenario.name


def _check(scenario: Scenario, *nodes: str) -> None:
    # What is slow here is the machine.
    config = {"KCACHE_NODES": list(nodes), "KCACHE_TIMEOUT": 10} if nodes else {}
    verdict = scenario.tried(Extension("kcache_flask", config))
    assert verdict.is_right, f"{scenario.situation}: {scenario.must}, but {verdict.seen}"


@pytest.mark.parametrize("scenario", DEFECTS, ids=_name)
def test_in_memory(scenario: Scenario) -> None:
    _check(scenario)


@pytest.mark.parametrize("scenario", _ON_NODES, ids=_name)
def test_on_redis(scenario: Scenario, redises: tuple[Redis, ...]) -> None:
    _check(scenario, *(server.url for server in redises))


@pytest.mark.parametrize("scenario", _ON_NODES, ids=_name)
def test_on_memcached(scenario: Scenario, memcacheds: tuple[Memcached, ...]) -> None:
    _check(scenario, *(server.url for server in memcacheds))


def test_every_scenario_has_a_name_of_its_own() -> None:
    names = [scenario.name for scenario in DEFECTS]
    assert len(set(names)) == len(names)
