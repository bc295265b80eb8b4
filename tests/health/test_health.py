"""What a node is taken for, by table and by any order of what may happen; no clock, no thread."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import ConfigurationError, HealthPolicy
from kcache.health import Health, State

UP, SUSPECT, DOWN, PROBING = State.UP, State.SUSPECT, State.DOWN, State.PROBING
POLICY = HealthPolicy()
# What happens, and when in seconds; then the state it leads to.
WAYS = [
    ([], UP),
    ([("failed", 1)], DOWN),
    ([("late", 1)], SUSPECT),
    ([("late", 1), ("late", 2)], SUSPECT),
    ([("late", 1), ("late", 2), ("late", 3)], DOWN),
    ([("late", 1), ("late", 2), ("late", 11.5)], SUSPECT),
    ([("late", 1), ("late", 2), ("late", 10.9)], DOWN),
    ([("late", 1), ("failed", 2)], DOWN),
    ([("failed", 1), ("late", 2), ("late", 2), ("late", 2)], DOWN),
    ([("failed", 1), ("probing", 2)], PROBING),
    ([("failed", 1), ("probing", 2), ("late", 3)], PROBING),
    ([("failed", 1), ("probing", 2), ("silent", 3)], DOWN),
    ([("failed", 1), ("probing", 2), ("failed", 3)], DOWN),
]


def after(happened: list[tuple[str, float]], policy: HealthPolicy = POLICY) -> Health:
    health = Health()
    for what, now in happened:
        health = {
            "failed": lambda _, now: policy.failed(now),
            "late": policy.suspected,
            "probing": policy.probing,
            "silent": policy.silent,
        }[what](health, now)
    return health


@pytest.mark.parametrize(("happened", "state"), WAYS)
def test_what_a_node_is_taken_for(happened: list[tuple[str, float]], state: State) -> None:
    assert after(happened).state is state


@pytest.mark.parametrize(
    ("silences", "delay"), [(0, 0.05), (1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (500, 1.0)]
)
def test_the_delays_of_probes_grow_up_to_a_limit(silences: int, delay: float) -> None:
    probes: list[tuple[str, float]] = [("probing", 1), ("silent", 2)]
    health = after([("failed", 0), *(probes * silences)])
    assert POLICY.delay(health, spread=1.0) == pytest.approx(delay)
    assert POLICY.delay(health, spread=0.5) == pytest.approx(delay / 2)


@given(
    st.lists(
        st.tuples(st.sampled_from(["failed", "late", "probing", "silent"]), st.floats(0, 100))
    ),
    st.integers(1, 5),
)
def test_in_any_order_a_node_is_down_after_a_failure_until_it_answers(
    happened: list[tuple[str, float]], strikes: int
) -> None:
    policy = HealthPolicy(strikes=strikes)
    health = after(happened, policy)
    if "failed" in [what for what, _ in happened]:
        assert health.state in (DOWN, PROBING)
    assert 0 < policy.delay(health, spread=0.5) <= policy.longest_probe
    assert health.strikes < strikes


@pytest.mark.parametrize("number", [0, -1, 3601, "1", None, True, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name", ["first_probe", "longest_probe", "patience", "strikes", "strike_window"]
)
def test_what_is_no_policy_is_refused(name: str, number: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} of a HealthPolicy"):
        HealthPolicy(**{name: number})


def test_strikes_are_counted() -> None:
    with pytest.raises(ConfigurationError, match="strikes of a HealthPolicy"):
        HealthPolicy(strikes=0.5)  # type: ignore[arg-type]  # what is refused
