"""What the commands print, and how they fail: in one line, with 2 for misuse and 1 for failure."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from flask.cli import AppGroup

from kcache import CacheError, ConfigurationError, InvalidKey

__all__ = [
    "Commands",
    "Failure",
    "bar",
    "complain",
    "json_option",
    "print_json",
    "print_table",
    "say",
]

_FAILURE, _MISUSE = 1, 2
_BAR = 24

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


class Failure(click.ClickException):
    """What ends a command, in one line.

    Args:
        message: says what, where and what to do.
        status: of the process.
    """

    def __init__(self, message: str, status: int = _FAILURE) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = status

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - as in click
        """Print it on stderr."""
        complain(self.message)


class Commands(AppGroup):
    """A group of commands whose errors are one line each."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As in click."""
        with _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As in click."""
        with _in_one_line(), _unlogged():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (Failure, click.exceptions.NoArgsIsHelpError):
        raise
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = "" if context is None else f" (see {context.command_path} --help)"
        raise Failure(f"{error.format_message().rstrip('.')}{hint}", _MISUSE) from None
    except (ConfigurationError, InvalidKey) as error:
        raise Failure(f"{error}", _MISUSE) from None
    except CacheError as error:
        raise Failure(f"{error}") from None


@contextmanager
def _unlogged() -> Iterator[None]:
    """What the log would say of a node, the command says."""
    logger, unheard = logging.getLogger("kcache"), logging.NullHandler()
    logger.addHandler(unheard)
    try:
        yield
    finally:
        logger.removeHandler(unheard)


def say(text: str = "") -> None:
    """Print text, escaped where a terminal would act on it."""
    click.echo(_printable(text))


def complain(message: str) -> None:
    """Say in one line on stderr what is wrong."""
    # A message may quote an argument, and an argument may be a URL with a password.
    masked = re.sub(r"://\S*@", "://***@", message)
    click.echo(_printable(f"kcache: {' '.join(masked.split())}"), err=True)


def print_json(content: object) -> None:
    """Print JSON, in ASCII."""
    click.echo(json.dumps(content, indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table. The first `left` columns, and those without a head, are text."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in (lines[0], ["-" * width for width in widths], *lines[1:]):
        cells = (
            cell.ljust(width) if place < left or not head else cell.rjust(width)
            for place, (head, width, cell) in enumerate(zip(heads, widths, line, strict=True))
        )
        say("  ".join(cells).rstrip())


def bar(share: float, largest: float) -> str:
    """A bar whose length is `share` in proportion to `largest`."""
    length = round(share / largest * _BAR) if largest else 0
    return ("█" if "utf" in (sys.stdout.encoding or "").lower() else "#") * length


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
