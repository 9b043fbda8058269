"""
What holds for the timings of the protocol on each chain, for those who check, write and obey them.

Transaction costs and block times are the reason for the least timings that an oracle accepts.
"""

from dataclasses import dataclass

_MS = 1_000_000
_S = 1_000 * _MS
_MINUTE = 60 * _S
# Nodes accept no other time-outs of observations.
_LEAST_OBSERVATION_MS = 1_000
_MOST_OBSERVATION_MS = 20_000


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


def observation_timeout_ms(delta_round_ms: int, delta_grace_ms: int) -> int:
    """Return how long an observation may take: it must fit the round before the grace; nodes accept 1 s to 20 s."""
    return min(max((delta_round_ms - delta_grace_ms) * 3 // 4, _LEAST_OBSERVATION_MS), _MOST_OBSERVATION_MS)
