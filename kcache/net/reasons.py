"""Why a node could not be talked to, in words: what happened, and what to do about it.

The libraries that open connections say it each in its own way, with the address once more, and
with what OpenSSL says to programmers. A hint stands in parentheses, so that more can follow it.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType

from kcache.net.tls import tls_problem
from kcache.node import Node

__all__ = ["foreign", "lost", "said", "too_late", "unreachable"]

_RUNNING = "is the server running{at}?"
_NETWORK = "is the address{at} right, and is there a way to it?"
_HINTS: Mapping[int | None, str] = MappingProxyType(
    {
        errno.ECONNREFUSED: _RUNNING,
        errno.ENOENT: _RUNNING,
        errno.EHOSTUNREACH: _NETWORK,
        errno.ENETUNREACH: _NETWORK,
        errno.EACCES: "may this user write to the socket?",
    }
)
# OpenSSL's X509_V_ERR_*: names and addresses that differ; and chains that end nowhere.
_OTHER_NAMES = frozenset({62, 64})
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
_OPENSSL = re.compile(r"^\[[^]]*\] | \(_ssl\.c:[0-9]+\)$")


def unreachable(error: Exception, node: Node) -> str:
    """Why no connection could be opened.

    Args:
        error: of the library that was to open it.
        node: which one.
    """
    problem = tls_problem(node)
    if problem is not None:
        return problem
    cause = _cause_of(error)
    what = said(_OPENSSL.sub("", getattr(cause, "strerror", None) or f"{cause}"), node)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _distrusted(cause)
    if isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS:
        return f"no TLS: {what} ({_other_scheme(node)})"
    if isinstance(cause, socket.gaierror):
        return f"{what} (is the host name right?)"
    if isinstance(cause, OSError) and cause.errno in _HINTS:
        at = f" at {node.address}" if node.alias is not None else ""
        return f"{what} ({_HINTS[cause.errno].format(at=at)})"
    is_closed = isinstance(cause, (ConnectionError, ssl.SSLEOFError)) or "closed" in what
    return f"{what} ({_other_scheme(node)})" if is_closed else what or type(cause).__name__


def lost(error: OSError | None, node: Node, *, is_new: bool) -> str:
    """Why a connection is no more.

    Args:
        error: of its socket; None if the node closed it.
        node: which one.
        is_new: whether nothing has ever been answered on it.
    """
    how = "the node closed it"
    if error is not None:
        how = said(_OPENSSL.sub("", error.strerror or f"{error}"), node)
    hint = ""
    if is_new and node.tls:
        hint = " (if it asks for a client's certificate, give cert= and key=)"
    elif is_new:
        hint = f" ({_other_scheme(node)})"
    return f"the connection was lost: {how}{hint}"


def too_late(node: Node, timeout: float) -> str:
    """Say that no connection was open in time."""
    hint = f" ({_other_scheme(node)})" if node.tls else ""
    return f"no connection within {max(round(timeout, 2), 0.01):.3g} s{hint}"


def foreign(what: object) -> str:
    """Say that a node sent what its kind of server never sends."""
    return f"{what} (is it a server of another kind?)"


def said(words: object, node: Node) -> str:
    """What a node or a library said: one line without a full stop, nor the node's password."""
    # Redis adds a question where it wants no password.
    text = " ".join(f"{words}".split()).partition(" Are you sure ")[0].rstrip(".?!")
    return text.replace(node.password, "***") if node.password else text


def _cause_of(error: BaseException) -> BaseException:
    """The system's error, which libraries put others around."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    return error if found is None else found


def _distrusted(error: ssl.SSLCertVerificationError) -> str:
    hint = ""
    if error.verify_code in _OTHER_NAMES:
        hint = " (give the name that stands in it with server_name=)"
    elif error.verify_code in _UNTRUSTED:
        hint = " (give the file of its authority with ca=)"
    return f"certificate verify failed: {error.verify_message.rstrip('.')}{hint}"


def _other_scheme(node: Node) -> str:
    if node.tls:
        return f"for a server without TLS the URL begins with {node.kind}://"
    return f"for a server with TLS the URL begins with {node.kind}s://"
