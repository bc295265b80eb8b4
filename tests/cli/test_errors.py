"""What the command line says of misuse, of what is missing, and where it cannot print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kcache.cli.app import run
from tests.cli.fleet import NODES, THREE


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["ring", "show"], 2, "no nodes: give --node URL"),
        (["ring", "show", "--node", "h:1"], 2, "'h:1' is not a node URL"),
        (["ring", "show", "--node", "redis://u:secret@h:x"], 2, "redis://***@h:x"),
        (["ring", "show", *NODES, "redis://u:secret@h"], 2, "unexpected extra argument"),
        (["ring", "show", *NODES, "--bogus"], 2, "No such option"),
        (["ring", "show", *NODES, "-d", "ketama"], 2, "unknown dialect 'ketama'"),
        (["ring", "show", *NODES, "--hash", "sha1"], 2, "no key hash 'sha1'"),
        (["ring", "show", *NODES, "--hash-tag", "{}"], 2, "no option 'hash_tag'"),
        (["ring", "show", *NODES, "--file", "f"], 2, "not with both"),
        (["ring", "show", "--file", "/none"], 2, "/none: No such file or directory"),
        (["ring", "show", *NODES, "--plot", "ring.gif"], 2, ".svg or .png"),
        (["ring", "show", *NODES, "--plot", "/none/ring.svg"], 1, "No such file or directory"),
        (["ring", "plan", *NODES], 2, "no change to plan"),
        (["ring", "plan", *NODES, "--remove", "x"], 2, "no node 'x' in the ring of 10.0.0.1"),
        (["ring", "plan", *NODES, "--weight", "x=1"], 2, "no node 'x'"),
        (["ring", "plan", *NODES, "--weight", "x"], 2, "--weight takes NAME=W"),
        (["ring", "plan", *NODES, "--weight", "10.0.0.1:11211=0"], 2, "takes weights 1 to"),
        (["ring", "plan", *NODES, "--add", THREE[0]], 2, "two nodes are named"),
        (["ring", "plan", *NODES, "--remove", "redis://u:secret@h"], 2, "no node 'redis://***@h'"),
        (["ring", "show", *NODES, "-d", "redis://u:secret@h"], 2, "unknown dialect"),
        (["ring", "plan", *NODES, "--weight", 'redis://u:"secret@a'], 2, "--weight takes"),
        (["ring", "plan", *NODES, "--weight", "redis://u:p secret@a=3"], 2, "no node"),
        (["ring", "show", "--node", 'redis://u:p"secret@h\u2100x'], 2, "look at its host"),
        (["ring", "plan", *NODES, "--weight", "x=" + "9" * 5000], 2, "--weight takes NAME=W"),
        (["ring", "plan", *NODES, *["--weight", "10.0.0.1:11211=2"] * 2], 2, "in one way only"),
        (["ring", "show", *NODES, "--pool", "a"], 2, "--pool chooses a pool of --file"),
        (["ring", "show", "--node", "memcached://\udcff"], 2, "text that has a UTF-8"),
        (["ring", "compare", *NODES, "--against-pool", "a"], 2, "--against-pool chooses"),
        (["ring", "simulate", *NODES, "--count", "99999999999"], 2, "Invalid value for '--count'"),
        (["locate", *NODES, "-d", "\x1b[31m", "k"], 2, "unknown dialect"),
        (["ring", "simulate", *NODES, "--keys", "/none"], 2, "/none: No such file"),
        (["ring", "simulate", *NODES, "--keys", os.devnull], 2, "no keys"),
        (["ring", "simulate", *NODES, "--count", "0"], 2, "Invalid value for '--count'"),
        (["ring", "compare", *NODES, "--with", "ketama"], 2, "unknown dialect 'ketama'"),
        (["locate", *NODES], 2, "no keys"),
        (["locate", *NODES, ""], 2, "a key cannot be empty"),
        (["locate", *NODES, "k", "--timeout", "nan"], 2, "'--timeout'"),
        (["ping"], 2, "no nodes: give --node URL"),
        (["ping", "--node", "redis://:secret@h:x"], 2, "redis://***@h:x"),
        (["ping", "--node", "redis://:se/cret@h"], 2, "redis://***@h': in a user name"),
        (["ping", "--node", "redis://:secret@h,redis://g"], 2, "give several nodes as a list"),
        (["ping", *NODES, "--timeout", "0"], 2, "'--timeout': 0 is not above 0"),
        (["ping", *NODES, "--timeout", "soon"], 2, "Invalid value for '--timeout'"),
        (["ping", *NODES, "redis://:secret@h"], 2, "unexpected extra argument"),
        (["demo", *NODES, "--timeout", "-1"], 2, "'--timeout': -1 is not above 0"),
        (["demo", "--node", "h:1"], 2, "'h:1' is not a node URL"),
        (["demo", *NODES, "--file", "f"], 2, "not with both"),
        (["bogus"], 2, "No such command 'bogus'"),
    ],
)
def test_errors_are_one_line(
    command: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("kcache: ")
    assert says in output.err
    assert "secret" not in output.err
    assert output.err.removesuffix("\n").isprintable()


def test_a_misread_weight_is_said_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "servers.list"
    path.write_text("10.0.0.1:11211 300")
    assert run(["ring", "show", "--file", str(path)]) == 0
    output = capsys.readouterr()
    assert output.err.startswith("kcache: warning: ")
    assert "reads the weight '300' as 30" in output.err


def test_help_is_there_without_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "ring" in capsys.readouterr().err
    assert run(["ring", "show", "--help"]) == 0
    assert "--dialect" in capsys.readouterr().out
    assert run(["--version"]) == 0


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_the_command_line_says_so(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['kcache', 'demo']; "
        "from kcache.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "install the extra `cli` of the distribution kcache-client" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_matplotlib_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(["ring", "show", *NODES, "--plot", str(tmp_path / "ring.svg")]) == 2
    assert "extra `plot`" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m kcache ring compare {' '.join(NODES)} --json | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_closed_output_is_no_obstacle() -> None:
    command = f"{sys.executable} -m kcache demo >&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)
    assert done.stderr == b""


def test_an_encoding_without_bars_is_no_obstacle() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kcache", "ring", "show", "--node", "memcached://h?name=caf%C3%A9"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"caf\\xe9" in done.stdout
    assert b"####" in done.stdout
