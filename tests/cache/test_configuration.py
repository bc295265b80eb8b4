"""What cannot be used is refused at once, with one clear line."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from math import inf, nan
from typing import Any
from uuid import uuid4

import pytest

from kcache import (
    Cache,
    Compression,
    ConfigurationError,
    EncryptedCodec,
    Node,
    PickleCodec,
    Ring,
    SafeCodec,
)

LIST = "nodes are given as a list of URLs, even if there is only one"
BAD: list[tuple[dict[str, Any], str]] = [
    ({"nodes": "redis://u:geheim@h"}, LIST),
    ({"nodes": b"redis://u:geheim@h"}, LIST),
    ({"nodes": Node("redis://u:geheim@h")}, LIST),
    ({"nodes": 5}, LIST),
    ({"nodes": []}, "a ring needs at least one node"),
    ({"nodes": [5]}, "a node is given by a URL, not by int"),
    ({"nodes": ["http://u:geheim@h"]}, "'http://.*@h' is not a node URL; it must start with"),
    ({"nodes": ["10.0.0.1"]}, "is not a node URL; it must start with memory://, redis://"),
    ({"nodes": ["redis://:geheim@h?weigth=2"]}, "unknown option 'weigth'; this node takes weight"),
    ({"nodes": ["redis://:geheim@h:x"]}, "the port must be 1 to 65535"),
    ({"nodes": ["redis://:geh/eim@h"]}, "in a user name, password, path or option, write %40"),
    ({"nodes": ["redis://:geheim@"]}, "the host is missing"),
    ({"nodes": ["redis://:geheim@h/x"]}, "database must be a whole number"),
    ({"nodes": ["memcached://:geheim@h/1"]}, "a memcached URL has no path after the port"),
    ({"nodes": ["memory://a?max_entries=0"]}, "max_entries must be a whole number above 0"),
    ({"nodes": ["redis://:geheim@h", "redis://h"]}, "two nodes are named 'h:6379'"),
    ({"dialect": "nope"}, "unknown dialect 'nope'; the dialects are libketama"),
    ({"hash": "nope"}, "dialect 'libketama' has no key hash 'nope'"),
    ({"hash_tag": "{}"}, "dialect 'libketama' has no option 'hash_tag'; it takes hash"),
    ({"colour": "red"}, "dialect 'libketama' has no option 'colour'"),
    ({"nodes": Ring(["memory://a"]), "dialect": "nginx"}, "a Ring has its dialect and options"),
    ({"nodes": Ring(["memory://a"]), "hash": "md5"}, "a Ring has its dialect and options"),
    *(
        ({"timeout": timeout}, "timeout is a number of seconds above 0")
        for timeout in (0, -1, nan, inf, 1e300, "1", True, None, timedelta(seconds=1))
    ),
    *(
        ({"on_error": on_error}, "on_error is 'miss' or 'raise', not")
        for on_error in ("ignore", None, ["raise"], True)
    ),
    *(({"ttl": ttl}, "a ttl is seconds") for ttl in ("5", True, nan, ["5"])),
    *(({"codec": codec}, "a codec has the methods encode and decode") for codec in (5, SafeCodec)),
    ({"codec": "yaml"}, "codec is one of 'safe', 'pickle', or an object"),
    ({"codec": "pickle"}, r"to read a pickle is to run .* Cache\(secret=.*PickleCodec\(unsigned"),
    ({"codec": PickleCodec()}, "needs a secret"),
    ({"codec": EncryptedCodec(PickleCodec(), keys="k" * 16)}, "needs a secret"),
    *(
        ({"secret": secret}, rf"secret {said}.*secrets\.token_hex\(32\)")
        for secret, said in (
            ("geheim", "has at least 16 bytes, and one of 6 was given"),
            (b"geheim", "has at least 16 bytes"),
            (["g" * 16, "geheim"], "has at least 16 bytes"),
            ("", "has at least 16 bytes, and one of 0"),
            ([], "is an empty list"),
            (5, "is a str or bytes, or a list of them, not int"),
            ([["geheim" * 3]], "is a str or bytes, or a list of them, not list"),
        )
    ),
    ({"compression": "zlib"}, "compression is a Compression, not 'zlib'"),
    ({"clock": 5}, "clock is a function that gives seconds, not 5"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=str)
def test_it_is_refused_and_no_password_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Cache(**options)
    assert "geh" not in str(caught.value)
    assert "\n" not in str(caught.value)


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from kcache import Cache, ConfigurationError

cache = Cache()
assert cache.set("k", 1) and cache.get("k") == 1
try:
    Cache([sys.argv[2]])
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "extra", "url"),
    [
        ("redis", "redis", "redis://:geheim@localhost"),
        ("redis", "redis", "valkeys://:geheim@localhost"),
        ("pymemcache", "memcached", "memcached://u:geheim@localhost"),
    ],
)
def test_a_missing_extra_is_named_with_the_way_out(module: str, extra: str, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    message = done.stdout.strip()
    assert f"pip install 'kcache-client[{extra}]'" in message
    assert "node localhost" in message
    assert "\n" not in message
    assert "geheim" not in message


@pytest.mark.parametrize(
    "url", ["redis://u:geheim@h", "memcached://u:geheim@h", "redis://h?username=u&password=geheim"]
)
def test_nothing_shows_a_password(url: str) -> None:
    cache = Cache([url], on_error="raise")
    shown = [cache, cache.ring, cache.node_for("k"), cache.ring.nodes, cache.node_for("k").name]
    assert "geheim" not in "".join([*map(repr, shown), *map(str, shown)])
    assert cache.node_for("k").password == "geheim"  # noqa: S105 - of nobody


def test_nodes_may_be_urls_nodes_and_a_ring() -> None:
    urls = ["memory://one", "memory://two?weight=2"]
    ring = Ring(urls)
    caches = [Cache(urls), Cache(iter(urls)), Cache([Node(url) for url in urls]), Cache(ring)]
    assert {cache.ring for cache in caches} == {ring}
    for cache in caches[1:]:
        caches[0].set("k", id(cache))
        assert cache.get("k") == id(cache)
    caches[0].flush_nodes()


@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("libketama", {}),
        ("libmemcached", {"hash": "crc32"}),
        ("libmemcached-weighted", {}),
        ("libmemcached-spy", {}),
        ("twemproxy", {"hash_tag": "{}"}),
        ("spymemcached", {"format": "LIBMEMCACHED", "weighted": True}),
        ("nginx", {}),
        ("kcache", {}),
    ],
)
def test_a_dialects_options_reach_the_ring(dialect: str, options: dict[str, Any]) -> None:
    urls = [f"memory://dialect{i}?name=node{i}" for i in range(4)]
    cache = Cache(urls, dialect, **options)
    assert cache.ring == Ring(urls, dialect, **options)
    for i in range(50):
        key = f"{{tag{i}}}:x"
        assert cache.set(key, i)
        assert cache.node_for(key) == cache.ring.node_for(key)
        assert Cache([cache.node_for(key)]).get(key) == i
    cache.flush_nodes()


def test_the_ring_hashes_what_goes_out() -> None:
    cache = Cache([f"memory://out{i}" for i in range(5)])
    for key in ("two words", b"\xff", "x" * 300, "é"):
        cache.set(key, 1)
        owner = cache.node_for(key)
        assert Cache([owner]).get(key) == 1
    cache.flush_nodes()


def test_nothing_is_compressed_that_is_sent_nowhere() -> None:
    values = [b"na" * 100_000]
    name = f"memory://{uuid4().hex}?max_bytes=100000"
    assert not Cache([name]).set("k", values)
    assert Cache([name], compression=Compression()).set("k", values)
    assert Cache([name]).get("k") == values
