"""TLS 1.3 between peers: both show a bare ed25519 certificate, and only its key is looked at."""

import asyncio
import datetime as dt
from asyncio import StreamReader, StreamWriter

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from OpenSSL import SSL
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as OpenSSLError

from services.oracle.p2p.errors import ConnectionEnded, HandshakeFailed
from services.oracle.p2p.identity import PeerKey

_CHUNK = 65_536
_CLOSE_TIMEOUT_S = 1.0
# Nobody looks at the dates; fixed ones make the certificate a function of the key.
_NOT_BEFORE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def make_certificate(key: PeerKey) -> x509.Certificate:
    """Return a self-signed certificate with empty names."""
    nobody = x509.Name([])
    builder = x509.CertificateBuilder(nobody, nobody, key.private.public_key(), 1, _NOT_BEFORE, _NOT_AFTER)
    return builder.sign(key.private, None)


def make_context(key: PeerKey) -> SSL.Context:
    """Return a context for both ends: TLS 1.3, own certificate shown, the other's demanded but not judged."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(make_certificate(key))
    context.use_privatekey(key.private)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any)
    return context


class TlsStream:
    """
    Speak TLS over a pair of asyncio streams.

    One task may read while another writes. The streams may have been used before, which is why the pump is our own:
    the knock goes over the same socket.
    """

    def __init__(self, context: SSL.Context, reader: StreamReader, writer: StreamWriter, *, server: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._tls = SSL.Connection(context, None)
        if server:
            self._tls.set_accept_state()
        else:
            self._tls.set_connect_state()

    async def handshake(self, expected: bytes) -> None:
        """
        Shake hands with the owner of a 32-byte public key.

        Raises:
            HandshakeFailed: when TLS fails or the other end has another key.
        """
        try:
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except SSL.WantReadError:
                    await self._flush()
                    await self._pull()
            await self._flush()
        except (SSL.Error, ConnectionEnded, OSError) as error:
            raise HandshakeFailed(f"{type(error).__name__}: {error}") from error
        if self._peer_key() != expected:
            raise HandshakeFailed("the other end has another key")

    async def read(self) -> tuple[bytes, int]:
        """
        Wait for data; return it, which may be none, with the number of raw bytes that came in for it.

        Raises:
            ConnectionEnded: when the connection is closed or broken.
        """
        try:
            # The end of the handshake may have brought the first data along.
            data = self._decrypted()
            if data:
                return data, 0
            raw = await self._pull()
            data = self._decrypted()
            await self._flush()
        except (SSL.Error, OSError) as error:
            raise ConnectionEnded(f"{type(error).__name__}: {error}") from error
        return data, raw

    async def write(self, data: bytes) -> None:
        """
        Send data; return when the socket has taken most of it.

        Raises:
            ConnectionEnded: when the connection is closed or broken.
        """
        try:
            self._tls.sendall(data)
            await self._flush()
        except (SSL.Error, OSError) as error:
            raise ConnectionEnded(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close the socket at once; what is on its way is lost."""
        await close_socket(self._writer)

    def _decrypted(self) -> bytes:
        data = bytearray()
        while True:
            try:
                data += self._tls.recv(_CHUNK)
            except SSL.WantReadError:
                return bytes(data)

    async def _pull(self) -> int:
        raw = await self._reader.read(_CHUNK)
        if not raw:
            raise ConnectionEnded("the other end closed the socket")
        self._tls.bio_write(raw)
        return len(raw)

    async def _flush(self) -> None:
        while True:
            try:
                self._writer.write(self._tls.bio_read(_CHUNK))
            except SSL.WantReadError:
                break
        await self._writer.drain()

    def _peer_key(self) -> bytes | None:
        # The key is taken by OpenSSL: other parsers refuse the serial number 0 that peers use, and searching the
        # certificate's bytes for a key would find what a liar put into an extension.
        certificate = self._tls.get_peer_certificate()
        if certificate is None:
            return None
        try:
            key = certificate.get_pubkey().to_cryptography_key()
        except (OpenSSLError, UnsupportedAlgorithm, TypeError, ValueError):
            return None
        return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else None


async def close_socket(writer: StreamWriter) -> None:
    """Close a socket at once and wait until it is."""
    writer.transport.abort()
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        # It was broken before; closed it is in any case.
        return


def _accept_any(_connection: SSL.Connection, _certificate: X509, _error: int, _depth: int, _ok: int) -> bool:
    return True
