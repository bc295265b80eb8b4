"""Connections to Redis and Valkey, opened by redis-py: TLS, authentication, database."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import cache, lru_cache
from inspect import signature
from typing import Any

from redis import connection as redis_py
from redis import exceptions
from redis._parsers import _RESP2Parser

from kcache.errors import ConnectFailed, NodeError, NodeRefused, ProtocolError, TimedOut
from kcache.net.reasons import foreign, said, too_late, unreachable
from kcache.node import Node

__all__ = ["open_node"]

# redis-py has no types where it matters here.
_redis_py: Any = redis_py
_TLS = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
_REFUSALS = (exceptions.AuthenticationError, exceptions.ResponseError)


class _NamedConnection(redis_py.SSLConnection):
    """Expects another name in the certificate than the one it connects to."""

    server_name: str

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> Any:
        host, self.host = self.host, self.server_name
        try:
            wrap: Any = super()._wrap_socket_with_ssl
            return wrap(sock)
        finally:
            self.host = host


def open_node(node: Node, timeout: float) -> socket.socket:
    """Connect, authenticate, and choose the database.

    Args:
        node: of kind `redis`.
        timeout: of each wait, in seconds; all addresses of a host share one to be connected to.

    Raises:
        ConnectFailed: no connection, or no TLS.
        TimedOut: no answer in time.
        NodeRefused: the user, the password or the database is wrong.
        ProtocolError: it is no Redis.
    """
    try:
        opener = _opener(node, timeout)
        opener.connect()
    except Exception as error:
        raise _explained(error, node, timeout) from error
    sock: socket.socket
    # It would close what it still has when it is collected.
    sock, opener._sock = opener._sock, None  # noqa: SLF001 - redis-py has no public way to it
    return sock


def _opener(node: Node, timeout: float) -> Any:
    options: dict[str, Any] = {
        "db": node.database or 0,
        "username": node.username,
        "password": node.password,
        "socket_timeout": timeout,
        # Of each address: one that is silent would leave none of a call's time to the others.
        "socket_connect_timeout": timeout / _addresses(node),
        # Its C parser has crashed the interpreter when it was interrupted.
        "parser_class": _RESP2Parser,
        "protocol": 2,
        **_silent(),
    }
    opener: Any
    if node.path is not None:
        opener = _redis_py.UnixDomainSocketConnection(path=node.path, **options)
    else:
        options |= {"host": node.host, "port": node.effective_port}
        opener = (
            _over_tls(dict(node.options), options) if node.tls else _redis_py.Connection(**options)
        )
    # What it would say of itself costs two round trips; older versions have no option for it.
    opener.driver_info = opener.lib_name = opener.lib_version = None
    return opener


def _addresses(node: Node) -> int:
    """How many addresses the host of a node has, as far as that is known."""
    try:
        return 1 if node.host is None else _found(node.host, node.effective_port)
    except OSError:
        # redis-py will say so.
        return 1


@lru_cache
def _found(host: str, port: int | None) -> int:
    return len(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


@cache
def _silent() -> dict[str, None]:
    """Options that keep redis-py from finding out its version, which reads many directories."""
    known = signature(_redis_py.AbstractConnection.__init__).parameters
    wanted = ("driver_info",) if "driver_info" in known else ("lib_name", "lib_version")
    return {name: None for name in wanted if name in known}


def _over_tls(given: dict[str, str], options: Mapping[str, Any]) -> Any:
    name = given.pop("server_name", None)
    tls: dict[str, Any] = {_TLS[key]: value for key, value in given.items()}
    # redis-py checks the name from release 6 on only.
    tls["ssl_check_hostname"] = True
    if name is None:
        return _redis_py.SSLConnection(**options, **tls)
    opener: Any = _NamedConnection
    opener = opener(**options, **tls)
    opener.server_name = name
    return opener


def _explained(error: Exception, node: Node, timeout: float) -> NodeError:
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return TimedOut(node, too_late(node, timeout))
    if isinstance(error, _REFUSALS):
        return NodeRefused(node, said(error, node))
    if isinstance(error, exceptions.InvalidResponse):
        return ProtocolError(node, foreign(said(error, node)))
    return ConnectFailed(node, unreachable(error, node))
