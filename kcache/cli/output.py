"""What the commands print: tables of at most 80 columns, bars, and JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = ["bar", "json_option", "percent", "print_json", "print_table", "progress", "say"]

_WIDTH = 80

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def _console(*, stderr: bool = False) -> Console:
    width = min(_WIDTH, os.get_terminal_size().columns) if sys.stdout.isatty() else _WIDTH
    return Console(width=width, stderr=stderr, highlight=False, soft_wrap=False)


def say(text: str = "") -> None:
    """Print a line of text as it is."""
    click.echo(text)


def print_json(content: object) -> None:
    """Print JSON. Fractions become numbers; exact ones are given beside them by the callers."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table. The first `left` columns are text, the others numbers or bars."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, head in enumerate(heads):
        is_text = i < left or not head
        table.add_column(head, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table)


def percent(share: Fraction | float) -> str:
    """A share as a percentage with two digits."""
    return f"{float(share) * 100:.2f} %"


def bar(share: Fraction | float, largest: Fraction | float, width: int = 24) -> str:
    """A bar whose length is `share` in proportion to `largest`, in eighths of a column."""
    eighths = round(float(share) / float(largest) * width * 8) if largest else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def progress(what: str) -> Progress:
    """A progress bar on stderr, for people only: none where stderr is not a terminal."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
