"""Faults in a real mesh, and what a real Prometheus alerts of: each alert begins under its fault and ends after it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiohttp.test_utils import unused_port

from tests.mesh.monitoring.alerting import Alerting, alerting, hastened
from tests.mesh.monitoring.pushing_mesh import Market, pushing_mesh, set_balance
from tests.mesh.running import Mesh, wait_until

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

# Binance's prices are in USDT, so that it has to have a price as well.
FEEDS = ("BTC / USD", "ETH / USD", "USDT / USD")
# A minute of a rule is five seconds here; thresholds of ages are as they are delivered.
_TIMES = 12


class Cable:
    """The way from the mesh to its receiver, which can be cut."""

    def __init__(self, to: str) -> None:
        self._to = to.removeprefix("http://").partition("/")[0]
        self.port = unused_port()
        self._process: subprocess.Popen[bytes] | None = None

    def join(self) -> None:
        """Let everything through."""
        words = ("-m", "tests.mesh.forward", f"127.0.0.1:{self.port}", self._to)
        self._process = subprocess.Popen([sys.executable, *words])

    def cut(self) -> None:
        """Let nothing through any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(name="alerts", scope="module")
def _alerts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    with alerting(tmp_path_factory.mktemp("prometheus"), hastened(_TIMES)) as found:
        yield found


@pytest.fixture(name="cable", scope="module")
def _cable(alerts: Alerting) -> Iterator[Cable]:
    cable = Cable(alerts.remote_write)
    cable.join()
    yield cable
    cable.cut()


@pytest.fixture(name="mesh", scope="module")
def _mesh(alerts: Alerting, cable: Cable) -> Iterator[Mesh]:
    push = {"url": f"http://127.0.0.1:{cable.port}/api/v1/write", "intervalMs": 1000, "gatherIntervalMs": 1000}
    with pushing_mesh(FEEDS, push, balanceTopupCheckIntervalMs=2000) as mesh:
        mesh.first_rounds(FEEDS, 180)
        calm(alerts)
        yield mesh


def calm(alerts: Alerting) -> None:
    """Wait until all oracles are known and nothing fires any more."""
    wait_until("metrics of the oracles", lambda: alerts.value("count(feedmesh_oracle_epoch) >= 12"), 120)
    try:
        wait_until("silence", lambda: not alerts.firing(), 300)
    except AssertionError:
        raise AssertionError(f"these go on: {alerts.firing()}") from None


def explained(mesh: Mesh, feed: str) -> dict[str, str]:
    """Return what `feedmesh explain` finds wrong with a feed's last round: words by the fault's name."""
    told = mesh.command("explain", feed, "--json", check=False)
    faults = json.loads(told.stdout).get("faults", []) if told.stdout else []
    return {fault["kind"]: fault["words"] for fault in faults}


def names(mesh: Mesh, feed: str, word: str, *kinds: str) -> None:
    """Wait until the explanation of a feed's last round has a fault of one of these kinds, with a word in it."""

    def found() -> bool:
        faults = explained(mesh, feed)
        return any(word in words for kind, words in faults.items() if kind in kinds)

    try:
        wait_until(f"{kinds} of {feed}", found, 90)
    except AssertionError as error:
        raise AssertionError(f"{error}: {explained(mesh, feed)}") from None


@contextlib.contextmanager
def healed(mesh: Mesh) -> Iterator[Market]:
    """Give the market of a mesh, and take all of its faults away afterwards."""
    market = Market(mesh)
    try:
        yield market
    finally:
        market.heal()


def test_a_source_that_is_down(mesh: Mesh, alerts: Alerting) -> None:
    """An exchange that answers 500 is down, no other is, and no feed is stuck by it; it is up when it answers again."""
    with healed(mesh) as market:
        market.hurt("binance", status=500, body="away", half_open=True)
        alerts.wait("SourceDown", fires=True, source="binance")
        names(mesh, "BTC / USD", "binance", "source_failed", "source_cut_off", "source_stale")
        assert ["binance"] == [alert["source"] for alert in alerts.firing() if alert["alertname"] == "SourceDown"]
        assert [] == [alert for alert in alerts.firing() if alert["alertname"] == "FeedStuck"]
    alerts.wait("SourceDown", fires=False)


