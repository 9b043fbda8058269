"""Coinbase Advanced Trade feed: one channel a message, events in numbered envelopes, heartbeats on request."""

from collections.abc import Iterable, Mapping
from typing import Final

from devkit.market.dialects.dialect import share, text
from devkit.market.streams.stream import Hangup, Message, Rate, Session, Stream, rfc3339, texts
from devkit.market.venue import Market

SUBSCRIBE_S: Final = 5
QUIET_S: Final = 90
_HEARTBEATS: Final = "heartbeats"


class CoinbaseAdvancedStream(Stream):
    """Speak Advanced Trade's market channels. One unknown product refuses the whole message."""

    paths = ("/advanced/ws",)
    push_ms = 250
    beat_s = 1
    rate = Rate(8, 1.0)

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer subscribe and unsubscribe by the list of all subscriptions, new products with a snapshot."""
        kind, channel, products = message.get("type"), message.get("channel"), texts(message.get("product_ids"))
        unknown = [product for product in products if product not in self.dialect.markets]
        if kind not in ("subscribe", "unsubscribe") or channel not in ("ticker", _HEARTBEATS):
            return [_error(f"{kind} of channel {channel} is not supported")]
        if unknown or (channel == "ticker" and not products):
            return [_error(f"invalid product_ids: {', '.join(unknown)}")]
        if kind == "subscribe":
            session.marks["subscribed"] = "true"
        if channel == _HEARTBEATS:
            session.marks.pop(_HEARTBEATS, None)
            if kind == "subscribe":
                session.marks[_HEARTBEATS] = "true"
            return [self._subscriptions(session)]
        if kind == "unsubscribe":
            for product in products:
                session.topics.pop(product, None)
            return [self._subscriptions(session)]
        new = {product: self.dialect.markets[product] for product in products if product not in session.topics}
        session.topics.update(new)
        answers = [self._subscriptions(session)]
        return answers + [self._tickers(session, "snapshot", product, listed) for product, listed in new.items()]

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_error("malformed message")]

    def too_fast(self, _session: Session) -> Iterable[Message]:
        """Return the error for too many messages a second."""
        return [_error("rate limit exceeded")]

    def check(self, session: Session, now_s: float) -> None:
        """Close who subscribes to nothing, and who gets nothing for 90 s without heartbeats."""
        if "subscribed" not in session.marks and now_s - session.opened_s >= SUBSCRIBE_S:
            raise Hangup(1008, "no subscription")
        if _HEARTBEATS not in session.marks and now_s - session.pushed_s >= QUIET_S:
            raise Hangup(1000, "no updates")

    def heartbeat(self, session: Session) -> Iterable[Message]:
        """Return the second's heartbeat if it was asked for."""
        if _HEARTBEATS not in session.marks:
            return []
        event = {"current_time": rfc3339(self.dialect.stamp_ms()), "heartbeat_counter": str(session.sequence)}
        return [self._envelope(session, _HEARTBEATS, self.dialect.stamp_ms(), event)]

    def update(self, session: Session, topic: str, listed: Market) -> Message:
        """Return an update of one product."""
        return self._tickers(session, "update", topic, listed)

    def _tickers(self, session: Session, kind: str, product: str, listed: Market) -> Message:
        tick = self.tick(listed)
        size = text(share(tick.volume, 10_000))
        ticker = {
            "type": "ticker",
            "product_id": product,
            "price": text(tick.last),
            "volume_24_h": text(tick.volume),
            "low_24_h": text(tick.low),
            "high_24_h": text(tick.high),
            "price_percent_chg_24_h": format((tick.last - tick.open) * 100 / tick.open, ".6f"),
            "best_bid": text(tick.bid),
            "best_bid_quantity": size,
            "best_ask": text(tick.ask),
            "best_ask_quantity": size,
        }
        return self._envelope(session, "ticker", tick.time_ms, {"type": kind, "tickers": [ticker]})

    def _subscriptions(self, session: Session) -> Message:
        listed: dict[str, object] = {"ticker": list(session.topics)} if session.topics else {}
        if _HEARTBEATS in session.marks:
            listed[_HEARTBEATS] = [_HEARTBEATS]
        return self._envelope(session, "subscriptions", self.dialect.stamp_ms(), {"subscriptions": listed})

    @staticmethod
    def _envelope(session: Session, channel: str, time_ms: int, event: Mapping[str, object]) -> Message:
        # The first message has number 0, and a gap tells the client that it lost some.
        number = session.next() - 1
        return {
            "channel": channel,
            "client_id": "",
            "timestamp": rfc3339(time_ms),
            "sequence_num": number,
            "events": [event],
        }


def _error(message: str) -> dict[str, object]:
    return {"type": "error", "message": message}
