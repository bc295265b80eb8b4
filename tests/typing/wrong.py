"""Uses of the public API that a type checker must refuse."""

from kcache import Node, Ring

Node("redis://h", weight="2")  # wrong
Node("redis://h").weight = 2  # wrong
ring = Ring(["redis://h"])
Ring(7)  # wrong
Ring(["redis://h"], nonsense=True)  # wrong
Ring(["redis://h"], hash=7)  # wrong
ring.node_for(7)  # wrong
ring.node_for(None)  # wrong
ring.without(Node("redis://h"))  # wrong
