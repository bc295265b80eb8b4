"""What a ring promises in every dialect."""

from __future__ import annotations

import pickle
import tracemalloc
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcache import ConfigurationError, InvalidKey, Node, Ring
from tests.ring import strategies as fleet

SPACE = 1 << 32


@st.composite
def rings(draw: st.DrawFn, least: int = 1) -> Ring:
    dialect = draw(fleet.dialects)
    options = draw(fleet.options_of(dialect))
    return Ring(draw(fleet.fleets(least=least)), dialect, **options)


def owner_by_scan(ring: Ring, place: int) -> Node:
    """The rule itself: the first point >= the hash, wrapping round."""
    return next((node for point, node in ring.points if point >= place), ring.points[0][1])


def same_points(one: Ring, other: Ring) -> bool:
    """Whether two rings have the same points: a bool, since a diff of them takes minutes."""
    return list(one.points) == list(other.points)


@given(rings(), st.lists(fleet.keys))
def test_the_owner_is_the_first_point_at_or_after_the_hash(ring: Ring, keys: list[str]) -> None:
    for key in keys:
        expected = owner_by_scan(ring, ring.hash_of(key))
        assert ring.node_for(key) == expected
        assert ring.node_for(key) is ring.node_for(key.encode())
        assert ring.owners(key, 1) == (expected,)


@given(rings(), st.integers(0, SPACE - 1))
@settings(max_examples=200)
def test_points_are_sorted_and_each_is_a_hit_of_its_own(ring: Ring, place: int) -> None:
    points = [point for point, _ in ring.points]
    assert points == sorted(points)
    assert all(0 <= point < SPACE for point in points)
    continuum = ring._continuum  # noqa: SLF001 - hashes cannot be chosen through keys
    for near in {place, points[0], points[-1], points[place % len(points)]}:
        for probe in (near - 1, near, near + 1):
            if 0 <= probe < SPACE:
                assert ring.nodes[continuum.owner(probe)] == owner_by_scan(ring, probe)


@given(rings())
def test_points_are_a_sequence(ring: Ring) -> None:
    points = ring.points
    assert len(points) == len(list(points))
    assert points[-1] == points[len(points) - 1] == list(points)[-1]
    assert list(points[2:5]) == list(points)[2:5]
    with pytest.raises(IndexError):
        points[len(points)]


@given(rings())
def test_shares_are_exact_and_complete(ring: Ring) -> None:
    shares = ring.share()
    assert list(shares) == list(ring.nodes)
    assert sum(shares.values()) == 1
    owned: Counter[Node] = Counter()
    previous = -1
    for point, node in ring.points:
        end = min(point, ring.key_space - 1)
        owned[node] += max(0, end - previous)
        previous = max(previous, end)
    owned[ring.points[0][1]] += ring.key_space - 1 - previous
    assert shares == {node: Fraction(owned[node], ring.key_space) for node in ring.nodes}


@given(rings(), st.lists(fleet.keys), st.integers(0, 10))
def test_owners_are_different_nodes_in_ring_order(ring: Ring, keys: list[str], n: int) -> None:
    points = list(ring.points)
    with_points = {node for _, node in points}
    for key in keys:
        place = ring.hash_of(key)
        clockwise = [node for point, node in points if point >= place]
        clockwise += [node for point, node in points if point < place]
        expected = list(dict.fromkeys(clockwise))[:n]
        assert ring.owners(key, n) == tuple(expected)
        assert len(ring.owners(key, n)) == min(n, len(with_points))


@given(rings(), st.lists(fleet.keys))
def test_group_sorts_keys_by_owner(ring: Ring, keys: list[str]) -> None:
    expected: dict[Node, list[str]] = {}
    for key in keys:
        expected.setdefault(ring.node_for(key), []).append(key)
    assert ring.group(keys) == expected
    assert ring.group(iter(keys)) == expected


def test_group_of_more_keys_than_a_ring_remembers() -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(5)])
    keys = [f"key:{i}" for i in range(20_000)]
    expected = {node: [k for k in keys if ring.node_for(k) is node] for node in ring.nodes}
    assert ring.group(keys) == expected


