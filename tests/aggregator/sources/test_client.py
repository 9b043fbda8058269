import socket
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.metrics import open_registry
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
)
from services.aggregator.sources.client import SourceClient, age_ms, wait_ms
from services.aggregator.sources.source import UNLIMITED, Declaration
from tests.aggregator.fakes import LiteralExchange
from tests.ports import free_port

DECLARATION = Declaration("okx", "http://localhost", 1, cool_down_ms=700)


def client(session: aiohttp.ClientSession, url: str, timeout_ms: int = 2_000) -> SourceClient:
    """Return a client of that address."""
    return SourceClient(session, DECLARATION, ManualClock(), base_url=url, timeout_ms=timeout_ms)


async def test_numbers_keep_their_digits(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """A JSON number of more digits than a binary float has arrives whole."""
    exchange.say("/p", '{"price":65123.4567890123456789}')
    answer = await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert {"price": Decimal("65123.4567890123456789")} == answer.body


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (401, "{}", AccessRefused),
        (403, "<html>", AccessRefused),
        (451, "{}", AccessRefused),
        (418, "{}", SourceRateLimited),
        (429, "", SourceRateLimited),
        (302, "", ProviderFault),
        (500, "{}", ProviderFault),
        (503, "<html>", ProviderFault),
        (404, "", ProviderFault),
        (200, "", MalformedAnswer),
        (200, "<html>", MalformedAnswer),
        (200, '{"price":NaN}', MalformedAnswer),
        (200, '{"price":', MalformedAnswer),
        (200, "[" * 100_000, MalformedAnswer),
        (404, "<html>", MalformedAnswer),
    ],
)
async def test_answers_are_told_apart(
    session: aiohttp.ClientSession, exchange: LiteralExchange, status: int, text: str, expected: type[MeshError]
) -> None:
    """Each kind of bad answer is an error of its own class, and none is a price."""
    exchange.say("/p", (status, text))
    with pytest.raises(MeshError) as caught:
        await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert expected is type(caught.value)


