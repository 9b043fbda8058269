"""The OCR1 configuration that every feed shall have, and the bytes of it that `setConfig` is given."""

import secrets
from collections.abc import Sequence

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr import config_rules
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr.offchain_config import ENCODED_VERSION, OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr.timing_minimums import first_too_short
from chainlink.units import NS_PER_MS
from meshkit.configuration.feeds.timings import FeedTimings
from meshkit.ocr.timing import timing_minimums
from services.operator.nodes.identity import OracleIdentity


def desired(oracles: Sequence[OracleIdentity], settings: FeedTimings, chain_id: int) -> OcrConfig:
    """
    Return the configuration that every feed shall have; as many oracles may be faulty as the protocol allows.

    Raises:
        InvalidOcrConfig: when the contract or every node would refuse it, or it would leave an oracle out.
    """
    n = len(oracles)
    config = OcrConfig(
        signers=tuple(oracle.ocr.signing_address for oracle in oracles),
        transmitters=tuple(oracle.node.transmitter_address for oracle in oracles),
        f=(n - 1) // 3,
        version=ENCODED_VERSION,
        offchain=OffchainConfig(
            delta_progress_ns=settings.delta_progress_ms * NS_PER_MS,
            delta_resend_ns=settings.delta_resend_ms * NS_PER_MS,
            delta_round_ns=settings.delta_round_ms * NS_PER_MS,
            delta_grace_ns=settings.delta_grace_ms * NS_PER_MS,
            delta_c_ns=settings.delta_c_ms * NS_PER_MS,
            alpha_ppb=settings.alpha_ppb,
            delta_stage_ns=settings.delta_stage_ms * NS_PER_MS,
            r_max=settings.r_max,
            s=transmission_stages(n),
            offchain_public_keys=tuple(oracle.ocr.offchain_public_key for oracle in oracles),
            peer_ids=tuple(oracle.node.peer_id for oracle in oracles),
        ),
    )
    _check_settings(config.offchain, chain_id)
    config_rules.check(config)
    check_complete(config)
    return config


def transmission_stages(n: int) -> tuple[int, ...]:
    """Return the sizes of the transmission stages: one oracle first, then two at a time until all had their turn."""
    return (1, *(2 for _ in range(n // 2)))


def check_complete(config: OcrConfig) -> None:
    """
    Check what nodes do not, but what would leave an oracle without its part: keys of its own, a turn to transmit.

    Raises:
        InvalidOcrConfig: naming the first such field.
    """
    offchain, n = config.offchain, config.n
    for name, values in (("offchainPublicKeys", offchain.offchain_public_keys), ("peerIDs", offchain.peer_ids)):
        if len(set(values)) != n:
            raise InvalidOcrConfig(name, "a repeated entry", "each oracle's own")
    if sum(offchain.s) < n:
        raise InvalidOcrConfig("s", offchain.s, f"a sum of at least {n}, the number of oracles")


def encode(config: OffchainConfig, config_public_keys: Sequence[bytes]) -> bytes:
    """
    Encode setConfig's `encoded` bytes with a new shared secret that only the owners of the X25519 keys can read.

    Raises:
        InvalidOcrConfig: when a key is none or missing, a value does not fit, or the bytes are more than nodes accept.
    """
    if len(config_public_keys) != len(config.peer_ids):
        allowed = f"{len(config.peer_ids)}, one an oracle"
        raise InvalidOcrConfig("configPublicKeys", f"{len(config_public_keys)} entries", allowed)
    return config.encode(seal(config_public_keys))


def seal(config_public_keys: Sequence[bytes]) -> SharedSecretEncryptions:
    """Return a new secret, encrypted for the owners of X25519 keys; InvalidOcrConfig when a key is none."""
    return SharedSecretEncryptions.seal(secrets.token_bytes(16), secrets.token_bytes(32), config_public_keys)


def _check_settings(offchain: OffchainConfig, chain_id: int) -> None:
    short = first_too_short(offchain, chain_id)
    if short is not None:
        least_ms, chain = short.least_ns // NS_PER_MS, timing_minimums(chain_id).name
        allowed = f"at least {least_ms} on chain {chain_id} ({chain}), or every oracle refuses it"
        raise InvalidOcrConfig(f"solution.mesh.ocr.{short.name}Ms", short.found_ns // NS_PER_MS, allowed)
