"""The off-chain configuration of OCR2: the `offchainConfig` bytes of `setConfig` and of the ConfigSet event."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.median_config import MedianConfig
from feedmesh.ocr.v1 import ocr2_config_pb2 as pb

OFFCHAIN_CONFIG_VERSION = 2
MAX_ENCODED_LENGTH = 2_000_000
_KEY_BYTES = 32
_BLOCK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Ocr2OffchainConfig:
    """
    Hold the public part of the off-chain configuration of a feed.

    Durations are nanoseconds, `s` the sizes of the transmission stages, keys are 32 bytes, peer ids base58 without
    prefix. The longest time of the plugin's start is None where the configuration says nothing of it.
    """

    delta_progress_ns: int
    delta_resend_ns: int
    delta_round_ns: int
    delta_grace_ns: int
    delta_stage_ns: int
    r_max: int
    s: tuple[int, ...]
    offchain_public_keys: tuple[bytes, ...]
    peer_ids: tuple[str, ...]
    median: MedianConfig
    max_duration_query_ns: int
    max_duration_observation_ns: int
    max_duration_report_ns: int
    max_duration_should_accept_ns: int
    max_duration_should_transmit_ns: int
    max_duration_initialization_ns: int | None = None

    def encode(self, sealed: SharedSecretEncryptions) -> bytes:
        """
        Encode as protobuf, together with the encrypted secret.

        Raises:
            InvalidOcrConfig: when a field does not fit its type, or the bytes are more than nodes accept.
        """
        _check_lengths(self.offchain_public_keys, sealed)
        try:
            encoded = pb.OffchainConfig(
                delta_progress_nanoseconds=self.delta_progress_ns,
                delta_resend_nanoseconds=self.delta_resend_ns,
                delta_round_nanoseconds=self.delta_round_ns,
                delta_grace_nanoseconds=self.delta_grace_ns,
                delta_stage_nanoseconds=self.delta_stage_ns,
                r_max=self.r_max,
                s=self.s,
                offchain_public_keys=self.offchain_public_keys,
                peer_ids=self.peer_ids,
                reporting_plugin_config=self.median.encode(),
                max_duration_query_nanoseconds=self.max_duration_query_ns,
                max_duration_observation_nanoseconds=self.max_duration_observation_ns,
                max_duration_report_nanoseconds=self.max_duration_report_ns,
                max_duration_should_accept_finalized_report_nanoseconds=self.max_duration_should_accept_ns,
                max_duration_should_transmit_accepted_report_nanoseconds=self.max_duration_should_transmit_ns,
                shared_secret_encryptions=pb.OracleSecretEncryptions(
                    diffie_hellman_point=sealed.diffie_hellman_point,
                    shared_secret_hash=sealed.shared_secret_hash,
                    encryptions=sealed.encryptions,
                ),
                max_duration_initialization_nanoseconds=self.max_duration_initialization_ns,
            ).SerializeToString(deterministic=True)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidOcrConfig("offchainConfig", str(error), "values that fit their types") from error
        _check_length(encoded)
        return encoded

    @classmethod
    def decode(cls, encoded: bytes) -> "tuple[Ocr2OffchainConfig, SharedSecretEncryptions]":
        """
        Decode the event's bytes; checks the form only, not the values.

        Raises:
            InvalidOcrConfig: when the bytes are too long or no such message, or a key in them has another length.
        """
        _check_length(encoded)
        try:
            found = pb.OffchainConfig.FromString(encoded)
        except DecodeError as error:
            allowed = "the off-chain configuration of OCR2, as protobuf"
            raise InvalidOcrConfig("offchainConfig", str(error), allowed) from error
        secret = found.shared_secret_encryptions
        sealed = SharedSecretEncryptions(
            secret.diffie_hellman_point, secret.shared_secret_hash, tuple(secret.encryptions)
        )
        keys = tuple(found.offchain_public_keys)
        _check_lengths(keys, sealed)
        is_given = found.HasField("max_duration_initialization_nanoseconds")
        config = cls(
            delta_progress_ns=found.delta_progress_nanoseconds,
            delta_resend_ns=found.delta_resend_nanoseconds,
            delta_round_ns=found.delta_round_nanoseconds,
            delta_grace_ns=found.delta_grace_nanoseconds,
            delta_stage_ns=found.delta_stage_nanoseconds,
            r_max=found.r_max,
            s=tuple(found.s),
            offchain_public_keys=keys,
            peer_ids=tuple(found.peer_ids),
            median=MedianConfig.decode(found.reporting_plugin_config),
            max_duration_query_ns=found.max_duration_query_nanoseconds,
            max_duration_observation_ns=found.max_duration_observation_nanoseconds,
            max_duration_report_ns=found.max_duration_report_nanoseconds,
            max_duration_should_accept_ns=found.max_duration_should_accept_finalized_report_nanoseconds,
            max_duration_should_transmit_ns=found.max_duration_should_transmit_accepted_report_nanoseconds,
            max_duration_initialization_ns=found.max_duration_initialization_nanoseconds if is_given else None,
        )
        return config, sealed


def _check_lengths(keys: tuple[bytes, ...], sealed: SharedSecretEncryptions) -> None:
    wanted = {
        "diffieHellmanPoint": (sealed.diffie_hellman_point, _KEY_BYTES),
        "sharedSecretHash": (sealed.shared_secret_hash, _KEY_BYTES),
        **{f"offchainPublicKeys[{index}]": (key, _KEY_BYTES) for index, key in enumerate(keys)},
        **{f"encryptions[{index}]": (block, _BLOCK_BYTES) for index, block in enumerate(sealed.encryptions)},
    }
    for name, (value, length) in wanted.items():
        if len(value) != length:
            raise InvalidOcrConfig(name, f"{len(value)} bytes", f"{length} bytes")


def _check_length(encoded: bytes) -> None:
    if len(encoded) > MAX_ENCODED_LENGTH:
        raise InvalidOcrConfig("offchainConfig", f"{len(encoded)} bytes", f"at most {MAX_ENCODED_LENGTH} bytes")
