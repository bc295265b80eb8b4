"""What is wrong is found: each variant of the protocol that lacks something has a way to fail.

To see the ways: `pytest tests/versions/test_corners.py -s`.
"""

from __future__ import annotations

import pytest

from kcache.namespaced import Namespaced
from tests.versions.broken import BROKEN, Broken
from tests.versions.explore import explore

CASES = [(broken, kind) for broken in BROKEN for kind in broken.kinds]
each_case = pytest.mark.parametrize(
    ("broken", "kind"), CASES, ids=[f"{broken.fault}-{kind}" for broken, kind in CASES]
)


@each_case
def test_a_broken_variant_has_a_counter_example(broken: Broken, kind: str) -> None:
    finding = explore(broken.scenario(kind, broken.make))
    print(f"\n{broken.fault}, {kind}: after {finding.states} states")  # noqa: T201
    print("\n".join(f"    {line}" for line in finding.trace))  # noqa: T201
    assert finding.trace


@each_case
def test_where_it_fails_the_protocol_does_not(broken: Broken, kind: str) -> None:
    assert explore(broken.scenario(kind, Namespaced)).trace == ()
