"""The examples of README.md and docs/ run as tests: Python ones, and `console` ones.

Those that name a server of this machine talk to one; see `tests/documents.py`.
"""

from __future__ import annotations

import difflib
import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.documents import Stage

ROOT = Path(__file__).parent
_PROMPT = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_stage = Stage()


class _PythonParser(PythonCodeBlockParser):
    """Python examples, on the servers that there are."""

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in super().__call__(document):
            evaluate = region.evaluator

            def played(example: Example, evaluate: Any = evaluate) -> Any:
                parsed = example.parsed
                if isinstance(parsed, doctest.Example):
                    parsed.source = _stage.played(parsed.source)
                    parsed.want = _stage.played(parsed.want)
                    parsed.exc_msg = parsed.exc_msg and _stage.played(parsed.exc_msg)
                return evaluate(example)

            region.evaluator = played
            yield region


def _run_console(example: Example) -> str | None:
    """Run the commands of a console block; give the difference from the output it shows."""
    # The command line that is tested is the one beside this interpreter.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("KCACHE_NODES", None)
    for command, shown in _PROMPT.findall(_stage.played(example.parsed)):
        done = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        expected, printed = _lines(shown), _lines(done.stdout)
        if not re.fullmatch("\n".join(map(_pattern, expected)), "\n".join(printed)):
            return f"$ {command}\n" + "\n".join(difflib.ndiff(expected, printed))
    return None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _pattern(line: str) -> str:
    """A line as a pattern: `...` stands for anything, and on a line of its own for lines."""
    return r"(?:.*\n)*?.*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*")


def _end(_namespace: dict[str, Any]) -> None:
    _stage.close()


pytest_collect_file = Sybil(
    parsers=[
        _PythonParser(doctest_optionflags=doctest.ELLIPSIS),
        CodeBlockParser("console", _run_console),
    ],
    patterns=["README.md", "docs/*.md"],
    path=str(ROOT),
    teardown=_end,
).pytest()
