"""What a bridge answered to an observation, read as a quote; a body of another adapter is none, and no error either."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

USED, OUTLIER, STALE, REFUSED, FAILED = "used", "outlier", "stale", "refused", "failed"
_PERCENT_BPS = 100
# A source's rules of this name say that its price is of too long ago.
_AGE_RULES = frozenset({"age", "lifeless"})
# The aggregator's reasons that are worth words of their own, each with what they say before the message.
_LIMITED = frozenset({"SOURCE_RATE_LIMITED", "SOURCE_BUSY"})
_REASONS = {
    "ACCESS_REFUSED": "refuses our key or our address",
    "MALFORMED_ANSWER": "gave an answer that cannot be read",
    "UNKNOWN_PAIR": "does not have the pair",
    "CONVERSION_MISSING": "cannot be converted",
}


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """
    Hold what became of a source.

    Attributes:
        verdict: `used`, `outlier`, `older`, `unit`, `apart`, `stale`, `refused`, `failed` or `silent`.
        price: Its price in the feed's currency, None if it had none.
        age_ms: How old its price was when it was answered with, None if that is not known.
        off_percent: How far its price was from the quote's, None where there are not both.
        rule: Which rule a refused price broke.
        message: The aggregator's words on a source without a price.
        reason: The aggregator's name of why it has none.
        is_cut_off: Whether it was not asked any more, as it had failed too often.
    """

    name: str
    verdict: str
    price: Decimal | None = None
    age_ms: int | None = None
    off_percent: Decimal | None = None
    rule: str = ""
    message: str = ""
    reason: str = ""
    is_cut_off: bool = False

    @property
    def is_limited(self) -> bool:
        """Tell whether it had no price since calls are limited, by itself or by us."""
        return self.reason in _LIMITED

    @property
    def words(self) -> str:
        """Return in words why it did not count; for one that did, its name."""
        age = "" if self.age_ms is None else f" {self.age_ms / 1000:.0f} s"
        match self.verdict:
            case "used":
                return self.name
            case "outlier" | "apart" if self.off_percent is not None:
                return f"{self.name} {self.off_percent:.1f} % from the median"
            case "stale":
                return f"{self.name} stale{age}" + (f" ({self.message})" if self.message else "")
            case "refused":
                return f"{self.name} refused by the rule {self.rule or 'source'}: {self.message}"
            case "failed":
                last = f", its last price is{age} old" if age else ""
                cut_off = "; it failed too often and is not asked now" if self.is_cut_off else ""
                said = f"{_REASONS.get(self.reason, 'failed')}: {self.message or 'no reason given'}"
                # Some messages are whole sentences about the source.
                about = self.message if self.message.startswith(f"{self.name} ") else f"{self.name} {said}"
                return f"{about}{last}{cut_off}"
            case "silent":
                return f"{self.name} silent: neither a price nor an error since the start"
            case "older":
                return f"{self.name} older than the newest price"
            case "unit":
                return f"{self.name} in another unit"
            case _:
                return f"{self.name} {self.verdict or 'without a verdict'}"


@dataclass(frozen=True, slots=True)
class QuoteSeen:
    """Hold a quote as a node was given it; without a price, `error` has the aggregator's words."""

    pair: str
    price: Decimal | None
    spread_bps: str
    received_ms: int | None
    exchange_ms: int | None
    served_ms: int | None
    sources: tuple[SourceSeen, ...]
    error: str = ""

    @property
    def lost(self) -> tuple[SourceSeen, ...]:
        """Return the sources that did not count."""
        return tuple(source for source in self.sources if source.verdict != USED)


def read_quote(body: str, at_ms: int) -> QuoteSeen | None:
    """Return the quote that a body is, `at_ms` the time of the observation; None for a body of another kind."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        words = f"{error.get('name') or ''}: {error.get('message') or ''}".strip(": ")
        return QuoteSeen("", None, "", None, None, None, tuple(_sources(document, None, at_ms)), words or "no words")
    data = document.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("sources"), list):
        return None
    price, times = _decimal(data.get("price")), _mapping(document.get("timestamps"))
    return QuoteSeen(
        str(data.get("pair") or ""),
        price,
        str(data.get("spreadBps") or ""),
        _time_ms(data.get("receivedAt")),
        _whole(times.get("providerIndicatedTimeUnixMs")),
        _whole(times.get("answeredUnixMs")),
        tuple(_sources(data, price, at_ms)),
    )


def _sources(said: Mapping[str, Any], price: Decimal | None, at_ms: int) -> Iterator[SourceSeen]:
    for row in _rows(said.get("sources")):
        yield _priced(row, str(row.get("verdict") or ("" if price is None else USED)), price, at_ms)
    for row in _rows(said.get("leftOut")):
        yield _priced(row, str(row.get("verdict") or OUTLIER), price, at_ms)
    for row in _rows(said.get("absent")):
        last_ms, rule = _time_ms(row.get("lastPriceAt")), str(row.get("rule") or "")
        age_ms = None if last_ms is None else max(0, at_ms - last_ms)
        verdict = STALE if rule in _AGE_RULES else str(row.get("verdict") or FAILED)
        yield SourceSeen(
            str(row.get("source")),
            verdict,
            None,
            age_ms,
            None,
            rule,
            _own_words(row),
            str(row.get("reason") or ""),
            row.get("circuit") == "open",
        )


def _priced(row: Mapping[str, Any], verdict: str, price: Decimal | None, at_ms: int) -> SourceSeen:
    own = _decimal(row.get("price"))
    told_ms = _time_ms(row.get("exchangeTime")) or _time_ms(row.get("receivedAt"))
    off = None
    if own is not None and price:
        off = abs(own - price) / price * _PERCENT_BPS
    return SourceSeen(str(row.get("source")), verdict, own, None if told_ms is None else max(0, at_ms - told_ms), off)


def _own_words(row: Mapping[str, Any]) -> str:
    """Return a source's message without its name at the beginning, which stands before it anyway."""
    return str(row.get("message") or "").removeprefix(f"{row.get('source')}: ")


def _rows(value: object) -> Sequence[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _decimal(value: object) -> Decimal | None:
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _time_ms(value: object) -> int | None:
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1000) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
