"""Uses of the public API with the types that it promises."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, assert_type

from kcache import Node, Plan, Ring

node = Node("redis://10.0.0.2:6380?weight=2&name=r2")
other = Node(kind="memcached", host="10.0.0.1", port=11211, weight=2, name="m1")
assert_type(node.name, str)
assert_type(node.weight, int)
assert_type(node.label("libketama"), str)

ring = Ring([node, "memcached://10.0.0.1"], dialect="twemproxy", hash="md5", hash_tag="{}")
spy = Ring([other], "spymemcached", format="LIBMEMCACHED", weighted=True)
assert_type(ring.node_for("key"), Node)
assert_type(ring.node_for(b"key"), Node)
assert_type(ring.owners("key", 2), tuple[Node, ...])
assert_type(ring.failover("key"), tuple[Node, ...])
assert_type(ring.points, Sequence[tuple[int, Node]])
assert_type(ring.share(), dict[Node, Fraction])
assert_type(ring.nodes, tuple[Node, ...])
assert_type(ring.options, Mapping[str, Any])
assert_type(ring.with_node(node), Ring)
assert_type(ring.without("r2"), Ring)
assert_type(ring.plan(spy), Plan)
assert_type(ring.plan(spy).moved, Fraction)
assert_type(Ring.from_file(Path("servers.list")), Ring)
