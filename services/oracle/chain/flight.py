"""
The way of one transaction until a block has it: decided here, values in, values out.

    ┌────────┐ one endpoint has it, or nobody knows   ┌───────────┐ a receipt  ┌──────────────────────┐
    │ signed │ ──────────────────────────────────────▶│ under way │───────────▶│ confirmed / reverted │
    └────────┘                                        └───────────┘            └──────────────────────┘
        │ refused for certain, or nobody was reached    │  ▲  │ another took its nonce, or its nonce cannot be reached
        ▼                                               ▼  │  ▼
     dropped: its nonce is free                    resend, bump    lost

A report has one nonce: a transaction that somebody may have is never signed again under another one.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from chainlink.rpc.client import Submission
from services.oracle.chain.gas import Fees

# A receipt may be a little later than the count that tells of it, at another endpoint of the same provider.
_LOOKS_BEFORE_LOST = 4


class Verdict(enum.Enum):
    """Name what became of a transaction that was handed over, from the best to the worst for it."""

    ACCEPTED = "accepted"
    UNCERTAIN = "uncertain"
    NONCE_TAKEN = "nonce taken"
    UNDERPRICED = "underpriced"
    UNFUNDED = "unfunded"
    REFUSED = "refused"
    UNREACHED = "unreached"


_WORDS: tuple[tuple[Verdict, tuple[str, ...]], ...] = (
    # What the clients of the field say: geth, erigon, nethermind, besu, reth, parity, anvil.
    (
        Verdict.ACCEPTED,
        ("already known", "known transaction", "alreadyknown", "already imported", "already in mempool"),
    ),
    (
        Verdict.NONCE_TAKEN,
        ("nonce too low", "nonce is too low", "old nonce", "oldnonce", "nonce has already been used", "invalid nonce"),
    ),
    (Verdict.NONCE_TAKEN, ("replacement transaction underpriced", "replacement underpriced", "replacementnotallowed")),
    (Verdict.NONCE_TAKEN, ("gas price is too low to replace", "another transaction with same nonce")),
    (Verdict.UNFUNDED, ("insufficient funds", "insufficientfunds", "insufficient balance", "upfront cost exceeds")),
    (
        Verdict.UNDERPRICED,
        (
            "underpriced",
            "fee too low",
            "feetoolow",
            "less than block base fee",
            "below block base fee",
            "price too low",
        ),
    ),
    (Verdict.UNDERPRICED, ("gas price below", "below current base fee", "lower than the minimum", "tip cap")),
)


def judge(submission: Submission) -> Verdict:
    """Return what became of a transaction: the best of what the endpoints say, since one is enough."""
    verdicts = {_meaning(refusal.message) for refusal in submission.refusals}
    if submission.accepted or Verdict.ACCEPTED in verdicts:
        return Verdict.ACCEPTED
    if submission.uncertain:
        return Verdict.UNCERTAIN
    order = (Verdict.NONCE_TAKEN, Verdict.UNDERPRICED, Verdict.UNFUNDED, Verdict.REFUSED)
    return next((verdict for verdict in order if verdict in verdicts), Verdict.UNREACHED)


def _meaning(message: str) -> Verdict:
    text = message.lower()
    return next((verdict for verdict, words in _WORDS if any(word in text for word in words)), Verdict.REFUSED)


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
    """Hold what a block did with a transaction."""

    hash: str
    block: int
    ok: bool


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


def hashes(flight: Flight) -> Sequence[str]:
    """Return the hashes to look for, the most probable first."""
    return [attempt.hash for attempt in reversed(flight.attempts)]
