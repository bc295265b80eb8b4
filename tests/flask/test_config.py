"""From what is configured, in both vocabularies, to the arguments of the cache."""

from __future__ import annotations

import hashlib
import inspect
import re
import warnings
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import flask
import pytest

from kcache import Cache, Compression, ConfigurationError, Node, PickleCodec, Ring, SafeCodec
from kcache.ring import RingOptions
from kcache.ring.dialects import DIALECTS
from kcache_flask.config import ARGUMENTS, ConfigurationWarning, Settings, settings_of
from tests.servers import Memcached, Redis, redis

SECRET = "geheim" * 5
R1 = (Node("redis://r1"),)
CODEC = SafeCodec()
RING = Ring(["redis://r1", "redis://r2"], "twemproxy")
TYPE_R1 = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": "r1"}


def options_of(*layers: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return settings_of("shop", *layers).options


def nodes_of(*layers: Mapping[str, Any] | None) -> Any:
    return options_of(*layers)["nodes"]


def refused(*layers: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings_of("shop", *layers)
    message = str(caught.value)
    assert "geheim" not in message
    assert "\n" not in message
    return message


def warned(*layers: Mapping[str, Any]) -> str:
    with pytest.warns(ConfigurationWarning) as caught:
        settings_of("shop", *layers)
    (only,) = caught
    return str(only.message)


def test_every_argument_of_the_cache_has_a_key() -> None:
    own = set(inspect.signature(Cache).parameters) - {"options"}
    assert set(ARGUMENTS.values()) == own | RingOptions.__annotations__.keys()
    assert all(key == f"KCACHE_{name.upper()}" for key, name in ARGUMENTS.items())


def test_nothing_said_is_a_private_node_and_the_defaults() -> None:
    assert settings_of("shop") == settings_of("shop", None, {}, {"SECRET_KEY": "x", "cache": 1})
    settings = settings_of("shop")
    assert settings == Settings(
        is_enabled=True,
        options={"nodes": None, "namespace": "shop", "ttl": 300},
        has_signals=False,
        source_check=False,
        hash_method=hashlib.sha256,
    )
    with Cache(**settings.options) as one, Cache(**settings.options) as other:
        one.set("k", 1)
        assert other.get("k") is None


# KCACHE_ keys.


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("KCACHE_DIALECT", "nginx", "nginx"),
        ("KCACHE_HASH", "md5", "md5"),
        ("KCACHE_NAMESPACE", "photos", "photos"),
        ("KCACHE_NAMESPACE", None, None),
        ("KCACHE_NAMESPACE", 2024, "2024"),
        ("KCACHE_PREFIX", "app", "app"),
        ("KCACHE_PREFIX", 7, "7"),
        ("KCACHE_TTL", 60, 60),
        ("KCACHE_TTL", None, None),
        ("KCACHE_TTL", timedelta(minutes=1), 60),
        ("KCACHE_TIMEOUT", 0.1, 0.1),
        ("KCACHE_ON_ERROR", "raise", "raise"),
        ("KCACHE_CODEC", CODEC, CODEC),
        ("KCACHE_CODEC", "safe", "safe"),
        ("KCACHE_CODEC", None, None),
        ("KCACHE_COMPRESSION", Compression("none"), Compression("none")),
        ("KCACHE_COMPRESSION", "zlib", Compression("zlib")),
        ("KCACHE_COMPRESSION", None, None),
        ("KCACHE_SECRET", SECRET, SECRET),
        ("KCACHE_SECRET", 10**20, "100000000000000000000"),
        ("KCACHE_SECRET", [SECRET, SECRET * 2], [SECRET, SECRET * 2]),
        ("KCACHE_CLOCK", monotonic, monotonic),
    ],
    ids=str,
)
def test_a_key_is_an_argument(key: str, value: Any, expected: Any) -> None:
    options = options_of({key: value})
    assert options[ARGUMENTS[key]] == expected
    Cache(**options).close()


