"""Draws a landscape. Stands for what takes a while in a real application."""

from __future__ import annotations

from math import sin

__all__ = ["hills"]

_WIDTH, _HEIGHT, _STEP = 400, 300, 10


def hills(seed: int) -> list[str]:
    """The outlines of four ranges of hills, far ones first, as points of SVG polygons."""
    return [_range(seed * 2.4 + depth * 1.7, 130 + 40 * depth) for depth in range(4)]


def _range(phase: float, base: float) -> str:
    tops = [
        (x, base + 22 * sin(x / 61 + phase) + 9 * sin(x / 23 + 3 * phase))
        for x in range(0, _WIDTH + _STEP, _STEP)
    ]
    corners = [(_WIDTH, _HEIGHT), (0, _HEIGHT)]
    return " ".join(f"{x},{y:.1f}" for x, y in (*tops, *corners))