def test_a_source_that_is_scored_down(mesh: Mesh, alerts: Alerting) -> None:
    """An exchange whose prices are five percent off answers well and does not count; right again, it does."""
    with healed(mesh) as market:
        market.hurt("kraken", factor="1.05", pairs=["BTC/USD", "ETH/USD"])
        alerts.wait("SourceScoredDown", fires=True, source="kraken")
        names(mesh, "BTC / USD", "kraken", "source_outlier", "source_refused")
        assert not alerts.fires("SourceDown", source="kraken")
        assert not alerts.fires("MarketDeviation")
    alerts.wait("SourceScoredDown", fires=False)


def test_a_chain_that_is_away(mesh: Mesh, alerts: Alerting) -> None:
    """While the chain gives no answer feeds say that this is why they stand still, and no more when it is back."""
    mesh.command("stop", "devchain")
    try:
        alerts.wait("FeedStuck", fires=True, state="chain_away")
        names(mesh, "BTC / USD", "", "rpc_away", "transmission_failed", "not_included", "late_inclusion")
        assert {"chain_away"} == {alert["state"] for alert in alerts.firing() if alert["alertname"] == "FeedStuck"}
    finally:
        mesh.command("start", "devchain")
    alerts.wait("FeedStuck", fires=False)


def test_an_oracle_that_is_missing(mesh: Mesh, alerts: Alerting) -> None:
    """With one of four oracles stopped the quorum is at its edge, its page is gone, and reports lack it."""
    mesh.command("stop", "chainlink-node-4")
    try:
        alerts.wait("QuorumAtEdge", fires=True)
        alerts.wait("TargetDown", fires=True, mesh_service="chainlink-node-4")
        alerts.wait("OracleMissing", fires=True)
        names(mesh, "BTC / USD", "node-4", "oracle_down")
        missing = {alert["oracle"] for alert in alerts.firing() if alert["alertname"] == "OracleMissing"}
    finally:
        mesh.command("start", "chainlink-node-4")
    for name in ("QuorumAtEdge", "TargetDown", "OracleMissing"):
        alerts.wait(name, fires=False)

    assert 1 == len(missing)


def test_a_service_that_is_killed(mesh: Mesh, alerts: Alerting) -> None:
    """A process that was killed has restarted, and after a while without another kill that is no news any more."""
    os.kill(mesh.status()["operator"]["pid"], signal.SIGKILL)

    alerts.wait("ServiceRestarted", fires=True, service="operator")
    alerts.wait("ServiceRestarted", fires=False)


def test_a_transmitter_without_money(mesh: Mesh, alerts: Alerting) -> None:
    """A transmitter below its minimum is low while the faucet is empty, and no more when that can pay again."""
    listed = json.loads(mesh.command("balances", "--json").stdout)["balances"]
    addresses = {each["name"]: each["address"] for each in listed}
    wei = {each["name"]: int(each["balance_wei"]) for each in listed}
    set_balance(mesh, addresses["faucet"], 0)
    try:
        set_balance(mesh, addresses["chainlink-node-3"], 10**17)
        alerts.wait("BalanceLow", fires=True, account="chainlink-node-3")
    finally:
        set_balance(mesh, addresses["faucet"], wei["faucet"])
    alerts.wait("BalanceLow", fires=False)


def test_a_quorum_that_is_lost(mesh: Mesh, alerts: Alerting) -> None:
    """With two of four oracles stopped answers grow stale, and the state says why; with four they are fresh again."""
    for node in ("chainlink-node-4", "chainlink-node-5"):
        mesh.command("stop", node)
    try:
        alerts.wait("FeedStuck", fires=True, state="too_few_oracles")
        alerts.wait("RoundsStopped", fires=True)
        names(mesh, "BTC / USD", "", "quorum_lost")
        for feed in FEEDS:
            alerts.wait("FeedStale", fires=True, feed=feed)
    finally:
        for node in ("chainlink-node-4", "chainlink-node-5"):
            mesh.command("start", node)
    for name in ("FeedStale", "FeedStuck", "RoundsStopped", "QuorumAtEdge"):
        alerts.wait(name, fires=False)


def test_a_receiver_that_cannot_be_reached(mesh: Mesh, alerts: Alerting, cable: Cable) -> None:
    """While nothing gets through the push is failing, and no more when it does; the mesh counts what was refused."""
    cable.cut()
    try:
        alerts.wait("PushFailing", fires=True)
    finally:
        cable.join()
    alerts.wait("PushFailing", fires=False)

    wait_until("failures", lambda: alerts.value("feedmesh_metrics_push_failures_total > 0"), 60)


def test_all_is_calm_at_the_end(mesh: Mesh, alerts: Alerting) -> None:
    """After all faults nothing fires."""
    assert mesh.process.poll() is None
    calm(alerts)
