"""
The way of one transaction until a block has it: decided here, values in, values out.

    ┌────────┐ one endpoint has it, or nobody knows   ┌───────────┐ a receipt  ┌──────────────────────┐
    │ signed │ ──────────────────────────────────────▶│ under way │───────────▶│ confirmed / reverted │──▶ buried
    └────────┘                                        └───────────┘◀───────────└──────────────────────┘
        │ refused for certain, or nobody was reached    │  ▲  │       its block is gone, and it with it
        ▼                                               ▼  │  ▼
     dropped: its nonce is free                    resend, bump    lost: another took its nonce, or none can reach it

A report has one nonce: a transaction that somebody may have is never signed again under another one.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chainlink.rpc.client import Submission
from chainlink.rpc.refusals import Refusal, of_transaction
from services.oracle.chain.transactions.fee_bumping import Fees, Floor

# A receipt may be a little later than the count that tells of it, at another endpoint of the same provider.
_LOOKS_BEFORE_LOST = 4


class Verdict(enum.Enum):
    """Name what became of a transaction that was handed over, from the best to the worst for it."""

    ACCEPTED = "accepted"
    UNCERTAIN = "uncertain"
    NONCE_TAKEN = "nonce taken"
    NONCE_GAP = "nonce gap"
    UNDERPRICED = "underpriced"
    UNFUNDED = "unfunded"
    REFUSED = "refused"
    UNREACHED = "unreached"


_MEANINGS: Mapping[Refusal, Verdict] = {
    Refusal.KNOWN: Verdict.ACCEPTED,
    Refusal.REPLACEMENT: Verdict.NONCE_TAKEN,
    Refusal.NONCE_TOO_LOW: Verdict.NONCE_TAKEN,
    Refusal.NONCE_TOO_HIGH: Verdict.NONCE_GAP,
    Refusal.UNDERPRICED: Verdict.UNDERPRICED,
    Refusal.UNFUNDED: Verdict.UNFUNDED,
}


def judge(submission: Submission) -> Verdict:
    """Return what became of a transaction: the best of what the endpoints say, since one is enough."""
    verdicts = {_MEANINGS.get(of_transaction(refusal).kind, Verdict.REFUSED) for refusal in submission.refusals}
    if submission.accepted or Verdict.ACCEPTED in verdicts:
        return Verdict.ACCEPTED
    if submission.uncertain:
        return Verdict.UNCERTAIN
    order = (Verdict.NONCE_TAKEN, Verdict.UNDERPRICED, Verdict.UNFUNDED, Verdict.NONCE_GAP, Verdict.REFUSED)
    return next((verdict for verdict in order if verdict in verdicts), Verdict.UNREACHED)


def wanted(submission: Submission) -> Floor:
    """Return the least that the pools say they take: the highest of them, zeros where none gives a number."""
    meanings = [of_transaction(refusal) for refusal in submission.refusals]
    return Floor(
        max((meaning.tip_wei or 0 for meaning in meanings), default=0),
        max((meaning.cap_wei or 0 for meaning in meanings), default=0),
    )


def told_nonce(submission: Submission) -> int | None:
    """Return the highest nonce that an endpoint says it expects next, None if none says so."""
    found = [of_transaction(refusal).next_nonce for refusal in submission.refusals]
    return max((nonce for nonce in found if nonce is not None), default=None)


def next_nonce(pending: int, held: Collection[int], floor: int) -> int:
    """
    Return the nonce of a new transaction.

    `pending` is the chain's count with what waits in its pool, `held` are the nonces of our own under way, and
    everything under `floor` is known to be used.
    """
    nonce = max(pending, floor)
    while nonce in held:
        nonce += 1
    return nonce


@dataclass(frozen=True, slots=True)
class Attempt:
    """Hold one signed form of a transaction: what it offers, and its bytes."""

    hash: str
    fees: Fees
    raw: bytes


@dataclass(frozen=True, slots=True)
class Flight:
    """
    Hold a transaction under way; all its attempts have its nonce, the last one offers most.

    Attributes:
        head: The chain's newest block when the last attempt was made, from which the wait for a bump is counted;
            None for one of an earlier run.
        sent_s: When it was last handed over, on the monotonic clock.
        looks: How often in a row its nonce was found used, or out of reach, without a receipt.
    """

    id: UUID
    to: str
    data: bytes
    gas_limit: int
    nonce: int
    attempts: tuple[Attempt, ...]
    head: int | None = None
    sent_s: float = float("-inf")
    looks: int = 0

    @property
    def last(self) -> Attempt:
        """Return the attempt that offers most."""
        return self.attempts[-1]


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    Hold what a block did with a transaction.

    `gas_used` and `gas_price_wei` are 0 where the chain does not say them; `logs` are as it gave them.
    """

    hash: str
    block: int
    ok: bool
    gas_used: int = 0
    gas_price_wei: int = 0
    logs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """
    Hold what the chain says of a transaction.

    `mined` is the account's count in the newest block, `pending` the same with the pool, `head` that block's number.
    """

    head: int
    now_s: float
    mined: int
    pending: int
    receipt: Receipt | None = None


