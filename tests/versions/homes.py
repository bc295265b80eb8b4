"""Another design: the records of a namespace lie on one node, its home, and not on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcache.command import Get, Set
from kcache.entry import FRAME_FLAGS
from kcache.errors import NodeError
from kcache.flow import Flow
from kcache.namespaced import Namespaced
from kcache.versions import Tokens, joined

__all__ = ["Failover", "Moving"]


class _Home(Namespaced):
    """Reads and writes where the home says which versions count."""

    def homes(self) -> Sequence[int]:
        """The nodes that are asked for the records, the second if the first gives no answer."""
        raise NotImplementedError

    def get(self, key: Any) -> Flow[Any]:
        _, tokens = yield from self._at_home()
        index, place = self._router.route(key)
        found = yield from self._ask(index, Get((place.key,)))
        return self._value(place, found[0][2] if found else None, tokens)

    def set(self, key: Any, value: Any, ttl: float | None) -> Flow[bool]:
        home, tokens = yield from self._at_home()
        versions = (yield from self._installed({home: tokens}))[home]
        if isinstance(versions, NodeError):
            raise versions
        index, place = self._router.route(key)
        item = place.key, self._entries.frame(value, place.digest + versions), FRAME_FLAGS
        yield from self._ask(index, Set((item,), ttl))
        return True

    def invalidate(self) -> Flow[list[NodeError]]:
        home, tokens = yield from self._at_home()
        if joined(tokens):
            yield from self._ask(home, self._renewal(self.path.records[-1]))
        return []

    def _at_home(self) -> Flow[tuple[int, Tokens]]:
        failure: NodeError | None = None
        for home in self.homes():
            answers = yield {home: (Get(self.path.records),)}
            replies = answers[home]
            if not isinstance(replies, NodeError):
                return home, self._taken_apart(home, replies[0])[1]
            failure = replies
        assert failure is not None
        raise failure


class Failover(_Home):
    """The home is the second node, and the first one while that gives no answer."""

    def homes(self) -> Sequence[int]:
        return 1, 0


class Moving(_Home):
    """The home is the owner of the key in the process' own ring."""

    def homes(self) -> Sequence[int]:
        return (self._router.route("a")[0],)
