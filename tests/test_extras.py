"""The extras that are spoken of are those that there are, under the name that the project has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from kcache.node import DEFAULT_PORTS

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NAME: str = PROJECT["name"]
# What code names by a variable.
NAMED = {"node.kind": set(DEFAULT_PORTS), "chosen.extra": {"lz4", "zstd"}}
_EXTRA = re.compile(r"extras? `([^`]+)`|`([^`]+)` extra|extras `[^`]+` and `([^`]+)`")
_INSTALL = re.compile(r"(\S*)\[([^\]]+)\]'")


def texts(*patterns: str) -> dict[str, str]:
    """Files by name; strings and sentences of several lines are put together."""
    paths = [path for pattern in patterns for path in ROOT.glob(pattern)]
    joined = re.compile(r'"\s*\n\s*f?"|\s*\n\s*')
    return {str(path): joined.sub(" ", path.read_text("utf-8")) for path in paths}


def named(word: str) -> set[str]:
    return NAMED[word[1:-1]] if word.startswith("{") else set(word.split(","))


def test_every_extra_that_a_hint_names_is_there() -> None:
    found: set[str] = set()
    for text in texts("kcache*/**/*.py", "README.md", "docs/*.md").values():
        for words in _EXTRA.findall(text):
            found.update(*map(named, filter(None, words)))
    assert (
        {"cli", "plot", "redis", "memcached", "lz4", "zstd", "crypto", "flask"}
        <= found
        <= EXTRAS.keys()
    )


def test_every_hint_to_install_names_this_distribution() -> None:
    found: set[str] = set()
    for file, text in texts("kcache*/**/*.py", "README.md", "docs/*.md").items():
        for hint in text.split("pip install ")[1:]:
            match = _INSTALL.match(hint)
            assert match, f"{file}: {hint[:60]}"
            assert match[1] in {f"'{NAME}", "'."}, f"{file}: {hint[:60]}"
            found |= named(match[2])
    assert {"redis", "memcached", "lz4", "zstd", "crypto"} <= found <= EXTRAS.keys()


def test_all_is_everything_that_a_user_may_want() -> None:
    (everything,) = EXTRAS["all"]
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == (
        EXTRAS.keys() - {"all", "bench", "dev", "examples"}
    )


def test_the_readme_has_a_row_for_every_extra() -> None:
    rows = re.search(r"\| extra \| for \|\n(?:\|.*\n)+", (ROOT / "README.md").read_text("utf-8"))
    assert rows is not None
    assert set(re.findall(r"`([a-z0-9]+)`", re.sub(r"\|[^|]*\|\n", "\n", rows[0]))) == EXTRAS.keys()


def test_the_demo_can_be_shown_on_nodes_of_every_kind() -> None:
    found = re.search(r'setup" (\S+)', (ROOT / ".ci/demo").read_text("utf-8"))
    assert found is not None
    extras = set(found[1].split(","))
    assert {"cli", *DEFAULT_PORTS} <= extras <= EXTRAS.keys()
