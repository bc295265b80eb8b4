"""The twemproxy dialect against nutcracker: where keys land behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kcache import Ring
from tests.live.keys import KEYS, TAGGED
from tests.live.owners import by_command, by_ring, differing, observed, store
from tests.servers import Memcached, Nutcracker, nutcracker

HASHES = (
    "one_at_a_time",
    "md5",
    "crc16",
    "crc32",
    "crc32a",
    "fnv1_64",
    "fnv1a_64",
    "fnv1_32",
    "fnv1a_32",
    "hsieh",
    "murmur",
    "jenkins",
)
EQUAL = (1, 1, 1, 1, 1)
UNEVEN = (3, 1, 10, 2, 5)
# Of several lengths, since twemproxy sorts by length first.
ALIASES = ("photos", "b", "a", "server-4", "zz")


@dataclass(frozen=True)
class Pool:
    """What a pool of nutcracker.yml says."""

    options: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[int] = EQUAL
    aliases: Sequence[str] | None = None

    def names(self, servers: Sequence[Memcached]) -> dict[str, Memcached]:
        """The servers by the names that nodes have: aliases, else addresses."""
        return dict(zip(self.aliases or map(_address, servers), servers, strict=True))

    def text(self, name: str, listen: Path, servers: Sequence[Memcached]) -> str:
        lines = [f"{name}:", f"  listen: {listen}", "  distribution: ketama"]
        lines += [f"  {option}: {value}" for option, value in self.options.items()]
        lines += ["  timeout: 5000", "  servers:"]
        aliases = self.aliases or [""] * len(servers)
        for server, weight, alias in zip(servers, self.weights, aliases, strict=True):
            lines.append(f"   - {_address(server)}:{weight} {alias}".rstrip())
        return "\n".join(lines) + "\n"


def _address(server: Memcached) -> str:
    return server.address if isinstance(server.address, str) else "{}:{}".format(*server.address)


POOLS = {
    "plain": Pool(),
    **{f"hash_{name}": Pool({"hash": name}) for name in HASHES},
    "uneven": Pool(weights=UNEVEN),
    "uneven_md5": Pool({"hash": "md5"}, UNEVEN),
    "named": Pool(aliases=ALIASES),
    "named_uneven": Pool(weights=UNEVEN, aliases=ALIASES),
    "named_uneven_md5": Pool({"hash": "md5"}, UNEVEN, ALIASES),
    "tagged": Pool({"hash_tag": '"{}"'}),
    "tagged_md5": Pool({"hash": "md5", "hash_tag": '"{}"'}, UNEVEN, ALIASES),
    "tagged_twice_the_same": Pool({"hash_tag": '"$$"'}),
}


@dataclass(frozen=True)
class Proxy:
    """A running nutcracker, and where each of its pools listens."""

    config: Path
    sockets: Mapping[str, Path]
    servers: Sequence[Memcached]

    def landed(self, pool: str) -> dict[str, str]:
        """Store all keys through a pool, and look which server holds which."""
        store(str(self.sockets[pool]), KEYS)
        return observed(POOLS[pool].names(self.servers), KEYS)

    def ring(self, pool: str) -> Ring:
        return Ring.from_file(self.config, pool=pool)


@pytest.fixture(scope="module")
def running(
    servers: tuple[Memcached, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nc")
    config = folder / "nutcracker.yml"
    sockets = {name: folder / f"{name}.sock" for name in POOLS}
    config.write_text(
        "".join(pool.text(name, sockets[name], servers) for name, pool in POOLS.items())
    )
    with nutcracker(config, list(sockets.values())):
        yield Proxy(config, sockets, servers)


@pytest.fixture(scope="module")
def servers(
    memcached_fleet: tuple[Memcached, ...], memcached_socket_fleet: tuple[Memcached, ...]
) -> tuple[Memcached, ...]:
    """Four nodes on ports and one on a unix socket, in the middle."""
    return (*memcached_fleet[:2], memcached_socket_fleet[0], *memcached_fleet[2:4])


@pytest.fixture
def proxy(running: Proxy) -> Proxy:
    """The proxy, with empty servers behind it."""
    for server in running.servers:
        server.flush()
    return running


@pytest.mark.parametrize("pool", POOLS)
def test_every_key_lands_where_the_ring_says(pool: str, proxy: Proxy) -> None:
    landed = proxy.landed(pool)
    assert by_ring(proxy.ring(pool), KEYS) == landed


@pytest.mark.parametrize("pool", ["plain", "named_uneven_md5", "tagged", "tagged_md5"])
def test_every_key_lands_where_the_command_line_says(pool: str, proxy: Proxy) -> None:
    landed = proxy.landed(pool)
    options = ["--file", f"{proxy.config}", "--pool", pool]
    assert by_command(options, KEYS) == landed
    some = KEYS[::20]
    assert by_command(options, some, as_arguments=True) == {key: landed[key] for key in some}


def test_a_file_of_one_pool_is_read_without_naming_it(
    tmp_path: Path, servers: tuple[Memcached, ...]
) -> None:
    pool, config, listen = POOLS["named_uneven"], tmp_path / "nutcracker.yml", tmp_path / "sock"
    config.write_text(pool.text("only", listen, servers))
    for server in servers:
        server.flush()
    with nutcracker(config, [listen]) as started:
        assert isinstance(started, Nutcracker)
        store(str(listen), KEYS)
    landed = observed(pool.names(servers), KEYS)
    assert by_ring(Ring.from_file(config), KEYS) == landed
    assert by_command(["--file", f"{config}"], KEYS) == landed


def test_keys_of_one_tag_share_a_node(proxy: Proxy) -> None:
    landed = proxy.landed("tagged_md5")
    of_tags = []
    for i in range(20):
        keys = [f"{{user{i}}}:a", f"a:{{user{i}}}", f"{{user{i}}}{{d}}"]
        of_tags.append({landed[key] for key in keys})
    assert {len(nodes) for nodes in of_tags} == {1}
    assert len(set.union(*of_tags)) > 1


def test_another_dialect_hash_or_tag_disagrees_on_many_keys(proxy: Proxy) -> None:
    landed = proxy.landed("named_uneven_md5")
    assert set(landed.values()) == set(ALIASES)
    nodes = proxy.ring("named_uneven_md5").nodes
    wrong = [
        Ring(nodes, "twemproxy"),
        Ring(nodes, "twemproxy", hash="fnv1a_32"),
        Ring(nodes, "libmemcached"),
        Ring([node.with_weight(1) for node in nodes], "twemproxy", hash="md5"),
    ]
    assert [ring for ring in wrong if differing(by_ring(ring, KEYS), landed) < 500] == []
    tagged = Ring(nodes, "twemproxy", hash="md5", hash_tag="{}")
    assert differing(by_ring(tagged, TAGGED), {key: landed[key] for key in TAGGED}) > 50
