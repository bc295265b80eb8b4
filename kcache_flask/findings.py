"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["ERROR", "LEVELS", "NOTE", "WARNING", "Finding", "Level", "listed"]

Level: TypeAlias = Literal["error", "warning", "note"]
ERROR: Final = "error"
"""Somebody is given what is not meant for them, or the decorator does nothing."""
WARNING: Final = "warning"
"""It may be so; or nothing is ever kept."""
NOTE: Final = "note"
"""It is so, and may be meant."""
LEVELS: Final = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes:
        level: how bad it is.
        rule: a name for what was found, by which it can be silenced.
        wrong: what it is, and what comes of it.
        advice: what to do.
        function: where it is: module and name; empty for the app itself.
        endpoint: that the function answers; empty for none.
        place: file and line.
    """

    level: Level
    rule: str
    wrong: str
    advice: str
    function: str = ""
    endpoint: str = ""
    place: str = ""


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, in order."""
    return ", ".join(sorted(names))
