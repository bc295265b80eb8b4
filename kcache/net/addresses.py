"""The addresses of a host: each has a share of the time in which a connection is wanted.

One that is silent, such as that of a machine which is gone, would take all of it otherwise, each
time again, though others answer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from kcache.node import Node

__all__ = ["first_of", "left"]

T = TypeVar("T")


def first_of(
    node: Node,
    deadline: float,
    connect: Callable[[str, int, float], T],
    is_final: Callable[[Exception], bool] = lambda _: False,
) -> T:
    """What comes of the first address that can be connected to.

    Args:
        node: with a host.
        deadline: on the clock `time.monotonic`.
        connect: is given an address, a port, and the seconds that it may take.
        is_final: whether an error says all there is to be said.

    Raises:
        Exception: of the last address, if there is none.
        OSError: the host has no address.
    """
    found = socket.getaddrinfo(node.host, node.effective_port, type=socket.SOCK_STREAM)
    failure: Exception = OSError(f"{node.host!r} has no address")
    for number, (*_, address) in enumerate(found):
        try:
            share = left(deadline) / (len(found) - number)
            return connect(str(address[0]), int(address[1]), share)
        except Exception as error:
            if is_final(error):
                raise
            failure = error
    raise failure


def left(deadline: float) -> float:
    """Seconds that are left.

    Raises:
        TimeoutError: there are none.
    """
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds
