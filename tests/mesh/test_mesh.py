"""
One mesh, looked at from all sides: every part is the real process.

The tests run in this order against one mesh, since a start takes half a minute.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from meshkit.configuration.load import load
from meshkit.credentials import database_password
from meshkit.paths import RunDir
from tests.browser import browsing
from tests.mesh.browsed import LISTINGS, balances, balances_said, difference, first_change, opened, recovered, watch_row
from tests.mesh.monitoring.alerting import Alerting, alerting, hastened
from tests.mesh.monitoring.panels_filled import push_until, push_until_filled
from tests.mesh.outages import Moments, following, kill_leader, now_ms, recovers, without
from tests.mesh.running import Mesh, running, wait_until
from tests.monitoring_programs import victoria_metrics

pytestmark = [pytest.mark.long(120), pytest.mark.timeout(300)]

FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD")
KILLED = (
    "price-aggregator",
    "process-metrics",
    "operator",
    "dbinit",
    "market",
    "devchain",
    "postgres",
    "chainlink-node-1",
    "chainlink-node-2",
    "chainlink-node-3",
    "chainlink-node-4",
    "chainlink-node-5",
)
SOCKETS = {
    "supervisor": "feedmesh.supervisor.v1.SupervisorService/ListServices",
    "dbinit": "feedmesh.dbinit.v1.DatabaseService/ListDatabases",
    "aggregator": "feedmesh.aggregator.v1.QuoteService/ListSources",
    "metrics": "feedmesh.metrics.v1.ProcessMetricsService/GetSnapshot",
    "operator": "feedmesh.operator.v1.OperatorService/ListNodes",
    "chainlink-node-1": "feedmesh.oracle.v1.OracleService/GetStatus",
    "chainlink-node-2": "feedmesh.oracle.v1.OracleService/GetStatus",
}


@pytest.fixture(name="mesh", scope="module")
def _mesh() -> Iterator[Mesh]:
    with running() as mesh:
        mesh.first_rounds(FEEDS, 120)
        yield mesh


@pytest.fixture(name="moments", scope="module")
def _moments(mesh: Mesh) -> Iterator[Moments]:
    with following(mesh) as moments:
        yield moments


def wait_until_rounds(mesh: Mesh) -> None:
    """Wait until every feed has one more round."""
    counts = mesh.rounds()
    mesh.more_rounds({feed: counts.get(feed, 0) for feed in FEEDS}, 60)


def grpcurl(mesh: Mesh, socket: str, *arguments: str) -> str:
    """Call grpcurl without any proto file at hand."""
    program = Path(sys.executable).parent / "grpcurl"
    target = str(mesh.run_dir / f"{socket}.sock")
    done = subprocess.run(
        [str(program), "-plaintext", "-unix", "-authority", "localhost", target, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("socket", SOCKETS)
def test_grpcurl_lists_and_calls(mesh: Mesh, socket: str) -> None:
    """Every service can be listed and called over its Unix socket by reflection alone, and reports its health."""
    method = SOCKETS[socket]

    assert method.split("/")[0] in grpcurl(mesh, socket, "list").split()
    assert isinstance(json.loads(grpcurl(mesh, socket, method)), dict)
    assert json.loads(grpcurl(mesh, socket, "grpc.health.v1.Health/Check")) == {"status": "SERVING"}


def test_status_shows_every_service_healthy(mesh: Mesh) -> None:
    """`feedmesh status` lists the whole plan; longruns are healthy, oneshots completed."""
    listed = json.loads(mesh.command("status", "--wait", "40", "--json").stdout)["services"]
    states = {service["name"]: service["state"] for service in listed}

    expected = dict.fromkeys(KILLED, "healthy") | {"postgres-bootstrap": "completed", "postgres-init": "completed"}
    assert expected == states


def test_feeds_and_quote_agree(mesh: Mesh) -> None:
    """The on-chain answer of each feed is within 100 bps of what the aggregator says at this moment."""
    for name, feed in mesh.feeds().items():
        quote = json.loads(mesh.command("quote", name.replace(" / ", "/"), "--json").stdout)
        assert abs(float(feed["answer"]) / float(quote["price"]) - 1) < 0.01


async def test_every_panel_of_the_dashboards_has_data(mesh: Mesh, tmp_path: Path) -> None:
    """Pushed to a VictoriaMetrics, what the mesh says of itself answers every query of every panel."""
    server = victoria_metrics(tmp_path)
    server.start()
    try:
        path, run_dir = mesh.data_dir / "configuration.json", RunDir(mesh.run_dir)
        assert [] == await push_until_filled(path, run_dir, server.url, within_s=45)
    finally:
        server.stop()


@pytest_asyncio.fixture(name="browser", scope="class", loop_scope="class")
async def _browser() -> AsyncIterator[Browser]:
    async with browsing() as browser:
        yield browser


class TestPage:
    """What a browser sees of the mesh."""

    @pytest.mark.asyncio(loop_scope="class")
    async def test_it_shows_what_the_commands_say(self, browser: Browser, mesh: Mesh, tmp_path: Path) -> None:
        """Services with the verdict, feeds and sources are on the page as the commands say them; so is the money."""
        page, said = await opened(browser, mesh)
        found = {table: await difference(page, mesh, table) for table in LISTINGS}
        # Each transmission costs, so that what is seen in between is in between.
        before = await balances_said(mesh)
        between = await balances(page, no_more_than=before)
        after = await balances_said(mesh)
        await page.screenshot(path=tmp_path / "page.png", full_page=True)

        assert dict.fromkeys(LISTINGS, (set(), set())) == found
        assert list(before) == list(between)
        assert all(after[account] <= wei <= before[account] for account, wei in between.items())
        assert [] == said

    @pytest.mark.asyncio(loop_scope="class")
    async def test_it_explains_a_round_as_the_command_does(self, browser: Browser, mesh: Mesh) -> None:
        """The way of a round leads to the page of that round, which says what `feedmesh explain` says."""
        page, said = await opened(browser, mesh)
        way = page.locator('[data-table="feeds"] [data-key="BTC / USD"] a[href*="round="]')
        round_id = ((await way.get_attribute("href")) or "").rpartition("=")[2]
        await way.click()
        told = await page.locator("#explain-words").text_content()
        explained = await asyncio.to_thread(mesh.command, "explain", "BTC / USD", round_id, "--json")

        assert f"{json.loads(explained.stdout)['words']}." == told
        assert [] == said

    @pytest.mark.asyncio(loop_scope="class")
    async def test_it_tells_of_a_kill(self, browser: Browser, mesh: Mesh, capsys: pytest.CaptureFixture[str]) -> None:
        """A killed service's row changes by an event: nothing is loaded anew, and nobody asks for it."""
        page, said = await opened(browser, mesh)
        before = mesh.status()["market"]
        loaded = await watch_row(page, "services", "market")
        killed_ms = now_ms()
        os.kill(before["pid"], signal.SIGKILL)
        changed_ms, text, loaded_after = await first_change(page, without=f"healthy {before['pid']} ")
        with capsys.disabled():
            print(f"the page shows a kill after {changed_ms - killed_ms} ms: {text}")

        assert loaded == loaded_after
        assert killed_ms <= changed_ms
        await recovered(page, "market", before["restarts"] + 1)
        assert [] == said


