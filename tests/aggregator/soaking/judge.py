"""
Is an answer right? The simulated market's prices are a function of time, so the truth at any moment is known.

A feed's price has to be near the truth always. A single source's price is that source's word: a lie that it has told
steadily for as long as the guard against jumps takes to believe it, is what the source says, and counted apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from devkit.market.dialects.coingecko import REFRESH_MS
from devkit.market.dialects.coins import COINS
from devkit.market.dialects.frankfurter import FIXING, rate_date
from devkit.market.process import Pair, PriceProcess
from tests.aggregator.soaking.plan import LIE, RECOVERY_S, Spell

# A time to live old, and a few basis points beside the market; lies are a hundred times as far away.
TOLERANCE: Final = Decimal("0.005")
# The rate of a working day, as Frankfurter has it, is as far from the present one as a currency moves in four days.
DAILY_TOLERANCE: Final = Decimal("0.01")
BELIEVED_S: Final = 2.0
# Both times in an answer are rounded to milliseconds.
_ROUNDING_MS: Final = 2
_AFTER_S: Final = 2.0


@dataclass(slots=True)
class Told:
    """Hold a spell as it was told to the simulator, in Unix ms."""

    spell: Spell
    began_ms: int
    ended_ms: int | None = None


@dataclass(slots=True)
class Judge:
    """
    Judge answers, and remember what is needed to judge the whole run.

    Attributes:
        told: The spells so far, by source.
        good_ms: When each source's right prices were received, in order.
    """

    process: PriceProcess
    ttl_ms: int
    told: dict[str, list[Told]] = field(default_factory=dict)
    good_ms: dict[str, list[int]] = field(default_factory=dict)
    prices: int = 0
    errors: int = 0
    believed: int = 0
    wrong: list[object] = field(default_factory=list)

    def feed(self, pair: str, said: Mapping[str, Any], now_ms: int) -> None:
        """Judge a feed's quote that was answered at a moment: its price, and each source's price behind it."""
        self.prices += 1
        truth = self.process.price(Pair.parse(pair), now_ms)
        daily = any(used["source"] == "frankfurter" for used in said["sources"])
        if not _near(said["price"], truth, DAILY_TOLERANCE if daily else TOLERANCE):
            self.wrong.append({"pair": pair, "said": said, "truth": str(truth)})
        for used in said["sources"]:
            age_ms = now_ms - milliseconds(used["receivedAt"])
            if age_ms > self.ttl_ms + _ROUNDING_MS or not self._is_true(used):
                self.wrong.append({"pair": pair, "used": used, "age_ms": age_ms, "told": self._lately(used["source"])})

    def source(self, said: Mapping[str, Any], asked_ms: int) -> None:
        """Judge a source's price that was asked for at a moment."""
        self.prices += 1
        source, received_ms = _config_key(said["source"]), milliseconds(said["receivedAt"])
        is_stale = asked_ms - received_ms > self.ttl_ms + _ROUNDING_MS
        if self._is_true(said) and not is_stale:
            good_ms = self.good_ms.setdefault(source, [])
            if not good_ms or received_ms > good_ms[-1]:
                good_ms.append(received_ms)
        elif self._is_steady_lie(said) and not is_stale:
            self.believed += 1
        else:
            self.wrong.append({"said": said, "age_ms": asked_ms - received_ms, "told": self._lately(source)})

    def recoveries(self) -> tuple[list[float], list[object]]:
        """Return how many seconds each source needed after each fault that had the time, and those that took longer."""
        took_s: list[float] = []
        late: list[object] = []
        for source, row in self.told.items():
            for told, following in zip(row, [*row[1:], None], strict=True):
                assert told.ended_ms is not None, "asked after the run"
                free_ms = told.ended_ms + round(told.spell.wait_s * 1000)
                bound_ms = free_ms + round(RECOVERY_S * 1000)
                if following is not None and following.began_ms < bound_ms:
                    continue
                good_ms = next(
                    (moment for moment in self.good_ms.get(source, []) if moment > told.ended_ms), bound_ms + 1
                )
                took_s.append(max(0, good_ms - free_ms) / 1000)
                if good_ms > bound_ms:
                    late.append(told.spell)
        return took_s, late

    def _is_true(self, said: Mapping[str, Any]) -> bool:
        return any(_near(said["price"], truth) for truth in self._truths(said))

    def _is_steady_lie(self, said: Mapping[str, Any]) -> bool:
        received_ms = milliseconds(said["receivedAt"])
        for told in self.told.get(_config_key(said["source"]), ()):
            ended_ms = received_ms if told.ended_ms is None else told.ended_ms
            since_s, after_s = (received_ms - told.began_ms) / 1000, (received_ms - ended_ms) / 1000
            if told.spell.kind == LIE and since_s >= BELIEVED_S and after_s <= _AFTER_S:
                factor = Decimal(str(told.spell.fault["factor"]))
                if any(_near(said["price"], truth * factor) for truth in self._truths(said)):
                    return True
        return False

    def _truths(self, said: Mapping[str, Any]) -> list[Decimal]:
        """Return what an honest source may have meant when its price was received."""
        source, (base, quote), t_ms = said["source"], said["pair"], milliseconds(said["receivedAt"])
        if source == "coingecko":
            base, refreshed_ms = COINS[base], t_ms - t_ms % REFRESH_MS
            return [
                self.process.price(Pair(base, quote.upper()), ms) for ms in (refreshed_ms, refreshed_ms - REFRESH_MS)
            ]
        if source == "frankfurter":
            days = {rate_date(t_ms), rate_date(t_ms - self.ttl_ms)}
            fixings = [int(datetime.combine(day, FIXING).timestamp()) * 1000 for day in days]
            return [self.process.price(Pair(base, quote), ms) for ms in fixings]
        return [self.process.price(Pair(base, quote), t_ms)]

    def _lately(self, source: str) -> Sequence[Told]:
        return self.told.get(_config_key(source), [])[-2:]


def milliseconds(text: str) -> int:
    """Return an answer's time as Unix ms."""
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def _near(price: str, truth: Decimal, tolerance: Decimal = TOLERANCE) -> bool:
    return abs(Decimal(price) / truth - 1) <= tolerance


def _config_key(source: str) -> str:
    return source.replace("-", "")
