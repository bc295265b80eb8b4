"""The files that the TLS options of a node name."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from kcache.errors import ConfigurationError
from kcache.node import Node

__all__ = ["check_tls", "tls_problem"]

_FILES = ("ca", "cert", "key")


def check_tls(node: Node) -> None:
    """Read the files of a node.

    Raises:
        ConfigurationError: one is missing, or not what it should be.
    """
    problem = tls_problem(node)
    if problem is not None:
        raise ConfigurationError(f"node {node.name}: {problem}")


def tls_problem(node: Node) -> str | None:
    """What is wrong with the files of a node, as they are now; None if nothing is."""
    files = {name: path for name, path in node.options if name in _FILES}
    if not files:
        return None
    return _unreadable(files) or _bad_authority(files) or _bad_certificate(files)


def _unreadable(files: Mapping[str, str]) -> str | None:
    for name, path in files.items():
        try:
            with Path(path).open("rb"):
                continue
        except OSError as error:
            return f"{name}={path}: {error.strerror}"
    return None


def _bad_authority(files: Mapping[str, str]) -> str | None:
    path = files.get("ca")
    if path is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return f"ca={path}: it holds no certificate in PEM form"
    return None


def _bad_certificate(files: Mapping[str, str]) -> str | None:
    cert, key = files.get("cert"), files.get("key")
    if cert is None:
        return None if key is None else f"key={key}: it needs its certificate, given with cert="
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # Without a password of ours, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        if key is None:
            return f"cert={cert}: it holds no certificate with its key in PEM form; see key="
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"key={key}: it is not the key of cert={cert}"
        return f"cert={cert}, key={key}: no certificate and key in PEM form, not encrypted"
    return None
