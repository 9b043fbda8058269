"""The off-chain configuration: the `encoded` bytes of `setConfig` and of the contract's ConfigSet event."""

from dataclasses import dataclass, fields

from chainlink.abi import decode, encode
from chainlink.abi_types import AbiError
from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions

ENCODED_VERSION = 1
MAX_ENCODED_LENGTH = 20_000
# One tuple argument; durations are nanoseconds.
_SCHEMA = ("(int64,int64,int64,int64,int64,uint64,int64,uint8,uint8[],bytes32[],string,(bytes32,bytes32,bytes16[]))",)


@dataclass(frozen=True, slots=True)
class OffchainConfig:
    """
    Hold the public part of the off-chain configuration, its fields in the order of the encoding.

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

    def encode(self, sealed: SharedSecretEncryptions) -> bytes:
        """
        Encode as the ABI encoding of one tuple, together with the encrypted secret.

        Raises:
            InvalidOcrConfig: when a field does not fit its type, or the bytes are more than nodes accept.
        """
        values = [getattr(self, field.name) for field in fields(self)]
        values[-1] = ",".join(self.peer_ids)
        values.append((sealed.diffie_hellman_point, sealed.shared_secret_hash, sealed.encryptions))
        try:
            encoded = encode(_SCHEMA, (tuple(values),))
        except AbiError as error:
            raise InvalidOcrConfig("offchainConfig", str(error), "values that fit the ABI types") from error
        _check_length(encoded)
        return encoded

    @classmethod
    def decode(cls, encoded: bytes) -> "tuple[OffchainConfig, SharedSecretEncryptions]":
        """
        Decode the event's bytes; checks the form only, not the values.

        Raises:
            InvalidOcrConfig: when the bytes are too long or no such tuple.
        """
        _check_length(encoded)
        try:
            (values,) = decode(_SCHEMA, encoded)
        except AbiError as error:
            allowed = "the ABI encoding of the off-chain configuration"
            raise InvalidOcrConfig("encoded", str(error), allowed) from error
        numbers: tuple[int, int, int, int, int, int, int, int] = values[:8]
        s, keys, peer_ids, (point, secret_hash, blocks) = values[8:]
        # Splitting the empty text would give one empty peer id.
        ids = tuple(peer_ids.split(",")) if peer_ids else ()
        return cls(*numbers, tuple(s), tuple(keys), ids), SharedSecretEncryptions(point, secret_hash, tuple(blocks))


def _check_length(encoded: bytes) -> None:
    if len(encoded) > MAX_ENCODED_LENGTH:
        raise InvalidOcrConfig("encoded", f"{len(encoded)} bytes", f"at most {MAX_ENCODED_LENGTH} bytes")
