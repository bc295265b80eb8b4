"""Certificates for servers on this machine, and for their clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Certificates", "certificates"]


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, and what it has signed."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def client_context(self) -> ssl.SSLContext:
        """Trusts the authority alone, and shows the client's certificate to who asks for it."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.client, self.client_key)
        return context


def certificates(folder: Path) -> Certificates:
    """Make an authority, a certificate for localhost and 127.0.0.1, and one for a client."""
    authority = trustme.CA()
    made = Certificates(
        folder / "ca.pem",
        folder / "server.pem",
        folder / "server.key",
        folder / "client.pem",
        folder / "client.key",
    )
    authority.cert_pem.write_to_path(made.authority)
    server = authority.issue_cert("localhost", "127.0.0.1")
    _write(server, made.server, made.server_key)
    _write(authority.issue_cert("client@localhost"), made.client, made.client_key)
    return made


def _write(certificate: trustme.LeafCert, chain: Path, key: Path) -> None:
    for i, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(chain, append=i > 0)
    certificate.private_key_pem.write_to_path(key)
