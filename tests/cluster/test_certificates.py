"""The authorities and what they issue, checked with the TLS library itself rather than by reading fields back."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from cartwright.cluster.certificates import Authority, KeyPair, signing_key


def handshake(*, trusts: Path, server: KeyPair, client: KeyPair | None, name: str) -> str:
    """Connect once over TLS; the common name that the server sees, or the error's text."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(trusts))
    serving.load_cert_chain(server.certificate, server.key)
    serving.verify_mode = ssl.CERT_REQUIRED
    calling = ssl.create_default_context(cafile=str(trusts))
    if client:
        calling.load_cert_chain(client.certificate, client.key)
    near, far = socket.socketpair()
    seen: list[str] = []

    def serve() -> None:
        try:
            with serving.wrap_socket(far, server_side=True) as stream:
                subject = dict(pair for part in (stream.getpeercert() or {})["subject"] for pair in part)
                seen.append(subject["commonName"])
                stream.sendall(b"ok")
        except OSError as error:
            seen.append(str(error))
        finally:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with calling.wrap_socket(near, server_hostname=name) as stream:
            stream.recv(2)
    except OSError:
        pass  # the server's side tells why
    finally:
        near.close()
        thread.join(timeout=5)
    return seen[0]


def test_a_client_and_a_server_of_one_authority_accept_each_other(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "dev", "ca")
    server = authority.issue("server", common_name="server", hosts=("localhost", "127.0.0.1"))
    client = authority.issue("client", common_name="system:kube-scheduler")
    assert (
        handshake(trusts=authority.certificate, server=server, client=client, name="localhost")
        == "system:kube-scheduler"
    )


def test_a_client_of_another_cluster_is_refused(tmp_path: Path) -> None:
    dev, prod = Authority.open(tmp_path / "dev", "ca"), Authority.open(tmp_path / "prod", "ca")
    server = prod.issue("server", common_name="server", hosts=("localhost",))
    client = dev.issue("client", common_name="admin", organizations=("system:masters",))
    assert "certificate" in handshake(trusts=prod.certificate, server=server, client=client, name="localhost").lower()


def test_a_server_is_refused_under_a_name_that_it_was_not_issued_for(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "dev", "ca")
    server = authority.issue("server", common_name="server", hosts=("localhost",))
    client = authority.issue("client", common_name="client")
    assert handshake(trusts=authority.certificate, server=server, client=client, name="elsewhere") != "client"


def test_organizations_become_groups(tmp_path: Path) -> None:
    pair = Authority.open(tmp_path, "ca").issue("admin", common_name="admin", organizations=("system:masters",))
    subject = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject
    assert subject.rfc4514_string() == "CN=admin,O=system:masters"


def test_opening_and_issuing_again_changes_no_file(tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        authority = Authority.open(tmp_path, "ca")
        authority.issue("client", common_name="client")
        signing_key(tmp_path, "tokens")
        return {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    assert contents() == contents()


@pytest.mark.parametrize("lost", ["ca.crt", "ca.key", "client.crt", "client.key"])
@pytest.mark.parametrize("how", ["missing", "half written"])
def test_what_a_kill_half_way_left_is_made_anew(tmp_path: Path, lost: str, how: str) -> None:
    Authority.open(tmp_path, "ca").issue("client", common_name="client")
    if how == "missing":
        (tmp_path / lost).unlink()
    else:
        (tmp_path / lost).write_bytes((tmp_path / lost).read_bytes()[:40])
    authority = Authority.open(tmp_path, "ca")
    client = authority.issue("client", common_name="client")
    server = authority.issue("server", common_name="server", hosts=("localhost",))
    assert handshake(trusts=authority.certificate, server=server, client=client, name="localhost") == "client"


def test_private_keys_are_readable_by_the_owner_alone(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, "ca")
    keys = [authority.key, authority.issue("client", common_name="client").key, signing_key(tmp_path, "tokens").key]
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
