"""Connections to memcached, opened by pymemcache; what it lacks, authentication, is done here."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from time import monotonic
from typing import Any

from pymemcache.client.base import Client

from kcache.errors import ConnectFailed, NodeError, NodeRefused, ProtocolError, TimedOut
from kcache.net.reasons import foreign, lost, said, too_late, unreachable
from kcache.node import Node
from kcache.wire.memcached import MN, encode_auth

__all__ = ["open_node"]

_LONGEST_LINE = 2048
_UNHEARD = b"CLIENT_ERROR "
"""What begins memcached's replies to those who have not said who they are."""


class _TlsContext:
    """What pymemcache takes for a context: it expects the right name in the certificate.

    pymemcache connects to one address only, the first of a host, and so is given addresses.
    """

    def __init__(self, node: Node) -> None:
        options = dict(node.options)
        self._name = options.get("server_name", node.host)
        self._context = ssl.create_default_context(cafile=options.get("ca"))
        if "cert" in options:
            self._context.load_cert_chain(options["cert"], options.get("key"))

    def wrap_socket(self, sock: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        del server_hostname
        return self._context.wrap_socket(sock, server_hostname=self._name)


def open_node(node: Node, timeout: float) -> socket.socket:
    """Connect and authenticate.

    Args:
        node: of kind `memcached`.
        timeout: seconds.

    Raises:
        ConnectFailed: no connection, or no TLS.
        TimedOut: no answer in time.
        NodeRefused: the user or the password is wrong.
        ProtocolError: it is no memcached.
    """
    try:
        addresses = _addresses(node)
        # The look-up is the system's, and has a time of its own.
        deadline = monotonic() + timeout
        sock = _connected(node, addresses, deadline)
        if node.username is not None or node.password is not None:
            _let_in(sock, node, deadline)
    except NodeError:
        raise
    except Exception as error:
        raise _explained(error, node, timeout) from error
    return sock


def _connected(
    node: Node, addresses: Sequence[tuple[str, int] | str], deadline: float
) -> socket.socket:
    context = _TlsContext(node) if node.tls else None
    failure: OSError | None = None
    for number, address in enumerate(addresses):
        # One that is silent would leave no time to the others.
        timeout = _left(deadline) / (len(addresses) - number)
        client: Any = Client(
            address, connect_timeout=timeout, timeout=timeout, no_delay=True, tls_context=context
        )
        try:
            client._connect()  # noqa: SLF001 - pymemcache has no public way to connect
        except OSError as error:
            failure = failure or error
            continue
        sock: socket.socket
        # It would close what it still has when it is collected.
        sock, client.sock = client.sock, None
        return sock
    raise failure or OSError(f"{node.host!r} has no address")


def _addresses(node: Node) -> Sequence[tuple[str, int] | str]:
    if node.path is not None:
        return [node.path]
    found = socket.getaddrinfo(node.host, node.effective_port, type=socket.SOCK_STREAM)
    return [(str(address[0]), int(address[1])) for *_, address in found]


def _let_in(sock: socket.socket, node: Node, deadline: float) -> None:
    try:
        _authenticate(sock, node, deadline)
    except BaseException:
        sock.close()
        raise


def _authenticate(sock: socket.socket, node: Node, deadline: float) -> None:
    """Say who asks, if the node wants to know.

    To one that does not, the command is a `set` of the password under the key `auth`; and a server
    of another kind would show it in its logs.
    """
    reply = _told(sock, node, MN, deadline)
    if reply == MN.upper():
        return
    if not reply.startswith(_UNHEARD):
        raise ProtocolError(node, foreign(f"not a reply: {reply.rstrip()!r}"))
    user, password = node.username or "", node.password or ""
    try:
        command = encode_auth(user.encode(), password.encode())
    except ValueError as error:
        raise NodeRefused(node, f"{error}") from None
    reply = _told(sock, node, command, deadline)
    if reply != b"STORED\r\n":
        raise NodeRefused(node, said(reply.decode(errors="backslashreplace"), node))


def _told(sock: socket.socket, node: Node, command: bytes, deadline: float) -> bytes:
    """The line that answers a command."""
    sock.sendall(command)
    reply = b""
    while not reply.endswith(b"\r\n"):
        sock.settimeout(_left(deadline))
        data = sock.recv(_LONGEST_LINE)
        if not data or len(reply) > _LONGEST_LINE:
            raise ConnectFailed(node, lost(None, node, is_new=True))
        reply += data
    return reply


def _left(deadline: float) -> float:
    """Seconds that are left.

    Raises:
        TimeoutError: there are none.
    """
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _explained(error: Exception, node: Node, timeout: float) -> NodeError:
    if isinstance(error, TimeoutError):
        return TimedOut(node, too_late(node, timeout))
    return ConnectFailed(node, unreachable(error, node))
