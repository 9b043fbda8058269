"""Pushing to a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshkit.clock import ManualClock, SystemClock
from meshkit.configuration.aggregator import MetricsPush
from meshkit.push.config import PushConfig, read
from meshkit.push.errors import PushRefused
from meshkit.push.page import Page
from meshkit.push.pusher import LONGEST_SILENCE_MS, Pusher
from tests.receiver import Receiver, self_signed


class NoWait(SystemClock):
    """A clock on which waits are over at once; it keeps what was waited for."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Remember the wait."""
        self.waits_s.append(seconds)
        await asyncio.sleep(0)


def config(url: str, **changes: object) -> PushConfig:
    """Return a push configuration."""
    fields: dict[str, object] = {
        "url": url,
        "interval_ms": 1000,
        "timeout_ms": 5000,
        "labels": {"job": "j", "ttl": "60"},
        "ttl": "60",
    }
    return PushConfig(**(fields | changes))  # type: ignore[arg-type]  # the fields are of mixed types


async def render() -> Sequence[Page]:
    """Measure two gauges."""
    return [Page(b"# HELP g G.\n# TYPE g gauge\ng 5\nh 6\n")]


@asynccontextmanager
async def served(receiver: Receiver) -> AsyncIterator[str]:
    """Serve the receiver and give its address."""
    async with TestServer(receiver.app()) as server:
        yield str(server.make_url("/push"))


async def test_push_is_one_authenticated_put_of_text() -> None:
    """A push is a PUT in the text format with credentials, headers, the ttl parameter and the grouping labels."""
    receiver = Receiver()
    async with served(receiver) as url:
        changed = config(url, username="user", password="pässword", headers={"X-Scope": "tenant"})
        async with Pusher(changed, render, NoWait()) as pusher:
            sent = await pusher.push()

    (push,) = receiver.received
    assert (sent, push.method, push.query) == (2, "PUT", {"ttl": "60"})
    assert (push.authorization, push.headers["X-Scope"]) == (("user", "pässword"), "tenant")
    assert push.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert push.body == '# HELP g G.\n# TYPE g gauge\ng{job="j",ttl="60"} 5\nh{job="j",ttl="60"} 6\n'


async def test_importers_get_a_post_without_ttl() -> None:
    """The method is the configured one, a query of the address stays, and without a ttl there is none in the query."""
    receiver = Receiver()
    async with served(receiver) as url:
        changed = config(f"{url}?extra_label=a%3Db", method="POST", ttl=None)
        async with Pusher(changed, render, NoWait()) as pusher:
            await pusher.push()

    (push,) = receiver.received
    assert (push.method, push.query) == ("POST", {"extra_label": "a=b"})


async def test_fault_of_the_receiver_is_retried() -> None:
    """A fault is tried again with growing waits until the push is taken."""
    receiver, clock = Receiver(statuses=[503, 500]), NoWait()
    async with served(receiver) as url, Pusher(config(url), render, clock) as pusher:
        await pusher.push()

        assert (len(receiver.received), pusher.failures, pusher.last_success_ms > 0) == (3, 0, True)
    assert [0.2 <= clock.waits_s[0] <= 0.4, 0.4 <= clock.waits_s[1] <= 0.6] == [True, True]


@pytest.mark.parametrize("status", [400, 401, 302])
async def test_refusal_is_not_retried(status: int) -> None:
    """An answer that a repeat cannot change is given up at once; redirects are not followed."""
    receiver = Receiver(statuses=[status])
    async with served(receiver) as url, Pusher(config(url), render, NoWait()) as pusher:
        with pytest.raises(PushRefused) as caught:
            await pusher.push()

        assert (caught.value.answered, len(receiver.received), pusher.failures) == (status, 1, 1)


async def test_failure_after_all_retries_is_counted_once() -> None:
    """Three failed attempts are one failed push."""
    receiver = Receiver(statuses=[500] * 3)
    async with served(receiver) as url, Pusher(config(url), render, NoWait()) as pusher:
        with pytest.raises(PushRefused):
            await pusher.push()

        assert (len(receiver.received), pusher.failures, pusher.last_success_ms) == (3, 1, 0)


async def test_no_receiver_is_a_refusal_without_status() -> None:
    """A connection that is refused is an error with status 0."""
    async with served(Receiver()) as url:
        gone = url
    async with Pusher(config(gone), render, NoWait()) as pusher:
        with pytest.raises(PushRefused) as caught:
            await pusher.push()

    assert caught.value.answered == 0


