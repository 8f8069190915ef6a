"""The gateway ends TLS itself: everything holds as on a plain port, also the fan-out."""

import asyncio
import datetime as dt
import ipaddress
import os
import signal
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.gateways import APP, LOOPBACK, PATIENCE, TLS_APP
from support.waiting import until

pytestmark = pytest.mark.clock


def certify(directory):
    """Write a self-signed certificate for the loopback address and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def secure(new_gateway, nats, tmp_path):
    certificate, key = certify(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate))
    options = {"head_seconds": "0.5", "idle_seconds": "0.4", "pong_seconds": "20"}
    return new_gateway(nats, trust=trust, tls_cert=str(certificate), tls_key=str(key), **options)


async def test_009_an_app_that_requires_tls_is_served_over_tls_with_its_fan_out(secure):
    async with secure.connect(TLS_APP) as one, secure.connect(TLS_APP) as two, secure.connect(APP) as plain_app:
        for client in (one, two, plain_app):
            await client.join("news", "private-a")
        payloads = ["x" * size for size in (1, 200, 10_000)] * 20
        for number, data in enumerate(payloads):
            answer = await secure.trigger(
                ["news", "private-a"], str(number), data, app=TLS_APP, socket_id=two.socket_id
            )
            assert answer.status_code == 200

        expected = [(str(n), channel, data) for n, data in enumerate(payloads) for channel in ("news", "private-a")]
        assert [await one.event() for _ in expected] == expected
        await two.hears_nothing()
        await plain_app.hears_nothing()


async def test_it_drains_over_tls(secure):
    async with secure.connect() as client:
        stopping = asyncio.create_task(asyncio.to_thread(secure.stop))
        assert (await client.closing())[0] == 4200
        assert await stopping == 0


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"])
async def test_a_tls_handshake_that_never_ends_is_cut(secure, first):
    reader, writer = await asyncio.open_connection(LOOPBACK, secure.port)
    writer.write(first)

    assert b"HTTP" not in await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    async with secure.connect() as client:
        await client.hears_nothing()


async def test_a_renewed_certificate_is_used_without_dropping_anybody(secure, tmp_path):
    async with secure.connect() as client:
        certificate, _ = certify(tmp_path)
        os.kill(secure.pid, signal.SIGHUP)
        expected = ssl.PEM_cert_to_DER_cert(certificate.read_text())

        async def shown():
            blind = ssl.create_default_context()
            blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
            _, writer = await asyncio.open_connection(LOOPBACK, secure.port, ssl=blind)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()
            return der == expected

        await until(shown)
        await client.hears_nothing()