@given(st.data(), fleet.fleets(least=2, most=4, max_weight=3), fleet.keys)
@settings(max_examples=50)
def test_order_does_not_matter_where_the_dialect_says_so(
    data: st.DataObject, nodes: list[Node], key: str
) -> None:
    shuffled = data.draw(st.permutations(nodes))
    for dialect in fleet.ORDER_INDEPENDENT:
        one, other = Ring(nodes, dialect), Ring(shuffled, dialect)
        assert same_points(one, other)
        assert one.node_for(key) == other.node_for(key)


@given(
    fleet.fleets(least=2, most=4, max_weight=3),
    fleet.fleets(most=1),
    st.sampled_from(["kcache", "nginx"]),
)
@settings(max_examples=50)
def test_nothing_moves_that_need_not(nodes: list[Node], more: list[Node], dialect: str) -> None:
    """Where a node's points depend on nothing but the node, only its own keys move."""
    (extra,) = more
    nodes = [node for node in nodes if node.name != extra.name] or [Node("memcached://10.1.0.1")]
    ring = Ring(nodes, dialect)
    wider = ring.with_node(extra)
    coming, going = ring.plan(wider), wider.plan(ring)
    assert {new for _, new in coming.moves} <= {extra.name}
    assert coming.moved == wider.share()[extra]
    assert going.moves == {(new, old): share for (old, new), share in coming.moves.items()}


@given(st.data(), rings(least=2))
def test_equal_nodes_move_no_more_than_the_one_that_goes(data: st.DataObject, ring: Ring) -> None:
    even = [node.with_weight(1) for node in ring.nodes]
    ring = Ring(even, "libketama")
    gone = data.draw(st.sampled_from(even))
    plan = ring.plan(ring.without(gone.name))
    assert {old for old, _ in plan.moves} == {gone.name}
    assert plan.moved == ring.share()[gone]


@given(st.data(), rings(), st.lists(fleet.keys, max_size=20))
@settings(max_examples=50)
def test_a_plan_agrees_with_every_key(data: st.DataObject, ring: Ring, keys: list[str]) -> None:
    other_nodes = data.draw(fleet.fleets())
    other = Ring(other_nodes, ring.dialect, **ring.options)
    plan = ring.plan(other)
    assert plan.moved == sum(plan.moves.values())
    assert all(share > 0 for share in plan.moves.values())
    assert list(plan.moves.values()) == sorted(plan.moves.values(), reverse=True)
    for key in keys:
        old, new = ring.node_for(key).name, other.node_for(key).name
        assert old == new or (old, new) in plan.moves
    lost: defaultdict[str, Fraction] = defaultdict(Fraction)
    for (old, new), share in plan.moves.items():
        assert old != new
        lost[old] += share
        lost[new] -= share
    before = {node.name: share for node, share in ring.share().items()}
    after = {node.name: share for node, share in other.share().items()}
    for name in before | after:
        assert before.get(name, 0) - lost[name] == after.get(name, 0)


def test_a_plan_between_rings_that_hash_differently_is_refused() -> None:
    nodes = ["memcached://10.0.0.1", "memcached://10.0.0.2"]
    with pytest.raises(ConfigurationError, match="hash keys differently"):
        Ring(nodes).plan(Ring(nodes, "nginx"))
    with pytest.raises(ConfigurationError, match="hash keys differently"):
        Ring(nodes, "twemproxy").plan(Ring(nodes, "twemproxy", hash_tag="{}"))
    assert Ring(nodes).plan(Ring(nodes, "twemproxy", hash="md5")).moved > 0


@given(rings())
def test_rings_are_values(ring: Ring) -> None:
    same = Ring(ring.nodes, ring.dialect, **ring.options)
    assert same == ring
    assert hash(same) == hash(ring)
    copy = pickle.loads(pickle.dumps(ring))  # noqa: S301 - our own bytes
    assert copy == ring
    assert same_points(copy, ring)
    assert ring != Ring([*ring.nodes, Node("memcached://10.9.9.9")], ring.dialect, **ring.options)
    assert ring != "ring"