async def test_silent_receiver_is_given_up_after_the_timeout() -> None:
    """A receiver that never answers costs at most the timeout an attempt."""
    receiver = Receiver(hold=asyncio.Event())
    async with served(receiver) as url, Pusher(config(url, timeout_ms=100), render, NoWait()) as pusher:
        with pytest.raises(PushRefused):
            await pusher.push()
        assert receiver.hold is not None
        receiver.hold.set()

    assert len(receiver.received) == 3


async def test_pushes_never_overlap() -> None:
    """Pushes asked for at once reach the receiver one after another."""
    receiver = Receiver(hold=asyncio.Event())
    async with served(receiver) as url, Pusher(config(url), render, NoWait()) as pusher:
        asked = [asyncio.create_task(pusher.push()) for _ in range(5)]
        await asyncio.wait_for(receiver.arrived.wait(), 10)
        assert receiver.hold is not None
        receiver.hold.set()
        await asyncio.gather(*asked)

    assert (receiver.most_under_way, len(receiver.received)) == (1, 5)


async def test_untrusted_certificate_is_refused(tls_receiver: str) -> None:
    """A receiver whose certificate nobody vouches for gets nothing."""
    async with Pusher(config(tls_receiver), render, NoWait()) as pusher:
        with pytest.raises(PushRefused, match=r"(?i)certificate"):
            await pusher.push()


async def test_loop_goes_on_after_failures() -> None:
    """The loop pushes once an interval and a failed push does not end it."""
    receiver, clock = Receiver(statuses=[400]), ManualClock(10_000)
    async with served(receiver) as url, Pusher(config(url), render, clock) as pusher:
        loop = asyncio.create_task(pusher.run())
        for pushes in (1, 2, 3):
            await asyncio.wait_for(receiver.arrived.wait(), 10)
            receiver.arrived.clear()

            assert len(receiver.received) == pushes
            await _asleep(clock)
            clock.advance(1)
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop

    assert (pusher.failures, pusher.last_success_ms) == (1, 12_000)


async def _asleep(clock: ManualClock) -> None:
    """Wait until the loop waits on the clock."""
    async with asyncio.timeout(10):
        while not clock._sleepers:  # noqa: ASYNC110  # the clock has no event for this
            await asyncio.sleep(0)


@pytest.fixture(name="tls_receiver")
async def _tls_receiver(tmp_path: Path) -> AsyncIterator[str]:
    """Serve with a self-signed certificate."""
    runner = web.AppRunner(Receiver().app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path)).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}/push"
    await runner.cleanup()


def section(**given: object) -> MetricsPush:
    """Return a section of the configuration that asks for a push."""
    return MetricsPush.model_validate({"enabled": True, "url": "https://metrics.example/push"} | given)


@pytest.mark.parametrize(
    ("url", "egress"),
    [("http://metrics.example/p", None), ("https://metrics.example/p", {"other.example"}), ("http://10.0.0.1/", None)],
)
async def test_nothing_leaves_in_clear_or_to_another_host(url: str, egress: set[str] | None) -> None:
    """A push by http to another host, or to a host that is not on the list, is refused before a byte is sent."""
    push = read(section(url=url), "x", "PUT", egress=egress)
    assert push is not None
    async with Pusher(push, render, NoWait()) as pusher:
        with pytest.raises(PushRefused, match=r"only https and wss|not among the hosts"):
            await pusher.push()


class PassingClock(NoWait):
    """A clock on which waits are over at once, and have taken their time, until it stands still at a moment."""

    def __init__(self, stands_at_s: float = float("inf")) -> None:
        super().__init__()
        self.passed_s = 0.0
        self.stands = asyncio.Event()
        self._stands_at_s = stands_at_s

    def monotonic(self) -> float:
        """Return the time that was waited."""
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        await super().sleep(seconds)
        if self.passed_s + seconds > self._stands_at_s:
            self.stands.set()
            await asyncio.Event().wait()
        self.passed_s += seconds


async def pushes_within(receiver: Receiver, seconds: float) -> int:
    """Return how many requests reached a receiver in so many seconds of pushing."""
    clock = PassingClock(seconds)
    async with served(receiver) as url, Pusher(config(url), render, clock) as pusher:
        task = asyncio.create_task(pusher.run())
        await clock.stands.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return len(receiver.received)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "Thu, 01 Jan 1970 00:00:01 GMT"}])
