"""The off-chain configuration: the `encoded` bytes of the contract's ConfigSet event."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from services.oracle.ocr.crypto import encrypt_shared_secret, shared_secret_hash
from services.oracle.ocr.errors import ConfigError

ENCODED_VERSION = 1
MAX_ENCODED_LENGTH = 20_000
_SCHEMA = ("(int64,int64,int64,int64,int64,uint64,int64,uint8,uint8[],bytes32[],string,(bytes32,bytes32,bytes16[]))",)


@dataclass(frozen=True, slots=True)
class SharedSecretEncryptions:
    """Hold the shared secret, encrypted for each oracle: an X25519 point, keccak256 of the secret, one block each."""

    diffie_hellman_point: bytes
    shared_secret_hash: bytes
    encryptions: tuple[bytes, ...]

    @classmethod
    def seal(cls, secret: bytes, ephemeral: bytes, public_keys: Sequence[bytes]) -> "SharedSecretEncryptions":
        """Encrypt a 16-byte secret for X25519 public keys with 32 random bytes that are used only here."""
        point, blocks = encrypt_shared_secret(secret, ephemeral, public_keys)
        return cls(point, shared_secret_hash(secret), tuple(blocks))


@dataclass(frozen=True, slots=True)
class OffchainConfig:
    """
    Hold the off-chain configuration, its fields in the order of the encoding.

    Durations are nanoseconds, alpha is parts per billion, `s` the sizes of the transmission stages, keys are 32 bytes,
    peer ids base58 without prefix.
    """

    delta_progress_ns: int
    delta_resend_ns: int
    delta_round_ns: int
    delta_grace_ns: int
    delta_c_ns: int
    alpha_ppb: int
    delta_stage_ns: int
    r_max: int
    s: tuple[int, ...]
    offchain_public_keys: tuple[bytes, ...]
    peer_ids: tuple[str, ...]
    encryptions: SharedSecretEncryptions

    def encode(self) -> bytes:
        """
        Encode as the ABI encoding of one tuple.

        Raises:
            ConfigError: when a field does not fit its type.
        """
        values = [getattr(self, field.name) for field in fields(self)]
        values[10] = ",".join(self.peer_ids)
        sealed = self.encryptions
        values[11] = (sealed.diffie_hellman_point, sealed.shared_secret_hash, sealed.encryptions)
        try:
            return encode(_SCHEMA, (tuple(values),))
        except (EncodingError, ValueError, OverflowError) as error:
            raise ConfigError("offchainConfig", str(error), "values that fit the ABI types") from error

    @classmethod
    def decode(cls, encoded: bytes) -> "OffchainConfig":
        """
        Decode the event's bytes; checks the form only, not the values.

        Raises:
            ConfigError: when the bytes are too long or no such tuple.
        """
        if len(encoded) > MAX_ENCODED_LENGTH:
            raise ConfigError("encoded", f"{len(encoded)} bytes", f"at most {MAX_ENCODED_LENGTH} bytes")
        try:
            (values,) = decode(_SCHEMA, encoded)
        except (DecodingError, ValueError, OverflowError) as error:
            raise ConfigError("encoded", str(error), "the ABI encoding of the off-chain configuration") from error
        peer_ids, (point, secret_hash, blocks) = values[10], values[11]
        # Splitting the empty text would give one empty peer id.
        ids = tuple(peer_ids.split(",")) if peer_ids else ()
        sealed = SharedSecretEncryptions(point, secret_hash, tuple(blocks))
        numbers: tuple[int, int, int, int, int, int, int, int] = values[:8]
        return cls(*numbers, tuple(values[8]), tuple(values[9]), ids, sealed)
