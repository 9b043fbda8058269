"""An announcement: a peer's addresses under its signature."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError

from chainlink.keys.peer_id import KEY_LENGTH
from feedmesh.ocr.v1 import discovery_pb2 as pb
from services.oracle.p2p.address import Address
from services.oracle.p2p.errors import AnnouncementRefused, MalformedInput
from services.oracle.p2p.identity import PeerKey

MAX_ADDRESSES = 10
MAX_ADDRESS_LENGTH = 53
MAX_COUNTER = (1 << 64) - 1
_LABEL = b"announcement for chainlink peer discovery v2.0.0"


def announcement_digest(addresses: Sequence[Address], counter: int) -> bytes:
    """Return the 32 bytes that a peer signs."""
    texts = [str(address).encode() for address in addresses]
    parts = [_LABEL, len(texts).to_bytes(4, "little")]
    for text in texts:
        parts += [len(text).to_bytes(4, "little"), text]
    return sha256(b"".join(parts) + counter.to_bytes(8, "little")).digest()


@dataclass(frozen=True, slots=True)
class Announcement:
    """Hold a verified announcement; among those of one key the highest counter wins."""

    public_key: bytes
    addresses: tuple[Address, ...]
    counter: int
    signature: bytes

    @classmethod
    def sign(cls, key: PeerKey, addresses: Sequence[Address], counter: int) -> "Announcement":
        """Announce own addresses."""
        signature = key.sign(announcement_digest(addresses, counter))
        return cls(key.public_key, tuple(addresses), counter, signature)

    def to_proto(self) -> pb.SignedAnnouncement:
        """Return the message on the wire."""
        texts = [str(address).encode() for address in self.addresses]
        return pb.SignedAnnouncement(addrs=texts, counter=self.counter, public_key=self.public_key, sig=self.signature)

    @classmethod
    def from_proto(cls, message: pb.SignedAnnouncement) -> "Announcement":
        """
        Verify a message.

        Raises:
            AnnouncementRefused: when it is malformed or its signature is wrong.
        """
        if len(message.public_key) != KEY_LENGTH:
            raise AnnouncementRefused(f"a key of {len(message.public_key)} bytes")
        addresses = tuple(_read_address(raw) for raw in message.addrs)
        if not 1 <= len(addresses) <= MAX_ADDRESSES:
            raise AnnouncementRefused(f"{len(addresses)} addresses")
        try:
            key = Ed25519PublicKey.from_public_bytes(message.public_key)
            key.verify(message.sig, announcement_digest(addresses, message.counter))
        except (InvalidSignature, ValueError) as error:
            raise AnnouncementRefused("a wrong signature") from error
        return cls(message.public_key, addresses, message.counter, message.sig)


def encode_reconcile(announcements: Sequence[Announcement]) -> bytes:
    """Return the discovery message that tells several announcements."""
    messages = [announcement.to_proto() for announcement in announcements]
    envelope = pb.DiscoveryEnvelope(reconcile=pb.Reconcile(signed_announcements=messages))
    return envelope.SerializeToString(deterministic=True)


def decode_discovery(payload: bytes) -> list[pb.SignedAnnouncement]:
    """
    Return the announcements of a discovery message, not verified yet.

    Raises:
        AnnouncementRefused: when the bytes are no discovery message.
    """
    envelope = pb.DiscoveryEnvelope()
    try:
        envelope.ParseFromString(payload)
    except DecodeError as error:
        raise AnnouncementRefused(f"no protobuf: {error}") from error
    match envelope.WhichOneof("body"):
        case "signed_announcement":
            return [envelope.signed_announcement]
        case "reconcile":
            return list(envelope.reconcile.signed_announcements)
        case _:
            raise AnnouncementRefused("none of the known messages")


def _read_address(raw: bytes) -> Address:
    if len(raw) > MAX_ADDRESS_LENGTH:
        raise AnnouncementRefused(f"an address of {len(raw)} bytes")
    try:
        address = Address.parse(raw.decode())
    except (UnicodeDecodeError, MalformedInput) as error:
        raise AnnouncementRefused(f"the address {raw!r}") from error
    if not address.is_numeric:
        raise AnnouncementRefused(f"the address {raw!r} has no numeric host")
    if str(address).encode() != raw:
        raise AnnouncementRefused(f"the address {raw!r} in unusual form")
    return address
