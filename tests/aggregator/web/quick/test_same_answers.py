"""The quick way beside aiohttp: to any bytes both answer with the same status and the same JSON."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from meshkit.http.connection import is_whole
from services.aggregator.web import bridge
from tests.aggregator.bench import Bench
from tests.aggregator.fakes import settings
from tests.aggregator.web.quick.in_memory import InMemoryServer, in_memory

PAIRS = ("BTC/USD", "btc-usd", "BTC / USD", "ETH/USD", "eth/usd", "SOL/USD", "NOPE/USD", "BTCUSD", "BTC/", "B" * 130)
ASSETS = ("BTC", "btc", "ETH", "USD", "usd", "B/C", "", None, 5)
IDS: tuple[object, ...] = (
    "run-1",
    "",
    "é☃\U0001f600",
    '"\\\n\x7f',
    "x" * 128,
    "x" * 129,
    None,
    7,
    7.0,
    1.5,
    True,
    2**53 + 1,
    [],
    {},
)
DECIMALS = (0, 8, 8.0, 18, 36, 37, -1, 1.5, "8", True, None, 2**70)
META: tuple[object, ...] = (
    None,
    {},
    {"latestAnswer": 6, "updatedAt": None},
    {"latestAnswer": 10**30},
    [[[[1.5e300]]]],
    "x",
)
HEADERS = (
    b"Host: a",
    b"host:a",
    b"User-Agent: Go-http-client/1.1",
    b"User-Agent: again",
    b"Content-Type: application/json",
    b"Accept-Encoding: gzip",
    b"Accept: */*",
)
ODD_HEADERS = (
    b"Expect: 100-continue",
    b"Transfer-Encoding: chunked",
    b"Content-Encoding: gzip",
    b"Content-Encoding: identity",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Upgrade: websocket",
    b"Content-Length: 5",
    b"content-length: 0",
    b" folded",
    b"X : y",
    b"X: \x00",
    b"X: \xff",
    b"X: " + b"y" * 9_000,
)


class Both:
    """The same engine behind both ways."""

    def __init__(self, runner: asyncio.Runner, quick: InMemoryServer, slow: InMemoryServer) -> None:
        self._runner = runner
        self._quick = quick
        self._slow = slow

    def ask(self, *pieces: bytes) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], bool]:
        """Return what the quick way says and what aiohttp says to the same bytes, and whether the first was quick."""
        said, is_closed, is_slow = self._runner.run(self._quick.answer(*pieces))
        expected, is_expected_closed, _ = self._runner.run(self._slow.answer(*pieces))
        return [*heard(said), (is_closed,)], [*heard(expected), (is_expected_closed,)], not is_slow


@pytest.fixture(name="both", scope="module")
def _both() -> Iterator[Both]:
    with asyncio.Runner() as runner:
        bench, stack = Bench(settings()), AsyncExitStack()

        async def begin() -> Both:
            await bench.engine.start()
            quick = await stack.enter_async_context(in_memory(bench, quick=True))
            slow = await stack.enter_async_context(in_memory(bench, quick=False))
            for pair in (b"BTC-USD", b"ETH-USD"):
                await slow.answer(b"GET /quotes/batch?pairs=%b HTTP/1.1\r\nHost: a\r\n\r\n" % pair)
                await bench.run(0.1)
            return Both(runner, quick, slow)

        async def end() -> None:
            await stack.aclose()
            await bench.engine.close()

        yield runner.run(begin())
        runner.run(end())


def heard(said: bytes) -> list[tuple[Any, ...]]:
    """Return status, type and JSON text of each answer; how the head is spelled otherwise is each server's own."""
    found: list[tuple[Any, ...]] = []
    while said:
        head, end, rest = said.partition(b"\r\n\r\n")
        if not end:
            return [*found, (said,)]
        lines = head.split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        body, said = rest[: int(fields.get(b"content-length", b"0"))], rest[int(fields.get(b"content-length", b"0")) :]
        if fields.get(b"content-type", b"").startswith(b"text/plain"):
            # The parser shows the piece of the head that it has just got.
            body = body.split(b"\n")[0]
        found.append((lines[0].split(b" ")[1], fields.get(b"content-type"), fields.get(b"connection"), body))
    return found


