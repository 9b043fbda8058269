"""
Errors of the peer-to-peer network.

P2pError
├── MalformedInput       text or a key from a human or a file: field, found, allowed
├── KnockRefused         a connection that does not begin as a peer's does
├── HandshakeFailed      TLS failed, or the other end has another key than expected
├── FrameRefused         bytes that break the rules of a connection, which is closed for it
├── AnnouncementRefused  an announcement that must not be believed
└── ConnectionEnded      the other end closed the connection
"""


class P2pError(Exception):
    """Root of all errors of the network."""


class MalformedInput(P2pError):
    """Refuse a value that somebody configured."""

    def __init__(self, field: str, found: object, allowed: str) -> None:
        super().__init__(field, found, allowed)
        self.field = field
        self.found = found
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}, allowed is {self.allowed}"


class KnockRefused(P2pError):
    """Refuse the first bytes of an incoming connection."""


class HandshakeFailed(P2pError):
    """Give a connection up before it is authenticated."""


class FrameRefused(P2pError):
    """Give a connection up because of what came through it."""


class AnnouncementRefused(P2pError):
    """Refuse an announcement or a discovery message."""


class ConnectionEnded(P2pError):
    """The other end closed the connection."""
