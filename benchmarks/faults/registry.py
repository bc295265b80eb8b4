"""All scenarios, in the order of their figures."""

from __future__ import annotations

from benchmarks.faults import (
    corrupted,
    counting,
    filling,
    forked,
    frozen_node,
    hostile_calls,
    hostile_keys,
    hostile_words,
    interrupted,
    lives,
    oversize,
    planted,
    streams,
)
from benchmarks.faults.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (
    *interrupted.SCENARIOS,
    *forked.SCENARIOS,
    *streams.SCENARIOS,
    *frozen_node.SCENARIOS,
    *hostile_keys.SCENARIOS,
    *hostile_words.SCENARIOS,
    *hostile_calls.SCENARIOS,
    *filling.SCENARIOS,
    *lives.SCENARIOS,
    *counting.SCENARIOS,
    *oversize.SCENARIOS,
    *corrupted.SCENARIOS,
    *planted.SCENARIOS,
)
