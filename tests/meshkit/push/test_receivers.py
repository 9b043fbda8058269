"""Pushing to Pushgateway, VictoriaMetrics and Prometheus as Debian packages them: what arrives, and what goes wrong."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshkit.clock import SystemClock
from meshkit.configuration.aggregator import MetricsPush
from meshkit.push import config as push_config
from meshkit.push.config import PushConfig
from meshkit.push.errors import PushRefused
from meshkit.push.page import Page
from meshkit.push.pusher import Pusher
from tests import monitoring_programs
from tests.meshkit.push.conftest import PASSWORD
from tests.monitoring_programs import Server
from tests.waiting import until

IMPORT, WRITE = "/api/v1/import/prometheus", "/api/v1/write"
PROCESSES = b'# TYPE up_seconds counter\nup_seconds{pid="1"} 5\nup_seconds{pid="2"} 6\n'
HISTOGRAM = b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'


class NoWait(SystemClock):
    """A clock on which the waits between two attempts are over at once."""

    async def sleep(self, seconds: float) -> None:
        """Let others go on."""
        await asyncio.sleep(0)


class Quick(SystemClock):
    """A clock on which waits take a third of their time."""

    async def sleep(self, seconds: float) -> None:
        """Wait a third."""
        await asyncio.sleep(seconds / 3)


class Pages:
    """What is pushed; tests change it."""

    def __init__(self, *pages: Page) -> None:
        self.pages = pages

    async def __call__(self) -> Sequence[Page]:
        """Return the pages."""
        return self.pages


def config(url: str, job: str, **given: Any) -> PushConfig:
    """Return the push of a section."""
    labels = {"instance": "here", **given.pop("groupingLabels", {})}
    section = MetricsPush.model_validate(
        {"enabled": True, "url": url, "jobName": job, "groupingLabels": labels, "timeoutMs": 10_000} | given
    )
    found = push_config.read(section, "solution.metricsPush", "PUT", ttl_s=60)
    assert found is not None
    return found


async def asked(url: str, **query: str) -> Any:
    """Return what an API answers."""
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as response:
        return await response.json()


async def found(server: Server, job: str, metric: str = "up_seconds") -> dict[str, float]:
    """Return the values that a database has now, by pid."""
    answer = await asked(f"{server.url}/api/v1/query", query=f'{metric}{{job="{job}"}}')
    return {row["metric"].get("pid", ""): float(row["value"][1]) for row in answer["data"]["result"]}


async def groups(server: Server) -> dict[str, dict[str, Any]]:
    """Return the groups that a gateway has, by job."""
    answer = await asked(f"{server.url}/api/v1/metrics")
    return {each["labels"]["job"]: each for each in answer["data"]}


@pytest.mark.parametrize("given", [{"gzip": True}, {"gzip": False}])
async def test_victoria_metrics_imports(victoria: Server, given: dict[str, Any]) -> None:
    """By PUT, compressed or not, all samples of all pages come with all labels, and the count says so."""
    job = f"import-{given['gzip']}"
    pages = Pages(Page(PROCESSES), Page(HISTOGRAM, {"mesh_service": "chainlink-node-2"}))
    async with Pusher(config(victoria.url + IMPORT, job, **given), pages, SystemClock()) as pusher:
        assert 6 == await pusher.push()
        assert 0 == await pusher.check()

    assert {"1": 5, "2": 6} == await found(victoria, job)
    rows = await asked(f"{victoria.url}/api/v1/series", **{"match[]": f'h_sum{{job="{job}"}}'})
    labels = {"__name__": "h_sum", "job": job, "instance": "here", "ttl": "60", "mesh_service": "chainlink-node-2"}
    assert [labels] == rows["data"]


async def test_remote_write_to_prometheus(prometheus: Server) -> None:
    """All samples come; a process that is gone vanishes at once, and at a clean end all do."""
    pages = Pages(Page(PROCESSES))
    async with Pusher(config(prometheus.url + WRITE, "written"), pages, SystemClock()) as pusher:
        assert 2 == await pusher.push()
        assert 0 == await pusher.check()
        assert {"1": 5, "2": 6} == await found(prometheus, "written")
        pages.pages = (Page(b'up_seconds{pid="2"} 7\n'),)
        await pusher.push()
        await until(lambda: _is(found(prometheus, "written"), {"2": 7.0}), "the process that is gone to vanish")
        await pusher.finish()

    await until(lambda: _is(found(prometheus, "written"), {}), "all to vanish")


async def _is(answer: Any, wanted: object) -> bool:
    return bool(await answer == wanted)


async def test_remote_write_to_victoria_metrics(victoria: Server) -> None:
    """The same bytes are read there, and counted."""
    async with Pusher(config(victoria.url + WRITE, "vm-written"), Pages(Page(PROCESSES)), SystemClock()) as pusher:
        await pusher.push()
        assert 0 == await pusher.check()

    assert {"1": 5, "2": 6} == await found(victoria, "vm-written")


async def test_a_push_replaces_its_group_at_the_gateway(gateway: Server) -> None:
    """Each page is a group, odd labels in its address; a process that is gone leaves, a page that is gone its group."""
    labels = {"site": "a/b", "zone": "", "rack": "1+1"}
    pages = Pages(Page(PROCESSES), Page(HISTOGRAM, {"mesh_service": "node"}))
    wanted = config(gateway.url, "grouped", groupingLabels=labels, receiver="pushgateway")
    async with Pusher(wanted, pages, SystemClock()) as pusher:
        assert 6 == await pusher.push()
        assert 0 == await pusher.check()
        answer = await asked(f"{gateway.url}/api/v1/metrics")
        ours = [each["labels"] for each in answer["data"] if each["labels"]["job"] == "grouped"]
        own = {"job": "grouped", "instance": "here", "ttl": "60", **labels}
        assert [own, own | {"mesh_service": "node"}] == sorted(ours, key=len)

        pages.pages = (Page(b'up_seconds{pid="2"} 7\n'), Page(None, {"mesh_service": "node"}))
        await pusher.push()
        (group,) = [each for each in (await asked(f"{gateway.url}/api/v1/metrics"))["data"] if each["labels"] == own]
        assert ["2"] == [row["labels"]["pid"] for row in group["up_seconds"]["metrics"]]
        assert [own] == [
            each["labels"]
            for each in (await asked(f"{gateway.url}/api/v1/metrics"))["data"]
            if each["labels"]["job"] == "grouped"
        ]
        await pusher.finish()

    assert "grouped" not in await groups(gateway)


async def test_a_label_of_the_samples_own_is_not_replaced_by_the_gateway(gateway: Server) -> None:
    """A grouping label that samples have themselves goes into the lines, else two series would become one."""
    page = b'restarts{service="a"} 1\nrestarts{service="b"} 2\nlimit 3\n'
    wanted = config(gateway.url + "/metrics", "own", groupingLabels={"service": "mesh"}, receiver="pushgateway")
    async with Pusher(wanted, Pages(Page(page)), SystemClock()) as pusher:
        assert 3 == await pusher.push()

    group = (await groups(gateway))["own"]
    assert {("a", "1"), ("b", "2")} == {
        (row["labels"]["service"], row["value"]) for row in group["restarts"]["metrics"]
    }
    assert ["mesh"] == [row["labels"]["service"] for row in group["limit"]["metrics"]]


async def test_a_page_that_the_gateway_refuses_keeps_back_no_other(gateway: Server) -> None:
    """The push is a failure that says why, and the other pages are there."""
    pages = Pages(Page(b"twice 1\ntwice 2\n", {"mesh_service": "bad"}), Page(PROCESSES, {"mesh_service": "good"}))
    async with Pusher(config(f"{gateway.url}/metrics/job/some", "x"), pages, SystemClock()) as pusher:
        with pytest.raises(PushRefused) as caught:
            await pusher.push()

    assert (400, 1) == (caught.value.answered, pusher.failures)
    assert "twice" in caught.value.detail
    answer = await asked(f"{gateway.url}/api/v1/metrics")
    held = {each["labels"]["mesh_service"]: each for each in answer["data"] if each["labels"]["job"] == "some"}
    assert "up_seconds" in held["good"]
    assert "twice" not in held.get("bad", {})


async def test_lines_that_were_dropped_are_found_out(victoria: Server) -> None:
    """VictoriaMetrics answers 204 to a series with too many labels, and cuts it; the count tells what is not there."""
    many = ",".join(f'l{index:02}="x"' for index in range(30))
    page = f'up_seconds{{{many},z="1"}} 1\nup_seconds{{{many},z="2"}} 2\nother 1\n'.encode()
    async with Pusher(config(victoria.url + IMPORT, "dropped"), Pages(Page(page)), Quick()) as pusher:
        assert 3 == await pusher.push()
        lost = await pusher.check()

    assert lost
    assert pusher.lost == lost


@pytest.mark.parametrize("kind", ["closed_victoria", "closed_gateway"])
async def test_tls_of_a_private_authority_and_a_password(
    kind: str, request: pytest.FixtureRequest, certificates: Path
) -> None:
    """With the authority's file and the right password all comes; without either nothing does, and it says why."""
    server: Server = request.getfixturevalue(kind)
    url = server.url + (IMPORT if kind == "closed_victoria" else "/metrics/job/closed")
    trusted = {"caFile": str(certificates / "ca.crt")}
    login = {"basicAuth": {"username": "user", "password": PASSWORD}}
    pages = Pages(Page(PROCESSES))
    async with Pusher(config(url, "closed", **trusted, **login), pages, SystemClock()) as pusher:
        assert 2 == await pusher.push()
        assert 0 == await pusher.check()

    wrong = {"basicAuth": {"username": "user", "password": "wrong-password"}}
    async with Pusher(config(url, "closed", **trusted, **wrong), pages, NoWait()) as pusher:
        with pytest.raises(PushRefused) as caught:
            await pusher.push()
    assert 401 == caught.value.answered

    async with Pusher(config(url, "closed", **login), pages, NoWait()) as pusher:
        with pytest.raises(PushRefused, match=r"(?i)certificate"):
            await pusher.push()


