"""Runs of pipelines against a real HTTP server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.oracle.pipeline.errors import RunError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import observation, run
from tests.oracle.ports import free_port


@dataclass
class Adapter:
    """A server whose answers a test decides by path: (status, body, delay)."""

    port: int
    answers: dict[str, list[tuple[int, str, float]]] = field(default_factory=dict)
    received: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    def says(self, path: str, body: object, status: int = 200, delay_s: float = 0.0) -> None:
        """Answer so from now on; several answers of a path come one after the other, the last for ever."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.setdefault(path, []).append((status, text, delay_s))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer."""
        self.received.append((request.path, dict(request.headers), await request.text()))
        answers = self.answers.get(request.path, [(404, "nothing here", 0.0)])
        status, body, delay_s = answers.pop(0) if len(answers) > 1 else answers[0]
        await asyncio.sleep(delay_s)
        return web.Response(status=status, text=body)


@pytest.fixture(name="adapter")
async def _adapter() -> AsyncIterator[Adapter]:
    """Give a running adapter."""
    adapter = Adapter(free_port())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", adapter.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", adapter.port).start()
    yield adapter
    await runner.cleanup()


@pytest.fixture(name="fetcher")
async def _fetcher(adapter: Adapter) -> AsyncIterator[Fetcher]:
    """Give a fetcher that knows the bridges a, b and c of the adapter, and a dead one."""
    urls = {name: f"http://127.0.0.1:{adapter.port}/{name}" for name in "abc"} | {"dead": "http://127.0.0.1:1/"}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Fetcher(session, urls.get, default_timeout_s=2.0, max_bytes=4096)


async def result_of(source: str, fetcher: Fetcher, timeout_s: float = 2.0, **variables: Any) -> Any:
    """Return the terminal task's result, or raise the error it ended with."""
    pipeline = Pipeline.parse(source)
    found = (await run(pipeline, fetcher, variables, timeout_s))[pipeline.terminal]
    if isinstance(found, TaskError):
        raise found
    return found


FEED = """
    ask [type=bridge name=a requestData="{\\"data\\":{\\"pair\\":\\"BTC/USD\\"}}"];
    parse [type=jsonparse path="data,result"]; scale [type=multiply times=100000000];
    ask -> parse -> scale;
"""


async def test_the_bridge_request(adapter: Adapter, fetcher: Fetcher) -> None:
    """A bridge gets the request data and the run's meta as compact JSON, and none of aiohttp's own headers."""
    adapter.says("/a", {"data": {"result": "65123.45678"}})
    pipeline = Pipeline.parse(FEED)
    meta = {"latestAnswer": 10**30, "updatedAt": 1755520000}
    value = observation(pipeline, await run(pipeline, fetcher, {"jobRun": {"meta": meta}}, 2))

    path, headers, body = adapter.received[0]
    assert 6512345678000 == value
    assert "/a" == path
    expected = '{"data":{"pair":"BTC/USD"},"meta":{"latestAnswer":' + "1" + "0" * 30 + ',"updatedAt":1755520000}}'
    assert expected == body
    assert "application/json" == headers["Content-Type"]
    assert not {"Accept-Encoding", "Authorization"} & set(headers)