def test_arguments_that_belong_together() -> None:
    options = options_of({"KCACHE_CODEC": "pickle", "KCACHE_SECRET": SECRET})
    assert (options["codec"], options["secret"]) == ("pickle", SECRET)
    options = options_of({"KCACHE_DIALECT": "twemproxy", "KCACHE_HASH_TAG": "{}"})
    assert (options["dialect"], options["hash_tag"]) == ("twemproxy", "{}")
    spy = {"KCACHE_DIALECT": "spymemcached", "KCACHE_FORMAT": "LIBMEMCACHED"}
    options = options_of(spy, {"KCACHE_WEIGHTED": "True", "KCACHE_HASH": None})
    with Cache(**{**options, "nodes": ["memcached://m1"]}) as cache:
        assert cache.ring.options["format"] == "LIBMEMCACHED"
        assert cache.ring.options["weighted"] is True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (["redis://r1"], R1),
        (("redis://r1", Node("memcached://m")), (*R1, Node("memcached://m"))),
        (iter(["redis://r1"]), R1),
        (R1[0], R1),
        (RING, RING),
        ("redis://r1", R1),
        ("redis://r1,redis://r2", (*R1, Node("redis://r2"))),
        (" redis://r1 \n redis://r2,, memory://m ,", (*R1, Node("redis://r2"), Node("memory://m"))),
        ("redis://:a,b@r1,redis://r2", (Node("redis://:a,b@r1"), Node("redis://r2"))),
    ],
    ids=str,
)
def test_the_ways_to_say_nodes(value: Any, expected: Any) -> None:
    assert nodes_of({"KCACHE_NODES": value}) == expected