async def test_too_many_requests_is_no_reason_for_more(headers: dict[str, str]) -> None:
    """A receiver that wants less gets less: a request now and then, also if it asks for no time at all."""
    receiver = Receiver(statuses=[429] * 1_000, answer_headers=headers)

    assert 6 >= await pushes_within(receiver, 120)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_the_receiver_asks_for_is_kept(status: int) -> None:
    """Nothing is sent before it is over, by the schedule or by hand, and afterwards everything is as before."""
    receiver, clock = Receiver(statuses=[status], answer_headers={"Retry-After": "30"}), PassingClock()
    async with served(receiver) as url, Pusher(config(url), render, clock) as pusher:
        for _ in range(5):
            with pytest.raises(PushRefused):
                await pusher.push()
        assert (1, 1) == (len(receiver.received), pusher.failures)
        clock.passed_s += 31

        assert 2 == await pusher.push()


async def test_no_wait_is_for_ever() -> None:
    """A receiver that asks for a year is asked again after ten minutes."""
    receiver = Receiver(statuses=[429], answer_headers={"Retry-After": "31536000"})

    assert 2 <= await pushes_within(receiver, LONGEST_SILENCE_MS / 1000 + 5)


async def test_a_push_is_sent_in_parts_of_so_many_samples() -> None:
    """Each part says again what its first metric is; a part that fails is tried again by itself."""
    receiver = Receiver(statuses=[204, 500])
    text = b"# HELP a A.\n# TYPE a gauge\na 1\na 2\na 3\n# TYPE b gauge\nb 1\n"

    async def three() -> Sequence[Page]:
        return [Page(text)]

    async with (
        served(receiver) as url,
        Pusher(config(url, method="POST", batch_size=2, labels={}), three, NoWait()) as pusher,
    ):
        sent = await pusher.push()

    first = "# HELP a A.\n# TYPE a gauge\na 1\na 2\n"
    second = "# HELP a A.\n# TYPE a gauge\na 3\n# TYPE b gauge\nb 1\n"
    assert (4, [first, second, second]) == (sent, [push.body for push in receiver.received])


async def test_what_fits_is_one_request() -> None:
    """Exactly as many samples as a part may have, and none at all."""
    for text in (b"# TYPE a gauge\na 1\na 2\n", b""):
        receiver = Receiver()

        async def rendered(text: bytes = text) -> Sequence[Page]:
            return [Page(text)]

        changed = {"method": "POST", "batch_size": 2, "labels": {}}
        async with served(receiver) as url, Pusher(config(url, **changed), rendered, NoWait()) as pusher:
            await pusher.push()
        assert [text.decode()] * bool(text) == [push.body for push in receiver.received]


async def test_what_one_page_spoils_is_taken_back_all_the_same() -> None:
    """A gateway that refuses the last push of one page, and to forget one group, is asked to forget the others."""
    asked: list[tuple[str, str]] = []

    async def gateway(request: web.Request) -> web.Response:
        kind = request.path.rpartition("/")[2]
        asked.append((request.method, kind))
        is_last = len(asked) > 3
        bad = is_last and (request.method, kind) in (("PUT", "one"), ("DELETE", "two"))
        return web.Response(status=400 if bad else 200)

    async def three() -> Sequence[Page]:
        return [Page(b"up 1\n", {"mesh_service": name}) for name in ("one", "two", "three")]

    app = web.Application()
    app.router.add_route("*", "/metrics/{group:.*}", gateway)
    async with TestServer(app) as server:
        receiver = config(str(server.make_url("/metrics")), kind="pushgateway", labels={"job": "j"})
        async with Pusher(receiver, three, NoWait()) as pusher:
            assert 3 == await pusher.push()
            await pusher.finish()

    assert [("DELETE", name) for name in ("one", "two", "three")] == asked[6:]


async def test_a_redirect_says_where_to() -> None:
    """A receiver that has moved gets nothing at its new place, and the log can say what that is."""
    receiver = Receiver(statuses=[307])
    async with served(receiver) as url, Pusher(config(url), render, NoWait()) as pusher:
        with pytest.raises(PushRefused) as caught:
            await pusher.push()

    assert "it moves us to '/push', which is not followed" == caught.value.detail
    assert 1 == len(receiver.received)