async def test_an_empty_bridge_request(adapter: Adapter, fetcher: Fetcher) -> None:
    """Without request data and meta a bridge gets an empty object."""
    adapter.says("/a", "1")

    assert "1" == await result_of("x [type=bridge name=a]", fetcher)
    assert "{}" == adapter.received[0][2]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (502, {"statusCode": 502, "error": {"name": "NoQuote", "message": "no price"}}, "NoQuote: no price"),
        (500, "broken", r"status code 500\) broken"),
        (404, {"error": "unknown pair"}, r"status code 404\) unknown pair"),
        (400, {"errorMessage": "bad"}, r"status code 400\) bad"),
        (200, {"statusCode": 500, "error": {"name": "A", "message": "b"}}, "A: b"),
        (200, {"statusCode": 200, "error": {"name": "A", "message": "b"}}, "A: b"),
        (200, {"statusCode": 200, "providerStatusCode": 503}, "empty input"),
        (200, {"statusCode": 429}, "empty input"),
        (200, {"statusCode": 200, "error": "text"}, "empty input"),
        (201, {"data": {"result": "1"}}, "empty input"),
        (200, "", "empty input"),
        (200, "not json", "failed to parse JSON"),
        (200, {"data": {}}, "could not resolve path"),
        (200, {"data": {"result": None}}, "cannot convert nil"),
        (200, {"data": {"result": True}}, "cannot convert True"),
        (200, {"data": {"result": "x" * 5000}}, "failed to parse JSON"),
    ],
)
async def test_failures_of_an_adapter(
    adapter: Adapter, fetcher: Fetcher, status: int, body: object, error: str
) -> None:
    """Every failure an adapter can answer ends the run without a value, with the reason in its words."""
    adapter.says("/a", body, status)
    pipeline = Pipeline.parse(FEED)
    results = await run(pipeline, fetcher, {}, 2)

    with pytest.raises(RunError, match=error):
        observation(pipeline, results)


async def test_only_the_first_json_value_counts(adapter: Adapter, fetcher: Fetcher) -> None:
    """What is cut off behind a complete first value does no harm."""
    adapter.says("/a", '{"data":{"result":7}}' + " " * 5000 + "garbage")

    assert Decimal(700000000) == await result_of(FEED, fetcher)


async def test_unreachable_and_slow_adapters(adapter: Adapter, fetcher: Fetcher) -> None:
    """A dead adapter, an unknown bridge and a slow answer are errors, and the slow one costs no more than its limit."""
    adapter.says("/b", "{}", delay_s=5)

    with pytest.raises(TaskError, match="error making http request"):
        await result_of("x [type=bridge name=dead]", fetcher)
    with pytest.raises(TaskError, match="could not find bridge"):
        await result_of("x [type=bridge name=A]", fetcher)
    started_s = time.monotonic()
    with pytest.raises(TaskError, match="timed out"):
        await result_of("x [type=bridge name=b timeout=200ms]", fetcher)
    with pytest.raises(TaskError, match="timed out"):
        await result_of("x [type=bridge name=b]", fetcher, timeout_s=0.2)
    assert time.monotonic() - started_s < 1.5


async def test_median_bears_faults(adapter: Adapter, fetcher: Fetcher) -> None:
    """By default one good source is enough; with allowedFaults=0 none may fail; a slow one is a fault at the end."""
    adapter.says("/a", "10")
    adapter.says("/b", "20", delay_s=5)
    sources = """
        a [type=bridge name=a] b [type=bridge name=b timeout=100ms] c [type=bridge name=c]
        pa [type=jsonparse] pb [type=jsonparse] pc [type=jsonparse]
        a -> pa -> m; b -> pb -> m; c -> pc -> m;
    """

    assert Decimal(10) == await result_of(sources + "m [type=median]", fetcher)
    with pytest.raises(TaskError, match="number of faulty inputs 2 > number allowed faults 0"):
        await result_of(sources + "m [type=median allowedFaults=0]", fetcher)


async def test_sources_are_asked_at_once(adapter: Adapter, fetcher: Fetcher) -> None:
    """Tasks that do not need each other run at the same time."""
    for name, value in zip("abc", ("1", "2", "9"), strict=True):
        adapter.says(f"/{name}", value, delay_s=0.4)
    source = "a [type=bridge name=a] b [type=bridge name=b] c [type=bridge name=c] a -> m b -> m c -> m "

    started_s = time.monotonic()
    assert Decimal(2) == await result_of(source + "m [type=median]", fetcher)
    assert Decimal(4) == await result_of(source + "m [type=mean]", fetcher)
    assert Decimal(12) == await result_of(source + "m [type=sum]", fetcher)
    assert time.monotonic() - started_s < 1.9


