"""What an error says: what happened, where and what to do, in one line that reads well."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kcache import Cache, CacheError, NodeError, NodeRefused
from tests.servers import certificates, memcached, redis
from tests.servers.connect import free_port

SECRET = "geheim-wort"  # noqa: S105 - of servers that live for one test


@dataclass(frozen=True)
class Servers:
    """One of each kind that lets everybody in, one that asks for a password, one behind TLS."""

    folder: Path
    redis: int
    redis_password: int
    redis_tls: int
    memcached: int
    memcached_password: int
    memcached_tls: int
    nobody: int


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("messages")
    tls = certificates(folder)
    (folder / "strangers").mkdir()
    certificates(folder / "strangers")
    with ExitStack() as stack:
        yield Servers(
            folder,
            redis=stack.enter_context(redis()).port,
            redis_password=stack.enter_context(redis(password=SECRET)).port,
            redis_tls=stack.enter_context(redis(tls=tls)).port,
            memcached=stack.enter_context(memcached()).port,
            memcached_password=stack.enter_context(memcached(username="ada", password=SECRET)).port,
            memcached_tls=stack.enter_context(memcached(tls=tls)).port,
            nobody=free_port(),
        )


REFUSED = r"Connection refused \(is the server running\?\)"
OTHER_KIND = r" \(is it a server of another kind\?\)"
UNTRUSTED = r"certificate verify failed: .+ \(give the file of its authority with ca=\)"
WRONG_NAME = (
    r"certificate verify failed: Hostname mismatch, certificate is not valid for 'example\.org' "
    r"\(give the name that stands in it with server_name=\)"
)
CHECK = r" \(check user and password in the URL of the node\)"
GIVE = r" \(give user and password in the URL of the node\)"
# What stands for the URL, and all of the reason.
CASES = [
    ("redis://H:{nobody}", REFUSED),
    ("rediss://H:{nobody}", REFUSED),
    ("memcached://H:{nobody}", REFUSED),
    ("memcacheds://H:{nobody}", REFUSED),
    (
        "redis://H:{nobody}?name=first",
        r"Connection refused \(is the server running at 127\.0\.0\.1:\d+\?\)",
    ),
    ("redis://no-such-host.invalid", r".+ \(is the host name right\?\)"),
    ("memcached://no-such-host.invalid", r".+ \(is the host name right\?\)"),
    ("redis+unix:///no/such.sock", r"No such file or directory \(is the server running\?\)"),
    ("memcached+unix:///no/such.sock", r"No such file or directory \(is the server running\?\)"),
    ("redis://:wrong-wort@H:{redis_password}", f".*invalid username-password pair.*{CHECK}"),
    ("redis://H:{redis_password}", f"NOAUTH Authentication required{GIVE}"),
    ("redis://:a-wort@H:{redis}", r"AUTH .* default user \(leave the password out of .*\)"),
    ("redis://H:{redis}/999", r".*DB index is out of range \(check the database in .*\)"),
    ("memcached://ada:wrong-wort@H:{memcached_password}", f".*authentication failure{CHECK}"),
    ("memcached://H:{memcached_password}", f"CLIENT_ERROR unauthenticated{GIVE}"),
    ("rediss://H:{redis_tls}", UNTRUSTED),
    ("memcacheds://H:{memcached_tls}", UNTRUSTED),
    ("rediss://H:{redis_tls}?ca={folder}/strangers/ca.pem", UNTRUSTED),
    ("memcacheds://H:{memcached_tls}?ca={folder}/strangers/ca.pem", UNTRUSTED),
    ("rediss://H:{redis_tls}?ca={folder}/ca.pem&server_name=example.org", WRONG_NAME),
    ("memcacheds://H:{memcached_tls}?ca={folder}/ca.pem&server_name=example.org", WRONG_NAME),
    (
        "rediss://H:{redis}",
        r"no connection within 0\.5 s \(for a server without TLS the URL begins with redis://\)",
    ),
    (
        "memcacheds://H:{memcached}",
        r"no TLS: .+ \(for a server without TLS the URL begins with memcached://\)",
    ),
    (
        "redis://H:{redis_tls}",
        r"the connection was lost: .+ \(for a server with TLS the URL begins with rediss://\)",
    ),
    (
        "memcached://H:{memcached_tls}",
        r"the connection was lost: .+ \(for a server with TLS the URL begins with memcacheds://\)",
    ),
    ("redis://H:{memcached}", f"not a reply: b'.*'{OTHER_KIND}"),
    ("redis://u:a-wort@H:{memcached}", f".*b'ERROR'{OTHER_KIND}"),
    ("memcached://H:{redis}", f"not a reply: b'.*'{OTHER_KIND}"),
    ("memcached://u:a-wort@H:{redis}", f"not a reply: b.*unknown command.*{OTHER_KIND}"),
]


def place(template: str, servers: Servers) -> str:
    return (
        template.replace("//H", "//127.0.0.1").replace("@H", "@127.0.0.1").format(**vars(servers))
    )


def assert_reads_well(text: str, name: str) -> None:
    """The address is not repeated, nor is there any noise or punctuation too much."""
    assert name not in text
    assert not re.search(r"[.,:;?!] *[.,:;?!]|\n|Errno|Error \d|_ssl\.c|\[SSL|\.$", text), text
    assert "-wort" not in text


@pytest.mark.parametrize(("template", "reason"), CASES)
def test_an_error_is_one_line_that_says_what_to_do(
    servers: Servers, template: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "kcache")
    url = place(template, servers)
    with Cache([url], on_error="raise", timeout=0.5) as cache:
        with pytest.raises(NodeError) as caught:
            cache.get("k")
        name = cache.ring.nodes[0].name
    assert re.fullmatch(reason, caught.value.reason)
    assert str(caught.value) == f"node {name}: {caught.value.reason}"
    assert_reads_well(caught.value.reason, name)
    lines = [line for line in caplog.messages if f"node {name}: " in line]
    assert len(lines) == 1
    assert lines[0].removesuffix("; it is left alone until it answers") == str(caught.value)


def test_a_server_of_another_kind_is_not_told_the_password() -> None:
    with redis() as server:
        url = f"memcached://ada:{SECRET}@127.0.0.1:{server.port}"
        with Cache([url], on_error="raise", timeout=10) as cache, pytest.raises(CacheError):
            cache.get("k")
        with server.connection() as sock, sock.makefile("rb") as replies:
            sock.sendall(b"INFO commandstats\r\nPING\r\n")
            seen = b"".join(iter(replies.readline, b"+PONG\r\n"))
    assert b"cmdstat_set:" not in seen


def test_a_refusal_pickles_with_its_hint(servers: Servers) -> None:
    url = place("redis://H:{redis}/999", servers)
    with (
        Cache([url], on_error="raise", timeout=10) as cache,
        pytest.raises(NodeRefused) as caught,
    ):
        cache.get("k")
    again: Any = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(again), again.reason) == (str(caught.value), caught.value.reason)
