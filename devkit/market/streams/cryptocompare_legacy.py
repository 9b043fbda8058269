"""CryptoCompare's legacy streamer: subscriptions joined by tildes, fields sent only when they changed."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from devkit.market.dialects.dialect import REFUSED_KEY, number
from devkit.market.streams.stream import Hangup, Message, Session, Stream
from devkit.market.venue import Market

AGGREGATE: Final = "5"
_PREFIX: Final = "5~CCCAGG~"


class CryptocompareLegacyStream(Stream):
    """Speak the legacy streamer's aggregate index, CCCAGG. Every other update tells of other fields than the price."""

    paths = ("/v2",)
    push_ms = 1000
    beat_s = 30

    def welcome(self, session: Session, request: web.Request) -> Iterable[Message]:
        """Return the welcome, or close on a bad key."""
        if request.query.get("api_key", "") in ("", REFUSED_KEY):
            raise Hangup(1008, "unauthorized", _note("401", "UNAUTHORIZED", INFO="api_key is missing or invalid"))
        limits = {"SOCKETS_ACTIVE": 1, "SOCKETS_REMAINING": 0}
        return [{**_note("20", "STREAMERWELCOME", SOCKET_ID=session.id), **limits}]

    def handle(self, session: Session, message: dict[str, object]) -> Iterable[Message]:
        """Answer SubAdd and SubRemove, one answer a subscription."""
        action, wanted = message.get("action"), message.get("subs")
        if action not in ("SubAdd", "SubRemove") or not isinstance(wanted, list):
            return [_note("500", "INVALID_JSON", INFO="action or subs is invalid")]
        answers: list[Message] = []
        for name in map(str, wanted):
            listed = self.dialect.markets.get(name.removeprefix(_PREFIX).replace("~", "-"))
            if not name.startswith(_PREFIX) or listed is None:
                answers.append(_note("500", "INVALID_SUB", PARAMETER=name))
            elif action == "SubRemove":
                session.topics.pop(name, None)
                answers.append(_note("17", "UNSUBSCRIBECOMPLETE", SUB=name))
            elif name in session.topics:
                answers.append(_note("500", "SUBSCRIPTION_ALREADY_ACTIVE", PARAMETER=name))
            else:
                session.topics[name] = listed
                answers += [_note("16", "SUBSCRIBECOMPLETE", SUB=name), self._data(name, listed, whole=True)]
                answers.append(_note("3", "LOADCOMPLETE"))
        return answers

    def misunderstood(self, _session: Session, _text: str) -> Iterable[Message]:
        """Return the error for what is no JSON object."""
        return [_note("500", "INVALID_JSON")]

    def heartbeat(self, _session: Session) -> Iterable[Message]:
        """Return the heartbeat."""
        return [_note("999", "HEARTBEAT")]

    def update(self, _session: Session, topic: str, listed: Market) -> Message:
        """Return what changed: in even seconds the price, in odd ones only the volume."""
        return self._data(topic, listed, whole=self.dialect.clock.time_ms() // 1000 % 2 == 0)

    def _data(self, name: str, listed: Market, *, whole: bool) -> Message:
        tick = self.tick(listed)
        _, exchange, base, quote = name.split("~")
        data = {"TYPE": AGGREGATE, "MARKET": exchange, "FROMSYMBOL": base, "TOSYMBOL": quote, "FLAGS": 1}
        if not whole:
            return data | {"FLAGS": 4, "VOLUME24HOUR": number(tick.volume)}
        prices = {"PRICE": number(tick.last), "MEDIAN": number(tick.last)}
        return data | prices | {"LASTUPDATE": tick.time_ms // 1000, "LASTMARKET": "Coinbase"}


def _note(kind: str, message: str, **fields: str) -> dict[str, object]:
    return {"TYPE": kind, "MESSAGE": message, **fields}
