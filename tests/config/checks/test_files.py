"""Tests of L{trickster.config.checks.files}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import PLUGINS, told_by, with_backend
from trickster.config.checks.files import check_files
from trickster.config.load import Sources, load
from trickster.config.options.backends import BackendOptions, TlsOptions
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError


class FileTests(SynchronousTestCase):
    """Files that a configuration names are read when it is checked."""

    def test_certificates(self) -> None:
        """Certificates and keys that cannot be read are reported with the place of their names."""
        text = with_backend("tls: {certificate_authority_paths: [/a, /no], client_cert_path: /a, "
                            "client_key_path: /no}")

        def read(path: str) -> bytes:
            if path == "/no":
                raise PermissionError(13, "Permission denied")
            return text.encode()

        error = self.assertRaises(ConfigurationError, load, Sources("t.yaml"), PLUGINS, read)
        told = "'/no' cannot be read: Permission denied; expected a file in PEM"
        self.assertEqual([line.split(": ", 1)[1] for line in error.problems], [
            f"backends.one.tls.certificate_authority_paths[1]: {told}",
            f"backends.one.tls.client_key_path: {told}"])


class ReadTests(SynchronousTestCase):
    """Which files are read when a configuration is checked."""

    def test_named(self) -> None:
        """Each file that is named is read once; an empty name is that of no file."""
        seen: list[str] = []

        def read(path: str) -> bytes:
            seen.append(path)
            return b""

        tls = TlsOptions(certificate_authority_paths=("/a", ""), client_key_path="/k")
        configuration = Configuration(backends={"x": BackendOptions(tls=tls)})
        self.assertEqual(told_by(check_files, configuration, read), ())
        self.assertEqual(seen, ["/a", "/k"])
