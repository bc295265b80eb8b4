"""The command line, as a person and as a script use it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import xml.dom.minidom
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kcache import Ring
from tests.cli.fleet import NODES, THREE, Printed

COMMANDS = [
    ["demo"],
    ["ring", "show", *NODES],
    ["ring", "plan", *NODES, "--remove", "10.0.0.2:11211"],
    ["ring", "simulate", *NODES, "--count", "2000"],
    ["ring", "compare", *NODES, "--count", "2000"],
    ["locate", *NODES, "user:42", "café"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_tables_fit_80_columns(command: list[str], printed: Printed) -> None:
    lines = printed(*command).splitlines()
    assert lines
    assert max(len(line) for line in lines if not line.startswith("spymemcached:")) <= 80


LONG = [f"memory://{letter * 70}" for letter in "abc"]


LONG_NODES = [part for url in LONG for part in ("--node", url)]


@pytest.mark.parametrize(
    "command",
    [
        ["ring", "show"],
        ["ring", "plan", "--remove", "a" * 70],
        ["ring", "simulate", "--count", "2000"],
        ["locate", "key" * 40],
    ],
)
def test_long_names_give_way_and_bars_do_not(command: list[str], printed: Printed) -> None:
    lines = printed(*command, *LONG_NODES).splitlines()
    assert max(len(line) for line in lines if "ring of" not in line) <= 80
    if command[0] == "ring":
        assert any(line.rstrip().endswith("█" * 24) for line in lines)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_json_everywhere(command: list[str], parsed: Callable[..., Any]) -> None:
    assert parsed(*command)


def test_show(parsed: Callable[..., Any], printed: Printed) -> None:
    ring = Ring(THREE)
    shown = parsed("ring", "show", *NODES)
    assert (shown["dialect"], shown["points"]) == ("libketama", 480)
    for row, (node, share) in zip(shown["nodes"], ring.share().items(), strict=True):
        assert (row["name"], row["points"], row["weight"]) == (node.name, 160, 1)
        assert Fraction(row["share_exact"]) == share
    text = printed("ring", "show", *NODES)
    for node, share in ring.share().items():
        (line,) = (line for line in text.splitlines() if line.startswith(node.name))
        assert f"{float(share) * 100:.2f} %" in line
        assert "█" in line


def test_plan_adds_removes_and_weighs(parsed: Callable[..., Any]) -> None:
    ring = Ring(THREE, "kcache")
    planned = parsed("ring", "plan", *NODES, "-d", "kcache", "--add", "memcached://10.0.0.4")
    assert (
        Fraction(planned["moved_exact"]) == ring.plan(ring.with_node("memcached://10.0.0.4")).moved
    )
    assert {move["to"] for move in planned["moves"]} == {"10.0.0.4:11211"}
    planned = parsed("ring", "plan", *NODES, "-d", "kcache", "--remove", "10.0.0.2:11211")
    assert Fraction(planned["moved_exact"]) == ring.plan(ring.without("10.0.0.2:11211")).moved
    planned = parsed("ring", "plan", *NODES, "-d", "kcache", "--weight", "10.0.0.2:11211=3")
    heavier = Ring([THREE[0], THREE[1] + "?weight=3", THREE[2]], "kcache")
    assert Fraction(planned["moved_exact"]) == ring.plan(heavier).moved
    assert {move["to"] for move in planned["moves"]} == {"10.0.0.2:11211"}
    shares = [Fraction(move["share_exact"]) for move in planned["moves"]]
    assert sum(shares) == Fraction(planned["moved_exact"])


def test_a_plan_of_nothing_moves_nothing(printed: Printed) -> None:
    assert "0.00 % of the keys move" in printed(
        "ring", "plan", *NODES, "--weight", "10.0.0.2:11211=1"
    )


def test_simulate_real_keys(parsed: Callable[..., Any], tmp_path: Path) -> None:
    keys = [f"photo:{i}" for i in range(3000)]
    path = tmp_path / "keys"
    path.write_text("\n".join(keys) + "\n\n")
    report = parsed("ring", "simulate", *NODES, "--keys", str(path))
    ring = Ring(THREE)
    grouped = ring.group(keys)
    counts = [len(grouped[node]) for node in ring.nodes]
    assert report["keys"] == 3000
    assert [node["keys"] for node in report["nodes"]] == counts
    assert report["max_over_mean"] == max(counts) / 1000
    assert report["lookups_per_second"] > 0
    come, go = report["changes"]
    assert come["moved"] == come["least"]
    assert go["moved"] == go["least"] == max(counts) / 3000


def test_simulate_counts_what_moves_needlessly(parsed: Callable[..., Any]) -> None:
    """libketama normalises weights in binary32: the 61st equal node takes points from all."""
    nodes = [part for i in range(60) for part in ("--node", f"memcached://10.0.0.{i}")]
    come, _ = parsed("ring", "simulate", *nodes, "--count", "20000")["changes"]
    assert come["moved"] > come["least"]


def test_compare_all_dialects(parsed: Callable[..., Any]) -> None:
    report = parsed("ring", "compare", *NODES, "--count", "2000")
    titles = [ring["title"] for ring in report["rings"]]
    assert len(titles) == 9
    keys = [f"{shape % i}" for i in range(2000) for shape in [KEY_SHAPES[i % 4]]]
    for ring in report["rings"]:
        assert ring["agreement"][ring["title"]] == 1
        one, other = Ring(THREE), Ring(THREE, ring["dialect"])
        same = sum(one.node_for(key).name == other.node_for(key).name for key in keys)
        assert ring["agreement"]["libketama"] == same / 2000


KEY_SHAPES = ("user:%d", "session:%d:data", "/albums/%d/photos", "%d")


def test_compare_says_which_dialect_cannot_have_these_nodes(printed: Printed) -> None:
    text = printed("ring", "compare", "--node", "memcached://named.lan", "--count", "10")
    assert "spymemcached: spymemcached hashes host name and address" in text


def test_compare_two_fleets(parsed: Callable[..., Any], printed: Printed, tmp_path: Path) -> None:
    servers = tmp_path / "servers.list"
    servers.write_text("10.0.0.1:11212 1\n10.0.0.2:11212 1\n10.0.0.3:11212 3\n")
    proxy = tmp_path / "nutcracker.yml"
    proxy.write_text(
        "a:\n  hash: md5\n  servers:\n"
        "  - 10.0.0.1:11212:1 one\n  - 10.0.0.2:11212:1\n  - 10.0.0.3:11212:3\n"
    )
    command = ["ring", "compare", "--file", str(servers), "--against", str(proxy)]
    found = parsed(*command)["disagreement"]
    left, right = Ring.from_file(servers), Ring.from_file(proxy)
    example = found["examples"][0]
    assert left.node_for(example["key"]).address == example["owners"][0]
    assert right.node_for(example["key"]).address == example["owners"][1]
    assert 0 < found["share"] < 1
    assert found["exact"] is None  # one of the nodes has another name
    assert "Clients of the two would disagree" in printed(*command)


def test_compare_counts_every_ring_once_more_than_it_is_named(
    parsed: Callable[..., Any], tmp_path: Path
) -> None:
    report = parsed("ring", "compare", *NODES, "--with", "libketama", "--with", "twemproxy:md5")
    titles = [ring["title"] for ring in report["rings"]]
    assert titles == ["libketama", "libketama (2)", "twemproxy:md5"]
    assert report["rings"][0]["agreement"]["libketama (2)"] == 1
    assert report["rings"][2]["options"]["hash"] == "md5"
    proxy = tmp_path / "nutcracker.yml"
    proxy.write_text("a:\n  hash: md5\n  servers: [h:1:1, h:2:1]\nb:\n  servers: [h:1:1, h:2:1]\n")
    file = ["ring", "compare", "--file", str(proxy), "--pool", "a", "--against", str(proxy)]
    report = parsed(*file, "--against-pool", "b")
    assert [ring["options"]["hash"] for ring in report["rings"]] == ["md5", "fnv1a_64"]


def test_files_of_any_name_can_be_compared(
    parsed: Callable[..., Any], printed: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, weight in (("key", 1), ("share", 2), ("[red]x", 3)):
        Path(name).write_text(f"10.0.0.1:11211 1\n10.0.0.2:11211 {weight}\n")
    found = parsed("ring", "compare", "--file", "key", "--against", "share")["disagreement"]
    for example in found["examples"]:
        owners = [Ring.from_file(name).node_for(example["key"]) for name in ("key", "share")]
        assert example["owners"] == [node.address for node in owners]
    assert sum(pair["share"] for pair in found["pairs"]) == pytest.approx(found["share"])
    assert all(
        set(pair["owners"]) == {"10.0.0.1:11211", "10.0.0.2:11211"} for pair in found["pairs"]
    )
    text = printed("ring", "compare", "--file", "key", "--against", "[red]x")
    assert text.count("[red]x") == 2


def test_agreement_is_rounded_down_and_no_further(
    parsed: Callable[..., Any], printed: Printed
) -> None:
    """Some share times 100 comes out below its own whole number in binary: 0.29 is one."""
    command = ["ring", "compare", *NODES, "--count", "100"]
    report = parsed(*command)
    shares = [
        ring["agreement"][other["title"]] for ring in report["rings"] for other in report["rings"]
    ]
    assert any(int(share * 100) != round(share * 100) for share in shares)
    rows = [line.split() for line in printed(*command).splitlines()]
    shown = [int(cell) for row in rows if len(row) == 12 for cell in row[2:11]]
    assert shown == [round(share * 100) for share in shares]


def test_options_of_the_first_ring_are_not_those_of_the_others(parsed: Callable[..., Any]) -> None:
    report = parsed("ring", "compare", *NODES, "-d", "twemproxy", "--hash", "fnv1a_32")
    hashes = {ring["title"]: ring["options"]["hash"] for ring in report["rings"]}
    assert (hashes["twemproxy"], hashes["libmemcached-weighted"]) == ("fnv1a_32", "md5")
    assert not report["refused"]


def test_changes_that_make_no_ring_are_left_out(parsed: Callable[..., Any]) -> None:
    nodes = ["--node", "memcached://10.0.0.1?weight=0", "--node", "memcached://10.0.0.2?weight=5"]
    command = [*nodes, "-d", "spymemcached", "--weighted"]
    assert [c["change"] for c in parsed("ring", "simulate", *command)["changes"]] == [
        "a node comes"
    ]
    memory = ["--node", "memory://h?weight=0&name=a", "--node", "memory://i?weight=5&name=b"]
    assert "removed" not in parsed("demo", *memory, "-d", "spymemcached", "--weighted")
    full = parsed("ring", "simulate", "--node", "memory://h?weight=26214", "-d", "nginx")
    assert full["changes"] == []
    taken = ["--node", "memory://a-new-node", "--node", "memory://node-0"]
    assert len(parsed("ring", "simulate", *taken, "--count", "100")["changes"]) == 2


def test_compare_is_exact_where_it_can_be(parsed: Callable[..., Any]) -> None:
    command = ["ring", "compare", *NODES, "--with", "libmemcached-weighted"]
    found = parsed(*command)["disagreement"]
    exact = Ring(THREE).plan(Ring(THREE, "libmemcached-weighted")).moved
    assert Fraction(found["exact"]) == exact
    assert found["share"] == pytest.approx(float(exact), abs=0.02)


def on_a_terminal(columns: int, *arguments: str) -> str:
    """What the command line writes to a terminal of so many columns, without its escapes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "kcache", *arguments],
        env={**os.environ, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    # Linux says EIO when the last writer has closed its end.
    with suppress(OSError):
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


@pytest.mark.parametrize(("columns", "widest"), [(60, 60), (200, 80), (0, 80)])
def test_on_a_terminal_long_work_shows_progress_and_tables_fit(columns: int, widest: int) -> None:
    text = on_a_terminal(columns, "ring", "simulate", *NODES, "--count", "200000")
    assert "placing keys" in text
    assert "/200000" in text
    lines = [line for line in re.split(r"[\r\n]+", text) if line.startswith("10.0.0.")]
    rows = [line for line in lines if "█" in line or "goes  " in line]
    assert len(rows) == 4
    assert max(len(row) for row in rows) <= widest


def test_the_demo_shows_progress_on_a_terminal() -> None:
    text = on_a_terminal(80, "demo")
    for what in ("set_many of 20,000 entries", "get_many of 20,000 entries", "asking a ring"):
        assert what in text


def test_nodes_from_the_environment(
    parsed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [node.name for node in Ring(THREE).nodes]
    for text in (f"{THREE[0]}, {THREE[1]}\n{THREE[2]}", ",".join(THREE), f" {' '.join(THREE)},"):
        monkeypatch.setenv("KCACHE_NODES", text)
        assert [node["name"] for node in parsed("ring", "show")["nodes"]] == names
    monkeypatch.setenv("KCACHE_NODES", "redis://:with,comma@h1 redis://h2")
    assert [node["name"] for node in parsed("ring", "show")["nodes"]] == ["h1:6379", "h2:6379"]
    monkeypatch.setenv("KCACHE_NODES", " , ")
    assert len(parsed("demo")["ring"]["nodes"]) == 4


def test_nodes_from_a_file_in_another_dialect(parsed: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nutcracker.yml"
    path.write_text("a:\n  hash: crc32a\n  servers: [10.0.0.1:1:1, 10.0.0.2:1:2]\n")
    own = parsed("ring", "show", "--file", str(path))
    assert (own["dialect"], own["options"]["hash"]) == ("twemproxy", "crc32a")
    other = parsed("ring", "show", "--file", str(path), "-d", "libketama")
    assert (other["dialect"], other["options"]) == ("libketama", {"hash": "md5"})
    again = parsed("ring", "show", "--file", str(path), "--hash", "md5")
    assert again["options"]["hash"] == "md5"


def test_options_of_dialects(parsed: Callable[..., Any]) -> None:
    shown = parsed(
        "ring", "show", *NODES, "-d", "spymemcached", "--format", "LIBMEMCACHED", "--weighted"
    )
    assert shown["options"] == {"hash": "md5", "format": "LIBMEMCACHED", "weighted": True}
    assert shown["nodes"][0]["label"] == "10.0.0.1"
    shown = parsed("ring", "show", *NODES, "-d", "twemproxy", "--hash-tag", "{}")
    assert shown["options"]["hash_tag"] == "{}"


def test_a_picture_of_odd_names_is_sound(printed: Printed, tmp_path: Path) -> None:
    path = tmp_path / "ring.svg"
    nodes = [part for i in range(40) for part in ("--node", f"memory://n{i}?name=$%5Cfrac<{i}>$")]
    printed("ring", "show", *nodes, "--plot", str(path))
    root = xml.dom.minidom.parse(str(path)).documentElement  # noqa: S318 - our own file
    assert root is not None
    assert root.tagName == "svg"


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_pictures(suffix: str, printed: Printed, tmp_path: Path) -> None:
    ring, plan = tmp_path / f"ring.{suffix}", tmp_path / f"plan.{suffix}"
    printed("ring", "show", *NODES, "--plot", str(ring))
    printed("ring", "plan", *NODES, "--remove", "10.0.0.3:11211", "--plot", str(plan))
    for path in (ring, plan):
        start = path.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if suffix == "png" else b"<?xml" in start
    if suffix == "svg":
        assert ring.read_text() != plan.read_text()
        assert ring.read_text().count("<path") > 300


def test_keys_on_standard_input_of_simulate(
    parsed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc\n")))
    assert parsed("ring", "simulate", *NODES, "--keys", "-")["keys"] == 3