def test_a_ring_is_taken_as_it_is() -> None:
    with Cache(**options_of({"KCACHE_NODES": RING})) as cache:
        assert cache.ring is RING
    assert "KCACHE_NODES: a Ring has its dialect" in refused(
        {"KCACHE_NODES": RING, "KCACHE_DIALECT": "nginx"}
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("KCACHE_NODES", "redis://:geheim@", "KCACHE_NODES: .*the host is missing"),
        ("KCACHE_NODES", "redis://:geheim@r1:x", "the port must be 1 to 65535"),
        ("KCACHE_NODES", "redis://u:geheim@r1,r2", "each URL begins with a scheme"),
        ("KCACHE_NODES", "redis://u:geheim@r1 r2", "blanks and control characters"),
        ("KCACHE_NODES", "redis://u:geheim@r1;redis://r2", "a node has one URL"),
        ("KCACHE_NODES", "http://u:geheim@r1", "is not a node URL"),
        ("KCACHE_NODES", "", "it is empty; leave it out"),
        ("KCACHE_NODES", [], "it is empty; leave it out"),
        ("KCACHE_NODES", {"redis://:geheim@r1": 1}, "a list of URLs, not dict"),
        ("KCACHE_NODES", b"redis://:geheim@r1", "a list of URLs, not bytes"),
        ("KCACHE_NODES", 5, "a list of URLs, not int"),
        ("KCACHE_NODES", [5], "a node is given by a URL, not by int"),
        ("KCACHE_NODES", ["redis://:geheim@r1", "redis://r1"], "two nodes are named 'r1:6379'"),
        ("KCACHE_DIALECT", "nope", "KCACHE_DIALECT: unknown dialect 'nope'"),
        ("KCACHE_DIALECT", None, "KCACHE_DIALECT: unknown dialect None"),
        ("KCACHE_HASH", "nope", "KCACHE_HASH: .*no key hash 'nope'"),
        ("KCACHE_HASH_TAG", "{}", "KCACHE_HASH_TAG: .*has no option 'hash_tag'"),
        ("KCACHE_NAMESPACE", "", "KCACHE_NAMESPACE: a namespace's name cannot be empty"),
        ("KCACHE_NAMESPACE", 1.5, "KCACHE_NAMESPACE: .*not float"),
        ("KCACHE_PREFIX", "a b", "KCACHE_PREFIX: prefix is a str"),
        ("KCACHE_TTL", "60", "KCACHE_TTL: a ttl is seconds"),
        ("KCACHE_TIMEOUT", 0, "KCACHE_TIMEOUT: timeout is a number of seconds"),
        ("KCACHE_TIMEOUT", None, "KCACHE_TIMEOUT: timeout is a number of seconds"),
        ("KCACHE_ON_ERROR", "x", "KCACHE_ON_ERROR: on_error is 'miss' or 'raise'"),
        ("KCACHE_CODEC", "yaml", "KCACHE_CODEC: codec is one of"),
        ("KCACHE_CODEC", PickleCodec(), "KCACHE_CODEC: .*needs a secret"),
        ("KCACHE_COMPRESSION", "x", "KCACHE_COMPRESSION: unknown compression 'x'"),
        ("KCACHE_COMPRESSION", 5, "KCACHE_COMPRESSION: compression is a Compression"),
        ("KCACHE_SECRET", "geheim", "KCACHE_SECRET: secret has at least 16 bytes"),
        ("KCACHE_CLOCK", 5, "KCACHE_CLOCK: clock is a function"),
        ("KCACHE_WEIGHTED", 2, "KCACHE_WEIGHTED: it is True or False, not 2"),
        ("KCACHE_ENABLED", "maybe", "KCACHE_ENABLED: it is True or False, not 'maybe'"),
        ("KCACHE_ENABLED", None, "KCACHE_ENABLED: it is True or False, not None"),
        ("KCACHE_SIGNALS", [], "KCACHE_SIGNALS: it is True or False"),
        ("KCACHE_NODE", 1, "there is no setting KCACHE_NODE; the nearest one is KCACHE_NODES"),
        ("KCACHE_SINGALS", 1, "there is no setting KCACHE_SINGALS; .* KCACHE_SIGNALS"),
        ("KCACHE_DEFAULT_TIMEOUT", 1, "no setting KCACHE_DEFAULT_TIMEOUT; .* KCACHE_TIMEOUT"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said_at_once(key: str, value: Any, message: str) -> None:
    assert re.search(message, refused({key: value}))
    # Where caching is switched off, too: a configuration is wrong before it is in production.
    if key != "KCACHE_ENABLED":
        assert re.search(message, refused({key: value, "KCACHE_ENABLED": False}))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_taken(dialect: str) -> None:
    config = {"KCACHE_DIALECT": dialect, "KCACHE_NODES": "memcached://m1?ip=10.0.0.1"}
    with Cache(**options_of(config)) as cache:
        assert cache.ring.dialect == dialect


def test_a_weight_that_the_dialect_refuses_is_told_of_the_nodes() -> None:
    message = refused({"KCACHE_NODES": "redis://r1?weight=0", "KCACHE_DIALECT": "libketama"})
    assert message.startswith("KCACHE_NODES: ")


@pytest.mark.parametrize("layer", [5, "KCACHE_NODES", [("KCACHE_TTL", 5)]])
def test_a_layer_is_a_mapping(layer: Any) -> None:
    assert refused({}, layer).startswith("config is a dict or None, not ")


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "NODES": "redis://r1, redis://r2",
        "TTL": "60",
        "NAMESPACE": "null",
        "ENABLED": "False",
        "SIGNALS": "true",
        "SOURCE_CHECK": "1",
        "TIMEOUT": "0.25",
    }
    for name, text in variables.items():
        monkeypatch.setenv(f"FLASK_KCACHE_{name}", text)
    app = flask.Flask("shop")
    app.config.from_prefixed_env()
    settings = settings_of(app.name, app.config)
    assert settings.options == {
        "nodes": (*R1, Node("redis://r2")),
        "ttl": 60,
        "namespace": None,
        "timeout": 0.25,
    }
    assert (settings.is_enabled, settings.has_signals, settings.source_check) == (False, True, True)


# CACHE_ keys.


@pytest.mark.parametrize("path", ["", "flask_caching.backends.", "flask_caching.backends.module."])
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("SimpleCache", "simple"), None),
        (("RedisCache", "redis"), (Node("redis://localhost"),)),
        (("MemcachedCache", "memcached"), (Node("memcached://127.0.0.1:11211"),)),
    ],
)
def test_types(path: str, names: tuple[str, ...], expected: Any) -> None:
    for name in names:
        settings = settings_of("shop", {"CACHE_TYPE": path + name})
        assert settings.is_enabled
        assert settings.options["nodes"] == expected


