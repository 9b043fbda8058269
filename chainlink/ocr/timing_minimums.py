"""The shortest timings an oracle accepts on each chain; transaction costs and block times are the reason for them."""

from dataclasses import dataclass

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.units import NS_PER_S

_MS = 1_000_000
_S = 1_000 * _MS
_MINUTE = 60 * _S


@dataclass(frozen=True, slots=True)
class TimingMinimums:
    """Hold the least allowed durations of a class of chains, in nanoseconds."""

    name: str
    delta_c_ns: int
    delta_stage_ns: int
    delta_round_ns: int
    delta_progress_ns: int
    delta_resend_ns: int


SLOW = TimingMinimums("slow or unknown chain", 10 * _MINUTE, 10 * _S, 20 * _S, 23 * _S, 10 * _S)
MODERATE = TimingMinimums("moderately fast chain", _MINUTE, 5 * _S, 20 * _S, 23 * _S, 10 * _S)
FAST = TimingMinimums("fast chain", 10 * _S, 5 * _S, 5 * _S, 8 * _S, 5 * _S)
PUBLIC_TESTNET = TimingMinimums("public test network", _S, 5 * _S, _S, 2 * _S, 2 * _S)
PRIVATE_TESTNET = TimingMinimums("private test network", 0, 0, 0, 0, 0)

# fmt: off
_CLASSES: tuple[tuple[TimingMinimums, tuple[int, ...]], ...] = (
    (SLOW, (1, 1101)),
    (MODERATE, (30, 100, 128, 5000, 42220, 1666600000, 1666600001, 1666600002, 1666600003)),
    (FAST, (10, 56, 137, 196, 250, 324, 1088, 1284, 1285, 8217, 8453, 42161, 42170, 43114, 59144, 534352)),
    (PUBLIC_TESTNET, (
        4, 5, 31, 42, 65, 69, 97, 195, 256, 280, 300, 420, 588, 1001, 1287, 1442, 2442, 4002, 5001, 10200, 43113, 44787,
        59140, 59141, 80001, 80002, 84531, 84532, 421611, 421613, 421614, 534351, 11155111, 11155420,
        1666700000, 1666700001, 1666700002, 1666700003, 144545313136048,
    )),
    (PRIVATE_TESTNET, (1337, 7418)),
)
# fmt: on
_BY_CHAIN = {chain_id: minimums for minimums, chain_ids in _CLASSES for chain_id in chain_ids}


def timing_minimums(chain_id: int) -> TimingMinimums:
    """Return the minimums that hold on a chain; a chain nobody listed counts as slow."""
    return _BY_CHAIN.get(chain_id, SLOW)


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
