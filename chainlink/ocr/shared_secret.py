"""The secret that the oracles of a configuration share, encrypted for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from chainlink.errors import InvalidOcrConfig
from meshkit.ethereum.keccak import keccak256


@dataclass(frozen=True, slots=True)
class SharedSecretEncryptions:
    """Hold a 16-byte secret encrypted: an X25519 point, keccak256 of the secret, one block of 16 bytes an oracle."""

    diffie_hellman_point: bytes
    shared_secret_hash: bytes
    encryptions: tuple[bytes, ...]

    @classmethod
    def seal(cls, secret: bytes, ephemeral: bytes, public_keys: Sequence[bytes]) -> Self:
        """
        Encrypt a secret for the owners of X25519 public keys; `ephemeral` is 32 random bytes, never to be used again.

        Raises:
            InvalidOcrConfig: when a key is none, or one with which the secret would be public.
        """
        key = X25519PrivateKey.from_private_bytes(ephemeral)
        blocks = []
        for index, public_key in enumerate(public_keys):
            try:
                encryptor = _block_cipher(key, public_key).encryptor()
            except ValueError as error:
                found, allowed = public_key.hex(), "X25519 public keys of 32 bytes"
                raise InvalidOcrConfig(f"configPublicKeys[{index}]", found, allowed) from error
            blocks.append(encryptor.update(secret) + encryptor.finalize())
        return cls(key.public_key().public_bytes_raw(), keccak256(secret), tuple(blocks))

    def open(self, index: int, scalar: bytes) -> bytes:
        """
        Return the secret, which oracle `index` decrypts with its 32-byte X25519 scalar.

        Raises:
            InvalidOcrConfig: when the point is one of the few that give no shared key, or the secret another's.
        """
        point = self.diffie_hellman_point
        try:
            decryptor = _block_cipher(X25519PrivateKey.from_private_bytes(scalar), point).decryptor()
        except ValueError as error:
            raise InvalidOcrConfig("diffieHellmanPoint", point.hex(), "an X25519 point") from error
        secret = decryptor.update(self.encryptions[index]) + decryptor.finalize()
        if keccak256(secret) != self.shared_secret_hash:
            found = "a block that decrypts to a wrong hash"
            raise InvalidOcrConfig(f"sharedSecretEncryptions[{index}]", found, "the shared secret")
        return secret


def _block_cipher(key: X25519PrivateKey, point: bytes) -> Cipher[modes.ECB]:
    shared = key.exchange(X25519PublicKey.from_public_bytes(point))
    # One block under a key used once: here ECB is AES itself, which is what the encoding asks for.
    return Cipher(algorithms.AES(keccak256(shared)[:16]), modes.ECB())  # noqa: S305
