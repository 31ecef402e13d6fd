"""Certificates made for one test."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


@frozen
class Identity:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


@frozen
class Authority:
    """Signs certificates."""

    _key: ec.EllipticCurvePrivateKey
    _name: x509.Name
    certificate: bytes

    @classmethod
    def make(cls, name: str) -> Authority:
        """:return: one that no system trusts."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), _named(name)
        builder = _builder(subject, subject, key).add_extension(
            x509.BasicConstraints(True, None), critical=True)
        return cls(key, subject, _pem(builder.sign(key, SHA256())))

    def identity(self, host: str) -> Identity:
        """:return: a certificate for a name or an address."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        builder = _builder(_named(host), self._name, key).add_extension(
            x509.SubjectAlternativeName([name]), critical=False)
        key_octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(_pem(builder.sign(self._key, SHA256())), key_octets)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _builder(subject: x509.Name, issuer: x509.Name,
             key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime(2020, 1, 1)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now).not_valid_after(now + timedelta(days=36_500)))
