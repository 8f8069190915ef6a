"""What the port encrypts with, when it does so itself."""

import ssl
from pathlib import Path

import structlog

_log = structlog.stdlib.get_logger("gateway.tls")


class Tls:
    """A certificate that can be renewed without a restart."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Read the certificate with its chain, and the key, which may be in the same file.

        Raises:
            OSError: they cannot be read, or do not fit together.
        """
        self._files = certificate, key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(*self._files)

    def renew(self) -> None:
        """Read the files again, for connections to come; when that fails, the old certificate stays."""
        try:
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            _log.error("certificate refused, the old one stays in force", reason=str(error))
