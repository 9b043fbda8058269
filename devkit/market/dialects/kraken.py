"""Kraken REST: comma lists of pairs in any of three spellings, results by internal name, errors inside HTTP 200."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from devkit.market.assets import TOKENS
from devkit.market.dialects.dialect import Dialect, answer, share
from devkit.market.dialects.dialect import text as _text
from devkit.market.process import Pair
from devkit.market.venue import Market, Tick, Venue, market
from meshkit.clock import Clock

# Assets listed before 2018 have a class letter before their name, and Bitcoin and Dogecoin have names of Kraken's own.
_INTERNAL: Final = {
    "BTC": "XXBT",
    "DOGE": "XXDG",
    "ETH": "XETH",
    "LTC": "XLTC",
    "XRP": "XXRP",
    "XLM": "XXLM",
    "ZEC": "XZEC",
    "XMR": "XXMR",
    "ETC": "XETC",
    "MLN": "XMLN",
    "USD": "ZUSD",
    "EUR": "ZEUR",
    "GBP": "ZGBP",
    "JPY": "ZJPY",
    "CAD": "ZCAD",
    "AUD": "ZAUD",
}
_ALIASES: Final = {"BTC": "XBT", "DOGE": "XDG"}
# Pairs keep the spelling they were listed with: of the old assets only these have a prefixed pair name.
_PREFIXED_BASES: Final = frozenset(_INTERNAL) - {"DOGE", "USD", "AUD", "JPY", "CAD"}
_PREFIXED_QUOTES: Final = frozenset({"USD", "EUR", "GBP", "JPY", "CAD", "BTC", "ETH"})
_PLAIN_FIAT: Final = frozenset({"EUR/GBP", "EUR/JPY", "EUR/CAD", "EUR/CHF", "EUR/AUD", "AUD/USD"})
_SPECIAL_NAMES: Final = {"USDT/USD": "USDTZUSD", "USD/CAD": "ZUSDZCAD", "USD/JPY": "ZUSDZJPY"}

_FIAT_PAIRS: Final = (
    "EUR/USD",
    "GBP/USD",
    "AUD/USD",
    "USD/CAD",
    "USD/JPY",
    "USD/CHF",
    *sorted(_PLAIN_FIAT - {"AUD/USD"}),
)
_CROSS_PAIRS: Final = tuple(
    f"{base}/BTC" for base in ("ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "DOGE")
) + tuple(f"{base}/{quote}" for base in ("BTC", "ETH") for quote in ("GBP", "JPY", "CAD", "USDT", "USDC"))
_DARK_POOLS: Final = ("XXBTZUSD", "XXBTZEUR", "XETHZUSD", "XETHZEUR")
_STAKED_IN_ETHER: Final = ("LSETH", "METH", "CBETH", "WSTETH")


@cache
def _listing() -> dict[str, Market]:
    """Return every market by its internal name."""
    pairs = [Pair(symbol, quote) for symbol in TOKENS for quote in ("USD", "EUR")]
    pairs += [Pair.parse(text) for text in (*_FIAT_PAIRS, *_CROSS_PAIRS)]
    pairs += [Pair(symbol, "ETH") for symbol in _STAKED_IN_ETHER]
    return {internal_name(pair): market(pair, most_decimals=10) for pair in pairs}


def internal_name(pair: Pair) -> str:
    """Return the key under which answers carry the pair: XXBTZUSD for BTC/USD, ADAUSD for ADA/USD."""
    text = str(pair)
    if text in _SPECIAL_NAMES:
        return _SPECIAL_NAMES[text]
    if pair.base in _PREFIXED_BASES and pair.quote in _PREFIXED_QUOTES and text not in _PLAIN_FIAT:
        return _INTERNAL[pair.base] + _INTERNAL[pair.quote]
    return _alias(pair.base) + _alias(pair.quote)


def _alias(symbol: str) -> str:
    return _ALIASES.get(symbol, symbol)


def _altname(pair: Pair) -> str:
    return _alias(pair.base) + _alias(pair.quote)


def _wsname(pair: Pair) -> str:
    return f"{_alias(pair.base)}/{_alias(pair.quote)}"


class Kraken(Dialect):
    """Speak Kraken."""

    source = "kraken"

    def __init__(self, venue: Venue, clock: Clock) -> None:
        super().__init__(venue, clock)
        self.markets = _listing()
        self._names = {
            spelling: name
            for name, listed in self.markets.items()
            for spelling in (
                name,
                _altname(listed.pair),
                _wsname(listed.pair),
                listed.pair.base + listed.pair.quote,
                str(listed.pair),
            )
        }

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/0/public/Time", self._time),
            web.get("/0/public/SystemStatus", self._system_status),
            web.get("/0/public/AssetPairs", self._asset_pairs),
            web.get("/0/public/Ticker", self._ticker),
        )

    def limit_answers(self) -> Mapping[str, web.Response]:
        """Return HTTP 200 with the error text, as Kraken does."""
        return {
            "requests": _error("EGeneral:Too many requests"),
            "counter": _error("EAPI:Rate limit exceeded"),
            "throttled": _error(f"EService:Throttled: {self.clock.time_ms() // 1000 + 10}"),
        }

    async def _time(self, _request: web.Request) -> web.Response:
        return answer({"error": [], "result": {"unixtime": self.clock.time_ms() // 1000}})

    async def _system_status(self, _request: web.Request) -> web.Response:
        return answer({"error": [], "result": {"status": "online"}})

    async def _asset_pairs(self, request: web.Request) -> web.Response:
        names = self._wanted(request)
        if names is None:
            return _error("EQuery:Unknown asset pair")
        rows = {name: _pair_info(self.venue.listed(self.markets[name])) for name in names}
        # Dark pools stand beside the public books of their pairs, and have no name on the stream.
        for name in _DARK_POOLS if "pair" not in request.query else ():
            rows[f"{name}.d"] = {**rows[name], "altname": f"{rows[name]['altname']}.d"}
            del rows[f"{name}.d"]["wsname"]
        return answer({"error": [], "result": rows})

    async def _ticker(self, request: web.Request) -> web.Response:
        names = self._wanted(request)
        if names is None:
            return _error("EQuery:Unknown asset pair")
        now_ms = self.clock.time_ms()
        ticks = {name: _tick(self.venue.tick(self.markets[name], now_ms)) for name in names}
        return answer({"error": [], "result": ticks})

    def _wanted(self, request: web.Request) -> list[str] | None:
        """Return the internal names asked for, all without a `pair`; None as soon as one is unknown."""
        if "pair" not in request.query:
            return list(self.markets)
        names = [self._names.get(spelling.strip()) for spelling in request.query["pair"].split(",")]
        known = [name for name in names if name is not None]
        return list(dict.fromkeys(known)) if len(known) == len(names) else None


def _error(text: str) -> web.Response:
    return answer({"error": [text]})


def _tick(tick: Tick) -> dict[str, object]:
    average = _text(((tick.high + tick.low) / 2).quantize(tick.open))
    volume, traded = _text(tick.volume), _text(share(tick.volume, 100_000))
    return {
        "a": [_text(tick.ask), "1", "1.000"],
        "b": [_text(tick.bid), "1", "1.000"],
        "c": [_text(tick.last), traded],
        "v": [volume, volume],
        "p": [average, average],
        "t": [tick.trade_id % 50_000, 50_000],
        "l": [_text(tick.low), _text(tick.low)],
        "h": [_text(tick.high), _text(tick.high)],
        "o": _text(tick.open),
    }


def _pair_info(listed: Market) -> dict[str, object]:
    pair = listed.pair
    return {
        "altname": _altname(pair),
        "wsname": _wsname(pair),
        "aclass_base": "currency",
        "base": _INTERNAL.get(pair.base, pair.base),
        "aclass_quote": "currency",
        "quote": _INTERNAL.get(pair.quote, pair.quote),
        "lot": "unit",
        "pair_decimals": listed.decimals,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "ordermin": "0.0001",
        "tick_size": _text(listed.increment),
        "status": "online" if listed.trading else "cancel_only",
    }
