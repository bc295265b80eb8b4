"""The ring's contenders under pytest-benchmark: `pytest benchmarks/ --benchmark-enable`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.harness import Work
from benchmarks.ring_contenders import CONTENDERS, FROM_URLS, RingContender
from benchmarks.ring_work import build, cold, fresh_keys, group, seen

_NODES = 32
_KEYS = 1000
# More than a ring remembers, so that it sorts them as it would a million.
_MANY = 5000
_ROUNDS = 25

each_contender = pytest.mark.parametrize("contender", CONTENDERS, ids=lambda way: way.name)
each_builder = pytest.mark.parametrize(
    "contender", [*CONTENDERS, FROM_URLS], ids=lambda way: way.name
)


def _measure(benchmark: BenchmarkFixture, prepare: Callable[[], Work]) -> None:
    benchmark.pedantic(  # type: ignore[no-untyped-call]  # it has no annotations
        lambda work: work(),
        setup=lambda: ((prepare(),), {}),
        rounds=_ROUNDS,
    )


@each_contender
@pytest.mark.benchmark(group=f"{_KEYS} keys never seen, {_NODES} nodes")
def test_cold(benchmark: BenchmarkFixture, contender: RingContender) -> None:
    find = contender.of(_NODES).find
    _measure(benchmark, lambda: cold(find, _KEYS))


@each_contender
@pytest.mark.benchmark(group=f"{_KEYS} keys seen before, {_NODES} nodes")
def test_seen(benchmark: BenchmarkFixture, contender: RingContender) -> None:
    find, keys = contender.of(_NODES).find, fresh_keys(_KEYS)
    _measure(benchmark, lambda: seen(find, keys, 1, same=False))


@each_contender
@pytest.mark.benchmark(group=f"{_MANY} keys onto {_NODES} nodes")
def test_group(benchmark: BenchmarkFixture, contender: RingContender) -> None:
    built = contender.of(_NODES)
    _measure(benchmark, lambda: group(built, _MANY))


@each_builder
@pytest.mark.benchmark(group=f"build of {_NODES} nodes")
def test_build(benchmark: BenchmarkFixture, contender: RingContender) -> None:
    _measure(benchmark, lambda: build(contender, _NODES))
