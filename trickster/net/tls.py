"""TLS towards origins and other servers: whom to believe, and who we are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS, platformTrust
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from trickster.errors import ConfigurationError
from trickster.http.origin_url import OriginURL, is_address


@frozen(slots=True)
class TLSOptions:
    """
    :ivar insecure_skip_verify: accept every certificate.
    :ivar certificate_authority_paths: PEM files whose certificates are believed in, beside
        the platform's own.
    :ivar client_cert_path: PEM file with our certificate, and its chain after it.
    :ivar client_key_path: PEM file with the key of that certificate.
    """

    insecure_skip_verify: bool = False
    certificate_authority_paths: tuple[str, ...] = ()
    client_cert_path: str = ""
    client_key_path: str = ""


@frozen
class TLSFiles:
    """
    What the files of some options say: read once, for connections to any number of hosts.

    :ivar options: that name the files.
    :ivar _ours: our certificate, its key and its chain, as Twisted takes them; empty for none.
    :ivar _authorities: certificates that are believed in.
    """

    options: TLSOptions
    _ours: dict[str, Any] = field(repr=False)
    _authorities: tuple[Certificate, ...] = field(repr=False)

    @classmethod
    def read(cls, options: TLSOptions) -> TLSFiles:
        """
        :return: what the files say.
        :raises ConfigurationError: a file cannot be used; says which, and why.
        """
        ours = _our_certificate(options)
        authorities = tuple(certificate for path in options.certificate_authority_paths
                            for certificate in _certificates(path))
        try:
            CertificateOptions(**ours).getContext()  # where a key that does not fit is found
        except SSL.Error as error:
            raise ConfigurationError((
                f"{options.client_key_path}: not the key of {options.client_cert_path}",)
            ) from error
        return cls(options, ours, authorities)

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        :param host: name or IP address that the server's certificate must have, unless it is not
            verified.
        :return: what makes TLS connections to that host.
        :raises ConfigurationError: it is no name that TLS can check.
        """
        if self.options.insecure_skip_verify:
            return _Unverified(host, CertificateOptions(**self._ours))
        try:
            verified = optionsForClientTLS(host, platformTrust(),
                                           extraCertificateOptions=self._ours)
        except UnicodeError as error:
            raise ConfigurationError((f"{host}: no name that TLS can check: {error}",)) from error
        return _Verified(verified, list(self._authorities)) if self._authorities else verified


def connection_creator(origin: OriginURL, options: TLSOptions) -> IOpenSSLClientConnectionCreator:
    """
    :return: what makes TLS connections to an origin, checking its name unless told not to.
    :raises ConfigurationError: a file cannot be used; says which, and why.
    """
    return TLSFiles.read(options).creator(origin.host)


@implementer(IOpenSSLClientConnectionCreator)
@define(eq=False)
class _Verified:
    _creator: IOpenSSLClientConnectionCreator
    _authorities: list[Certificate]

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """:return: a connection that believes our authorities beside the platform's."""
        connection = self._creator.clientConnectionForTLS(tlsProtocol)
        # All connections of a creator share one context, to which only they lead.
        authorities, self._authorities = self._authorities, []
        store = connection.get_context().get_cert_store()
        assert store is not None
        for certificate in authorities:
            store.add_cert(X509.from_cryptography(certificate))
        return connection


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Unverified:
    _host: str
    _creator: CertificateOptions

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """:return: a connection that says which host it wants, and believes any answer."""
        connection = self._creator.clientConnectionForTLS(tlsProtocol)
        if not is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        return connection


def _our_certificate(options: TLSOptions) -> dict[str, Any]:
    cert_path, key_path = options.client_cert_path, options.client_key_path
    if bool(cert_path) != bool(key_path):
        raise ConfigurationError((
            f"{cert_path or key_path}: a client certificate and its key go together",))
    if not cert_path:
        return {}
    first, *chain = _certificates(cert_path)
    return {"certificate": first, "privateKey": _key(key_path), "extraCertChain": chain}


def _key(path: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise ConfigurationError((f"{path}: a key that needs a password",)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError((f"{path}: not a private key in PEM form",)) from error


def _certificates(path: str) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise ConfigurationError((f"{path}: no certificates in PEM form",)) from error


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError((f"{path}: {error.strerror}",)) from error
