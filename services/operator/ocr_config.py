"""The OCR1 configuration of a feed: what setConfig is given, and what a ConfigSet event says."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chainlink.ocr.timing_minimums import timing_minimums
from services.operator.config import OcrSettings
from services.operator.errors import InvalidOcrConfig
from services.operator.nodes.identity import OracleIdentity

ENCODED_VERSION = 1
MOST_ORACLES = 31
_LONGEST_ENCODED = 20_000
_LONGEST_SCHEDULE = 999
_NS_PER_MS = 1_000_000
# One tuple argument; durations are nanoseconds.
_TYPES = ("(int64,int64,int64,int64,int64,uint64,int64,uint8,uint8[],bytes32[],string,(bytes32,bytes32,bytes16[]))",)


@dataclass(frozen=True, slots=True)
class OffchainConfig:
    """Hold the public part of the `encoded` bytes: nanoseconds, parts per billion, 32-byte keys, bare peer ids."""

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


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """
    Hold everything that makes two configurations the same for the oracles; the shared secret is not part of it.

    Addresses are EIP-55; the position in each list is the oracle's index.
    """

    signers: tuple[str, ...]
    transmitters: tuple[str, ...]
    f: int
    version: int
    offchain: OffchainConfig

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return len(self.signers)


def desired(oracles: Sequence[OracleIdentity], settings: OcrSettings, chain_id: int) -> FeedConfig:
    """
    Return the configuration that every feed shall have; as many oracles may be faulty as the protocol allows.

    Raises:
        InvalidOcrConfig: when every node would refuse it.
    """
    check_timings(settings, chain_id)
    n = len(oracles)
    config = FeedConfig(
        signers=tuple(oracle.ocr.signing_address for oracle in oracles),
        transmitters=tuple(oracle.node.transmitter_address for oracle in oracles),
        f=(n - 1) // 3,
        version=ENCODED_VERSION,
        offchain=OffchainConfig(
            delta_progress_ns=settings.delta_progress_ms * _NS_PER_MS,
            delta_resend_ns=settings.delta_resend_ms * _NS_PER_MS,
            delta_round_ns=settings.delta_round_ms * _NS_PER_MS,
            delta_grace_ns=settings.delta_grace_ms * _NS_PER_MS,
            delta_c_ns=settings.delta_c_ms * _NS_PER_MS,
            alpha_ppb=settings.alpha_ppb,
            delta_stage_ns=settings.delta_stage_ms * _NS_PER_MS,
            r_max=settings.r_max,
            s=transmission_stages(n),
            offchain_public_keys=tuple(oracle.ocr.offchain_public_key for oracle in oracles),
            peer_ids=tuple(oracle.node.peer_id for oracle in oracles),
        ),
    )
    check(config)
    return config


def check_timings(settings: OcrSettings, chain_id: int) -> None:
    """
    Check the timings that oracles accept on a chain: each has a minimum that follows from the chain's block times.

    Raises:
        InvalidOcrConfig: naming the first setting under its minimum.
    """
    least = timing_minimums(chain_id)
    for name, found_ms, least_ns in (
        ("deltaCMs", settings.delta_c_ms, least.delta_c_ns),
        ("deltaStageMs", settings.delta_stage_ms, least.delta_stage_ns),
        ("deltaRoundMs", settings.delta_round_ms, least.delta_round_ns),
        ("deltaProgressMs", settings.delta_progress_ms, least.delta_progress_ns),
        ("deltaResendMs", settings.delta_resend_ms, least.delta_resend_ns),
    ):
        allowed = f"at least {least_ns // _NS_PER_MS} on chain {chain_id} ({least.name}), or every oracle refuses it"
        _require(found_ms * _NS_PER_MS >= least_ns, f"solution.mesh.ocr.{name}", found_ms, allowed)


def transmission_stages(n: int) -> tuple[int, ...]:
    """Return the sizes of the transmission stages: one oracle first, then two at a time until all had their turn."""
    return (1, *(2 for _ in range(n // 2)))


def check(config: FeedConfig) -> None:
    """
    Check what every node and the contract check, so that a refused configuration never reaches the chain.

    Raises:
        InvalidOcrConfig: naming the first field that would be refused.
    """
    offchain, n = config.offchain, config.n
    _require(config.version == ENCODED_VERSION, "encodedConfigVersion", config.version, str(ENCODED_VERSION))
    _require(n <= MOST_ORACLES, "oracles", n, f"at most {MOST_ORACLES}")
    _require(config.f > 0 and 3 * config.f < n, "f", config.f, f"at least 1 and less than a third of the {n} oracles")
    lists = {
        "transmitters": config.transmitters,
        "offchainPublicKeys": offchain.offchain_public_keys,
        "peerIDs": offchain.peer_ids,
    }
    for name, values in lists.items():
        _require(len(values) == n, name, f"{len(values)} entries", f"{n}, one an oracle")
        _require(len(set(values)) == n, name, "a repeated entry", "each oracle's own")
    # The contract keeps signers and transmitters in one table.
    addresses = config.signers + config.transmitters
    _require(len(set(addresses)) == 2 * n, "signers", "a repeated address", "each address once, over both lists")
    for name in ("delta_c_ns", "delta_stage_ns", "delta_round_ns", "delta_progress_ns", "delta_resend_ns"):
        _require(0 <= getattr(offchain, name) < 2**63, name, getattr(offchain, name), "0 to 2^63 - 1 nanoseconds")
    _require(
        0 <= offchain.delta_grace_ns < offchain.delta_round_ns < offchain.delta_progress_ns,
        "ocr",
        f"grace {offchain.delta_grace_ns}, round {offchain.delta_round_ns}, progress {offchain.delta_progress_ns} ns",
        "0 <= deltaGrace < deltaRound < deltaProgress",
    )
    _require(0 <= offchain.alpha_ppb < 2**64, "alphaPpb", offchain.alpha_ppb, "0 to 2^64 - 1")
    _require(0 < offchain.r_max < 255, "rMax", offchain.r_max, "1 to 254")
    _require(len(offchain.s) <= _LONGEST_SCHEDULE, "s", f"{len(offchain.s)} stages", f"at most {_LONGEST_SCHEDULE}")
    _require(all(0 <= size <= MOST_ORACLES for size in offchain.s), "s", offchain.s, f"sizes 0 to {MOST_ORACLES}")
    # Nodes do not check this, but an oracle that no stage covers never transmits.
    _require(sum(offchain.s) >= n, "s", offchain.s, f"a sum of at least {n}")


def encode(config: OffchainConfig, config_public_keys: Sequence[bytes]) -> bytes:
    """
    Encode setConfig's `encoded` bytes with a new shared secret that only the owners of the X25519 keys can read.

    Raises:
        InvalidOcrConfig: when a value does not fit, or the bytes are more than nodes accept.
    """
    return encode_with(config, config_public_keys, secrets.token_bytes(16), secrets.token_bytes(32))


def encode_with(config: OffchainConfig, config_public_keys: Sequence[bytes], secret: bytes, ephemeral: bytes) -> bytes:
    """Encode with a given 16-byte shared secret and a 32-byte ephemeral X25519 scalar, never to be used again."""
    _require(
        len(config_public_keys) == len(config.peer_ids),
        "configPublicKeys",
        f"{len(config_public_keys)} entries",
        f"{len(config.peer_ids)}, one an oracle",
    )
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    encryptions = [_encrypt(secret, private, key) for key in config_public_keys]
    encoded = abi_encode(
        _TYPES,
        [
            (
                config.delta_progress_ns,
                config.delta_resend_ns,
                config.delta_round_ns,
                config.delta_grace_ns,
                config.delta_c_ns,
                config.alpha_ppb,
                config.delta_stage_ns,
                config.r_max,
                config.s,
                config.offchain_public_keys,
                ",".join(config.peer_ids),
                (private.public_key().public_bytes_raw(), keccak(secret), encryptions),
            )
        ],
    )
    _require(len(encoded) <= _LONGEST_ENCODED, "encoded", f"{len(encoded)} bytes", f"at most {_LONGEST_ENCODED}")
    return encoded


def decode(encoded: bytes) -> OffchainConfig:
    """
    Decode the public part of `encoded` bytes.

    Raises:
        InvalidOcrConfig: when they are no such encoding.
    """
    try:
        (fields,) = abi_decode(_TYPES, encoded)
    except (DecodingError, ValueError, OverflowError) as error:
        raise InvalidOcrConfig("encoded", f"{len(encoded)} bytes", f"an ABI-encoded configuration ({error})") from error
    progress, resend, round_, grace, heartbeat, alpha, stage, r_max, s, keys, peer_ids, _secret = fields
    return OffchainConfig(
        delta_progress_ns=progress,
        delta_resend_ns=resend,
        delta_round_ns=round_,
        delta_grace_ns=grace,
        delta_c_ns=heartbeat,
        alpha_ppb=alpha,
        delta_stage_ns=stage,
        r_max=r_max,
        s=tuple(s),
        offchain_public_keys=tuple(keys),
        peer_ids=tuple(peer_ids.split(",")) if peer_ids else (),
    )


def from_event(signers: Sequence[str], transmitters: Sequence[str], f: int, version: int, encoded: bytes) -> FeedConfig:
    """
    Return what a ConfigSet event says.

    Raises:
        InvalidOcrConfig: when its bytes are no OCR1 configuration.
    """
    return FeedConfig(
        signers=tuple(map(to_checksum_address, signers)),
        transmitters=tuple(map(to_checksum_address, transmitters)),
        f=f,
        version=version,
        offchain=decode(encoded),
    )


def _encrypt(secret: bytes, ephemeral: X25519PrivateKey, public_key: bytes) -> bytes:
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidOcrConfig("configPublicKeys", public_key.hex(), "X25519 public keys of 32 bytes") from error
    # The format: one block, no mode. The block is random and the key used once, so ECB's weakness does not apply.
    block = Cipher(algorithms.AES(keccak(shared)[:16]), modes.ECB()).encryptor()  # noqa: S305
    return block.update(secret) + block.finalize()


def _require(holds: bool, field: str, found: object, allowed: str) -> None:
    if not holds:
        raise InvalidOcrConfig(field, found, allowed)
