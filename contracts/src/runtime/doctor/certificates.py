"""Until when a certificate is valid, read from the certificate itself (RFC 5280 §4.1; DER: X.690)."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from runtime.doctor.findings import Report

_WARN: Final = timedelta(days=21)
_END: Final = "-----END CERTIFICATE-----"
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17


def examine(report: Report, where: str, certificates: list[bytes], *, now: datetime, fix: str) -> None:
    """Report the certificate of a chain that ends first.

    Args:
        report: where to.
        where: whose chain it is.
        certificates: in DER.
        now: the time.
        fix: how to renew it.
    """
    try:
        end = min(not_after(certificate) for certificate in certificates)
    except ValueError as error:
        report.fail("certificate", f"{where}: {error or 'no certificate in it'}", fix)
        return
    day = f"{end:%Y-%m-%d %H:%M} UTC"
    if end <= now:
        report.fail("certificate", f"{where}: expired at {day}", fix)
    elif end - now < _WARN:
        report.warn("certificate", f"{where}: expires in {(end - now).days} days, at {day}", fix)
    else:
        report.fine("certificate", f"{where}: valid until {day}")


def of_file(path: Path) -> list[bytes]:
    """Return the certificates of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is malformed.
    """
    pieces = path.read_text().split(_END)[:-1]
    return [ssl.PEM_cert_to_DER_cert(piece[piece.index("-----BEGIN CERTIFICATE-----") :] + _END) for piece in pieces]


def not_after(der: bytes) -> datetime:
    """Return when a certificate ends.

    Raises:
        ValueError: these bytes are no certificate.
    """
    try:
        certificate = next(_elements(der))[1]
        fields = list(_elements(next(_elements(certificate))[1]))
        if fields[0][0] == _VERSION:
            del fields[0]
        validity = fields[3][1]  # after serial number, signature algorithm and issuer
        _begin, (kind, end) = _elements(validity)
        # Two digits of a year are of 1950 to 2049, and strptime's are of 1969 to 2068: no certificate is that old.
        form = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(end.decode("ascii"), form).replace(tzinfo=UTC)
    except (IndexError, StopIteration, RuntimeError, ValueError):
        raise ValueError("not a certificate") from None


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size])
            at += size
        yield tag, data[at : at + length]
        at += length
