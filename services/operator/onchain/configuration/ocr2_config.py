"""The OCR2 configuration that a feed shall have, and the bytes of it that `setConfig` is given."""

from collections.abc import Sequence

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr2 import config_rules
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.median_config import AnswerRange, MedianConfig
from chainlink.ocr2.offchain_config import OFFCHAIN_CONFIG_VERSION, Ocr2OffchainConfig
from chainlink.units import NS_PER_MS
from meshkit.configuration.feeds.timings import FeedTimings
from meshkit.ocr.timing import observation_timeout_ms
from services.operator.nodes.identity import OcrIdentity, OracleIdentity
from services.operator.onchain import ocr_config

# What the median plugin does besides observing is a matter of milliseconds; these leave room for a busy machine.
_QUERY_MS = 100
_DECISION_MS = 500
# No more than this part of the time in which a leader must make progress.
_MOST_OF_PROGRESS = 10
_SETTINGS = {"deltaProgress": "delta_progress_ms", "deltaResend": "delta_resend_ms", "deltaRound": "delta_round_ms"}


def desired(oracles: Sequence[OracleIdentity], settings: FeedTimings, answers: AnswerRange) -> Ocr2Config:
    """
    Return the configuration that a feed shall have whose contract takes answers of a range.

    As many oracles may be faulty as the protocol allows. Unlike in OCR1 the chain sets no minimums of the timings.

    Raises:
        InvalidOcrConfig: when the contract or every node would refuse it, or an oracle has no keys of OCR2.
    """
    keys, n = [_keys(oracle) for oracle in oracles], len(oracles)
    query_ms, decision_ms = (
        min(ms, settings.delta_progress_ms // _MOST_OF_PROGRESS) for ms in (_QUERY_MS, _DECISION_MS)
    )
    observation_ms = min(
        observation_timeout_ms(settings.delta_round_ms, settings.delta_grace_ms),
        settings.delta_progress_ms - query_ms - decision_ms - 1,
    )
    config = Ocr2Config(
        signers=tuple(each.signing_address for each in keys),
        transmitters=tuple(oracle.node.transmitter_address for oracle in oracles),
        f=(n - 1) // 3,
        answers=answers,
        version=OFFCHAIN_CONFIG_VERSION,
        offchain=Ocr2OffchainConfig(
            delta_progress_ns=settings.delta_progress_ms * NS_PER_MS,
            delta_resend_ns=settings.delta_resend_ms * NS_PER_MS,
            delta_round_ns=settings.delta_round_ms * NS_PER_MS,
            delta_grace_ns=settings.delta_grace_ms * NS_PER_MS,
            delta_stage_ns=settings.delta_stage_ms * NS_PER_MS,
            r_max=settings.r_max,
            s=ocr_config.transmission_stages(n),
            offchain_public_keys=tuple(each.offchain_public_key for each in keys),
            peer_ids=tuple(oracle.node.peer_id for oracle in oracles),
            median=MedianConfig(
                alpha_report_infinite=False,
                alpha_report_ppb=settings.alpha_ppb,
                alpha_accept_infinite=False,
                alpha_accept_ppb=settings.alpha_ppb,
                delta_c_ns=settings.delta_c_ms * NS_PER_MS,
            ),
            max_duration_query_ns=query_ms * NS_PER_MS,
            max_duration_observation_ns=observation_ms * NS_PER_MS,
            max_duration_report_ns=decision_ms * NS_PER_MS,
            max_duration_should_accept_ns=decision_ms * NS_PER_MS,
            max_duration_should_transmit_ns=decision_ms * NS_PER_MS,
        ),
    )
    for flaw in config_rules.flaws(config):
        raise _in_settings(flaw, settings)
    return config


def encode(config: Ocr2Config, oracles: Sequence[OracleIdentity]) -> bytes:
    """
    Encode `setConfig`'s `offchainConfig` with a new shared secret that only these oracles can read.

    Raises:
        InvalidOcrConfig: when an oracle has no keys of OCR2, or a value does not fit.
    """
    public_keys = [_keys(oracle).config_public_key for oracle in oracles]
    return config.offchain.encode(ocr_config.seal(public_keys))


def _keys(oracle: OracleIdentity) -> OcrIdentity:
    if oracle.node.ocr2 is None:
        raise InvalidOcrConfig(f"OCR2 keys of {oracle.node.name}", "none", "a key bundle of each oracle")
    return oracle.node.ocr2


def _in_settings(flaw: InvalidOcrConfig, settings: FeedTimings) -> InvalidOcrConfig:
    """Return a flaw under the name of the setting that it comes from, if it is one of them."""
    if flaw.field not in _SETTINGS:
        return flaw
    found_ms = getattr(settings, _SETTINGS[flaw.field])
    return InvalidOcrConfig(f"solution.mesh.ocr.{flaw.field}Ms", found_ms, flaw.allowed)