@pytest.mark.parametrize("name", ["NullCache", "null", "flask_caching.backends.NullCache"])
def test_the_type_that_caches_nothing(name: str) -> None:
    settings = settings_of("shop", {"CACHE_TYPE": name, "CACHE_NO_NULL_WARNING": True})
    assert not settings.is_enabled
    Cache(**settings.options).close()
    assert settings_of("shop", {"CACHE_TYPE": name, "KCACHE_ENABLED": True}).is_enabled
    # What goes with another type is not looked at.
    assert not settings_of("shop", {"CACHE_TYPE": name, "CACHE_REDIS_HOST": object()}).is_enabled


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("FileSystemCache", "keeps no files: use RedisCache"),
        ("flask_caching.backends.filesystemcache.FileSystemCache", "keeps no files"),
        ("RedisSentinelCache", "name the primary in KCACHE_NODES"),
        ("RedisClusterCache", "list single Redis servers in KCACHE_NODES"),
        ("SASLMemcachedCache", "does not speak SASL"),
        ("SpreadSASLMemcachedCache", "does not speak SASL"),
        ("flask_caching.contrib.uwsgicache.UWSGICache", "does not use uWSGI"),
        ("flask_caching.contrib.googlecloudstoragecache.GoogleCloudStorageCache", "cloud storage"),
        ("my.caches.RedisCache", "no type of kcache: use RedisCache, MemcachedCache, or KCACHE_"),
        ("rediscache", "no type of kcache"),
        ("", "no type of kcache"),
        (None, "a name, not NoneType: 'NullCache' caches nothing"),
        (dict, "a name, not type"),
    ],
)
def test_types_that_are_not_to_be_had(name: Any, advice: str) -> None:
    message = refused({"CACHE_TYPE": name})
    assert message.startswith("CACHE_TYPE ")
    assert advice in message


def test_simple_with_a_threshold_is_private_and_bounded() -> None:
    config = {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 3}
    with Cache(**options_of(config)) as one, Cache(**options_of(config)) as other:
        for number in range(50):
            one.set(str(number), number)
        assert 0 < sum(str(number) in one for number in range(50)) <= 3
        assert "49" in one
        assert not any(str(number) in other for number in range(50))
    (node,) = nodes_of(config | {"CACHE_THRESHOLD": "5"})
    assert dict(node.options) == {"max_entries": "5"}
    for bad in (0, -1, "x", 1.5, True):
        assert refused(config | {"CACHE_THRESHOLD": bad}).startswith("CACHE_THRESHOLD: ")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"HOST": "r1"}, Node("redis://r1")),
        ({"HOST": "r1", "PORT": 7000, "DB": 2}, Node("redis://r1:7000/2")),
        ({"HOST": "r1", "PORT": "7000", "DB": "2"}, Node("redis://r1:7000/2")),
        ({"PASSWORD": "a/b@c:%,d"}, Node("redis://:a%2Fb%40c%3A%25%2Cd@localhost")),
        ({"PASSWORD": 12345}, Node("redis://:12345@localhost")),
        ({"PASSWORD": "", "PORT": None, "DB": None}, Node("redis://localhost")),
        ({"HOST": "::1"}, Node("redis://[::1]")),
        ({"HOST": "/run/r.sock"}, Node("redis+unix:///run/r.sock")),
        ({"URL": "redis://u:p@r1:7000/2"}, Node("redis://u:p@r1:7000/2")),
        ({"URL": "rediss://r1"}, Node("rediss://r1")),
        ({"URL": "unix:///run/r.sock?db=3"}, Node("redis+unix:///run/r.sock?db=3")),
        ({"URL": "unix://:pw@/run/r.sock"}, Node("redis+unix://:pw@/run/r.sock")),
        ({"URL": "redis://r1", "DB": 5}, Node("redis://r1/5")),
        ({"URL": "redis://r1/2", "DB": 5}, Node("redis://r1/2")),
        ({"URL": "redis://r1/0", "DB": 5}, Node("redis://r1/0")),
        ({"URL": "unix:///run/r.sock", "DB": 5}, Node("redis+unix:///run/r.sock?db=5")),
        ({"URL": "redis://r1", "HOST": object(), "PASSWORD": "x"}, Node("redis://r1")),
        ({"URL": "", "HOST": "r1"}, Node("redis://r1")),
    ],
    ids=str,
)
def test_redis(config: dict[str, Any], expected: Node) -> None:
    given = {f"CACHE_REDIS_{key}": value for key, value in config.items()}
    assert nodes_of({"CACHE_TYPE": "RedisCache"} | given) == (expected,)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"HOST": object()}, "CACHE_REDIS_HOST is a host name, not object: kcache has connections"),
        ({"HOST": None}, "CACHE_REDIS_HOST is a host name, not NoneType"),
        ({"HOST": "r1:6379", "PASSWORD": "geheim"}, "CACHE_REDIS_HOST: .*a port is given as port="),
        ({"PORT": "x"}, "CACHE_REDIS_PORT: it is a whole number, not 'x'"),
        ({"PORT": 70000}, "a port is 1 to 65535"),
        ({"DB": "x"}, "CACHE_REDIS_DB: it is a whole number"),
        ({"PASSWORD": b"geheim"}, "CACHE_REDIS_PASSWORD: it is text, not bytes"),
        ({"URL": 5}, "CACHE_REDIS_URL is a URL, not int"),
        ({"URL": "memcached://u:geheim@m"}, "CACHE_REDIS_URL is the URL of a Redis server, not of"),
        ({"URL": "redis://u:geheim@r1?socket_timeout=1"}, "unknown option 'socket_timeout'"),
        ({"URL": "r1:6379"}, "CACHE_REDIS_URL: 'r1:6379' is not a node URL"),
    ],
    ids=str,
)
def test_redis_that_cannot_be_used(config: dict[str, Any], message: str) -> None:
    given = {f"CACHE_REDIS_{key}": value for key, value in config.items()}
    assert re.search(message, refused({"CACHE_TYPE": "RedisCache"} | given))


