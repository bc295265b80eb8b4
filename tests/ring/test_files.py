"""Reading the configuration files of fleets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kcache import ConfigurationError, Node, Ring, ServerListWarning
from tests.ring import vectors

SERVER_LIST = """\
# servers of the album store
10.0.1.1:11211\t600
10.0.1.2:11211 \t 300

10.0.1.3:11212  200
"""

NUTCRACKER = """\
alpha:
  listen: 127.0.0.1:22121
  hash: fnv1a_64
  distribution: ketama
  auto_eject_hosts: true
  servers:
   - 127.0.0.1:11211:1
   - 127.0.0.1:11212:3 second
   - /run/mc.sock:2
   - /run/named.sock:2 named
   - ::1:11213:1
beta:
  listen: /tmp/beta.sock
  hash: md5
  hash_tag: "{}"
  redis: true
  servers: [127.0.0.1:6379:1]
"""


@pytest.fixture
def write(tmp_path: Path) -> vectors.Write:
    def write_file(text: str | bytes, name: str = "servers.list") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def test_a_libketama_server_list(write: vectors.Write) -> None:
    ring = Ring.from_file(write(SERVER_LIST))
    assert ring == Ring(
        [
            Node("memcached://10.0.1.1:11211?weight=600"),
            Node("memcached://10.0.1.2:11211?weight=300"),
            Node("memcached://10.0.1.3:11212?weight=200"),
        ],
        "libketama",
    )


def libketama_files() -> list[Path]:
    return [path for path in vectors.files() if path.stem.startswith("libketama")]


@pytest.mark.parametrize("path", libketama_files(), ids=lambda path: path.stem)
def test_the_golden_rings_as_server_lists(path: Path, write: vectors.Write) -> None:
    content = vectors.read(path)
    lines = [f"{node['label']}\t{node['weight']}\n" for node in content["nodes"]]
    ring = Ring.from_file(str(write("".join(lines))))
    assert {key: ring.node_for(key).label("libketama") for key in content["keys"]} == content[
        "keys"
    ]
    assert len(ring.points) == content["points_total"]


def test_the_address_is_hashed_as_it_is_written(write: vectors.Write) -> None:
    text = "[::1]:11211 1\n10.0.1.1:011211 1\n10.0.1.2 1\n/run/mc.sock 1\n"
    ring = Ring.from_file(write(text))
    labels = [node.label("libketama") for node in ring.nodes]
    assert labels == ["[::1]:11211", "10.0.1.1:011211", "10.0.1.2", "/run/mc.sock"]
    assert [node.address for node in ring.nodes] == [
        "[::1]:11211",
        "10.0.1.1:11211",
        "10.0.1.2:11211",
        "/run/mc.sock",
    ]


@pytest.mark.parametrize(
    ("line", "weight"),
    [
        ("10.0.1.1:11211 300", 30),  # no newline at the end of the file
        ("10.0.1.1:11211 300 \n", 30),
        ("10.0.1.1:11211 300\t# comment\n", 30),
        ("10.0.1.1:11211 1.5\n", 1),
        ("10.0.1.1:11211 12MB\n", 12),
        ("10.0.1.1:11211 007\n", 7),
    ],
)
def test_weights_are_misread_as_libketama_misreads_them(
    line: str, weight: int, write: vectors.Write
) -> None:
    with pytest.warns(
        ServerListWarning, match=f"line 2: libketama reads the weight .* as {weight}"
    ):
        ring = Ring.from_file(write(f"10.0.1.9:11211 8\n{line}"))
    assert [node.weight for node in ring.nodes] == [8, weight]


@pytest.mark.parametrize("line", ["10.0.1.1:11211 300\n", "10.0.1.1:11211 300\r\n"])
def test_well_formed_lines_do_not_warn(line: str, write: vectors.Write) -> None:
    assert Ring.from_file(write(line)).nodes[0].weight == 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no servers"),
        ("# nothing\n\n", "no servers"),
        ("10.0.1.1:11211\n", "line 1: expected an address, blanks and a weight"),
        ("10.0.1.1:11211 300\n   \n", "line 2: expected an address"),
        ("10.0.1.1:11211 300\n10.0.1.2:11211 0\n", "line 2: libketama reads no weight above 0"),
        ("10.0.1.1:11211 -3\n", "line 1: libketama reads no weight above 0"),
        ("10.0.1.1:11211 much\n", "line 1: libketama reads no weight above 0"),
        ("10.0.1.1:11211 5", "line 1: libketama reads no weight above 0"),
        ("10.0.1.1:11211 99999999999999999999\n", "line 1: libketama reads no weight above 0"),
        ("10.0.1.1:11211 1\n\n10.0.1.1:11211 2\n", "line 3: 10.0.1.1:11211 stands in line 1"),
        ("a-host-with-a-long-name:11211 1\n", "line 1: libketama has room for addresses of 21"),
        ("#" * 200 + "\n10.0.1.1:11211 1\n", "line 1: libketama reads 126 bytes"),
        ("10.0.1.1:99999 1\n", "line 1: "),
        ("10.0.1.1:11211 " + "9" * 90 + "\n", "line 1: libketama reads no weight above 0"),
        (b"\xef\xbb\xbf10.0.1.1:11211 1\n", "line 1: begins with a byte order mark"),
        (b"10.0.1.1:11211 1\n\xff 1\n", "line 2: not UTF-8"),
    ],
)
def test_a_malformed_server_list_is_refused_with_its_line(
    text: str | bytes, says: str, write: vectors.Write
) -> None:
    path = write(text)
    with pytest.raises(ConfigurationError) as caught:
        Ring.from_file(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert says in message
    assert "\n" not in message


def test_a_nutcracker_file(write: vectors.Write) -> None:
    path = write(NUTCRACKER, "nutcracker.yml")
    ring = Ring.from_file(path, pool="alpha")
    assert (ring.dialect, dict(ring.options)) == (
        "twemproxy",
        {"hash": "fnv1a_64", "hash_tag": None},
    )
    assert ring.nodes == (
        Node("memcached://127.0.0.1:11211"),
        Node("memcached://127.0.0.1:11212?weight=3&name=second"),
        Node("memcached:///run/mc.sock?weight=2"),
        Node("memcached:///run/named.sock?weight=2&name=named"),
        Node("memcached://[::1]:11213"),
    )
    beta = Ring.from_file(path, pool="beta")
    assert beta == Ring(["redis://127.0.0.1:6379"], "twemproxy", hash="md5", hash_tag="{}")


def test_a_nutcracker_file_by_another_name(write: vectors.Write) -> None:
    one_pool = NUTCRACKER.partition("beta:")[0]
    as_json = '{"a": {"servers": ["127.0.0.1:11211:1"]}}'
    with_comment = "a:\n  servers:  # all of them\n  - h:1:1\n"
    for text in (one_pool, as_json, with_comment):
        assert Ring.from_file(write(text, "proxy.conf")).dialect == "twemproxy"
    assert Ring.from_file(write("servers:11211 1\n")).dialect == "libketama"


@pytest.mark.parametrize(
    ("text", "pool", "says"),
    [
        (NUTCRACKER, None, "choose a pool; there are alpha, beta"),
        (NUTCRACKER, "gamma", "no pool 'gamma'; there are alpha, beta"),
        ("", None, "expected a mapping of pools by name"),
        ("- a\n", None, "expected a mapping of pools by name"),
        ("{}\n", None, "choose a pool; there are none"),
        ("alpha: 1\n", None, "line 1: expected a mapping of settings by name"),
        ("alpha:\n  servers: [\n", None, "line 3: "),
        ("alpha:\n  hash: md5\n", None, "pool 'alpha' has no servers"),
        ("alpha:\n  servers: []\n", None, "pool 'alpha' has no servers"),
        ("alpha:\n  servers: x\n", None, "pool 'alpha' has no servers"),
        (
            "alpha:\n  distribution: modula\n  servers:\n  - h:1:1\n",
            None,
            "line 2: pool 'alpha' uses distribution 'modula'",
        ),
        (
            "alpha:\n  hash: sha\n  servers:\n  - h:1:1\n",
            None,
            "line 2: dialect 'twemproxy' has no",
        ),
        ("alpha:\n  hash_tag: '{'\n  servers:\n  - h:1:1\n", None, "line 2: hash_tag must be two"),
        ("alpha:\n  hash_tag: [a]\n  servers:\n  - h:1:1\n", None, "line 2: "),
        ("alpha:\n  redis: [a]\n  servers:\n  - h:1:1\n", None, "line 2: "),
        ("alpha:\n  servers:\n  - h:1:1\n  - h:2\n", None, "line 4: expected HOST:PORT:WEIGHT"),
        ("alpha:\n  servers:\n  - h:1:1\n  - {a: b}\n", None, "line 4: expected HOST:PORT:WEIGHT"),
        (
            "alpha:\n  servers:\n  - h:1:0\n",
            None,
            "line 3: twemproxy takes weights 1 to 2147483647",
        ),
        ("alpha:\n  servers:\n  - h:1:x\n", None, "line 3: expected HOST:PORT:WEIGHT"),
        ("alpha:\n  servers:\n  - h:99999:1\n", None, "line 3: "),
        ("alpha:\n  servers:\n  - h:1:1\n  - h:1:2\n", None, "line 4: h:1 stands in line 3"),
        ("[a]:\n  servers:\n  - h:1:1\n", None, "line 1: "),
        (
            "a:\n  hsah: md5\n  servers:\n  - h:1:1\n",
            None,
            "line 2: twemproxy knows no setting 'hsah'",
        ),
        ("a:\n  hash: md5\n  hash: md5\n", None, "line 3: setting 'hash' is there twice"),
        ("a:\n  hash: md5\na:\n  hash: md5\n", None, "line 3: pool 'a' is there twice"),
        ("a:\n  hash:\n  servers:\n  - h:1:1\n", None, "line 2: hash must be a single value"),
        ("b: &b {hash: md5}\na:\n  <<: *b\n", "a", "line 3: twemproxy knows no aliases"),
        ("a: &a\n  servers: *a\n", None, "line 2: twemproxy knows no aliases"),
        ("a:\n  servers:\n    x: y\n", None, "line 3: pool 'a' has no servers"),
        ("{a: " * 3000 + "1" + "}" * 3000, None, "nested too deeply"),
        ("a:\n  servers:\n  - h:1:" + "9" * 5000 + "\n", None, "line 3: expected HOST:PORT:WEIGHT"),
        ("a:\n  servers:\n  - h:1:4294967296\n", None, "line 3: twemproxy takes weights"),
        ("a:\n  servers:\n  - h:1:1 \x01\n", None, "line 3: special characters are not allowed"),
        (
            'a:\n  servers:\n  - "h:1:1 n\\e[31m"\n',
            None,
            "line 3: Node: name must not hold control",
        ),
    ],
)
def test_a_malformed_nutcracker_file_is_refused_with_its_line(
    text: str, pool: str | None, says: str, write: vectors.Write
) -> None:
    path = write(text, "nutcracker.yml")
    with pytest.raises(ConfigurationError) as caught:
        Ring.from_file(path, pool=pool)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert says in message
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path: Path, write: vectors.Write) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Ring.from_file(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        Ring.from_file(tmp_path)
    with pytest.raises(ConfigurationError, match="null byte"):
        Ring.from_file("a\0b")
    with pytest.raises(ConfigurationError, match="has no pools"):
        Ring.from_file(write(SERVER_LIST), pool="alpha")


def test_without_pyyaml_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, write: vectors.Write
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError, match="extra `cli` of the distribution kcache-client"):
        Ring.from_file(write(NUTCRACKER, "nutcracker.yml"))
