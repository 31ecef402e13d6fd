"""TLS towards origins: whom to believe, and who we are."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    optionsForClientTLS,
    platformTrust,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from trickster.errors import ConfigurationError
from trickster.upstream.origin import OriginURL

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@frozen(slots=True)
class TLSOptions:
    """
    :ivar insecure_skip_verify: believe anybody.
    :ivar certificate_authority_paths: PEM files whose certificates are believed in, beside
        the platform's own.
    :ivar client_cert_path: PEM file with our certificate, and its chain after it.
    :ivar client_key_path: PEM file with the key of that certificate.
    """

    insecure_skip_verify: bool = False
    certificate_authority_paths: tuple[str, ...] = ()
    client_cert_path: str = ""
    client_key_path: str = ""


def connection_creator(origin: OriginURL, options: TLSOptions) -> IOpenSSLClientConnectionCreator:
    """
    :return: what makes TLS connections to an origin, checking its name unless told not to.
    :raises ConfigurationError: a file cannot be used; says which, and why.
    """
    ours = _our_certificate(options)
    authorities = [certificate for path in options.certificate_authority_paths
                   for certificate in _certificates(path)]
    try:
        return _creator(origin, options, ours, authorities)
    except SSL.Error as error:
        raise ConfigurationError((
            f"{options.client_key_path}: not the key of {options.client_cert_path}",)) from error
    except UnicodeError as error:
        raise ConfigurationError((f"{origin}: no name that TLS can check: {error}",)) from error


def _creator(origin: OriginURL, options: TLSOptions, ours: dict[str, object],
             authorities: list[Certificate]) -> IOpenSSLClientConnectionCreator:
    if options.insecure_skip_verify:
        unverified = CertificateOptions(**ours)  # type: ignore[arg-type]
        unverified.getContext()
        return _Unverified(origin, unverified)
    creator = optionsForClientTLS(origin.host, platformTrust(), extraCertificateOptions=ours)
    # All connections of a creator share one context; asking for one is the way to it.
    connection = creator.clientConnectionForTLS(None)  # type: ignore[arg-type]
    store = connection.get_context().get_cert_store()
    assert store is not None
    for certificate in authorities:
        store.add_cert(certificate.original)
    return creator


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Unverified:
    _origin: OriginURL
    _creator: CertificateOptions

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """:return: a connection that says which host it wants, and believes any answer."""
        connection = self._creator.clientConnectionForTLS(tlsProtocol)
        if not self._origin.is_address:
            connection.set_tlsext_host_name(self._origin.host.encode("ascii"))
        return connection


def _our_certificate(options: TLSOptions) -> dict[str, object]:
    cert_path, key_path = options.client_cert_path, options.client_key_path
    if bool(cert_path) != bool(key_path):
        raise ConfigurationError((
            f"{cert_path or key_path}: a client certificate and its key go together",))
    if not cert_path:
        return {}
    chain = _certificates(cert_path)
    try:
        key = KeyPair.load(_read(key_path), crypto.FILETYPE_PEM)
    except (SSL.Error, ValueError, TypeError) as error:
        raise ConfigurationError((f"{key_path}: not a private key in PEM form",)) from error
    return {
        "certificate": chain[0].original,
        "privateKey": key.original,
        "extraCertChain": [certificate.original for certificate in chain[1:]],
    }


def _certificates(path: str) -> list[Certificate]:
    blocks = _CERTIFICATE.findall(_read(path))
    if not blocks:
        raise ConfigurationError((f"{path}: no certificate in PEM form",))
    try:
        return [Certificate.loadPEM(block) for block in blocks]
    except (SSL.Error, ValueError) as error:
        raise ConfigurationError((f"{path}: a certificate that cannot be read",)) from error


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError((f"{path}: {error.strerror}",)) from error
