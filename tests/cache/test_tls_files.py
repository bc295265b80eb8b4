"""Files that the TLS options name, and that are of no use: said when the cache is opened."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kcache import Cache, ConfigurationError, ConnectFailed
from tests.servers import Certificates, certificates, memcached, redis

SCHEMES = ("rediss", "memcacheds")
each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("files")
    (folder / "empty.pem").touch()
    return certificates(folder)


BAD = [
    ("ca={folder}/none.pem", r"ca=\S+/none\.pem: No such file or directory"),
    ("ca={folder}", "ca=.*: Is a directory"),
    ("ca={folder}/empty.pem", r"ca=\S+/empty\.pem: it holds no certificate in PEM form"),
    ("ca={folder}/server.key", r"ca=\S+/server\.key: it holds no certificate in PEM form"),
    ("cert={folder}/none.pem", r"cert=\S+/none\.pem: No such file"),
    ("cert={folder}/client.pem&key={folder}/none.key", r"key=\S+/none\.key: No such file"),
    ("cert={folder}/client.pem&key={folder}/server.key", r"not the key of cert=\S+/client\.pem"),
    ("cert={folder}/client.pem&key={folder}/empty.pem", r"cert=\S+/client\.pem, key=\S+/empty"),
    ("cert={folder}/client.pem", r"cert=\S+/client\.pem: it holds no certificate with its key"),
    ("key={folder}/client.key", r"key=\S+/client\.key: it needs its certificate"),
]


@each_scheme
@pytest.mark.parametrize("on_error", ["miss", "raise"])
@pytest.mark.parametrize(("query", "message"), BAD)
def test_what_cannot_be_used_is_said_with_option_file_and_node(
    files: Certificates, scheme: str, on_error: Any, query: str, message: str
) -> None:
    options = query.format(folder=files.authority.parent)
    url = f"{scheme}://u:geheim@127.0.0.1:1?{options}"
    with pytest.raises(ConfigurationError, match=f"node 127.0.0.1:1: .*{message}") as caught:
        Cache([url], on_error=on_error)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_opens_a_pickled_cache_without_its_files_is_told(
    files: Certificates, tmp_path: Path
) -> None:
    copy = tmp_path / "ca.pem"
    copy.write_bytes(files.authority.read_bytes())
    pickled = pickle.dumps(Cache([f"rediss://127.0.0.1:1?ca={copy}"]))
    copy.unlink()
    with pytest.raises(ConfigurationError, match=r"ca=\S+/ca\.pem: No such file"):
        pickle.loads(pickled)  # noqa: S301 - our own


@pytest.mark.parametrize("start", [redis, memcached])
def test_a_file_that_goes_later_is_a_failure_of_the_node_that_names_it(
    files: Certificates, tmp_path: Path, start: Callable[..., Any]
) -> None:
    copy = tmp_path / "ca.pem"
    copy.write_bytes(files.authority.read_bytes())
    with start(tls=files) as server:
        scheme = "rediss" if start is redis else "memcacheds"
        url = f"{scheme}://127.0.0.1:{server.port}?ca={copy}"
        with Cache([url], on_error="raise", timeout=20) as cache:
            assert cache.set("k", 1)
            cache.close()
            copy.unlink()
            with pytest.raises(ConnectFailed, match=r"ca=\S+/ca\.pem: No such file"):
                cache.get("k")
