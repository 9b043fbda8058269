"""The bridge task against a real HTTP server."""

import json

import aiohttp
import pytest

from meshkit.clock import ManualClock
from services.oracle.pipeline.errors import RunError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.run import observation
from tests.oracle.pipeline.adapter import Adapter, result_of, results_of

FEED = """
    ask [type=bridge name=a requestData="{\\"data\\":{\\"pair\\":\\"BTC/USD\\"}}"];
    parse [type=jsonparse path="data,result"]; scale [type=multiply times=100000000];
    ask -> parse -> scale;
"""
CACHED = 'x [type=bridge name=a cacheTTL="60s"]'


async def test_the_bridge_request(adapter: Adapter, fetcher: Fetcher) -> None:
    """A bridge gets the request data and the run's meta as compact JSON, and none of aiohttp's own headers."""
    adapter.says("/a", {"data": {"result": "65123.45678"}})
    meta = {"latestAnswer": 10**30, "updatedAt": 1755520000}
    value = observation(Pipeline.parse(FEED), await results_of(FEED, fetcher, jobRun={"meta": meta}))

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
        (500, "broken", r"status code 500\) "),
        (404, {"error": "unknown pair"}, r"status code 404\) unknown pair"),
        (400, {"errorMessage": "bad"}, r"status code 400\) bad"),
        (400, {"other": "bad"}, r'status code 400\) {"other": "bad"}'),
        (200, {"statusCode": 500, "error": {"name": "A", "message": "b"}}, "A: b"),
        (200, {"statusCode": 200, "error": {"name": "A", "message": "b"}}, "A: b"),
        (200, {"statusCode": 200, "providerStatusCode": 503}, "parse: EOF"),
        (200, {"statusCode": 429}, "parse: EOF"),
        (200, {"statusCode": 200, "error": "text"}, "parse: EOF"),
        (201, {"data": {"result": "1"}}, "parse: EOF"),
        (200, "", "parse: EOF"),
        (200, "not json", "parse: invalid character 'o' in literal null"),
        (200, {"data": {}}, "could not resolve path"),
        (200, {"data": {"result": None}}, "type <nil> cannot be converted"),
        (200, {"data": {"result": True}}, "type bool cannot be converted"),
        (200, {"data": {"result": "x" * 5000}}, "parse: unexpected EOF"),
    ],
)
async def test_failures_of_an_adapter(
    adapter: Adapter, fetcher: Fetcher, status: int, body: object, error: str
) -> None:
    """Every failure an adapter can answer ends the run without a value, with the reason in its words."""
    adapter.says("/a", body, status)
    results = await results_of(FEED, fetcher)

    with pytest.raises(RunError, match=error):
        observation(Pipeline.parse(FEED), results)


async def test_only_the_first_json_value_counts(adapter: Adapter, fetcher: Fetcher) -> None:
    """What is cut off behind a complete first value does no harm."""
    adapter.says("/a", '{"data":{"result":7}}' + " " * 5000 + "garbage")

    assert 700000000 == await result_of(FEED, fetcher)


async def test_unreachable_and_slow_adapters(adapter: Adapter, fetcher: Fetcher) -> None:
    """A dead adapter, an unknown bridge and a slow answer are errors; the wait is the task's limit or the run's."""
    adapter.says("/b", "{}", hangs=True)

    refused = 'error making http request: Post "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused'
    with pytest.raises(TaskError, match=refused):
        await result_of("x [type=bridge name=dead]", fetcher)
    with pytest.raises(TaskError, match="could not find bridge with name 'A'"):
        await result_of("x [type=bridge name=A]", fetcher)
    with pytest.raises(TaskError, match="http request timed out or interrupted"):
        await result_of('x [type=bridge name=b timeout="50ms"]', fetcher, timeout_s=100)
    with pytest.raises(TaskError, match="http request timed out or interrupted"):
        await result_of("x [type=bridge name=b]", fetcher, timeout_s=0.05)


async def test_no_timeout_of_its_own(adapter: Adapter, fetcher: Fetcher) -> None:
    """A timeout of 0 switches the node's default off, not the run's limit."""
    adapter.says("/b", "{}", hangs=True)
    fetcher.default_timeout_s = 1000.0

    with pytest.raises(TaskError, match="timed out"):
        await result_of('x [type=bridge name=b timeout="0s"]', fetcher, timeout_s=0.05)