@pytest.mark.parametrize("name", ["ssl", "ssl_ca_certs", "password", "connection_pool", "db"])
def test_options_without_which_it_would_be_another_connection_are_no_mere_warning(
    name: str,
) -> None:
    message = refused(TYPE_R1 | {"CACHE_OPTIONS": {name: "geheim", 5: 1}})
    assert f"CACHE_OPTIONS says how to connect ({name})" in message
    assert "CACHE_OPTIONS" in warned(TYPE_R1 | {"CACHE_OPTIONS": {"socket_timeout": 1}})


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (None, ["memcached://127.0.0.1:11211"]),
        (["m1"], ["memcached://m1"]),
        (["m1:7000", "m2"], ["memcached://m1:7000", "memcached://m2"]),
        (("m1:7000", "[::1]:7001"), ["memcached://m1:7000", "memcached://[::1]:7001"]),
        (["::1", "[::2]"], ["memcached://[::1]", "memcached://[::2]"]),
        ([("m1", 7000), ["m2", "7001"]], ["memcached://m1:7000", "memcached://m2:7001"]),
        ([("m1:7000", 3)], ["memcached://m1:7000?weight=3"]),
        (["/run/m.sock", "unix:/a"], ["memcached+unix:///run/m.sock", "memcached+unix:///a"]),
        ([("unix:/a", 2)], ["memcached+unix:///a?weight=2"]),
        (["inet:m1:7000", "inet6:[::1]:1"], ["memcached://m1:7000", "memcached://[::1]:1"]),
        (["memcached://m1", ("memcached://m2", 2)], ["memcached://m1", "memcached://m2?weight=2"]),
        ("m1:7000, m2", ["memcached://m1:7000", "memcached://m2"]),
    ],
    ids=str,
)
def test_memcached(servers: Any, expected: list[str]) -> None:
    config = {"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": servers}
    assert nodes_of(config) == tuple(map(Node, expected))


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ([], "it is empty|is empty; leave it out for 127.0.0.1:11211"),
        (object(), "is a list such as .*, not object: kcache has connections of its own"),
        ([5], "an address is 'HOST:PORT' or"),
        ([()], "an address is 'HOST:PORT' or"),
        ([("m1", 1, 2)], "an address is 'HOST:PORT' or"),
        ([("m1", "x")], "it is a whole number, not 'x'"),
        (["m1:70000"], "a port is 1 to 65535"),
        (["m1:"], "the host is no IPv6 address"),
        ([":11211"], "the host is missing"),
        (["redis://:geheim@m1"], "redis is not memcached"),
        (["m1", "m1:11211"], "two nodes are named 'm1:11211'"),
    ],
    ids=str,
)
def test_memcached_that_cannot_be_used(servers: Any, message: str) -> None:
    config = {"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": servers}
    assert re.search(message, refused(config))


@pytest.mark.parametrize(
    ("timeout", "ttl"),
    [
        (60, 60),
        (1.5, 1.5),
        ("60", 60),
        (0, None),
        (-1, None),
        ("0", None),
        ("-1", None),
        (timedelta(minutes=2), 120),
        (timedelta(0), None),
        (None, 300),
        ("", 300),
    ],
)
def test_the_default_timeout(timeout: Any, ttl: float | None) -> None:
    options = options_of({"CACHE_DEFAULT_TIMEOUT": timeout})
    assert options["ttl"] == ttl
    Cache(**options).close()


