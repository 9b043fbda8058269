"""
A service's certificate, its key and the authority, from files that may be replaced while it runs.

The names of the files are those of a Kubernetes Secret of type `kubernetes.io/tls`, as cert-manager writes it. They are
looked at for each new connection; connections that stand keep what they began with. New files that cannot be used are
logged, and the ones before them stay.
"""

import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509

from meshkit.errors import FailedPrecondition
from meshkit.log import get_logger
from meshkit.mutual_tls import peer_role

AUTHORITY: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"

_log = get_logger(__name__)
_Signature = tuple[tuple[int, int, int], ...]


class UnusableCertificate(FailedPrecondition):
    """A file of a certificate directory cannot be used; the text names it and says what is allowed."""

    reason = "UNUSABLE_CERTIFICATE"

    def __init__(self, path: Path, problem: str, allowed: str) -> None:
        super().__init__(f"{path}: {problem}; allowed: {allowed}")
        self.path = path
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Hold the files' content and what is made of it."""

    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    role: str
    accepting: ssl.SSLContext
    dialling: ssl.SSLContext


class CertificateDirectory:
    """
    Give credentials of what the files hold now.

    Raises UnusableCertificate when the files cannot be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._signature()
        self._loaded = self._load()
        self._complaint = ""

    @property
    def role(self) -> str:
        """Return the role that our own certificate gives us."""
        return self._current().role

    def check_role(self, wanted: str) -> None:
        """Raise UnusableCertificate unless our own certificate is of that role."""
        if (found := self.role) != wanted:
            allowed = f"one of {peer_role.identity(wanted)}"
            raise UnusableCertificate(self.path / CERTIFICATE, f"is of {peer_role.identity(found)}", allowed)

    def accepting_context(self) -> ssl.SSLContext:
        """Return what a server begins a connection with; its clients need a certificate of the authority."""
        return self._current().accepting

    def dialling_context(self) -> ssl.SSLContext:
        """Return what a client begins a connection with; the server's certificate must name the host it dialled."""
        return self._current().dialling

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a gRPC server, which takes new files into use with the next handshake."""
        given = self._current()

        def newer() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            if (now := self._current()) is given:
                return None
            given = now
            return _server_configuration(now)

        # The stubs do not know that None stands for "as before".
        return grpc.dynamic_ssl_server_credentials(_server_configuration(given), newer, True)  # type: ignore[arg-type]

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials of a new gRPC channel; one that is open keeps what it was opened with."""
        now = self._current()
        return grpc.ssl_channel_credentials(now.authority, now.key, now.certificate)

    def _current(self) -> _Loaded:
        try:
            signature = self._signature()
            if signature != self._seen:
                self._loaded = self._load()
                # Only now: files that are being replaced are tried again with the next connection.
                self._seen = signature
                self._complaint = ""
                _log.info("certificate_renewed", directory=str(self.path), role=self._loaded.role)
        except UnusableCertificate as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.warning("certificate_not_renewed", error=self._complaint)
        return self._loaded

    def _signature(self) -> _Signature:
        found = []
        for name in (AUTHORITY, CERTIFICATE, KEY):
            path = self.path / name
            try:
                seen = path.stat()
            except OSError as error:
                raise UnusableCertificate(path, f"cannot be read: {error.strerror}", "a readable PEM file") from error
            if name == KEY and seen.st_mode & stat.S_IROTH:
                problem = f"everybody may read it (mode {stat.S_IMODE(seen.st_mode):04o})"
                raise UnusableCertificate(path, problem, "at most owner and group, as in 0440")
            found.append((seen.st_mtime_ns, seen.st_ino, seen.st_size))
        return tuple(found)

    def _load(self) -> _Loaded:
        certificate = self._read(CERTIFICATE)
        accepting, dialling = self._context(ssl.PROTOCOL_TLS_SERVER), self._context(ssl.PROTOCOL_TLS_CLIENT)
        accepting.verify_mode = ssl.CERT_REQUIRED
        return _Loaded(
            self._read(AUTHORITY), certificate, self._read(KEY), self._own_role(certificate), accepting, dialling
        )

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise UnusableCertificate(self.path / name, problem, "a readable PEM file") from error

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(self.path / AUTHORITY)
        except (ssl.SSLError, OSError) as error:
            allowed = "the authority's certificate as PEM"
            raise UnusableCertificate(self.path / AUTHORITY, f"is none ({_said(error)})", allowed) from error
        try:
            # Without a way to type one, a password that is asked for would wait for a terminal.
            context.load_cert_chain(self.path / CERTIFICATE, self.path / KEY, password=_no_password)
        except (ssl.SSLError, OSError, _EncryptedKey) as error:
            problem = f"cannot be used with {KEY} ({_said(error)})"
            allowed = "a certificate as PEM and its private key, not encrypted"
            raise UnusableCertificate(self.path / CERTIFICATE, problem, allowed) from error
        return context

    def _own_role(self, certificate: bytes) -> str:
        try:
            names = x509.load_pem_x509_certificate(certificate).extensions
            uris = names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
                x509.UniformResourceIdentifier
            )
        except (ValueError, x509.ExtensionNotFound):
            uris = []
        role = peer_role.role_in(uris)
        if role is None:
            problem = f"names no role (its URIs are {', '.join(uris) or 'none'})"
            allowed = f"one URI such as {peer_role.identity(peer_role.node(2))} among its alternative names"
            raise UnusableCertificate(self.path / CERTIFICATE, problem, allowed)
        return role


class _EncryptedKey(Exception):
    """The key's file wants a password."""


def _no_password() -> str:
    raise _EncryptedKey("the key is encrypted")


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _server_configuration(loaded: _Loaded) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(loaded.key, loaded.certificate)], loaded.authority)
