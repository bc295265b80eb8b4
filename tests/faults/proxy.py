"""A proxy in front of a real server, whose faults are switched while it runs.

    with proxy(server.address) as between:
        ...
        assert between.round_trips == (1,)
        between.switch(replies=Rule(delay=0.1))
        between.switch(requests=HOLD, replies=HOLD)
        between.switch()

It does not look into the bytes: any protocol passes, an encrypted one too.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.acceptor import Acceptor
from tests.faults.link import Link
from tests.faults.rules import HOLD, PASS, Rule, Rules
from tests.servers.connect import Address, connection

__all__ = ["HOLD", "PASS", "Proxy", "Rule", "proxy"]


class Proxy:
    """A running proxy.

    Args:
        server: where connections are passed on to. While nobody listens there, they are closed.

    Attributes:
        server: as above; it may be changed, for connections from then on.
    """

    def __init__(self, server: Address) -> None:
        self.server = server
        self._rules = Rules()
        self._links: list[Link] = []
        self._acceptor = Acceptor(self._serve)

    @property
    def address(self) -> tuple[str, int]:
        return self._acceptor.address

    @property
    def port(self) -> int:
        return self.address[1]

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._acceptor.accepted

    @property
    def round_trips(self) -> tuple[int, ...]:
        """For each connection that reached the server, how often requests came after replies.

        A batch whose first replies come before its last request has been sent may count more
        than once.
        """
        return tuple(link.round_trips for link in self._links)

    def switch(self, requests: Rule = PASS, replies: Rule = PASS) -> None:
        """Put rules in force, for open connections too, and lift those before."""
        self._rules.switch(requests, replies)

    def reset(self) -> None:
        """Reset all open connections; what was held of them is lost."""
        for link in tuple(self._links):
            link.end(by_reset=True)

    def close(self) -> None:
        # First those who are held or blocked; whoever comes now finds the rules lifted.
        self.switch()
        for link in tuple(self._links):
            link.end(by_reset=False)
        self._acceptor.close()

    def _serve(self, client: socket.socket) -> None:
        with connection(self.server) as server:
            server.settimeout(None)
            if server.family != socket.AF_UNIX:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._acceptor.track(server)
            try:
                link = Link(client, server, self._rules, self._acceptor.wait)
                self._links.append(link)
                link.run()
            finally:
                self._acceptor.forget(server)


@contextmanager
def proxy(server: Address) -> Iterator[Proxy]:
    """Run a proxy on a free port."""
    between = Proxy(server)
    try:
        yield between
    finally:
        between.close()