async def test_retries(adapter: Adapter, fetcher: Fetcher) -> None:
    """A 5xx and a dead adapter are tried again, a 4xx is not; no retry begins that the run could not wait for."""
    adapter.says("/a", "bad", 503)
    adapter.says("/a", "5")
    assert "5" == await result_of('x [type=bridge name=a retries=1 minBackoff="1ms"]', fetcher)

    adapter.says("/b", "bad", 400)
    adapter.says("/b", "5")
    with pytest.raises(TaskError, match="400"):
        await result_of('x [type=bridge name=b retries=1 minBackoff="1ms"]', fetcher)

    adapter.says("/c", "bad", 503)
    adapter.says("/c", "5")
    with pytest.raises(TaskError, match="503"):
        await result_of("x [type=bridge name=c retries=1]", fetcher, timeout_s=4)
    assert ["/a", "/a", "/b", "/c"] == [path for path, _, _ in adapter.received]


@pytest.mark.parametrize("failure", ["status", "silence", "time", "words", "dead"])
async def test_the_last_good_answer_stands_in(adapter: Adapter, fetcher: Fetcher, failure: str) -> None:
    """With a cacheTTL the last good answer is used after every kind of failure, as long as it is not older."""
    clock = ManualClock(1_755_520_000_000)
    answers = LastAnswers(clock)
    adapter.says("/a", "7")
    assert "7" == await result_of(CACHED, fetcher, last_answers=answers)

    adapter.answers.clear()
    if failure == "time":
        adapter.says("/a", "8", hangs=True)
    elif failure == "dead":
        fetcher = _fetcher_to(fetcher, "http://127.0.0.1:1/")
    else:
        bad = {"words": {"statusCode": 500, "error": {"name": "A", "message": "b"}}, "silence": {"statusCode": 429}}
        adapter.says("/a", bad.get(failure, "bad"), 500 if failure == "status" else 200)
    clock.advance(60)
    assert "7" == await result_of(CACHED, fetcher, last_answers=answers, timeout_s=0.3)
    clock.advance(0.002)
    if failure == "silence":
        assert await result_of(CACHED, fetcher, last_answers=answers, timeout_s=0.3) is None
    else:
        with pytest.raises(TaskError):
            await result_of(CACHED, fetcher, last_answers=answers, timeout_s=0.3)


def _fetcher_to(fetcher: Fetcher, url: str) -> Fetcher:
    return Fetcher(fetcher._session, lambda _: url, default_timeout_s=5.0, max_bytes=100)


async def test_an_answer_after_the_limit_goes_on(adapter: Adapter, fetcher: Fetcher) -> None:
    """What stands in for an answer that did not come in time is still parsed and reported."""
    answers = LastAnswers(ManualClock())
    source = CACHED + "; m [type=multiply times=2]; x -> m"
    adapter.says("/a", "21")
    adapter.says("/a", "99", hangs=True)

    for _ in range(2):
        assert 42 == await result_of(source, fetcher, last_answers=answers, timeout_s=0.3)


async def test_an_answer_belongs_to_its_job(adapter: Adapter, fetcher: Fetcher) -> None:
    """Two jobs on one bridge, asking alike, never get each other's last answers."""
    bitcoin, ether = LastAnswers(ManualClock()), LastAnswers(ManualClock())
    adapter.says("/a", "64000")
    adapter.says("/a", "3400")
    adapter.says("/a", "down", 500)

    assert "64000" == await result_of(CACHED, fetcher, last_answers=bitcoin)
    assert "3400" == await result_of(CACHED, fetcher, last_answers=ether)
    assert "64000" == await result_of(CACHED, fetcher, last_answers=bitcoin)
    assert "3400" == await result_of(CACHED, fetcher, last_answers=ether)


async def test_an_answer_belongs_to_its_task(adapter: Adapter, fetcher: Fetcher) -> None:
    """Two tasks of one job on one bridge never get each other's last answers."""
    answers = LastAnswers(ManualClock())
    source = 'x [type=bridge name=a cacheTTL="60s"]; y [type=bridge name=a cacheTTL="60s" index=1]; x -> y'
    for body, status in (("1", 200), ("2", 200), ("down", 500)):
        adapter.says("/a", body, status)

    for _ in range(2):
        results = await results_of(source, fetcher, last_answers=answers)
        assert ("1", "2") == (results["x"], results["y"])