@pytest.mark.parametrize("timeout", [-5, "soon", True, [60], float("nan")])
def test_a_default_timeout_that_is_none(timeout: Any) -> None:
    assert refused({"CACHE_DEFAULT_TIMEOUT": timeout}).startswith("CACHE_DEFAULT_TIMEOUT: ")


@pytest.mark.parametrize(
    ("prefix", "namespace"),
    [("my_", "my_"), ("flask_cache_", "flask_cache_"), ("", "shop"), (None, "shop"), (7, "7")],
)
def test_the_key_prefix_names_the_namespace(prefix: Any, namespace: str) -> None:
    assert options_of({"CACHE_KEY_PREFIX": prefix})["namespace"] == namespace
    assert "CACHE_KEY_PREFIX: it is text" in refused({"CACHE_KEY_PREFIX": lambda: "x"})


@pytest.mark.parametrize("theirs", ["CACHE_ENABLE_SIGNALS", "CACHE_SOURCE_CHECK"])
def test_switches(theirs: str) -> None:
    attribute = {"CACHE_ENABLE_SIGNALS": "has_signals"}.get(theirs, "source_check")
    for value, expected in (
        *((each, True) for each in (True, 1, "true", "True", "yes", "on", "1")),
        *((each, False) for each in (False, 0, "false", "False", "no", "off", "0", None, "")),
    ):
        assert getattr(settings_of("shop", {theirs: value}), attribute) is expected
    assert refused({theirs: "x"}) == f"{theirs}: it is True or False, not 'x'"


def test_the_hash_method() -> None:
    assert settings_of("shop", {"CACHE_HASH_METHOD": hashlib.md5}).hash_method is hashlib.md5
    for bad in ("md5", None):
        assert "CACHE_HASH_METHOD is a function" in refused({"CACHE_HASH_METHOD": bad})
        with pytest.raises(ValueError, match="CACHE_HASH_METHOD"):
            settings_of("shop", {"CACHE_HASH_METHOD": bad})


def test_what_has_no_meaning_is_named_in_one_warning() -> None:
    message = warned(
        {
            "CACHE_TYPE": "SimpleCache",
            "CACHE_DIR": "/tmp/x",  # noqa: S108 - only named
            "CACHE_OPTIONS": {"password": "geheim"},
            "CACHE_ARGS": [1],
            "CACHE_REDIS_SENTINEL_MASTER": "m",
        },
        {"CACHE_MEMCACHED_PASSWORD": "geheim", "CACHE_OF_ANOTHER": 0},
    )
    assert message == (
        "these settings have no meaning in kcache_flask: CACHE_ARGS, CACHE_DIR, "
        "CACHE_MEMCACHED_PASSWORD, CACHE_OF_ANOTHER, CACHE_OPTIONS, "
        "CACHE_REDIS_SENTINEL_MASTER"
    )


