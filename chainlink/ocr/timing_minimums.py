"""Whether the timings of a configuration are long enough for its chain, by the table in meshkit/ocr/timing.py."""

from dataclasses import dataclass

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.units import NS_PER_S
from meshkit.ocr.timing import timing_minimums


@dataclass(frozen=True, slots=True)
class TooShort:
    """Hold a duration under its minimum, in nanoseconds, and its name in the configuration (`deltaC`)."""

    name: str
    found_ns: int
    least_ns: int


def first_too_short(offchain: OffchainConfig, chain_id: int) -> TooShort | None:
    """Return the first duration that the oracles of a chain refuse for its shortness, None if there is none."""
    least = timing_minimums(chain_id)
    durations = (
        TooShort("deltaC", offchain.delta_c_ns, least.delta_c_ns),
        TooShort("deltaStage", offchain.delta_stage_ns, least.delta_stage_ns),
        TooShort("deltaRound", offchain.delta_round_ns, least.delta_round_ns),
        TooShort("deltaProgress", offchain.delta_progress_ns, least.delta_progress_ns),
        TooShort("deltaResend", offchain.delta_resend_ns, least.delta_resend_ns),
    )
    return next((duration for duration in durations if duration.found_ns < duration.least_ns), None)


def check_minimums(offchain: OffchainConfig, chain_id: int) -> None:
    """
    Check the timings of a configuration on a chain.

    Raises:
        InvalidOcrConfig: naming the first that every oracle refuses.
    """
    short = first_too_short(offchain, chain_id)
    if short is not None:
        allowed = f"at least {short.least_ns / NS_PER_S:g} s on chain {chain_id} ({timing_minimums(chain_id).name})"
        raise InvalidOcrConfig(short.name, f"{short.found_ns / NS_PER_S:g} s", allowed)
