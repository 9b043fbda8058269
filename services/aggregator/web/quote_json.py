"""The JSON that HTTP callers get."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import orjson

from meshkit.errors import MeshError
from services.aggregator.engine.source_verdicts import AbsentSource, PricedSource
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text
from services.aggregator.prices.quote import Quote, Result, SourceQuote

Json = dict[str, object]


def time_text(time_ms: int) -> str:
    """Return Unix milliseconds as RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def source_quote(quote: SourceQuote) -> Json:
    """Return one source's price in the form that existing jobs parse: top-level price as text."""
    body: Json = {
        "source": quote.source,
        "pair": [quote.pair.base, quote.pair.quote],
        "price": plain_text(quote.price),
        "receivedAt": time_text(quote.received_ms),
    }
    if quote.exchange_time_ms is not None:
        body["exchangeTime"] = time_text(quote.exchange_time_ms)
    return body


# What an entry of a batch has besides its pair, or else its error, in this order.
FIELDS: Mapping[str, Callable[[Quote], object]] = {
    "price": lambda quote: plain_text(quote.price),
    "status": lambda quote: quote.status.value,
    "spreadBps": lambda quote: plain_text(quote.spread_bps),
    "receivedAt": lambda quote: time_text(quote.received_ms),
    "sources": lambda quote: [source_quote(used) for used in quote.sources],
    "leftOut": lambda quote: [{**source_quote(left.quote), "verdict": left.verdict.value} for left in quote.left_out],
    "notes": lambda quote: list(quote.notes),
}
ALWAYS = ("pair", "error")
_UNLESS_EMPTY = frozenset({"leftOut", "notes"})


def quote_fields(quote: Quote, fields: Iterable[str] = FIELDS) -> Json:
    """
    Return a quote without its pair: price, status, spread in basis points, times, and the prices behind it.

    Fresh prices that do not agree with it, and what makes it weaker than others, are there only if there are any.
    """
    found = {name: FIELDS[name](quote) for name in fields}
    return {name: value for name, value in found.items() if value or name not in _UNLESS_EMPTY}


def absent_source(absent: AbsentSource) -> Json:
    """Return why a source has no fresh price; what is not known is left out."""
    body: Json = {"source": absent.source, "pair": [absent.pair.base, absent.pair.quote], "verdict": absent.verdict}
    known: Json = {"reason": absent.reason, "rule": absent.rule, "message": absent.message}
    body |= {name: value for name, value in known.items() if value}
    if absent.last_ms is not None:
        body["lastPriceAt"] = time_text(absent.last_ms)
    if absent.is_cut_off:
        body["circuit"] = "open"
    return body


def priced_source(priced: PricedSource) -> Json:
    """Return a source's fresh price with what became of it."""
    return {**source_quote(priced.quote), "verdict": priced.verdict}


def source_text(quote: SourceQuote) -> bytes:
    """Return the JSON of one source's price."""
    return orjson.dumps(source_quote(quote))


def quote_text(quote: Quote, fields: Iterable[str] = FIELDS) -> bytes:
    """Return the rest of a batch's entry for `entry_head` to stand before it."""
    chosen = quote_fields(quote, fields)
    return b"," + orjson.dumps(chosen)[1:] if chosen else b"}"


def entry_head(pair: Pair) -> bytes:
    """Return the beginning of a batch's entry, up to where the quote's own fields follow."""
    return orjson.dumps({"pair": str(pair)})[:-1]


def entry(pair: Pair, result: Result, fields: Iterable[str] = FIELDS) -> Json:
    """Return one entry of a batch: the pair as it was asked for, and a quote's fields or an error."""
    if isinstance(result, MeshError):
        return {"pair": str(pair), "error": {"code": result.reason, "message": str(result)}}
    return {"pair": str(pair), **quote_fields(result, fields)}


def failure(raised: MeshError, now_ms: int) -> Json:
    """Return the body of a request that failed with an error of ours."""
    return error(raised.http_status, raised.reason, str(raised), now_ms, raised.metadata)


def error(status: int, name: str, message: str, now_ms: int, metadata: Mapping[str, str] | None = None) -> Json:
    """Return the body of every failed request; a bridge reads `statusCode` and `error`, older callers `message`."""
    body: Json = {
        "statusCode": status,
        "timestamp": time_text(now_ms),
        "message": message,
        "error": {"name": name, "message": message},
    }
    if metadata:
        body["metadata"] = dict(metadata)
    return body