def test_a_ring_is_immutable() -> None:
    ring = Ring(["memcached://10.0.0.1"])
    for name in ("nodes", "_nodes", "node_for", "anything"):
        with pytest.raises(AttributeError):
            setattr(ring, name, ())
        with pytest.raises(AttributeError):
            delattr(ring, name)
    with pytest.raises(TypeError):
        ring.options["hash"] = "crc32"  # type: ignore[index] # wrong on purpose


@given(rings())
def test_with_node_and_without_keep_dialect_and_options(ring: Ring) -> None:
    wider = ring.with_node("memcached://10.9.9.9")
    assert wider.nodes == (*ring.nodes, Node("memcached://10.9.9.9"))
    assert (wider.dialect, wider.options) == (ring.dialect, ring.options)
    assert wider.without("10.9.9.9:11211") == ring


def test_changes_that_make_no_ring() -> None:
    ring = Ring(["memcached://10.0.0.1"])
    with pytest.raises(ConfigurationError, match=r"no node 'x' in the ring of 10\.0\.0\.1:11211"):
        ring.without("x")
    with pytest.raises(ConfigurationError, match="at least one node"):
        ring.without("10.0.0.1:11211")
    with pytest.raises(ConfigurationError, match="two nodes are named"):
        ring.with_node("memcached://10.0.0.1:11211")


def test_twemproxy_gives_an_equal_point_to_the_shorter_label() -> None:
    """Two labels with one point in common, found by search; as bytes the longer is smaller."""
    nodes = [Node(kind="memcached", host="h", name=name) for name in ("a-long-147", "z134")]
    for listed in (nodes, nodes[::-1]):
        tied = [
            node.name for point, node in Ring(listed, "twemproxy").points if point == 1683808622
        ]
        assert tied == ["z134", "a-long-147"]


def test_autoweighted_is_weighted_only_above_a_weight_of_one() -> None:
    nodes = [f"memcached://10.0.0.{i}" for i in range(3)]
    plain = Ring(nodes, "libmemcached-autoweighted")
    assert same_points(plain, Ring(nodes, "libmemcached"))
    nodes[1] += "?weight=2"
    heavier = Ring(nodes, "libmemcached-autoweighted")
    assert same_points(heavier, Ring(nodes, "libmemcached-weighted"))
    assert heavier.options == plain.options == {"hash": "one_at_a_time"}


DIALECTS_OF_HASH_TAGS: list[tuple[str, str]] = [
    ("{user}:a", "user"),
    ("x{user}y{other}", "user"),
    ("}{user}", "user"),
    ("{}user", "{}user"),
    ("{user", "{user"),
    ("user}", "user}"),
    ("}user{", "}user{"),
    ("{{user}}", "{user"),
]


@pytest.mark.parametrize(("key", "hashed"), DIALECTS_OF_HASH_TAGS)
def test_hash_tags(key: str, hashed: str) -> None:
    nodes = [f"memcached://10.0.0.{i}" for i in range(9)]
    tagged, plain = Ring(nodes, "twemproxy", hash_tag="{}"), Ring(nodes, "twemproxy")
    assert tagged.hash_of(key) == plain.hash_of(hashed)
    assert tagged.node_for(key).name == plain.node_for(hashed).name


@pytest.mark.parametrize(
    "key", ["", b"", None, 7, 1.5, ("a",), ["a"], bytearray(b"a"), "\ud800", {}, object()]
)
@pytest.mark.parametrize("dialect", ["libketama", "kcache", "twemproxy"])
def test_keys_that_are_none(dialect: str, key: Any) -> None:
    ring = Ring(["memcached://10.0.0.1", "memcached://10.0.0.2"], dialect)
    for call in (ring.node_for, ring.hash_of, lambda key: ring.group([key])):
        for _ in range(2):
            with pytest.raises(InvalidKey, match="key"):
                call(key)
    with pytest.raises(InvalidKey):
        ring.owners(key, 1)