async def test_lax_and_values(adapter: Adapter, fetcher: Fetcher) -> None:
    """A missing value is nothing with lax, and `values` names the inputs instead of edges."""
    adapter.says("/a", {"x": [1, 2, "30"]})
    source = """
        a [type=bridge name=a] p [type=jsonparse data="$(a)" path="x,-1"] q [type=jsonparse data=$(a) path="y" lax=true]
    """

    assert Decimal(30) == await result_of(source + 'm [type=median values="[ $(p), $(q) ]" lax=true]', fetcher)
    with pytest.raises(TaskError, match="cannot convert nil"):
        await result_of(source + "m [type=median values=<[ $(p), $(q) ]>]", fetcher)


async def test_divide_and_hex(adapter: Adapter, fetcher: Fetcher) -> None:
    """Division rounds half up at its precision; a body of hex digits is decoded before it is parsed."""
    adapter.says("/a", "0x" + b'{"v":1.25}'.hex())
    source = 'a [type=bridge name=a] p [type=jsonparse path=v] d [type=divide divisor="10" precision=2] a -> p -> d'

    assert Decimal("0.13") == await result_of(source, fetcher)


async def test_fail_early(adapter: Adapter, fetcher: Fetcher) -> None:
    """A failing task with failEarly ends the run at once."""
    adapter.says("/a", "1", delay_s=5)
    source = "a [type=bridge name=a] b [type=bridge name=c failEarly=true] m [type=sum allowedFaults=1] a -> m b -> m"

    started_s = time.monotonic()
    with pytest.raises(TaskError, match="failed early"):
        await result_of(source, fetcher)
    assert time.monotonic() - started_s < 1


async def test_retries_and_cache(adapter: Adapter, fetcher: Fetcher) -> None:
    """A 5xx is tried again, a 4xx is not, and with a cacheTTL the last good answer stands in for a failure."""
    adapter.says("/a", "bad", 503)
    adapter.says("/a", "5")
    assert "5" == await result_of("x [type=bridge name=a retries=1 minBackoff=1ms]", fetcher)

    adapter.says("/b", "bad", 400)
    adapter.says("/b", "5")
    with pytest.raises(TaskError, match="400"):
        await result_of("x [type=bridge name=b retries=1 minBackoff=1ms]", fetcher)

    adapter.says("/c", "7")
    adapter.says("/c", "bad", 500)
    assert "7" == await result_of("x [type=bridge name=c cacheTTL=60s]", fetcher)
    assert "7" == await result_of("x [type=bridge name=c cacheTTL=60s]", fetcher)


async def test_http(adapter: Adapter, fetcher: Fetcher) -> None:
    """A literal URL may be anywhere; a computed one must not lead into this network unless it is allowed to."""
    url = f"http://127.0.0.1:{adapter.port}/p?x=1"
    adapter.says("/p", "9", 201)

    assert "9" == await result_of(f'x [type=http method=POST url="{url}" requestData="{{}}"]', fetcher)
    with pytest.raises(TaskError, match="local/private"):
        await result_of('x [type=http url="$(jobRun.url)"]', fetcher, jobRun={"url": url})
    allowed = 'x [type=http url="$(jobRun.url)" allowUnrestrictedNetworkAccess=true]'
    assert "9" == await result_of(allowed, fetcher, jobRun={"url": url})
    adapter.says("/p", "gone", 410)
    assert "9" == await result_of(f'x [type=http url="{url}"]', fetcher)
    with pytest.raises(TaskError, match="410"):
        await result_of(f'x [type=http url="{url}"]', fetcher)


async def test_variables_in_request_data(adapter: Adapter, fetcher: Fetcher) -> None:
    """Unquoted expressions become JSON values with all their digits, quoted ones stay text."""
    adapter.says("/a", "1.10")
    adapter.says("/b", "2")
    source = """
        a [type=bridge name=a] p [type=jsonparse] b [type=bridge name=b requestData=<{"v": $(p), "t": "$(p)"}>]
        a -> p
    """

    assert "2" == await result_of(source, fetcher)
    assert '{"t":"$(p)","v":1.10}' == adapter.received[1][2]
