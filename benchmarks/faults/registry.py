"""All scenarios, in the order of their figures."""

from __future__ import annotations

from benchmarks.faults import (
    corrupted,
    counting,
    crowds,
    cut_replies,
    disturbed,
    filling,
    forked,
    frozen_node,
    frozen_writes,
    hostile_calls,
    hostile_keys,
    hostile_words,
    hour,
    interrupted,
    killed_nodes,
    lives,
    oversize,
    planted,
    random_calls,
    round_trips,
    stopped_node,
    streams,
)
from benchmarks.faults.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (
    *interrupted.SCENARIOS,
    *crowds.SCENARIOS,
    *forked.SCENARIOS,
    *streams.SCENARIOS,
    *killed_nodes.SCENARIOS,
    *stopped_node.SCENARIOS,
    *frozen_node.SCENARIOS,
    *cut_replies.SCENARIOS,
    *frozen_writes.SCENARIOS,
    *hostile_keys.SCENARIOS,
    *hostile_words.SCENARIOS,
    *hostile_calls.SCENARIOS,
    *filling.SCENARIOS,
    *disturbed.SCENARIOS,
    *random_calls.SCENARIOS,
    *round_trips.SCENARIOS,
    *lives.SCENARIOS,
    *counting.SCENARIOS,
    *oversize.SCENARIOS,
    *corrupted.SCENARIOS,
    *planted.SCENARIOS,
    *hour.SCENARIOS,
)