class _Liar(str):
    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"something else"


@pytest.mark.parametrize("dialect", ["libketama", "kcache"])
def test_what_is_remembered_cannot_be_poisoned(dialect: str) -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(50)], dialect)
    expected = ring.owners("k", 1)[0]
    ring.node_for(_Liar("k"))
    ring.node_for(b"k")
    assert ring.node_for("k") == ring.node_for(b"k") == expected
    with pytest.raises(InvalidKey):
        ring.node_for(memoryview(b"k"))  # type: ignore[arg-type] # wrong on purpose


def test_what_is_remembered_is_bounded() -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(3)])
    tracemalloc.start()
    try:
        for i in range(50_000):
            ring.node_for(f"key:{i}")
        ring.node_for("x" * 10_000_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000


def test_a_ring_has_a_limit() -> None:
    node = Node("memcached://10.0.0.1")
    with pytest.raises(ConfigurationError, match="room for 65535 nodes, not 65536"):
        Ring([node] * 65_536)
    with pytest.raises(ConfigurationError, match="two nodes are named"):
        Ring([node] * 65_535)


@given(rings(), fleet.keys)
def test_node_for_is_a_method_too(ring: Ring, key: str) -> None:
    assert Ring.node_for(ring, key) is ring.node_for(key) is ring.nodes[ring.index_for(key)]


@pytest.mark.parametrize("dialect", ["libketama", "kcache"])
def test_long_keys_are_found_without_being_remembered(dialect: str) -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(3)], dialect)
    keys = [f"{i}" + "x" * 100_000 for i in range(200)]
    expected = [ring.owners(key, 1)[0] for key in keys]
    tracemalloc.start()
    try:
        assert [ring.node_for(key[:1] + key[1:]) for key in keys] == expected
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000