async def test_an_answer_belongs_to_its_input(adapter: Adapter, fetcher: Fetcher) -> None:
    """The answer to one input does not stand in for that to another; the run's meta makes no difference."""
    answers = LastAnswers(ManualClock())
    adapter.says("/a", "7")
    adapter.says("/a", "down", 500)
    source = """
        coin [type=lookup key=coin]; all [type=merge left="$(jobRun.asked)" right=<{}>]; all -> coin;
        x [type=bridge name=a includeInputAtKey=coin cacheTTL="60s"]; coin -> x
    """

    def asked(coin: str, latest: int) -> dict[str, object]:
        return {"asked": {"coin": coin}, "meta": {"latestAnswer": latest}}

    assert "7" == await result_of(source, fetcher, last_answers=answers, jobRun=asked("BTC", 1))
    assert "7" == await result_of(source, fetcher, last_answers=answers, jobRun=asked("BTC", 2))
    with pytest.raises(TaskError, match="500"):
        await result_of(source, fetcher, last_answers=answers, jobRun=asked("ETH", 2))
    sent = [json.loads(body) for _, _, body in adapter.received]
    assert {"coin": "BTC", "meta": {"latestAnswer": 1}} == sent[0]
    assert ["BTC", "BTC", "ETH"] == [request["coin"] for request in sent]


async def test_no_answer_stands_in_unless_it_may(adapter: Adapter, fetcher: Fetcher) -> None:
    """Without a cacheTTL nothing is kept; the node's own setting counts where the task says nothing."""
    answers = LastAnswers(ManualClock())
    for body, status in (("7", 200), ("down", 500)):
        adapter.says("/a", body, status)
    plain = "x [type=bridge name=a]"
    assert "7" == await result_of(plain, fetcher, last_answers=answers)
    with pytest.raises(TaskError):
        await result_of(plain, fetcher, last_answers=answers)

    adapter.answers.clear()
    for body, status in (("8", 200), ("down", 500)):
        adapter.says("/a", body, status)
    fetcher.bridge_cache_ttl_s = 60.0
    assert "8" == await result_of(plain, fetcher, last_answers=answers)
    assert "8" == await result_of(plain, fetcher, last_answers=answers)
    with pytest.raises(TaskError, match="500"):
        await result_of('x [type=bridge name=a cacheTTL="0s"]', fetcher, last_answers=answers)


async def test_bad_attributes(adapter: Adapter, fetcher: Fetcher) -> None:
    """What an attribute may not be is told when the task runs, by its name."""
    for attributes, error in (
        ("", "name: parameter is empty"),
        ("name=a requestData=<[1]>", r"requestData: expected map, got \[\]interface {}"),
        ("name=a requestData=oops", "requestData: while unmarshalling JSON"),
        ('name=a headers=<["X"]>', "headers must have an even number of elements"),
        ("name=a headers=<[1,2]>", "reqHeaders: expected string, got int64"),
        ('name=a cacheTTL="٣s"', "cacheTTL: time: invalid duration"),
    ):
        with pytest.raises(TaskError, match=error):
            await result_of(f"x [type=bridge {attributes}]", fetcher)
    assert [] == adapter.received


async def test_variables_in_request_data(adapter: Adapter, fetcher: Fetcher) -> None:
    """Expressions become JSON values; within a text there is none, as with the node."""
    adapter.says("/a", "1.10")
    adapter.says("/b", "2")
    task = "a [type=bridge name=a] p [type=jsonparse] m [type=multiply times=2] a -> p -> m; "

    request = 'b [type=bridge name=b requestData=<{"v": $(p), "m": [$( m )]}> headers=<["X-A","1"]>] '
    assert "2" == (await results_of(task + request, fetcher))["b"]
    assert '{"m":["2.2"],"v":1.1}' == adapter.received[1][2]
    assert "1" == adapter.received[1][1]["X-A"]
    quoted = 'b [type=bridge name=b requestData=<{"t": "$(p)"}>]'
    with pytest.raises(TaskError, match="requestData: while unmarshalling JSON"):
        raise (await results_of(task + quoted, fetcher))["b"]


async def test_headers(adapter: Adapter) -> None:
    """A header of the task goes over the node's own."""
    adapter.says("/a", "1")
    async with aiohttp.ClientSession() as session:
        fetcher = Fetcher(session, lambda _: f"{adapter.url}/a", default_timeout_s=5, max_bytes=10)
        await result_of('x [type=bridge name=a headers="[\\"Content-Type\\", \\"text/x\\"]"]', fetcher)

    assert "text/x" == adapter.received[0][1]["Content-Type"]
