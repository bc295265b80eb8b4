"""The command line, `kcache`. It needs the extra `cli`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line with the arguments of the process, and exit."""
    try:
        from kcache.cli.app import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"click", "rich"}:
            raise
        sys.stderr.write(
            f"kcache: the command line needs {error.name}: install the extra `cli` of the "
            "distribution kcache-client\n"
        )
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
