"""The three secret keys by which an oracle takes part in the protocol."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.oracle.ocr.crypto import signer_address


@dataclass(frozen=True, slots=True)
class OracleKeys:
    """
    Hold an oracle's secrets, 32 bytes each.

    Attributes:
        signing: secp256k1 key that signs reports; its address stands in the contract's signers.
        offchain: ed25519 seed that signs observations.
        config: X25519 scalar that decrypts the shared secret.
    """

    signing: bytes = field(repr=False)
    offchain: bytes = field(repr=False)
    config: bytes = field(repr=False)

    @property
    def signing_address(self) -> str:
        """Return the checksummed address of the signing key."""
        return signer_address(self.signing)

    @property
    def offchain_public_key(self) -> bytes:
        """Return the 32-byte ed25519 public key."""
        return Ed25519PrivateKey.from_private_bytes(self.offchain).public_key().public_bytes_raw()

    @property
    def config_public_key(self) -> bytes:
        """Return the 32-byte X25519 public key."""
        return X25519PrivateKey.from_private_bytes(self.config).public_key().public_bytes_raw()
