"""What the commands print: tables of at most 80 columns, bars, and JSON for scripts."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = [
    "bar",
    "complain",
    "json_option",
    "percent",
    "print_json",
    "print_table",
    "printable",
    "progress",
    "readable",
    "say",
]

_WIDTH = 80

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def _console(*, stderr: bool = False) -> Console:
    width = min(_WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _WIDTH
    return Console(width=width, stderr=stderr, highlight=False, soft_wrap=False)


def printable(text: str) -> str:
    """Text without what a terminal would act on: such characters become backslash escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def readable(key: str | bytes) -> str:
    """A key as text; bytes that are not UTF-8 as backslash escapes."""
    return key if isinstance(key, str) else key.decode(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print text, escaped where a terminal would act on it."""
    click.echo(printable(text))


def complain(message: str) -> None:
    """Say in one line on stderr what is wrong."""
    # A message may quote an argument, and an argument may be a URL with a password. One @ belongs
    # to the hint on how to write it.
    masked = re.sub(r"(?s)://.*@(?!', %2F)", "://***@", message)
    click.echo(printable(f"kcache: {' '.join(masked.split())}"), err=True)


def print_json(content: object) -> None:
    """Print JSON, in ASCII: what is not becomes JSON's escapes."""
    click.echo(json.dumps(content, indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table. The first `left` columns are text, the others numbers or bars."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, head in enumerate(heads):
        is_text = i < left or not head
        table.add_column(
            Text(printable(head)),
            justify="left" if is_text else "right",
            overflow="fold",
            # Long names give way, numbers and bars do not.
            no_wrap=i >= left,
        )
    for row in rows:
        table.add_row(*(Text(printable(cell).replace("\n", "\\n")) for cell in row))
    _console().print(table)


def percent(share: Fraction | float) -> str:
    """A share as a percentage with two digits."""
    return f"{float(share) * 100:.2f} %"


def bar(share: Fraction | float, largest: Fraction | float, width: int = 24) -> str:
    """A bar whose length is `share` in proportion to `largest`, in eighths of a column."""
    eighths = round(float(share) / float(largest) * width * 8) if largest else 0
    whole, rest = divmod(eighths, 8)
    if "utf" not in (sys.stdout.encoding or "").lower():
        return "#" * whole
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
        disable=sys.stderr is None or not sys.stderr.isatty(),
    )
