"""The files that a configuration names."""

from __future__ import annotations

from collections.abc import Callable

from trickster.config.document.problems import Problems, shown
from trickster.config.options.model import Configuration


def check_files(configuration: Configuration, read: Callable[[str], bytes],
                problems: Problems) -> None:
    """
    :param read: from a path to the octets of the file; raises L{OSError}.
    :param problems: is told of the files of certificates and keys that cannot be read.
    """
    for name, backend in configuration.backends.items():
        tls, within = backend.tls, f"backends.{name}.tls"
        named = {f"{within}.certificate_authority_paths[{number}]": file
                 for number, file in enumerate(tls.certificate_authority_paths)}
        named |= {f"{within}.client_cert_path": tls.client_cert_path,
                  f"{within}.client_key_path": tls.client_key_path}
        for path, file in named.items():
            try:
                _ = read(file) if file else b""
            except OSError as error:
                problems.at(path, f"{shown(file)} cannot be read: {error.strerror or error}; "
                            "expected a file in PEM")
