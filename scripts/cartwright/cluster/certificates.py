"""The embedded cluster's own certificate authorities and what they issue.

One authority per cluster, one for its aggregation layer, one for what the clusters share: a credential of dev means
nothing to prod.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "KeyPair", "signing_key"]

_AUTHORITY_LIFE = datetime.timedelta(days=3650)
_LEAF_LIFE = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=30)
_CLOCK_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key as PEM files."""

    certificate: Path
    """The certificate."""
    key: Path
    """Its private key, readable by the owner alone."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority whose files lie in ``folder``."""

    folder: Path
    """Where its certificate, its key and the certificates it issues are."""
    name: str
    """Common name, and the stem of its files."""

    @property
    def certificate(self) -> Path:
        """The authority's own certificate, what clients trust."""
        return self.folder / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        """The authority's private key."""
        return self.folder / f"{self.name}.key"

    @classmethod
    def open(cls, folder: Path, name: str) -> Authority:
        """The authority in ``folder``, made first where it is missing or about to expire."""
        authority = cls(folder, name)
        if not _usable(KeyPair(authority.certificate, authority.key)):
            folder.mkdir(parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"cartwright {folder.name} {name}")])
            builder = (
                _builder(subject, subject, key.public_key(), _AUTHORITY_LIFE)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_usage(signs_certificates=True), critical=True)
            )
            _write_key(authority.key, key)
            _write(authority.certificate, builder.sign(key, hashes.SHA256()))
        return authority

    def issue(
        self,
        name: str,
        *,
        common_name: str,
        organizations: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> KeyPair:
        """A certificate for a client, and for a server too where ``hosts`` are given.

        The files are kept while they are valid and this authority's, so that a second ``up`` changes nothing.

        Args:
            name: stem of the files.
            common_name: the user that Kubernetes sees.
            organizations: the groups that Kubernetes sees.
            hosts: host names and IP addresses that a server answers for.
        """
        pair = KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        issuer = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        if _usable(pair, issuer=issuer):
            return pair
        signer = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - we wrote it ourselves
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _builder(subject, issuer.subject, key.public_key(), _LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        _write_key(pair.key, key)
        _write(pair.certificate, builder.sign(signer, hashes.SHA256()))
        return pair


def signing_key(folder: Path, name: str) -> KeyPair:
    """A bare key pair, such as the one that signs ServiceAccount tokens; ``certificate`` is the public key."""
    pair = KeyPair(folder / f"{name}.pub", folder / f"{name}.key")
    if not (pair.key.is_file() and pair.certificate.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(pair.key, key)
        pair.certificate.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usable(pair: KeyPair, *, issuer: x509.Certificate | None = None) -> bool:
    """Whether certificate and key are there, belong together, are of this issuer and valid for a while."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
        if issuer is not None:
            certificate.verify_directly_issued_by(issuer)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False  # missing, half written by a killed `up`, or of an authority that is gone
    if key.public_key() != certificate.public_key():
        return False
    return certificate.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + _RENEW_BEFORE


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