def test_the_defaults_of_flask_caching_are_no_reason_to_warn() -> None:
    defaults = {
        "CACHE_DEFAULT_TIMEOUT": 300,
        "CACHE_IGNORE_ERRORS": True,
        "CACHE_THRESHOLD": 500,
        "CACHE_KEY_PREFIX": "flask_cache_",
        "CACHE_MEMCACHED_SERVERS": None,
        "CACHE_DIR": None,
        "CACHE_FILE_HASH_METHOD": hashlib.sha256,
        "CACHE_HASH_METHOD": hashlib.sha256,
        "CACHE_OPTIONS": None,
        "CACHE_ARGS": [],
        "CACHE_NO_NULL_WARNING": False,
        "CACHE_SOURCE_CHECK": False,
        "CACHE_ENABLE_SIGNALS": False,
        "CACHE_SERIALIZER": None,
        "CACHE_REDIS_HOST": "localhost",
        "CACHE_REDIS_PORT": 6379,
        "CACHE_REDIS_DB": 0,
        "CACHE_REDIS_CLUSTER": "",
        "CACHE_SOMETHING": None,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("NullCache", "SimpleCache", "RedisCache", "MemcachedCache"):
            settings_of("shop", defaults | {"CACHE_TYPE": kind})
        settings_of("shop", defaults)
        # Nor is what goes with another type.
        settings_of("shop", {"CACHE_TYPE": "NullCache", "CACHE_REDIS_URL": "redis://r1"})


def test_a_place_without_a_type_is_warned_of() -> None:
    message = warned({"CACHE_REDIS_URL": "redis://:geheim@r1"})
    assert message.endswith("CACHE_REDIS_URL; there is no CACHE_TYPE that they go with")


def test_the_warning_points_to_who_calls_the_extension() -> None:
    def init_app() -> None:
        settings_of("shop", {"CACHE_DIR": "x"})

    with pytest.warns(ConfigurationWarning) as caught:
        init_app()
    assert caught[0].filename == __file__
    assert caught[0].lineno == inspect.getsourcelines(init_app)[1] + 4


# Layers, and both vocabularies at once.


def test_a_later_layer_wins_key_by_key() -> None:
    first = {"KCACHE_NODES": ["redis://r9"], "KCACHE_TTL": 1, "KCACHE_TIMEOUT": 1}
    second = {"KCACHE_TTL": 2, "KCACHE_NAMESPACE": "x"}
    third = {"KCACHE_NODES": "redis://r1", "KCACHE_NAMESPACE": "y"}
    assert options_of(first, None, second, third) == {
        "nodes": R1,
        "ttl": 2,
        "timeout": 1,
        "namespace": "y",
    }
    place = {"CACHE_REDIS_HOST": "r9", "CACHE_REDIS_DB": 2}
    assert nodes_of(place, {"CACHE_TYPE": "redis"}, {"CACHE_REDIS_HOST": "r1"}) == (
        Node("redis://r1/2"),
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([{"KCACHE_NODES": ["redis://r9"]}, TYPE_R1], R1),
        ([{"CACHE_TYPE": "MemcachedCache"}, {"KCACHE_NODES": "redis://r1"}], R1),
        ([TYPE_R1, {"KCACHE_NODES": None}], None),
        ([{"KCACHE_NODES": ["redis://r1"]}, {"CACHE_TYPE": "SimpleCache"}], None),
        # What is replaced need not be usable.
        ([{"CACHE_TYPE": "FileSystemCache"}, {"KCACHE_NODES": "redis://r1"}], R1),
        ([{"KCACHE_NODES": "nonsense"}, TYPE_R1], R1),
        # What says nothing replaces nothing.
        ([{"KCACHE_NODES": ["redis://r1"]}, {"CACHE_TYPE": "NullCache"}], R1),
        # In one layer.
        ([TYPE_R1 | {"KCACHE_NODES": None}], R1),
        ([TYPE_R1 | {"KCACHE_NODES": "redis://r1:6379/0"}], (Node("redis://r1:6379/0"),)),
        ([{"CACHE_TYPE": "null", "KCACHE_NODES": "redis://r1"}], R1),
    ],
    ids=str,
)
def test_nodes_and_types_replace_each_other(layers: list[dict[str, Any]], expected: Any) -> None:
    assert nodes_of(*layers) == expected