async def test_a_limit_tells_its_wait(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """Retry-After decides, and the declared cool-down where it is missing."""
    exchange.say("/p", (429, "{}", {"Retry-After": "3"}), (429, "{}"))
    waits = []
    for _ in range(2):
        with pytest.raises(SourceRateLimited) as caught:
            await client(session, exchange.url).get("/p", limiter=UNLIMITED)
        waits.append(caught.value.retry_after_ms)

    assert [3_000, 700] == waits


async def test_silence_is_a_timeout(session: aiohttp.ClientSession) -> None:
    """A server that takes the connection and says nothing is a SourceTimeout after the source's time."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceTimeout) as caught:
        await client(session, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_ms=100).get(
            "/p", limiter=UNLIMITED
        )

    assert 100 == caught.value.timeout_ms


async def test_a_refused_connection_is_a_fault(session: aiohttp.ClientSession) -> None:
    """Nobody listening is a ProviderFault, whose text does not hold the address with its key."""
    with pytest.raises(ProviderFault) as caught:
        await client(session, f"http://127.0.0.1:{free_port()}").get("/p", {"apikey": "very-secret"}, limiter=UNLIMITED)

    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"reset": "1500"}, 1_500),
        ({"reset": "1700000002500"}, 2_500),
        ({"reset": "1600000000000"}, None),
        ({"reset": "0"}, None),
        ({"reset": "9999999999999999"}, 259_200_000),
        ({"reset": "soon"}, None),
        ({"reset": "1500", "Retry-After": "7"}, 7_000),
    ],
)
def test_a_providers_own_header_is_a_time_left_or_a_moment(headers: dict[str, str], expected: int | None) -> None:
    """Both forms are read, a moment that is over is as if it were missing, and Retry-After counts first."""
    assert expected == wait_ms(headers, "reset", now_ms=1_700_000_000_000)


async def test_a_source_reads_the_statuses_that_it_asks_for(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """Such an answer arrives with its JSON, or its text where it is none."""
    exchange.say("/p", (403, '{"code":5}'), (403, "<html>"))
    answers = [await client(session, exchange.url).get("/p", limiter=UNLIMITED, reads=(403,)) for _ in range(2)]

    assert [{"code": 5}, "<html>"] == [answer.body for answer in answers]
    assert [{"code": 5}, {}] == [answer.fields for answer in answers]


async def test_redirects_are_not_followed(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """Our key would go where the redirect points."""
    exchange.say("/p", (302, "", {"Location": "/q"}))
    exchange.say("/q", "{}")
    with pytest.raises(ProviderFault):
        await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert ["/p"] == exchange.asked


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0),
        ({"Age": "600"}, 600_000),
        ({"Age": "600, 3"}, 600_000),
        ({"Age": "600.5"}, 600_000),
        ({"Age": "-5"}, 0),
        ({"Age": "old"}, 0),
        ({"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 0),
        ({"Date": "Tue, 14 Nov 2023 22:13:15 GMT"}, 0),
        ({"Date": "Tue, 14 Nov 2023 22:03:20 GMT"}, 600_000),
        ({"Date": "Tue, 14 Nov 2023 22:03:20 GMT", "Age": "900"}, 900_000),
        ({"Date": "Tue, 14 Nov 2033 22:03:20 GMT"}, 0),
        ({"Date": "yesterday"}, 0),
    ],
)
def test_the_age_of_an_answer(headers: dict[str, str], expected: int) -> None:
    """A cache tells it, or a Date that is clearly in the past; clocks that differ by seconds tell nothing."""
    assert expected == age_ms(headers, now_ms=1_700_000_000_000)


async def test_an_answer_out_of_a_cache_has_its_age(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """It comes with the answer, for those sources whose prices have no time."""
    exchange.say("/p", (200, "{}", {"Age": "7"}))

    assert 7_000 == (await client(session, exchange.url).get("/p", limiter=UNLIMITED)).age_ms


async def test_dates_are_compared_with_our_own_clock(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """The Date of every answer counts, a refusal's too; that of one out of a cache does not."""
    clock, date = ManualClock(1_700_000_000_000), "Tue, 14 Nov 2023 22:11:50 GMT"
    own_clock = OwnClock(clock, open_registry())
    exchange.say("/p", (200, "{}", {"Date": date, "Age": "90"}), (429, "{}", {"Date": date}))
    for expected, name in ((0, "okx"), (0, "okx"), (2, "kraken"), (2, "kraken")):
        asked = SourceClient(
            session, replace(DECLARATION, name=name), clock, base_url=exchange.url, own_clock=own_clock
        )
        with suppress(SourceRateLimited):
            await asked.get("/p", limiter=UNLIMITED)
        assert expected == own_clock.state.agreeing * own_clock.state.is_off
    assert 90_000 == own_clock.state.ahead_ms


@pytest.mark.parametrize("header", ["0", "Thu, 01 Jan 1970 00:00:01 GMT"])
async def test_a_limit_of_no_time_is_one_of_the_usual_time(
    session: aiohttp.ClientSession, exchange: LiteralExchange, header: str
) -> None:
    """Neither zero seconds nor a date that has passed lets us ask again at once."""
    exchange.say("/p", (429, "{}", {"Retry-After": header}))
    with pytest.raises(SourceRateLimited) as caught:
        await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert DECLARATION.cool_down_ms == caught.value.retry_after_ms


async def test_a_redirect_is_named(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """Whoever configures has to know where it leads; its query, which may hold a key, is left out."""
    exchange.say("/p", (301, "", {"Location": "https://api.frankfurter.dev/v1/latest?apikey=secret#part"}))
    with pytest.raises(ProviderFault) as caught:
        await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert "okx: HTTP 301, which redirects to https://api.frankfurter.dev/v1/latest" == str(caught.value)


async def test_a_long_body_is_not_read_to_its_end(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """More bytes than allowed are a fault of the provider, and no memory of ours."""
    exchange.say("/p", f'"{"x" * 5_000}"')
    with pytest.raises(ProviderFault, match="more than 1000 bytes"):
        await client(session, exchange.url).get("/p", limiter=UNLIMITED, most_bytes=1_000)


async def test_a_long_body_is_read_beside_the_loop(session: aiohttp.ClientSession, exchange: LiteralExchange) -> None:
    """A listing of some megabytes arrives whole, read in a thread of its source."""
    exchange.say("/p", f'["{"x" * 3_000_000}", 0.1000000000000000055511151231257827]')
    answer = await client(session, exchange.url).get("/p", limiter=UNLIMITED)

    assert ["x" * 3_000_000, Decimal("0.1000000000000000055511151231257827")] == answer.body
