"""CryptoCompare (CoinDesk Data) REST: the CADLI index of a list of instruments, with the time of its last update."""

import re
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.batch_halving import in_halves
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.shapes import Misshapen
from services.aggregator.sources.source import (
    MINUTE_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    Key,
    RateLimiter,
    TickOutcome,
)

MARKET = "cadli"


class CryptoCompareSource:
    """Fetch the CADLI index, which has more digits than the prices of the older API, and a time."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="cryptocompare",
        base_url="https://data-api.cryptocompare.com",
        hosts=("https://data-api.coindesk.com",),
        max_batch=50,
        rps=Fraction(25),
        max_concurrent=4,
        cool_down_ms=10_000,
        key=Key(required=True, header="Authorization", scheme="Apikey"),
        exchange_time=ExchangeTime.UPDATE,
        major_max_age_ms=5 * MINUTE_MS,
        has_stream=True,
        is_aggregate=True,
    )

    def __init__(self, client: SourceClient, _clock: Clock) -> None:
        self._client = client

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        return await self._ticks({pair: f"{pair.base}-{pair.quote}".upper() for pair in pairs}, limiter)

    async def _ticks(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get(
            "/index/cc/v1/latest/tick",
            {"market": MARKET, "instruments": ",".join(asked.values()), "groups": "VALUE"},
            limiter=limiter,
        )
        if _is_about_instruments(answer):
            return await self._without_unknown(asked, answer, limiter)
        if answer.status != 200 or _error(answer):
            raise self._failure(answer)
        try:
            rows = shapes.record(answer.fields.get("Data"), "Data")
        except Misshapen as error:
            raise self._client.without_data(answer, f"an answer without Data: {error}") from None
        present = {pair: self._tick(name, rows[name]) for pair, name in asked.items() if name in rows}
        absent = {pair: name for pair, name in asked.items() if name not in rows}
        if not present:
            return {pair: self._client.malformed(f"an answer without {name}") for pair, name in absent.items()}
        # Unknown instruments are left out beside known ones, and called unknown where there are no others.
        return {**present, **await self._ticks(absent, limiter)} if absent else present

    async def _without_unknown(
        self, asked: Mapping[Pair, str], answer: Answer, limiter: RateLimiter
    ) -> Mapping[Pair, TickOutcome]:
        """Return an UnknownPair for each instrument that the answer names, and ask for the others again."""
        named = {pair for pair, name in asked.items() if len(asked) == 1 or name in _named_instruments(answer)}
        if not named:
            return await in_halves(asked, self._ticks, limiter)
        rest = {pair: name for pair, name in asked.items() if pair not in named}
        outcomes: dict[Pair, TickOutcome] = {pair: UnknownPair(pair, "cryptocompare") for pair in named}
        return {**outcomes, **await self._ticks(rest, limiter)} if rest else outcomes

    def _tick(self, name: str, found: object) -> TickOutcome:
        try:
            row = shapes.record(found, name)
            shapes.expect_if_told(row, INSTRUMENT=name, MARKET=MARKET)
            return Tick(shapes.price(row, "VALUE"), shapes.time_s(row, "VALUE_LAST_UPDATE_TS"))
        except Misshapen as error:
            return self._client.malformed(f"no value and time of {name}: {error}")

    def _failure(self, answer: Answer) -> MeshError:
        kind = shapes.hashable(_error(answer).get("type", answer.fields.get("Type")))
        if answer.status == 200:
            # A limit has a type of its own; an unknown refusal is taken for one, since to ask less is never wrong.
            return self._client.limited(answer.wait_ms)
        return self._client.failed(answer.status, f"type {shapes.shown(kind)}")


def _error(answer: Answer) -> Mapping[str, Any]:
    """Return what is wrong, empty if nothing is; the older API says it at the top of the body."""
    error = answer.fields.get("Err")
    if isinstance(error, dict) and error:
        return error
    if error:
        return {"message": error}
    return answer.fields if answer.fields.get("Response") == "Error" else {}


def _is_about_instruments(answer: Answer) -> bool:
    """Tell whether the provider says that it does not have an instrument."""
    error = _error(answer)
    told = (error.get("message"), _details(error).get("param"))
    return answer.status == 404 and any("instrument" in text.lower() for text in told if isinstance(text, str))


def _named_instruments(answer: Answer) -> Collection[str]:
    """Return the instruments that an error names, in its list or in its text."""
    error = _error(answer)
    listed, message = _details(error).get("values"), error.get("message")
    if isinstance(listed, list):
        return [value for value in listed if isinstance(value, str)]
    return re.split(r"[\s,:]+", message.upper()) if isinstance(message, str) else []


def _details(error: Mapping[str, Any]) -> Mapping[str, Any]:
    details = error.get("other_info")
    return details if isinstance(details, dict) else {}