def test_unknown_pair_is_refused(mesh: Mesh) -> None:
    """`feedmesh quote` of a pair nobody knows fails with one clear line."""
    done = mesh.command("quote", "NOSUCH/USD", check=False)

    assert done.returncode == 1
    assert "NOSUCH" in done.stderr


def test_logs_are_readable(mesh: Mesh) -> None:
    """`feedmesh logs` shows the lines of the service asked for: time, level, and its name before the message."""
    lines = mesh.command("logs", "operator", "-n", "5").stdout.splitlines()

    assert len(lines) == 5
    assert all("operator" in line.split()[1:3] for line in lines)
    assert not any("{" in line.split()[3] for line in lines)


def test_metrics_page_has_every_process(mesh: Mesh) -> None:
    """The metrics page names every longrun with its pid."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{3003 + mesh.offset}/metrics", timeout=10) as response:
        page = response.read().decode()

    for name, service in mesh.status().items():
        if service["pid"]:
            assert f'service="{name}"' in page
            assert f'pid="{service["pid"]}"' in page


async def test_databases_are_isolated(mesh: Mesh) -> None:
    """Node 3's role reaches its own database and is refused by node 2's."""
    solution = load(mesh.data_dir / "configuration.json").solution
    password = database_password(solution.pg_password.get_secret_value(), 3)

    async def current_user(database: str) -> object:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=solution.pg_port, user="chainlink_node_3", password=password, database=database
        )
        try:
            return await connection.fetchval("SELECT current_user")
        finally:
            await connection.close()

    assert "chainlink_node_3" == await current_user("chainlink_node_3")
    refused = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)
    with pytest.raises(refused, match="chainlink_node_2"):
        await current_user("chainlink_node_2")


def test_nothing_listens_beyond_this_host(mesh: Mesh) -> None:
    """Every TCP socket of the mesh is bound to loopback."""
    addresses = set()
    for process in psutil.Process(mesh.process.pid).children(recursive=True):
        # PostgreSQL's backends come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            listening = (item for item in process.net_connections("tcp") if item.status == psutil.CONN_LISTEN)
            addresses |= {item.laddr.ip for item in listening}

    assert {"127.0.0.1"} == addresses


@pytest.mark.parametrize("name", KILLED)
def test_killed_service_comes_back(mesh: Mesh, name: str) -> None:
    """After kill -9 a service is healthy again under another pid, and rounds of every feed go on."""
    before = mesh.status()[name]
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = mesh.status()[name]
        expected = ("healthy", before["restarts"] + 1, True)
        return expected == (now["state"], now["restarts"], now["pid"] != before["pid"])

    wait_until(f"{name} is healthy again", back, 30)
    wait_until_rounds(mesh)


async def test_feed_goes_on_without_one_oracle(mesh: Mesh, tmp_path: Path) -> None:
    """With one of four oracles stopped, rounds of every feed go on without it, and the alerts for it come and go."""
    path, run_dir = mesh.data_dir / "configuration.json", RunDir(mesh.run_dir)

    def down(alerts: Alerting) -> tuple[bool, bool]:
        return alerts.fires("QuorumAtEdge"), alerts.fires("TargetDown", mesh_service="chainlink-node-4")

    with alerting(tmp_path, hastened(times=120)) as alerts:
        mesh.command("stop", "chainlink-node-4")
        assert mesh.status()["chainlink-node-4"]["state"] == "stopped"
        wait_until_rounds(mesh)
        length = len(mesh.text())
        await push_until(path, run_dir, alerts.remote_write, lambda: (True, True) == down(alerts), 60)
        wait_until_rounds(mesh)
        later = [line for line in mesh.text()[length:].splitlines() if " answer " in line]
        mesh.command("start", "chainlink-node-4")
        await push_until(path, run_dir, alerts.remote_write, lambda: (False, False) == down(alerts), 60)

    assert later
    assert not any("node-4" in line for line in later)
    wait_until("node 4 is healthy", lambda: mesh.status()["chainlink-node-4"]["state"] == "healthy", 30)


def test_leader_killed_again_and_again(mesh: Mesh, moments: Moments) -> None:
    """Each time the leader of a feed is killed, rounds of every feed are back within two epochs."""
    for feed in FEEDS[:2]:
        recovers(moments, FEEDS, kill_leader(mesh, moments, feed))
    wait_until("all is healthy", lambda: set(_states(mesh, KILLED)) == {"healthy"}, 30)


def test_bootstrap_node_is_dead(mesh: Mesh, moments: Moments) -> None:
    """Oracles that have found each other need no bootstrap node."""
    mesh.command("stop", "chainlink-node-1")
    try:
        recovers(moments, FEEDS, now_ms())
    finally:
        mesh.command("start", "chainlink-node-1")


def test_chain_is_lost_for_a_while(mesh: Mesh, moments: Moments) -> None:
    """After an outage of the chain, rounds of every feed reach it within two epochs."""
    recovers(moments, FEEDS, without(mesh, "devchain", 5))
    wait_until_rounds(mesh)


def test_database_is_restarted(mesh: Mesh, moments: Moments) -> None:
    """After a restart of PostgreSQL, rounds of every feed go on within two epochs, and no node was restarted for it."""
    before = _pids(mesh)
    mesh.command("restart", "postgres")
    recovers(moments, FEEDS, now_ms())

    after = _pids(mesh)
    assert before.pop("postgres") != after.pop("postgres")
    assert before == after


def test_metrics_tell_of_the_rounds(mesh: Mesh) -> None:
    """Each oracle's page counts what it sent and what was included, knows epoch and leader, and times reports."""
    import urllib.request

    for index in range(2, 6):
        with urllib.request.urlopen(f"http://127.0.0.1:{6600 + index + mesh.offset}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        found = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}
        for feed in FEEDS:
            label = f'{{job_name="{feed}"}}'
            sent = found[f"feedmesh_oracle_sent_observations_total{label}"]
            assert sent >= found[f"feedmesh_oracle_included_observations_total{label}"] > 0
            assert found[f"feedmesh_oracle_epoch{label}"] >= 1
            assert found[f"feedmesh_oracle_leader{label}"] in range(4)
            assert found[f"feedmesh_oracle_report_seconds_count{label}"] > 0
            (observed,) = (value for name, value in found.items() if name.startswith("ocr_median_") and feed in name)
            assert observed > 0


def _states(mesh: Mesh, names: Iterable[str]) -> list[str]:
    services = mesh.status()
    return [services[name]["state"] for name in names]


def _pids(mesh: Mesh) -> dict[str, int]:
    return {name: service["pid"] for name, service in mesh.status().items() if service["pid"]}


def test_a_feed_is_added_and_removed(mesh: Mesh) -> None:
    """A new feed gets its contract and its rounds while the mesh runs and is shown; removed, the others go on."""
    document = json.loads((mesh.data_dir / "configuration.json").read_text())
    former, more = mesh.directory / "former.json", mesh.directory / "more.json"
    former.write_text(json.dumps(document))
    document["solution"]["mesh"]["feeds"].append("SOL / USD")
    more.write_text(json.dumps(document))
    tried = json.loads(mesh.command("apply", "--config", str(more), "--dry-run", "--json").stdout)
    nodes = {name: pid for name, pid in _pids(mesh).items() if name.startswith("chainlink-node-")}
    mesh.command("apply", "--config", str(more))
    mesh.more_rounds({"SOL / USD": 0}, 120)
    after = _pids(mesh)
    mesh.command("apply", "--config", str(former))
    wait_until("the operator is back", lambda: ["healthy"] == _states(mesh, ["operator"]), 60)
    wait_until("the feed is gone", lambda: list(FEEDS) == list(mesh.feeds()), 60)
    wait_until_rounds(mesh)

    assert ["solution.mesh.feeds"] == tried["keys"]
    assert dict.fromkeys(("operator", "price-aggregator", "process-metrics"), "restarted") == {
        change["name"]: change["change"] for change in tried["changes"]
    }
    assert "SOL / USD: a contract will be deployed, unless one was before" in tried["consequences"]
    assert nodes == {name: after[name] for name in nodes}
    assert mesh.process.poll() is None


def test_second_mesh_is_refused(mesh: Mesh) -> None:
    """A second mesh on the same directories says who holds them and leaves the first alone."""
    second = subprocess.run(
        [sys.executable, "-m", "cli", "run", "--json", "--rounds", "1", "--data-dir", str(mesh.data_dir),
         "--run-dir", str(mesh.run_dir), "--port-offset", str(mesh.offset)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert second.returncode != 0
    report = json.loads(second.stdout.splitlines()[-1])
    assert report["ok"] is False
    assert "pid" in report["error"]
    assert mesh.process.poll() is None


def test_port_in_use_is_named(mesh: Mesh, tmp_path: Path) -> None:
    """A mesh whose ports are taken names port, service and holder, and exits non-zero."""
    second = subprocess.run(
        [sys.executable, "-m", "cli", "run", "--json", "--rounds", "1", "--data-dir", str(tmp_path / "d"),
         "--run-dir", str(tmp_path / "r"), "--port-offset", str(mesh.offset)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    error = json.loads(second.stdout.splitlines()[-1])["error"]
    assert second.returncode != 0
    assert "port" in error
    assert "pid" in error


def test_stop_leaves_nothing(mesh: Mesh, moments: Moments) -> None:
    """SIGTERM stops everything within 15 s, exits 0 and leaves no process and no socket."""
    moments.close()
    assert mesh.stop(15) == 0
    assert mesh.left_over() == []
    assert [str(path) for path in mesh.run_dir.rglob("*")] == [] if mesh.run_dir.exists() else True
