"""Tests of C{trickster.testing.certificates}."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography.x509 import DNSName, SubjectAlternativeName, load_pem_x509_certificate
from twisted.trial.unittest import SynchronousTestCase

from trickster.testing.certificates import Authority


class AuthorityTests(SynchronousTestCase):
    """An authority of tests."""

    def setUp(self) -> None:
        """Make one, and a certificate that it vouches for."""
        self.authority = Authority.make("Test Authority")
        self.identity = self.authority.identity("origin.test", "127.0.0.1")

    def test_names(self) -> None:
        """A certificate is good for all the names and addresses that were asked for."""
        certificate = load_pem_x509_certificate(self.identity.certificate)
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(DNSName), ["origin.test"])
        self.assertEqual(len(list(names)), 2)

    def test_signed(self) -> None:
        """A certificate is signed by the authority that made it, and by no other."""
        certificate = load_pem_x509_certificate(self.identity.certificate)
        certificate.verify_directly_issued_by(
            load_pem_x509_certificate(self.authority.certificate))
        other = load_pem_x509_certificate(Authority.make("Another").certificate)
        self.assertRaises(ValueError, certificate.verify_directly_issued_by, other)

    def test_files(self) -> None:
        """Saved as files, a certificate and its key are what TLS libraries read."""
        directory = Path(self.mktemp())
        directory.mkdir()
        files = self.identity.save(directory, "origin")
        self.assertEqual([file.name for file in files], ["origin.pem", "origin.key"])
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
