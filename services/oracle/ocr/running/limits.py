"""How long an oracle waits for the outside world, and how much it takes from each of its peers."""

from dataclasses import dataclass

from chainlink.ocr.offchain_config import OffchainConfig
from services.oracle.ocr.protocol.messages import MAX_MESSAGE_LENGTH
from services.oracle.p2p.transport.limits import StreamLimits

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LocalLimits:
    """Hold the timeouts of one node, in seconds; an observation may take `observation_s` plus `observation_grace_s`."""

    blockchain_s: float = 20.0
    database_s: float = 10.0
    observation_s: float = 5.0
    observation_grace_s: float = 1.0
    transmit_s: float = 10.0


def peer_limits(config: OffchainConfig) -> StreamLimits:
    """Return twice the traffic that a config's timings need of an honest oracle (durations of 0 count as 1 ms)."""
    needed = (
        (1, config.delta_resend_ns),
        (1, config.delta_progress_ns),
        (6, config.delta_round_ns),
    )
    rate = 2 * sum(messages * _NS_PER_S / max(duration_ns, 1_000_000) for messages, duration_ns in needed)
    return StreamLimits(MAX_MESSAGE_LENGTH, rate, 16, rate * MAX_MESSAGE_LENGTH, 16 * MAX_MESSAGE_LENGTH)
