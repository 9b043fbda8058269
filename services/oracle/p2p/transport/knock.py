"""The knock: 97 signed bytes that a dialer sends first, so that strangers never reach the TLS stack."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chainlink.keys.peer_id import KEY_LENGTH
from services.oracle.p2p.errors import KnockRefused
from services.oracle.p2p.identity import PeerKey

KNOCK_LENGTH = 97
_VERSION = b"\x02"
_LABEL = b"ragep2p 1.0.0 knock knock"


def make_knock(key: PeerKey, listener: bytes) -> bytes:
    """Return the knock of a dialer's key for a listener's 32-byte public key."""
    return _VERSION + key.public_key + key.sign(_LABEL + listener)


def read_knock(knock: bytes, own_public_key: bytes) -> bytes:
    """
    Return the dialer's 32-byte public key. A knock can be replayed: it does not authenticate, TLS does.

    Raises:
        KnockRefused: when the bytes are no knock for this listener.
    """
    if len(knock) != KNOCK_LENGTH or not knock.startswith(_VERSION):
        raise KnockRefused("not a knock")
    dialer, signature = knock[1 : 1 + KEY_LENGTH], knock[1 + KEY_LENGTH :]
    if dialer == own_public_key:
        raise KnockRefused("an own knock")
    try:
        Ed25519PublicKey.from_public_bytes(dialer).verify(signature, _LABEL + own_public_key)
    except (InvalidSignature, ValueError) as error:
        raise KnockRefused("wrong signature") from error
    return dialer
