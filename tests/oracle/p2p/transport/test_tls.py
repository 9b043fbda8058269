"""TLS between peers: whoever has the key that was expected, and nobody else."""

import asyncio
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from services.oracle.p2p.errors import ConnectionEnded, HandshakeFailed
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.tls import TlsStream, make_certificate, make_context
from tests.oracle.p2p.transport.loopback import DIALER, LISTENER, STRANGER, shaken, sockets, unshaken

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _ecdsa_context(hidden: PeerKey) -> SSL.Context:
    """Return a context that shows a key of another kind, and hides a peer's key in an extension."""
    private = ec.generate_private_key(ec.SECP256R1())
    nobody = x509.Name([])
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
    certificate = (
        x509.CertificateBuilder(nobody, nobody, private.public_key(), 1, _NOW, _NOW + dt.timedelta(days=3650))
        .add_extension(x509.UnrecognizedExtension(oid, hidden.public_key), critical=False)
        .sign(private, hashes.SHA256())
    )
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(certificate)
    context.use_privatekey(private)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return context


def _bare_context() -> SSL.Context:
    """Return a context that shows no certificate."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return context


def _old_context() -> SSL.Context:
    """Return a context with the right key that speaks TLS 1.2 at most."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(make_certificate(DIALER))
    context.use_privatekey(DIALER.private)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return context


def test_a_certificate_follows_from_its_key() -> None:
    """The certificate of a key is the same each time, has no name in it, and is signed by that key."""
    certificate = make_certificate(DIALER)

    assert make_certificate(DIALER) == certificate
    assert x509.Name([]) == certificate.subject
    certificate.verify_directly_issued_by(certificate)
    assert DIALER.private.public_key() == certificate.public_key()


async def test_data_goes_both_ways() -> None:
    """What one end writes the other reads, in order, however long it is; raw bytes count the overhead too."""
    data = bytes(range(256)) * 2_000
    async with shaken() as (dialer, listener):
        for sender, receiver in ((dialer, listener), (listener, dialer)):
            writing = asyncio.create_task(sender.write(data))
            found, raw = bytearray(), 0
            while len(found) < len(data):
                piece, count = await receiver.read()
                found += piece
                raw += count
            await writing
            assert data == found
            assert raw > len(data)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (make_context(STRANGER), "the other end has another key"),
        (_ecdsa_context(DIALER), "the other end has another key"),
        (_bare_context(), "Error"),
        (_old_context(), "Error"),
    ],
    ids=["stranger", "key in an extension", "no certificate", "TLS 1.2"],
)
async def test_whoever_has_not_the_key_is_refused(context: SSL.Context, reason: str) -> None:
    """Another key, one of another kind, none at all and an old version end the handshake at the listener."""
    async with unshaken(context, make_context(LISTENER)) as (dialer, listener):
        dialing = asyncio.create_task(dialer.handshake(LISTENER.public_key))
        with pytest.raises(HandshakeFailed, match=reason):
            await listener.handshake(DIALER.public_key)
        await listener.close()
        await asyncio.gather(dialing, return_exceptions=True)


async def test_a_dialer_looks_at_the_key_too() -> None:
    """A dialer that reaches somebody else gives up, though that one would have taken it."""
    async with unshaken(make_context(DIALER), make_context(STRANGER)) as (dialer, listener):
        listening = asyncio.create_task(listener.handshake(DIALER.public_key))
        with pytest.raises(HandshakeFailed, match="another key"):
            await dialer.handshake(LISTENER.public_key)
        await listening


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 600, b""], ids=["HTTP", "zeros", "hang-up"])
async def test_what_is_no_tls(first: bytes) -> None:
    """Bytes that are no TLS, and an end that hangs up, end the handshake with the error of a handshake."""
    async with sockets() as ((_, plain), accepted):
        listener = TlsStream(make_context(LISTENER), *accepted, server=True)
        if first:
            plain.write(first)
        else:
            plain.write_eof()

        with pytest.raises(HandshakeFailed):
            await listener.handshake(DIALER.public_key)


async def test_an_end_that_goes() -> None:
    """When one end closes, the other's reads and, sooner or later, its writes say that the connection has ended."""
    async with shaken() as (dialer, listener):
        reading = asyncio.create_task(listener.read())
        await dialer.close()
        with pytest.raises(ConnectionEnded):
            await reading

        async def write_on() -> None:
            while True:
                await listener.write(b"x" * 100_000)

        with pytest.raises(ConnectionEnded):
            await write_on()
        await listener.close()
        await listener.close()


async def test_bytes_changed_on_the_way() -> None:
    """One flipped bit in a record ends the connection; nothing of the record is believed."""
    async with sockets() as ((reader, writer), accepted):
        dialer = TlsStream(make_context(DIALER), reader, writer, server=False)
        listener = TlsStream(make_context(LISTENER), *accepted, server=True)
        await asyncio.gather(dialer.handshake(LISTENER.public_key), listener.handshake(DIALER.public_key))
        # A record of application data with 32 bytes that no key of this connection has sealed.
        writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))

        with pytest.raises(ConnectionEnded):
            await listener.read()
