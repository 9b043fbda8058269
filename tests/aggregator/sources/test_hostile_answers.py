"""What comes over the wire in the place of an answer, at every source: the price that was sent, or a refusal."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.errors import Internal, MeshError
from services.aggregator.prices.errors import PriceRefused, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote
from services.aggregator.prices.validate import accept
from services.aggregator.sources.catalog import DECLARATIONS, MAKERS
from services.aggregator.sources.client import LONGEST_BODY_BYTES, SourceClient
from services.aggregator.sources.source import UNLIMITED
from tests.aggregator.sources.recorded import NOW_MS, NOW_S, RECORDINGS, Place, Recording
from tests.aggregator.sources.test_odd_answers import places, replaced

D = Decimal
NAMED = [pytest.param(each, id=f"{each.name}-{len(each.pairs)}") for each in RECORDINGS]
_PRICE = "the price stands here"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_MEBIBYTE = 1024 * 1024

Wrap = Callable[[bytes], bytes]


@dataclass
class Wire:
    """Serve bytes by path; those of `path` go through `wrap`, and the connection ends after them."""

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    path: str = ""
    wrap: Wrap | None = None
    open: set["asyncio.Task[Any]"] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = unquote(head.split()[1].decode().partition("?")[0])
                body = self.bodies[path]
                is_wrapped = self.wrap is not None and path == self.path
                writer.write(self.wrap(body) if self.wrap is not None and is_wrapped else plain(body))
                await writer.drain()
                if is_wrapped:
                    break
        self.open.discard(task)

    def say(self, recording: Recording, answers: Any, wrap: Wrap | None = None, price: str = "100") -> None:
        """Answer as recorded, with a JSON text in the place of the price of the first pair."""
        place = recording.prices[recording.pairs[0]]
        self.path, self.wrap = str(place[0]), wrap
        marked = replaced(answers, place, _PRICE)
        self.bodies = {
            path: json.dumps(answer).replace(f'"{_PRICE}"', price).encode() for path, answer in marked.items()
        }


def plain(body: bytes, head: bytes = _HEAD) -> bytes:
    """Return an answer as it should be."""
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.fixture(name="wire")
async def _wire() -> AsyncIterator[Wire]:
    """Give a server of bytes."""
    wire = Wire()
    server = await asyncio.start_server(wire.handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    wire.url = f"http://{host}:{port}"
    yield wire
    server.close()
    for task in wire.open:
        task.cancel()
    await asyncio.gather(*wire.open, return_exceptions=True)


async def outcomes(
    session: aiohttp.ClientSession, wire: Wire, recording: Recording, timeout_ms: int = 5_000
) -> dict[Pair, SourceQuote | MeshError]:
    """Return the accepted quote of each pair, or why there is none; nothing but a MeshError may be raised."""
    clock, declared = ManualClock(NOW_MS), DECLARATIONS[recording.name]
    key = None if declared.key is None else "a key"
    client = SourceClient(session, declared, clock, base_url=wire.url, timeout_ms=timeout_ms, api_key=key)
    found: dict[Pair, SourceQuote | MeshError] = {}
    try:
        ticks = await MAKERS[recording.name](client, clock).fetch(recording.pairs, UNLIMITED)
    except MeshError as error:
        return dict.fromkeys(recording.pairs, error)
    for pair, tick in ticks.items():
        if isinstance(tick, MeshError):
            found[pair] = tick
            continue
        try:
            found[pair] = accept(
                declared.name, pair, tick, received_ms=NOW_MS, received_at=0.0, ttl_ms=10_000,
                max_age_ms=declared.max_age_of(pair),
            )  # fmt: skip
        except PriceRefused as refused:
            found[pair] = refused
    return found


def prices(found: dict[Pair, SourceQuote | MeshError]) -> set[Decimal]:
    """Return the prices there are; why there are others not is neither that a pair is unknown nor a fault of ours."""
    errors = [each for each in found.values() if isinstance(each, MeshError)]
    assert not any(isinstance(error, UnknownPair | Internal) for error in errors)
    return {each.price for each in found.values() if isinstance(each, SourceQuote)}


NO_NUMBERS = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-100", "0", "-0", "0.0", "1e-400", "0x64", "100.", ".5", "1e16",
    "true", "null", "[100]", '{"a":100}', "9" * 400, "9" * 5000,
    *(json.dumps(text) for text in (
        "", "-", "0x64", "1_00", "100,00", "1,000", "1.0.0", "NaN", "sNaN", "inf", "100 USD", "$100", "1e-19",
        "9" * 400, "100\u00a0", "\u0661\u0660\u0660", "\uff11\uff10\uff10", "\u0000100", "100\n200",
    )),
]  # fmt: skip


@pytest.mark.parametrize("recording", NAMED)
async def test_what_is_no_plausible_number_is_no_price(
    session: aiohttp.ClientSession, wire: Wire, recording: Recording
) -> None:
    """Of an exchange in maintenance that says 0, of NaN and of digits of other scripts there is no price."""
    for text in NO_NUMBERS:
        wire.say(recording, recording.answers, price=text)
        found = await outcomes(session, wire, recording)
        assert isinstance(found.pop(recording.pairs[0]), MeshError), text
        assert prices(found) <= {D(100)}, text


@pytest.mark.parametrize("recording", NAMED)
async def test_a_key_that_is_there_twice_is_no_price(
    session: aiohttp.ClientSession, wire: Wire, recording: Recording
) -> None:
    """Neither the first nor the last of two different values is believed, and two equal ones are one."""
    key = recording.prices[recording.pairs[0]][-1]
    if not isinstance(key, str):
        pytest.skip("its price stands in a list")
    for first, second in (("100", "200"), ("200", "100"), ('"100"', "200")):
        wire.say(recording, recording.answers, price=f'{first}, "{key}": {second}')
        found = await outcomes(session, wire, recording)
        assert isinstance(found.pop(recording.pairs[0]), MeshError)
        assert prices(found) <= {D(100)}
    wire.say(recording, recording.answers, price=f'100, "{key}": 100')
    assert {D(100)} == prices(await outcomes(session, wire, recording))


BODIES: dict[str, Wrap] = {
    "another page": lambda _body: b"<html><body>100</body></html>",
    "nothing": lambda _body: b"",
    "null": lambda _body: b"null",
    "a number": lambda _body: b"100",
    "a mark of byte order": lambda body: b"\xef\xbb\xbf" + body,
    "two bytes a letter": lambda body: body.decode().encode("utf-16"),
    "bytes of no letter": lambda body: body.replace(b"100", b'"\xff100"', 1),
    "more after it": lambda body: body + b" more",
    "two answers": lambda body: body * 2,
    "half an answer": lambda body: body[: len(body) // 2],
    "all but its end": lambda body: body[:-1],
    "a call": lambda body: b"callback(" + body + b")",
    "a text of JSON": lambda body: json.dumps(body.decode()).encode(),
    "a depth": lambda _body: b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("recording", NAMED)
async def test_another_body_is_no_answer(session: aiohttp.ClientSession, wire: Wire, recording: Recording) -> None:
    """What is no JSON, or not all of it, has no price, and says nothing of what pairs there are."""
    for name, body in BODIES.items():
        wire.say(recording, recording.answers, lambda whole, body=body: plain(body(whole)))  # type: ignore[misc]
        assert set() == prices(await outcomes(session, wire, recording)), name


def _coded(coding: bytes, body: bytes) -> bytes:
    return plain(body, _HEAD + b"Content-Encoding: " + coding + b"\r\n")


def _bomb(_body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"0" * _MEBIBYTE
    return _coded(b"gzip", b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush())


WIRES: dict[str, Wrap] = {
    "shorter than it said": lambda body: _HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) + 9) + body,
    "longer than it said": lambda body: _HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) - 2) + body,
    "no chunks": lambda body: _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body,
    "chunks without an end": lambda body: (
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n"
    ),
    "not packed": lambda body: _coded(b"gzip", body),
    "packed by half": lambda body: _coded(b"gzip", (packed := gzip.compress(body))[: len(packed) // 2]),
    "packed in another way": lambda body: _coded(b"br", body),
    "more heads than allowed": lambda body: plain(body, _HEAD + b"X: y\r\n" * 100_000),
    **{
        f"HTTP {status}": lambda body, status=status: plain(body, _HEAD.replace(b"200", b"%d" % status))  # type: ignore[misc]
        for status in (201, 203, 204, 206, 300, 302, 307, 400, 404, 409, 422, 500, 503, 599)
    },
}


@pytest.mark.parametrize("recording", NAMED)
async def test_another_way_over_the_wire_is_no_answer(
    session: aiohttp.ClientSession, wire: Wire, recording: Recording
) -> None:
    """An answer that is cut, packed wrongly, a part only, or under another status than that of success has no price."""
    for name, wrap in WIRES.items():
        wire.say(recording, recording.answers, wrap)
        assert set() == prices(await outcomes(session, wire, recording)), name


async def test_what_unpacks_to_more_is_not_unpacked(session: aiohttp.ClientSession, wire: Wire) -> None:
    """A body of 32 MiB in 32 KiB is given up at its limit."""
    recording = RECORDINGS[-1]
    wire.say(recording, recording.answers, _bomb)
    found = await outcomes(session, wire, recording)
    assert {f"{recording.name}: an answer of more than {LONGEST_BODY_BYTES} bytes"} == set(map(str, found.values()))


async def test_what_comes_byte_by_byte_is_late(session: aiohttp.ClientSession, wire: Wire) -> None:
    """Who never stops to send has all the same no more time than who says nothing."""
    recording = RECORDINGS[-1]
    wire.say(recording, recording.answers)
    never_ends = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with closing(writer), suppress(ConnectionError):
            while not never_ends.is_set():
                writer.write(b"1\r\n \r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    wire.url = "http://{}:{}".format(*server.sockets[0].getsockname())
    found = await outcomes(session, wire, recording, timeout_ms=200)
    never_ends.set()
    server.close()
    assert {"SourceTimeout"} == {type(each).__name__ for each in found.values()}


@pytest.mark.parametrize("recording", NAMED)
async def test_a_time_in_another_unit_is_no_time(
    session: aiohttp.ClientSession, wire: Wire, recording: Recording
) -> None:
    """Seconds for milliseconds, micro- and nanoseconds: the price has its right time, or there is none."""
    answers = dict(recording.answers)
    for place in places(answers):
        value: Any = answers
        for key in place:
            value = value[key]
        if not isinstance(value, int | str) or str(value) not in (str(NOW_MS), str(NOW_S)):
            continue
        for factor in (D("0.001"), D("0.000001"), D(1_000), D(1_000_000), D(1_000_000_000)):
            other = int(D(value) * factor)
            wire.say(recording, replaced(answers, place, str(other) if isinstance(value, str) else other))
            for each in (await outcomes(session, wire, recording)).values():
                assert isinstance(each, MeshError) or each.exchange_time_ms in (None, NOW_MS), place


# What a provider says is wrong by its own code or flag, beside data: the way to what tells it, and what is told.
COMPLAINTS: list[tuple[str, Place, dict[str, Any]]] = [
    ("binance", (), {"code": -1003, "msg": "too much"}),
    ("bybit", (), {"retCode": 10016}),
    ("bybit", (), {"retCode": None}),
    ("coingecko", (), {"error": "x"}),
    ("coingecko", (), {"error_code": 10005}),
    ("coingecko", (), {"status": {"error_code": 429}}),
    ("cryptocompare", (), {"Err": {"type": 1, "message": "x"}}),
    ("cryptocompare", (), {"Err": "x"}),
    ("exchangeratehost", (), {"success": False, "error": {"code": 104}}),
    ("exchangeratehost", (), {"success": "true"}),
    ("finnhub", (), {"error": "x"}),
    ("kraken", (), {"error": ["EService:Unavailable"]}),
    ("kraken", (), {"error": ["EGeneral:new words"]}),
    ("kucoin", (), {"code": "503000", "msg": "maintenance"}),
    ("okx", (), {"code": "50001"}),
    ("okx", (), {"code": "1"}),
    ("okx", (), {"code": 0}),
    ("yahoofinance", ("chart",), {"error": {"code": "x"}}),
]


@pytest.mark.parametrize(("name", "way", "told"), COMPLAINTS)
async def test_a_complaint_beside_data_is_no_answer(
    session: aiohttp.ClientSession, wire: Wire, name: str, way: Place, told: dict[str, Any]
) -> None:
    """Whoever says that something is wrong has no price, whatever else stands in the answer."""
    recording = next(
        each for each in RECORDINGS
        if each.name == name and isinstance(each.answers[str(each.prices[each.pairs[0]][0])], dict)
    )  # fmt: skip
    place = (recording.prices[recording.pairs[0]][0], *way)
    answers: Any = dict(recording.answers)
    said: Any = answers
    for key in place:
        said = said[key]
    wire.say(recording, replaced(answers, place, {**said, **told}))
    assert set() == prices(await outcomes(session, wire, recording))
