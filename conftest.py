"""The examples of README.md and docs/ run as tests: Python ones, and `console` ones."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parent
_PROMPT = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def _run_console(example: Example) -> str | None:
    """Run the commands of a console block; give the difference from the output it shows."""
    # The command line that is tested is the one beside this interpreter.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("KCACHE_NODES", None)
    for command, shown in _PROMPT.findall(example.parsed):
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


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("console", _run_console)],
    patterns=["README.md", "docs/*.md"],
    path=str(ROOT),
).pytest()
