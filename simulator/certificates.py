"""The local certificate authority and the server's certificate, kept in the state directory."""

import os
import ssl
from pathlib import Path

import trustme


def prepare(state: Path) -> tuple[Path, Path]:
    """Paths of (CA certificate, server chain with key). A second start keeps both."""
    ca_file, server_file = state / "ca.pem", state / "server.pem"
    if ca_file.exists() and server_file.exists():
        return ca_file, server_file
    authority = trustme.CA(organization_name="Stand-in for Microsoft and Freshservice")
    leaf = authority.issue_cert("127.0.0.1", "localhost", "*.localhost", "::1")
    _write_private(state / "ca-key.pem", authority.private_key_pem.bytes())
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    _write_private(server_file, leaf.private_key_pem.bytes() + chain)
    ca_file.write_bytes(authority.cert_pem.bytes())
    return ca_file, server_file


def client_context(state: Path) -> ssl.SSLContext:
    """Trust for calls that we make ourselves (notifications): our CA and the usual ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(state / "ca.pem")
    return context


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
