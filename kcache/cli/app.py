"""The commands, and how they end: errors are one line, exit 2 for misuse and 1 for failure."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence

import click

import kcache
from kcache.cli.compare import compare
from kcache.cli.demo import demo
from kcache.cli.invalidate import invalidate
from kcache.cli.locate import locate
from kcache.cli.output import complain, printable
from kcache.cli.ping import ping
from kcache.cli.plan import plan
from kcache.cli.show import show
from kcache.cli.simulate import simulate
from kcache.errors import CacheError, ConfigurationError, InvalidKey, ServerListWarning

__all__ = ["run"]

_FAILURE = 1
_MISUSE = 2
_INTERRUPTED = 130
_UNHEARD = logging.NullHandler()


@click.group(name="kcache", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(kcache.__version__, prog_name="kcache")
def cli() -> None:
    """A cache over Redis and memcached nodes on a ketama-compatible ring.

    Nodes come from --node (repeatable), from --file, or from the environment variable
    KCACHE_NODES (URLs separated by blanks or commas).
    """


@cli.group()
def ring() -> None:
    """Look at a ring: shares, what a change moves, and how dialects differ."""


for command in (show, plan, simulate, compare):
    ring.add_command(command)
for command in (demo, invalidate, locate, ping):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit status: 0, 1 for a failure, 2 for misuse.
    """
    _make_printable()
    # What the log would say of a node, the command says.
    logging.getLogger("kcache").addHandler(_UNHEARD)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ServerListWarning)
        try:
            status = cli.main(list(arguments), prog_name="kcache", standalone_mode=False)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what is unknown is raised again
            status = _explain(error)
        for warning in caught:
            if issubclass(warning.category, ServerListWarning):
                click.echo(printable(f"kcache: warning: {warning.message}"), err=True)
    return status if isinstance(status, int) else 0


def _make_printable() -> None:
    """Let no text fail for want of a letter in the terminal's encoding, or of an output."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for good


def _explain(error: BaseException) -> int:
    """Say in one line what went wrong; give the exit status."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return _MISUSE
        case click.ClickException():
            return _complain(_with_help(error), _MISUSE)
        case ConfigurationError() | InvalidKey():
            return _complain(str(error), _MISUSE)
        case BrokenPipeError():
            # Whoever read the output has seen enough; nothing must be flushed into the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _FAILURE
        case CacheError() | OSError():
            return _complain(str(error), _FAILURE)
        case KeyboardInterrupt() | click.Abort():
            return _INTERRUPTED
    raise error


def _with_help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return error.format_message().rstrip(".") + hint


def _complain(message: str, status: int) -> int:
    complain(message)
    return status
