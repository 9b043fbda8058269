"""An OCR2 configuration that every oracle takes, of oracles whose X25519 scalars are known, and as libocr spells it."""

from typing import Any

from chainlink.ocr2.contract_config import Ocr2Config, Ocr2ContractConfig
from chainlink.ocr2.median_config import AnswerRange, MedianConfig
from chainlink.ocr2.offchain_config import OFFCHAIN_CONFIG_VERSION, Ocr2OffchainConfig
from chainlink.units import NS_PER_MS, NS_PER_S
from meshkit.ethereum.address import checksummed
from tests.chainlink.ocr.made import digest, made_config


def made_ocr2_config(n: int = 4) -> Ocr2Config:
    """Make the configuration of n oracles with the timings of a fast demonstration network."""
    ocr1 = made_config(n)
    offchain = Ocr2OffchainConfig(
        delta_progress_ns=5 * NS_PER_S,
        delta_resend_ns=1 * NS_PER_S,
        delta_round_ns=2 * NS_PER_S,
        delta_grace_ns=500 * NS_PER_MS,
        delta_stage_ns=3 * NS_PER_S,
        r_max=4,
        s=(1,) * n,
        offchain_public_keys=ocr1.offchain.offchain_public_keys,
        peer_ids=ocr1.offchain.peer_ids,
        median=MedianConfig(False, 5_000_000, True, 7, 10 * NS_PER_S),
        max_duration_query_ns=0,
        max_duration_observation_ns=1 * NS_PER_S,
        max_duration_report_ns=200 * NS_PER_MS,
        max_duration_should_accept_ns=201 * NS_PER_MS,
        max_duration_should_transmit_ns=202 * NS_PER_MS,
        max_duration_initialization_ns=10 * NS_PER_S,
    )
    answers = AnswerRange(-1, 10**23)
    return Ocr2Config(ocr1.signers, ocr1.transmitters, (n - 1) // 3, answers, OFFCHAIN_CONFIG_VERSION, offchain)


def config_scalar(index: int) -> bytes:
    """Return the X25519 scalar of an oracle."""
    return digest("config", index)


def in_numbers(config: Ocr2Config, *, with_scalars: bool = False) -> dict[str, Any]:
    """Return a configuration as the Go program reads and writes it."""
    offchain, median = config.offchain, config.offchain.median
    return {
        "deltaProgress": offchain.delta_progress_ns,
        "deltaResend": offchain.delta_resend_ns,
        "deltaRound": offchain.delta_round_ns,
        "deltaGrace": offchain.delta_grace_ns,
        "deltaStage": offchain.delta_stage_ns,
        "rMax": offchain.r_max,
        "s": list(offchain.s),
        "alphaReportInfinite": median.alpha_report_infinite,
        "alphaReportPPB": median.alpha_report_ppb,
        "alphaAcceptInfinite": median.alpha_accept_infinite,
        "alphaAcceptPPB": median.alpha_accept_ppb,
        "deltaC": median.delta_c_ns,
        "maxDurationInitialization": offchain.max_duration_initialization_ns,
        "maxDurationQuery": offchain.max_duration_query_ns,
        "maxDurationObservation": offchain.max_duration_observation_ns,
        "maxDurationReport": offchain.max_duration_report_ns,
        "maxDurationShouldAccept": offchain.max_duration_should_accept_ns,
        "maxDurationShouldTransmit": offchain.max_duration_should_transmit_ns,
        "f": config.f,
        "min": str(config.answers.least),
        "max": str(config.answers.highest),
        "oracles": [
            {
                "signer": config.signers[index].lower(),
                "transmitter": config.transmitters[index].lower(),
                "offchain": offchain.offchain_public_keys[index].hex(),
                "peer": offchain.peer_ids[index],
                "config": (config_scalar(index) if with_scalars else bytes(32)).hex(),
            }
            for index in range(config.n)
        ],
    }


def on_chain(event: dict[str, Any], contract: str, count: int) -> Ocr2ContractConfig:
    """Return what the Go program made, as the event of a contract."""
    return Ocr2ContractConfig(
        contract,
        count,
        tuple(map(checksummed, event["signers"])),
        tuple(map(checksummed, event["transmitters"])),
        event["f"],
        bytes.fromhex(event["onchain"]),
        event["offchainVersion"],
        bytes.fromhex(event["offchain"]),
    )


def in_json(event: Ocr2ContractConfig, chain_id: int) -> dict[str, Any]:
    """Return an event as the Go program reads it."""
    return {
        "chainId": chain_id,
        "contract": event.contract,
        "count": event.config_count,
        "signers": list(event.signers),
        "transmitters": list(event.transmitters),
        "f": event.f,
        "onchain": event.onchain.hex(),
        "offchainVersion": event.offchain_version,
        "offchain": event.offchain.hex(),
    }