async def test_a_receiver_that_was_away_or_slow_gets_the_next_push(tmp_path: Path) -> None:
    """While it hangs a push costs its timeout, while it is dead it costs nothing, and afterwards all is as before."""
    server = monitoring_programs.victoria_metrics(tmp_path)
    server.start()
    try:
        wanted = config(server.url + IMPORT, "away", timeoutMs=300)
        async with Pusher(wanted, Pages(Page(PROCESSES)), NoWait()) as pusher:
            await pusher.push()
            server.hold()
            with pytest.raises(PushRefused):
                await pusher.push()
            server.release()
            await until(lambda: _pushes(pusher), "a push to be taken after the silence")
            server.stop()
            with pytest.raises(PushRefused):
                await pusher.push()
            server.start()
            await until(lambda: _pushes(pusher), "a push to be taken after the restart")

            assert (3, 0) <= (pusher.successes, pusher.lost or 0)
            assert pusher.failures >= 2
    finally:
        server.stop()


async def _pushes(pusher: Pusher) -> bool:
    try:
        await pusher.push()
    except PushRefused:
        return False
    return True


async def test_a_full_receiver_is_a_failure(tmp_path: Path) -> None:
    """One whose disk is full says so; nothing counts as pushed."""
    server = monitoring_programs.victoria_metrics(tmp_path, "-storage.minFreeDiskSpaceBytes=1e15")
    server.start()
    try:
        async with Pusher(config(server.url + IMPORT, "full"), Pages(Page(PROCESSES)), NoWait()) as pusher:
            with pytest.raises(PushRefused) as caught:
                await pusher.push()
    finally:
        server.stop()

    assert (0, 1) == (pusher.successes, pusher.failures)
    assert caught.value.answered >= 400