def test_what_switches_caching_on_and_off() -> None:
    null, nodes = {"CACHE_TYPE": "NullCache"}, {"KCACHE_NODES": "redis://r1"}
    on, off = {"KCACHE_ENABLED": True}, {"KCACHE_ENABLED": False}
    for layers, expected in (
        ([nodes], True),
        ([nodes, null], False),
        ([nodes | null], False),
        ([null, nodes], True),
        ([null, TYPE_R1], True),
        ([null | on], True),
        ([null, on], True),
        ([on, null], True),
        ([TYPE_R1, off], False),
        ([off, on], True),
    ):
        assert settings_of("shop", *layers).is_enabled is expected, layers


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"KCACHE_NODES": "redis://r2"}, TYPE_R1),
        ({"KCACHE_NODES": "redis://:geheim@r1"}, TYPE_R1),
        ({"KCACHE_NODES": "redis://r1/1"}, TYPE_R1),
        ({"KCACHE_NODES": RING}, TYPE_R1),
        ({"KCACHE_NODES": "memory://a"}, {"CACHE_TYPE": "SimpleCache"}),
        ({"KCACHE_TTL": 60}, {"CACHE_DEFAULT_TIMEOUT": 300}),
        ({"KCACHE_TTL": None}, {"CACHE_DEFAULT_TIMEOUT": 300}),
        ({"KCACHE_NAMESPACE": "a"}, {"CACHE_KEY_PREFIX": "b"}),
        ({"KCACHE_NAMESPACE": None}, {"CACHE_KEY_PREFIX": "b"}),
        ({"KCACHE_SIGNALS": True}, {"CACHE_ENABLE_SIGNALS": False}),
        ({"KCACHE_SOURCE_CHECK": False}, {"CACHE_SOURCE_CHECK": True}),
    ],
    ids=str,
)
def test_one_layer_must_agree_with_itself(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    (key,) = ours
    message = refused(ours | theirs)
    assert re.fullmatch(
        rf"{key} and CACHE_[A-Z_]+ contradict each other; keep one of them", message
    )
    # The later layer counts.
    assert settings_of("shop", ours, theirs) == settings_of("shop", theirs)
    assert settings_of("shop", theirs, ours) == settings_of("shop", ours)


@pytest.mark.parametrize(
    "layer",
    [
        {"KCACHE_TTL": timedelta(minutes=1), "CACHE_DEFAULT_TIMEOUT": "60"},
        {"KCACHE_TTL": None, "CACHE_DEFAULT_TIMEOUT": 0},
        {"KCACHE_TTL": 60, "CACHE_DEFAULT_TIMEOUT": None},
        {"KCACHE_NAMESPACE": "a", "CACHE_KEY_PREFIX": "a"},
        {"KCACHE_NAMESPACE": "a", "CACHE_KEY_PREFIX": ""},
        {"KCACHE_SIGNALS": "on", "CACHE_ENABLE_SIGNALS": True},
    ],
    ids=str,
)
def test_a_layer_that_agrees_with_itself(layer: dict[str, Any]) -> None:
    ours = {key: value for key, value in layer.items() if key.startswith("KCACHE_")}
    assert settings_of("shop", layer) == settings_of("shop", ours)


def test_settings_show_no_secret_and_do_not_change() -> None:
    settings = settings_of("shop", {"KCACHE_SECRET": SECRET, "KCACHE_NODES": "redis://:geheim@r"})
    assert "geheim" not in repr(settings)
    options: Any = settings.options
    with pytest.raises(TypeError):
        options["ttl"] = 5


# Real servers.


def test_a_redis_on_a_socket_with_a_password_and_a_database(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    with redis(path, password="ge/h@im"):
        url = {"CACHE_REDIS_URL": f"unix://:ge%2Fh%40im@{path}", "CACHE_REDIS_DB": 3}
        host = {"CACHE_REDIS_HOST": str(path), "CACHE_REDIS_PASSWORD": "ge/h@im"}
        strict = {"CACHE_TYPE": "RedisCache", "KCACHE_ON_ERROR": "raise", "KCACHE_TIMEOUT": 10}
        with (
            Cache(**options_of(strict, url)) as by_url,
            Cache(**options_of(strict, host, {"CACHE_REDIS_DB": "3"})) as by_host,
            Cache(**options_of(strict, host)) as elsewhere,
        ):
            by_url.set("k", "v")
            assert by_host.get("k") == "v"
            assert 290 < (by_host.ttl("k") or 0) <= 300
            assert elsewhere.get("k") is None


def test_a_redis_on_a_port(redises: tuple[Redis, ...]) -> None:
    place = {"CACHE_REDIS_HOST": "127.0.0.1", "CACHE_REDIS_PORT": str(redises[0].port)}
    config = {"CACHE_TYPE": "redis", "KCACHE_ON_ERROR": "raise", "KCACHE_TIMEOUT": 10} | place
    same = {"KCACHE_NODES": redises[0].url, "KCACHE_NAMESPACE": "shop"}
    with Cache(**options_of(config)) as cache, Cache(**settings_of("x", same).options) as other:
        cache.set("k", [1])
        assert other.get("k") == [1]


def test_two_memcacheds(memcacheds: tuple[Memcached, ...]) -> None:
    first, second = memcacheds[:2]
    servers = [f"127.0.0.1:{first.port}", ("127.0.0.1", second.port)]
    strict = {"KCACHE_ON_ERROR": "raise", "KCACHE_TIMEOUT": 10}
    config = {"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": servers} | strict
    same = {"KCACHE_NODES": f"{first.url},{second.url}"}
    with Cache(**options_of(config)) as cache, Cache(**options_of(same)) as other:
        keys = [f"k{number}" for number in range(20)]
        for key in keys:
            cache.set(key, key)
        assert [other.get(key) for key in keys] == keys
        assert len({cache.ring.node_for(key) for key in keys}) == 2
