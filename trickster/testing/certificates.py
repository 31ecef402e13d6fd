"""Certificates made for one test: an authority that no system trusts, and what it vouches for."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

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
    """
    A certificate and its private key.

    :ivar certificate: PEM.
    :ivar key: PEM, not encrypted.
    """

    certificate: bytes
    key: bytes

    def save(self, directory: Path, name: str) -> tuple[Path, Path]:
        """
        :param directory: which is there.
        :param name: of both files, without an extension.
        :return: the files of the certificate and of the key.
        """
        files = directory / f"{name}.pem", directory / f"{name}.key"
        for file, octets in zip(files, (self.certificate, self.key), strict=True):
            file.write_bytes(octets)
        return files


@frozen
class Authority:
    """
    Signs certificates.

    :ivar certificate: its own, as PEM: what one who is to trust it needs.
    """

    _key: ec.EllipticCurvePrivateKey
    _name: x509.Name
    certificate: bytes

    @classmethod
    def make(cls, name: str) -> Authority:
        """
        :param name: its common name.
        :return: an authority with a new key, valid from 2020 on for a hundred years.
        """
        key, subject = ec.generate_private_key(ec.SECP256R1()), _named(name)
        builder = _builder(subject, subject, key).add_extension(
            x509.BasicConstraints(True, None), critical=True)
        return cls(key, subject, _pem(builder.sign(key, SHA256())))

    def identity(self, *hosts: str) -> Identity:
        """
        :param hosts: names or IP addresses that the certificate is good for (RFC 5280
            section 4.2.1.6); the first is its common name.
        :return: a certificate with a new key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(hosts[0]), self._name, key).add_extension(
            x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
        key_octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(_pem(builder.sign(self._key, SHA256())), key_octets)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


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