def post(body: bytes, *headers: bytes, length: int | None = None, target: bytes = b"/quotes/batch") -> bytes:
    """Return a POST with these headers and its length."""
    lines = [*headers, b"Content-Length: %d" % (len(body) if length is None else length)]
    return b"POST %b HTTP/1.1\r\n%b\r\n\r\n%b" % (target, b"\r\n".join(lines), body)


def asks(data: Mapping[str, object], **fields: object) -> bytes:
    """Return the body of a bridge's request."""
    return json.dumps({**fields, "data": data}).encode()


DATA = st.one_of(
    st.fixed_dictionaries({"pair": st.sampled_from(PAIRS)}),
    st.fixed_dictionaries({"feed": st.sampled_from(("BTC / USD", "ETH / USD", "EUR / USD", "BTC/USD", "", 5))}),
    st.fixed_dictionaries({"pairs": st.lists(st.sampled_from(PAIRS[:8]), max_size=4)}),
    st.dictionaries(
        st.sampled_from(("base", "from", "coin", "quote", "to", "market", "pair")), st.sampled_from(ASSETS), max_size=3
    ),
    st.fixed_dictionaries({"base": st.just("BTC"), "quote": st.just("USD")}),
).flatmap(
    lambda data: st.fixed_dictionaries(
        {name: st.just(value) for name, value in data.items()},
        optional={
            "decimals": st.sampled_from(DECIMALS),
            "sources": st.lists(st.sampled_from(("kraken", "krakn", "okx")), max_size=2),
            "endpoint": st.sampled_from(("crypto", None, {"deep": [1, 2.50, "é"]})),
        },
    )
)
ASKED = st.fixed_dictionaries(
    {"data": DATA}, optional={"id": st.sampled_from(IDS), "meta": st.sampled_from(META), "more": st.just([1e400])}
)
BODIES = st.builds(
    lambda asked, is_ascii, indent, before, after: (
        before + json.dumps(asked, ensure_ascii=is_ascii, indent=indent).encode() + after
    ),
    ASKED,
    st.booleans(),
    st.sampled_from((None, None, 1)),
    st.sampled_from((b"", b"", b" \n", b"\xef\xbb\xbf", b"{")),
    st.sampled_from((b"", b"", b"\r\n ", b"\x00", b"}", b"{}")),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Draw the bytes of a request, most often of one that is right, perhaps with a fault anywhere, in some pieces."""
    headers = [b"Host: a", *draw(st.lists(st.sampled_from(HEADERS[2:]), max_size=2))]
    if draw(st.integers(0, 3)) == 0:
        headers.append(draw(st.sampled_from((*HEADERS, *ODD_HEADERS))))
    body = draw(BODIES)
    wrong = draw(st.sampled_from((0, 0, 0, 0, -1, 1)))
    said = post(body, *headers, length=max(len(body) + wrong, 0))
    match draw(st.sampled_from(("whole", "whole", "byte", "cut", "twice", "pieces"))):
        case "byte":
            at = draw(st.integers(0, len(said) - 1))
            said = said[:at] + bytes([draw(st.integers(0, 255))]) + said[at + draw(st.integers(0, 1)) :]
        case "cut":
            said = said[: draw(st.integers(1, len(said)))]
        case "twice":
            said += said
        case "pieces":
            at = draw(st.integers(1, len(said) - 1))
            return said[:at], said[at:]
    return (said,)


@given(requests())
@example((post(b'{"data":{"pair":"ETH/USD"},"data":{"pair":"BTC/USD"}}', b"Host: a"),))
@example((post(b'{"data":{"pair":"ETH/USD","pair":"\\u0042TC\\/USD"}}', b"Host: a"),))
@example((post(b'{"data":{"pair":"BTC/USD"},"id":"\\ud800"}', b"Host: a"),))
@example((post(b'{"data":{"pair":"BTC/USD","x":' + b"[" * 300 + b"]" * 300 + b"}}", b"Host: a"),))
@example((post(b'{"data":{"pair":"BTC/USD"},"x":' + b"[" * 1_100 + b"]" * 1_100 + b"}", b"Host: a"),))
@example((post(b'{"data":{"pair":"BTC/USD","decimals":1' + b"0" * 400 + b"}}", b"Host: a"),))
@example((post(b'{"data":{"pair":"BTC/USD","decimals":NaN}}', b"Host: a"),))
@example((post(b"5\r\n{}   \r\n0\r\n\r\n", b"Host: a", b"Transfer-Encoding: chunked"),))
def test_any_request_gets_the_same_answer_as_from_aiohttp(both: Both, pieces: tuple[bytes, ...]) -> None:
    """Generated requests and such with a fault in them: status, type, JSON and end of the connection are the same."""
    # The end of a head is waited for here, where aiohttp may refuse what has come of it.
    assume(is_whole(b"".join(pieces)))
    said, expected, _ = both.ask(*pieces)

    assert expected == said


@pytest.mark.parametrize(
    "body",
    [
        asks({"pair": "BTC/USD"}, id="9f2c", meta={"latestAnswer": 65_000, "updatedAt": 1}),
        asks({"pair": "btc-usd"}),
        asks({"feed": "ETH / USD"}, id=None),
        asks({"base": "BTC", "quote": "USD", "endpoint": "crypto"}, id="é☃"),
        asks({"from": "BTC", "to": "USD", "decimals": 8}),
        asks({"coin": "BTC", "market": "USD", "decimals": 8.0}),
        asks({"pairs": ["BTC/USD", "ETH/USD", "BTC/USD"]}),
        b' {\n"data" : {"pair":"\\u0042TC/USD"} }\r\n',
        b'{"data":{"pair":"ETH/USD"},"data":{"pair":"BTC/USD"}}',
    ],
)
def test_what_nodes_ask_is_answered_quickly(both: Both, body: bytes) -> None:
    """Each form of a bridge's request is answered from the bytes, by what aiohttp answers, again and again."""
    request = post(body, b"Host: 127.0.0.1:8080", b"User-Agent: Go-http-client/1.1", b"Accept-Encoding: gzip")
    for _ in range(2):
        said, expected, is_quick = both.ask(request)

        assert (expected, True, b"200") == (said, is_quick, said[0][0])


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post(asks({"pair": "BTC/USD", "sources": ["kraken"]}), b"Host: a"), b"200"),
        (post(asks({"pair": "BTC/USD"}, id=7), b"Host: a"), b"200"),
        (post(asks({"pairs": ["BTC/USD", "NOPE/USD"]}), b"Host: a"), b"200"),
        (post(asks({"pair": "NOPE/USD"}), b"Host: a"), b"404"),
        (post(asks({"pair": "BTC/USD", "decimals": 37}), b"Host: a"), b"400"),
        (post(asks({"pair": "BTC/USD"}, id="x" * 129), b"Host: a"), b"400"),
        (post(b"", b"Host: a"), b"400"),
        (post(b"[]", b"Host: a"), b"400"),
        (post(b'{"data":[]}', b"Host: a"), b"400"),
        (post(b"\xef\xbb\xbf" + asks({"pair": "BTC/USD"}), b"Host: a"), b"400"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", b"Connection: keep-alive"), b"200"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", b"Content-Length: 5"), b"400"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", b"User-Agent: a", b"user-agent: b"), b"400"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", target=b"/quotes/batch?x"), b"200"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", target=b"/quotes"), b"404"),
        (post(asks({"pair": "BTC/USD", "x": "y" * 5_000}), b"Host: a"), b"200"),
        (post(asks({"pair": "BTC/USD"}), b"Host: a", *(b"X-%d: y" % number for number in range(70))), b"200"),
    ],
)
def test_what_is_not_plain_is_left_to_aiohttp(both: Both, request_bytes: bytes, status: bytes) -> None:
    """Wrong bodies, chosen sources, errors, and heads with anything special get aiohttp's answer from aiohttp."""
    said, expected, is_quick = both.ask(request_bytes)

    assert (expected, False) == (said, is_quick)
    assert status == said[0][0]


def test_an_answer_that_a_node_would_cut_is_refused(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run id counts for the length of the answer: one with a longer id is refused, by aiohttp's way."""
    body = asks({"pairs": ["BTC/USD", "ETH/USD"]}, id="1")
    said, _, _ = both.ask(post(body, b"Host: a"))
    monkeypatch.setattr(bridge, "LONGEST_ANSWER_BYTES", len(str(said[0][3], "utf-8")) + 1)
    for run_id, status in (("1", b"200"), ("12", b"400")):
        said, expected, is_quick = both.ask(post(asks({"pairs": ["BTC/USD", "ETH/USD"]}, id=run_id), b"Host: a"))

        assert (expected, status, status == b"200") == (said, said[0][0], is_quick)
