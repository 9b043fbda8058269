"""Whether a report is worth its transaction: the decision of every follower, before it signs."""

import enum
from dataclasses import dataclass

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from services.oracle.ocr.state import Override

PARTS_PER_BILLION = 1_000_000_000


class Reason(enum.Enum):
    """Name why a report is made."""

    INITIAL_ROUND = "initial_round"
    DEVIATION = "deviation"
    HEARTBEAT = "heartbeat"
    REQUESTED = "requested"


@dataclass(frozen=True, slots=True)
class Policy:
    """Hold what decides: the config's digest (16 bytes), alpha in parts per billion and deltaC in nanoseconds."""

    config_digest: bytes
    alpha_ppb: int
    delta_c_ns: int

    def overridden(self, override: Override | None) -> "Policy":
        """Return the policy with a local override in force."""
        return self if override is None else Policy(self.config_digest, override.alpha_ppb, override.delta_c_ns)


def deviates(old: int, new: int, alpha_ppb: int) -> bool:
    """Tell whether |new - old| / |old| >= alpha, exactly; from 0 every other value deviates."""
    if old == 0:
        return new != 0
    return abs(new - old) * PARTS_PER_BILLION >= alpha_ppb * abs(old)


def reason_to_report(
    policy: Policy,
    median: int,
    contract: TransmissionDetails | None,
    requested: RoundRequested | None,
    now_ms: int,
) -> Reason | None:
    """
    Return the first reason to report a median now, None when there is none.

    `contract` is None as long as it was never read: that is no reason, since nobody could bring a report to a contract
    that cannot be read. `now_ms` is the local wall clock in Unix milliseconds, compared with the contract's block time.
    """
    if contract is None:
        return None
    ours = contract.config_digest == policy.config_digest
    if ours and (contract.epoch, contract.round) == (0, 0):
        return Reason.INITIAL_ROUND
    if deviates(contract.answer, median, policy.alpha_ppb):
        return Reason.DEVIATION
    if contract.timestamp_s * 1_000_000_000 + policy.delta_c_ns < now_ms * 1_000_000:
        return Reason.HEARTBEAT
    return Reason.REQUESTED if _is_unfulfilled(policy, contract, requested) else None


def _is_unfulfilled(policy: Policy, contract: TransmissionDetails, requested: RoundRequested | None) -> bool:
    if requested is None or requested.config_digest != policy.config_digest:
        return False
    return (requested.epoch, requested.round) >= (contract.epoch, contract.round)