@pytest.mark.parametrize("dialect", ["libketama", "kcache"])
def test_a_ring_forgets_what_it_has_remembered_for_long(dialect: str) -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(3)], dialect)
    tracemalloc.start()
    try:
        for i in range(20_000):
            ring.node_for(f"key:{i}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
    assert ring.node_for("key:1") is ring.node_for(b"key:1")


@pytest.mark.parametrize("dialect", ["libketama", "kcache"])
@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "must not be empty"),
        (b"", "must not be empty"),
        (5, "a key is str or bytes, not int"),
        (None, "a key is str or bytes, not NoneType"),
        ("a\ud800", "no UTF-8"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(dialect: str, key: Any, says: str) -> None:
    ring = Ring(["memcached://10.0.0.1"], dialect)
    for find in (ring.node_for, ring.index_for, ring.hash_of):
        with pytest.raises(InvalidKey, match=says):
            find(key)


def test_rings_and_plans_are_compared_with_their_like_only() -> None:
    ring = Ring(["memcached://10.0.0.1"])
    assert (ring == "memcached://10.0.0.1") is False
    assert (ring != "memcached://10.0.0.1") is True
    plan = ring.plan(ring.with_node("memcached://10.0.0.2"))
    assert plan == ring.plan(ring.with_node("memcached://10.0.0.2"))
    assert plan != ring.plan(ring)
    with pytest.raises(AttributeError):
        plan.moved = Fraction()  # type: ignore[misc] # wrong on purpose


class _Name(str):
    __slots__ = ()


@given(rings(), fleet.keys)
def test_subclasses_of_str_are_keys(ring: Ring, key: str) -> None:
    assert ring.node_for(_Name(key)) == ring.node_for(key)


@pytest.mark.parametrize(
    ("nodes", "dialect", "options", "says"),
    [
        ([], "libketama", {}, "at least one node"),
        ("memcached://h", "libketama", {}, "list of nodes"),
        (Node("memcached://h"), "libketama", {}, "list of nodes"),
        ([7], "libketama", {}, "by a URL, not by int"),
        (["memcached://h", "memcached://h:11211"], "libketama", {}, "two nodes are named"),
        (["memcached://h"], "ketama", {}, "unknown dialect 'ketama'; the dialects are libketama"),
        (["memcached://h"], None, {}, "unknown dialect None"),
        (["memcached://h"], "libketama", {"hash": "crc32"}, "no key hash 'crc32'; it takes md5"),
        (["memcached://h"], "twemproxy", {"hash": "sha1"}, "no key hash 'sha1'"),
        (["memcached://h"], "libketama", {"hash_tag": "{}"}, "has no option 'hash_tag'"),
        (["memcached://h"], "libketama", {"nonsense": 1}, "has no option 'nonsense'"),
        (["memcached://h"], "twemproxy", {"hash_tag": "{"}, "two ASCII characters"),
        (["memcached://h"], "twemproxy", {"hash": 7}, "is a str, not 7"),
        (["memcached://1.1.1.1"], "spymemcached", {"weighted": 1}, "is a bool, not 1"),
        (["memcached://1.1.1.1"], "spymemcached", {"format": "x"}, "format must be one of"),
        (["memcached://h"], "spymemcached", {}, "ip=ADDRESS"),
        (["memcached://h?weight=0"], "libketama", {}, "takes weights 1 to"),
        (["memcached://h?weight=0"], "twemproxy", {}, "takes weights 1 to"),
        (["memcached://h?weight=0"], "nginx", {}, "takes weights 1 to"),
        (["memcached://h?weight=999999"], "nginx", {}, "must be at most 26214"),
        ([f"memcached://h{i}?weight=100" for i in range(82)], "kcache", {}, "must be at most 8192"),
        (
            ["memcached://h", "memcached://g?name=h"],
            "libmemcached",
            {},
            "hashes nodes 'h:11211' and",
        ),
        (["memcached://h"], "twemproxy", {"hash": ""}, "is a str, not ''"),
        (None, "libketama", {}, "list of nodes"),
        (5, "libketama", {}, "list of nodes"),
        (["memcached://h?weight=101"], "kcache", {}, "takes weights 1 to 100, not 101"),
        (["memcached://h?weight=4294967296"], "libmemcached-weighted", {}, "takes weights 0 to"),
        (["memcached://1.1.1.1?weight=0"], "spymemcached", {"weighted": True}, "sum of weights"),
        ([f"memcached://h{i}?weight=2147483647" for i in range(3)], "twemproxy", {}, "32 bits"),
    ],
)
def test_bad_rings_get_one_clear_line(
    nodes: Any, dialect: Any, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ring(nodes, dialect, **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dialects_that_ignore_weights_take_any() -> None:
    nodes = ["memcached://10.0.0.1?weight=0", "memcached://10.0.0.2?weight=5000000000"]
    for dialect in ("libmemcached", "spymemcached"):
        shares = Ring(nodes, dialect).share().values()
        assert all(share > Fraction(1, 4) for share in shares)


def test_failover_belongs_to_spymemcached() -> None:
    ring = Ring(["memcached://10.0.0.1", "memcached://10.0.0.2"])
    with pytest.raises(ConfigurationError, match=r"no failover sequence.*Ring\.owners"):
        ring.failover("key")
    spy = Ring(ring.nodes, "spymemcached")
    assert len(spy.failover("key")) == 7
    assert spy.failover("key", 1) == (spy.node_for("key"),)


def test_a_ring_says_what_it_is() -> None:
    ring = Ring(["redis://u:secret@10.0.0.1", *(f"memcached://h{i}" for i in range(9))])
    assert repr(ring) == (
        "<Ring of 10.0.0.1:6379, h0:11211, h1:11211, h2:11211, h3:11211, ... (10 nodes), "
        "dialect='libketama', hash='md5'>"
    )


def test_threads_share_a_ring() -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(7)])
    keys = [f"key:{i}" for i in range(9_000)]
    expected = [ring.owners(key, 1)[0] for key in keys]
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: [ring.node_for(key) for key in keys], range(8)):
            assert found == expected