class Turn(enum.Enum):
    """Name what to do with a transaction under way."""

    WAIT = "wait"
    LOOK_AGAIN = "look again"
    RESEND = "resend"
    BUMP = "bump"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    LOST = "lost"


def turn(flight: Flight, sight: Sight, held: Collection[int], *, bump_threshold: int, resend_s: float) -> Turn:
    """
    Decide what is to be done with a transaction.

    `held` are the nonces of all that is under way. `bump_threshold` is the number of blocks after which it is sent at
    a higher price (0: never), `resend_s` the time after which it is sent once more as it is.
    """
    if sight.receipt is not None:
        return Turn.CONFIRMED if sight.receipt.ok else Turn.REVERTED
    if sight.mined > flight.nonce or is_stranded(flight.nonce, sight, held):
        return Turn.LOST if flight.looks + 1 >= _LOOKS_BEFORE_LOST else Turn.LOOK_AGAIN
    waited = 0 if flight.head is None else sight.head - flight.head
    if bump_threshold and waited >= bump_threshold:
        return Turn.BUMP
    return Turn.RESEND if sight.now_s - flight.sent_s >= resend_s else Turn.WAIT


def is_stranded(nonce: int, sight: Sight, held: Collection[int]) -> bool:
    """Tell whether a nonce under it belongs to nobody, so that no block can ever take it."""
    first = max(sight.mined, sight.pending)
    return any(missing not in held for missing in range(first, nonce))


class Afterlife(enum.Enum):
    """Name what to do with a transaction that a block had."""

    KEEP = "keep"
    LOOK_AGAIN = "look again"
    HAND_OVER = "hand over"
    REOPEN = "reopen"
    BURIED = "buried"


@dataclass(frozen=True, slots=True)
class Mined:
    """
    Hold a transaction that a block had, until other blocks bury it.

    `missing` is how often in a row the chain's count said that its nonce is free, without a receipt of it.
    """

    flight: Flight
    block: int
    missing: int = 0


def afterlife(mined: Mined, *, head: int, counted: int, has_receipt: bool, depth: int) -> Afterlife:
    """
    Decide what is to be done with a transaction that a block had; `counted` is the account's count as just told.

    Its bytes are handed over again when its nonce goes on seeming free: they fill the gap after a reorganisation, and
    do no harm where an endpoint is merely behind. `depth` blocks bury it while it is there, as does a chain that began
    anew far below.
    """
    if mined.block - head > depth:
        return Afterlife.BURIED
    if counted > mined.flight.nonce or has_receipt:
        return Afterlife.BURIED if head - mined.block >= depth else Afterlife.KEEP
    if mined.missing == 0:
        return Afterlife.LOOK_AGAIN
    return Afterlife.REOPEN if mined.missing + 1 >= _LOOKS_BEFORE_LOST else Afterlife.HAND_OVER


def hashes(flight: Flight) -> Sequence[str]:
    """Return the hashes to look for, the most probable first."""
    return [attempt.hash for attempt in reversed(flight.attempts)]
