"""Several processes of several threads, forked before or after the cache was used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.flask.gunicorn_site import PLACES, Answer, Gunicorn, gunicorn, until
from tests.servers import Memcached, Redis

CLIENTS = 64


@pytest.fixture(params=["redis", "memcached"])
def node(
    request: pytest.FixtureRequest, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> str:
    return (redises if request.param == "redis" else memcacheds)[0].url


@pytest.fixture(params=[True, False], ids=["preloaded", "loaded by each worker"])
def served(request: pytest.FixtureRequest, node: str, tmp_path: Path) -> Iterator[Gunicorn]:
    with gunicorn(node, tmp_path, preload=request.param) as site:
        # The cache was used before the fork, or after.
        ready = site.get("/ready").json
        assert (ready["maker"] == ready["master"]) is request.param
        yield site


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def asked(
    pool: ThreadPoolExecutor, ask: Callable[[str], Answer], paths: list[str]
) -> list[Future[Answer]]:
    return [pool.submit(ask, path) for path in paths]


def given(asking: list[Future[Answer]]) -> list[Answer]:
    answers = [each.result() for each in asking]
    assert {answer.status for answer in answers} == {200}
    return answers


def test_of_all_clients_of_a_cold_page_one_has_it_computed(
    served: Gunicorn, clients: ThreadPoolExecutor
) -> None:
    asking = asked(clients, served.get, ["/page"] * CLIENTS)
    until(lambda: len(served.noted("asked")) == PLACES)
    # Every thread of both workers is in the view, or waits for the one that is.
    assert len(served.noted("page")) == 1
    served.go()
    answers = given(asking)
    assert len(served.noted("page")) == 1
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.worker for answer in answers}) == 2
    assert sum("; stored" in answer.cache_status for answer in answers) == 1


def test_workers_do_not_get_each_others_replies(
    served: Gunicorn, clients: ThreadPoolExecutor
) -> None:
    numbers = [i % 100 for i in range(10 * CLIENTS)]
    answers = given(asked(clients, served.get, [f"/twice/{number}" for number in numbers]))
    assert [answer.json for answer in answers] == [
        {"number": number, "twice": 2 * number} for number in numbers
    ]


def test_workers_refresh_what_is_stale(served: Gunicorn) -> None:
    # Whoever began to do so before the fork has its thread in the master alone.
    seen: set[int] = set()

    def is_made_by_both() -> bool:
        answer = served.get("/news")
        seen.add(answer.json["made_by"])
        return len(seen - {served.process.pid}) > 1

    until(is_made_by_both)


def test_a_worker_is_killed_while_it_computes(
    served: Gunicorn, clients: ThreadPoolExecutor
) -> None:
    answers = given(asked(clients, served.get_until_answered, ["/abandoned"] * CLIENTS))
    assert len({answer.text for answer in answers}) == 1
    killed, *others = served.noted("abandoned")
    # When its time was over, one of the others computed.
    assert others == [int(answers[0].text.split()[0])]
    assert killed not in {answer.worker for answer in answers} | set(others)
