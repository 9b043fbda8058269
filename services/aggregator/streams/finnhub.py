"""Finnhub stream: trades, several a message; needs a key; one symbol a message and no acknowledgements."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.streams.binance import BINANCE_QUOTES
from services.aggregator.streams.protocol import Complaint, Event, Odd, Price, Rejected, Rules, dump, other, words

_INVALID = "invalid symbol "

FIATS = frozenset({"AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "JPY", "MXN", "NZD", "SEK", "SGD", "TRY", "USD", "ZAR"})


class FinnhubStream:
    """Speak Finnhub's trades."""

    RULES: ClassVar[Rules] = Rules(
        source="finnhub",
        url="wss://ws.finnhub.io",
        quotes=BINANCE_QUOTES | FIATS,
        key_parameter="token",
        acknowledges=False,
        batch=1,
        symbols_per_connection=50,  # of a free key
        most_connections=1,
        message_gap_s=0.1,
        connect_gap_s=5.0,
        silence_s=120.0,  # it pings about once a minute
    )

    def symbol(self, pair: Pair) -> str:
        """Return the name at Oanda for two currencies of states, else the name at Binance."""
        base, quote = pair.upper()
        return f"OANDA:{base}_{quote}" if {base, quote} <= FIATS else f"BINANCE:{base}{quote}"

    def subscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request for one symbol's trades."""
        return dump({"type": "subscribe", "symbol": symbols[0]})

    def unsubscribe(self, symbols: Sequence[str], request_id: int) -> str:
        """Return the request to end one symbol's trades."""
        return dump({"type": "unsubscribe", "symbol": symbols[0]})

    def read(self, message: Any) -> Iterable[Event]:
        """Return the events of a message, for each symbol its latest trade."""
        fields = shapes.record(message, "message")
        match fields.get("type"):
            case "trade":
                return self._latest(shapes.rows(fields.get("data"), "data"))
            case "error":
                text = words(fields.get("msg"))
                named = text[len(_INVALID) :] if text.lower().startswith(_INVALID) else ""
                return [Rejected(named, text) if named else Complaint(text)]
        return [other(fields)]

    @staticmethod
    def _latest(trades: Sequence[Any]) -> Iterable[Event]:
        latest: dict[str, Tick] = {}
        for trade in trades:
            try:
                row = shapes.record(trade, "trade")
                symbol = shapes.text(row, "s")
                tick = Tick(shapes.price(row, "p"), shapes.time_ms(row, "t"))
            except shapes.Misshapen as error:
                yield Odd(str(error))
            else:
                if symbol not in latest or tick.order_ms >= latest[symbol].order_ms:
                    latest[symbol] = tick
        for symbol, tick in latest.items():
            yield Price(symbol, tick)
