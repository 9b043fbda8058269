"""What all streams have in common."""

from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.streams.stream import Rate, Session
from meshkit.clock import ManualClock
from tests.devkit.market.talk import talk

Market = TestClient[Request, Application]


OPENINGS: tuple[tuple[str, Any], ...] = (
    ("/binance/ws", {"method": "SUBSCRIBE", "id": 1}),
    ("/okx/ws", {"op": "subscribe", "args": [1]}),
    ("/kraken/ws", {"method": "subscribe", "params": {"channel": "book"}}),
    ("/coinbase/ws", {"type": "subscribe"}),
    ("/cryptocompare/ws?api_key=k", {"action": "SUB_ADD", "subscriptions": [1]}),
    ("/finnhub/ws?token=k", {"type": "nonsense"}),
    ("/bybit/ws", {"op": "nonsense"}),
)


@pytest.mark.parametrize(("path", "wrong"), OPENINGS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("text", ["{", "[]", '"x"', None])
async def test_nonsense_is_answered(
    market: Market, clock: ManualClock, path: str, wrong: object, text: str | None
) -> None:
    """Whatever a client says has an answer, and the connection stays."""
    async with talk(market, clock, path) as it:
        await it.say(wrong if text is None else text)
        await it.hear()

        assert not it.ws.closed


async def test_connections_have_a_limit_too(market: Market, clock: ManualClock) -> None:
    """OKX takes three connections a second of a client, refuses the fourth with 429, and takes more a second later."""
    async with talk(market, clock, "/okx/ws"), talk(market, clock, "/okx/ws"), talk(market, clock, "/okx/ws"):
        with pytest.raises(WSServerHandshakeError, match="429"):
            await market.ws_connect("/okx/ws")
        clock.advance(1)
        async with talk(market, clock, "/okx/ws"):
            state = await (await market.get("/control/okx")).json()

    assert (4, 1) == (state["stream"]["accepted"], state["stream"]["refused"])


def test_rate_is_a_sliding_window() -> None:
    """Within any window only so many messages pass, and they pass again when the first are out of it."""
    session, rate = Session("s", 0), Rate(2, 1.0)

    assert [True, True, False, False, True] == [session.hear(t, rate) for t in (0.1, 0.2, 0.9, 1.15, 2.2)]
