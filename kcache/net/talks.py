"""The protocol of each kind of node."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from kcache.command import Command
from kcache.node import Node
from kcache.wire.memcached_talk import MemcachedTalk
from kcache.wire.redis_talk import RedisTalk
from kcache.wire.talk import Talk

__all__ = ["talk_for"]


def talk_for(node: Node, commands: Sequence[Command]) -> Talk:
    """The commands in the protocol of a node."""
    return RedisTalk(commands) if node.kind == "redis" else MemcachedTalk(commands, time())
