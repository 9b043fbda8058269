"""
What an account spends, measured on chain: from its balance and its nonce in the same block, one look after another.

Between two looks an account has sent as many transactions as its nonce has grown, and spent by how much its balance has
fallen, what it got from the faucet meanwhile counted back. Where the balance tells nothing, since somebody else has
paid in, each transaction counts as much as those before it on average. So for a transmitter this is its rounds times
what a transmission did cost, as the chain took it, and not as it was estimated.

    spent a day = spent in the window × 86,400 s / length of the window
    days left   = balance / spent a day

The faucet pays in lumps, days apart: it is emptied as fast as all transmitters spend together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DAY_MS = 86_400_000
WINDOW_MS = DAY_MS
# In less time one transmission more or less would change the rate too much.
SHORTEST_MS = 10 * 60_000
_POINT_EVERY_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what an account had and had sent at a time, in one block."""

    time_ms: int
    balance_wei: int
    nonce: int


@dataclass(slots=True)
class Spending:
    """
    Add up what one account spends.

    Attributes:
        spent_wei: All that it was seen to spend.
        transactions: All that it was seen to send.
    """

    spent_wei: int = 0
    transactions: int = 0
    last: Look | None = None
    # When how much had been spent: the window, at least.
    points: list[tuple[int, int]] = field(default_factory=list)

    def observe(self, look: Look, credited_wei: int = 0) -> None:
        """Take in a look; `credited_wei` is what the faucet has paid the account since the look before."""
        last, self.last = self.last, look
        if last is None or look.nonce < last.nonce or look.time_ms < last.time_ms:
            # The first look, or another chain, or another clock: what was before tells nothing of what is now.
            self.points = [(look.time_ms, self.spent_wei)]
            return
        sent = look.nonce - last.nonce
        gone_wei = last.balance_wei + credited_wei - look.balance_wei
        if sent:
            usual_wei = self.spent_wei // self.transactions if self.transactions else 0
            self.spent_wei += gone_wei if gone_wei > 0 else sent * usual_wei
            self.transactions += sent
        self._keep(look.time_ms)

    def _keep(self, now_ms: int) -> None:
        if now_ms - self.points[-1][0] >= _POINT_EVERY_MS:
            self.points.append((now_ms, self.spent_wei))
        # One point may be older than the window: it is where the window begins.
        while len(self.points) > 1 and self.points[1][0] <= now_ms - WINDOW_MS:
            del self.points[0]

    def a_day_wei(self) -> int | None:
        """Return what is spent a day, None while it was watched for too short a time."""
        if self.last is None:
            return None
        begin_ms, begin_wei = self.points[0]
        length_ms = self.last.time_ms - begin_ms
        if length_ms < SHORTEST_MS:
            return None
        return (self.spent_wei - begin_wei) * DAY_MS // length_ms

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON takes it; wei are text."""
        last = None if self.last is None else [self.last.time_ms, str(self.last.balance_wei), self.last.nonce]
        return {
            "spentWei": str(self.spent_wei),
            "transactions": self.transactions,
            "last": last,
            "points": [[time_ms, str(wei)] for time_ms, wei in self.points],
        }

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> "Spending":
        """Read what `as_json` has made; raises KeyError, TypeError or ValueError for anything else."""
        last = found["last"]
        points = [(int(time_ms), int(wei)) for time_ms, wei in found["points"]]
        if (last is None) is bool(points):
            raise ValueError("points and the last look come together")
        look = None if last is None else Look(int(last[0]), int(last[1]), int(last[2]))
        return cls(int(found["spentWei"]), int(found["transactions"]), look, points)


def days_left(balance_wei: int, a_day_wei: int | None) -> float | None:
    """Return the days until an account is empty; None where nothing is spent, or nobody knows how much."""
    return balance_wei / a_day_wei if a_day_wei else None


def together_a_day_wei(spendings: Sequence[Spending]) -> int | None:
    """Return what several accounts spend a day, None until all are known."""
    rates = [spending.a_day_wei() for spending in spendings]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None
