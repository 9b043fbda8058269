import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chainlink.errors import SecretsInUse
from chainlink.identities.directory_lock import sole_use
from feedmesh.metrics.v1 import metrics_page_service_pb2 as page_pb
from feedmesh.metrics.v1 import metrics_page_service_pb2_grpc as page_grpc
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub
from meshkit.paths import DataDir, SecretsDir
from meshkit.rpc import client
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil, start
from tests.operator.reports import transmit
from tests.operator.running_nodes import fake_nodes
from tests.ports import free_base, free_port
from tests.waiting import until

if TYPE_CHECKING:
    from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceAsyncStub

_SERVICE = "feedmesh.operator.v1.OperatorService"
_FEEDS = ["BTC / USD", "ETH / USD", "EUR / USD"]


@dataclass
class Setting:
    """A mesh without its operator: a chain, and where everything is."""

    run_dir: Path
    data_dir: Path
    configuration: Path
    api_base: int

    @property
    def socket(self) -> Path:
        return self.run_dir / "operator.sock"


@pytest.fixture(name="setting")
def _setting(run_dir: Path, tmp_path: Path, anvil: Anvil) -> Setting:
    setting = Setting(run_dir, tmp_path / "data", tmp_path / "configuration.json", free_base(5))
    _write(setting, anvil.url)
    return setting


def _write(setting: Setting, rpc_url: str, keystore_password: str = "a-keystore-password-of-30-char") -> None:
    mesh = {
        "dataDir": str(setting.data_dir),
        "runDir": str(setting.run_dir),
        "feeds": _FEEDS,
        "ports": {"nodeApiBase": setting.api_base},
        "keystore": {"scryptN": 4096},
        "contracts": {"deploy": True},
        "ocr": {"deltaProgressMs": 5000, "deltaRoundMs": 2000, "deltaGraceMs": 500, "deltaCMs": 10_000, "alphaPpb": 1},
    }
    solution = {
        "pgPassword": "a-database-password",
        "chainlinkEmail": "operator@example.com",
        "chainlinkPassword": "an-api-password-of-24-ch",
        "chainlinkKeystorePassword": keystore_password,
        "chainlinkChainId": CHAIN_ID,
        "spSecretsDir": str(_secrets(setting).path),
        "chainlinkRpcWsUrl": rpc_url.replace("http", "ws"),
        "chainlinkRpcHttpUrl": rpc_url,
        "chainlinkGasPrice": 2 * 10**9,
        "faucetPrivateKey": FAUCET_KEY,
        "faucetMinWei": 10**17,
        "faucetTopupWei": 10**18,
        "mesh": mesh,
    }
    setting.configuration.write_bytes(orjson.dumps({"solution": solution}))


def _secrets(setting: Setting) -> SecretsDir:
    return SecretsDir(setting.data_dir.with_name("secrets"))


@asynccontextmanager
async def _operator(setting: Setting) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the real process until the block ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "FEEDMESH_CONFIG": str(setting.configuration),
        "FEEDMESH_RUN_DIR": str(setting.run_dir),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.operator", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _is_serving(channel: grpc.aio.Channel) -> bool:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=_SERVICE))
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _phases(stub: "OperatorServiceAsyncStub") -> list[int]:
    try:
        return [feed.phase for feed in (await stub.ListFeeds(pb.ListFeedsRequest())).feeds]
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return []


async def test_files_come_first_and_without_a_chain(setting: Setting) -> None:
    """With no chain at all the process serves: files are there, nodes are listed, what needs the chain says so."""
    _write(setting, f"http://127.0.0.1:{free_port()}")
    async with _operator(setting) as process, client.channel(setting.socket) as channel:
        await until(lambda: _is_serving(channel), "SERVING", 30)
        stub = OperatorServiceStub(channel)
        for index in range(1, 6):
            assert (setting.data_dir / "nodes" / str(index) / "secrets.toml").exists()
        nodes = list((await stub.ListNodes(pb.ListNodesRequest())).nodes)

        assert [pb.NODE_ROLE_BOOTSTRAP] + [pb.NODE_ROLE_ORACLE] * 4 == [node.role for node in nodes]
        assert [f"chainlink-node-{index}" for index in range(1, 6)] == [node.name for node in nodes]
        assert [None, 0, 1, 2, 3] == [node.oracle_index if node.HasField("oracle_index") else None for node in nodes]
        assert ("", "") == (nodes[0].signing_address, nodes[0].key_bundle_id)
        again = await stub.PrepareNodes(pb.PrepareNodesRequest())
        assert (0, nodes) == (again.created_keys, list(again.nodes))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Reconcile(pb.ReconcileRequest())
        assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
        await until(lambda: _is_pending(stub), "ListFeeds without a chain", 30)
        assert process.returncode is None
        # Another mesh with these keys would be a second voice of the same oracles.
        with pytest.raises(SecretsInUse, match=r"cl-secrets is in use"), sole_use(_secrets(setting).nodes):
            pass


async def _is_pending(stub: "OperatorServiceAsyncStub") -> bool:
    return await _phases(stub) == [pb.FEED_PHASE_PENDING] * 3


async def test_a_chain_that_comes_later(setting: Setting, config: OperatorConfig) -> None:
    """With the chain away at the start, passes fail again and again; once it is there, all feeds become RUNNING."""
    port = free_port()
    _write(setting, f"http://127.0.0.1:{port}")
    async with _operator(setting) as process, client.channel(setting.socket) as channel:
        await until(lambda: _is_serving(channel), "SERVING", 60)
        stub = OperatorServiceStub(channel)
        prepared = await _own_view(setting, config)
        async with fake_nodes(prepared, setting.api_base):
            await until(lambda: _is_pending(stub), "the operator knows its feeds", 60)
            for _ in range(5):
                # Each of these is a whole pass, beside those that the operator makes by itself.
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Reconcile(pb.ReconcileRequest(), timeout=60)
                assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
            with start(port) as anvil:
                await anvil.fund()
                await until(lambda: _runs(stub), "all feeds RUNNING", 110)
        assert process.returncode is None


async def test_a_wrong_password_is_a_clear_exit(setting: Setting, config: OperatorConfig) -> None:
    """With another keystore password the process exits 1 and its log names the key file, not the password."""
    await _own_view(setting, config)
    _write(setting, "http://127.0.0.1:1", "another-password-16-long")
    async with _operator(setting) as process:
        output, _ = await process.communicate()

    assert 1 == process.returncode
    assert b"cl-secrets/1/evm_key.json: the password is wrong" in output
    assert b"another-password-16-long" not in output


async def test_a_mesh_is_brought_up_and_followed(
    setting: Setting, anvil: Anvil, config: OperatorConfig, chain: Chain
) -> None:
    """
    The process alone brings feeds to RUNNING and answers for rounds, answers and balances.

    After kill -9 the next one finds contracts and nodes as they are; SIGTERM ends it with 0.
    """
    async with _operator(setting) as process, client.channel(setting.socket) as channel:
        await until(lambda: _is_serving(channel), "SERVING", 30)
        stub = OperatorServiceStub(channel)
        prepared = await _own_view(setting, config)
        async with fake_nodes(prepared, setting.api_base):
            await until(lambda: _runs(stub), "all feeds RUNNING", 60)
            feeds = (await stub.ListFeeds(pb.ListFeedsRequest())).feeds
            before = [(feed.address, feed.config_digest) for feed in feeds]
            feed = feeds[0]
            assert (32, 0, "") == (len(feed.config_digest), feed.round_id, feed.answer)

            watch = stub.WatchRounds(pb.WatchRoundsRequest(feeds=["BTC / USD"]))
            await watch.initial_metadata()
            await transmit(
                anvil,
                chain,
                prepared,
                config,
                feed.address,
                epoch=1,
                round_=1,
                observations=[1, 65_123_45000000, 10**14],
            )
            async with asyncio.timeout(15):
                found = (await anext(aiter(watch))).round
            watch.cancel()
            assert ("BTC / USD", 1, 1, 1) == (found.feed, found.round_id, found.epoch, found.round)
            assert Decimal("65123.45") == Decimal(found.answer)
            assert ["0.00000001", "65123.45000000", "1000000.00000000"] == list(found.observations)
            assert "chainlink-node-3" == found.transmitter

            feed = (await stub.ListFeeds(pb.ListFeedsRequest())).feeds[0]
            assert (1, "65123.45000000") == (feed.round_id, feed.answer)
            assert abs(time.time() - feed.update_time.seconds) < 3600
            balances = (await stub.ListBalances(pb.ListBalancesRequest())).balances
            assert ["faucet", *(f"chainlink-node-{index}" for index in range(2, 6))] == [item.name for item in balances]
            assert all(int(item.balance_wei) >= 10**17 for item in balances)
            page = await page_grpc.MetricsPageServiceStub(channel).GetMetricsPage(page_pb.GetMetricsPageRequest())
            shown = page.page.decode().splitlines()
            assert 'feedmesh_operator_feeds{phase="running"} 3.0' in shown
            assert 'feedmesh_operator_node_differences{kind="job",node="chainlink-node-3"} 0.0' in shown
            assert 'feedmesh_operator_top_ups_total{account="chainlink-node-2"} 1.0' in shown
            assert any(line.startswith('feedmesh_operator_balance_wei{account="faucet"} ') for line in shown)
            assert any(line.startswith("feedmesh_operator_transmission_cost_wei ") for line in shown)
            assert any(line.startswith('feedmesh_operator_reconcile_passes_total{outcome="ok"') for line in shown)
            assert [] == list((await stub.Reconcile(pb.ReconcileRequest())).changes)
            answers = (await stub.ListAnswers(pb.ListAnswersRequest(feed="BTC / USD", count=10))).answers
            assert [(1, "65123.45000000")] == [(answer.round_id, answer.answer) for answer in answers]
            verified = await stub.VerifyFeeds(pb.VerifyFeedsRequest())
            assert [(feed.name, feed.address, []) for feed in feeds] == [
                (feed.name, feed.address, list(feed.differences)) for feed in verified.feeds
            ]
            assert [] == list(verified.problems)
            jobs = (await stub.ListJobs(pb.ListJobsRequest())).nodes
            assert [len(feeds)] * 5 == [len(node.jobs) for node in jobs]
            assert {feed.address for feed in feeds} == {job.contract_address for job in jobs[1].jobs}
            change = pb.ChangeFeedsRequest(change=pb.FEED_CHANGE_CONFIGURE, dry_run=True)
            assert pb.ChangeFeedsResponse() == await stub.ChangeFeeds(change)
            for bad in (
                stub.ChangeFeeds(pb.ChangeFeedsRequest()),
                stub.ListAnswers(pb.ListAnswersRequest(feed="BTC / USD")),
                stub.VerifyFeeds(pb.VerifyFeedsRequest(feeds=["DOGE"])),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await bad
                assert grpc.StatusCode.INVALID_ARGUMENT is refused.value.code()

            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await anext(aiter(stub.WatchRounds(pb.WatchRoundsRequest(feeds=["DOGE"]))))
            assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()
            assert "DOGE" in (caught.value.details() or "")

            process.kill()
            await process.communicate()
            async with _operator(setting) as second:
                await until(lambda: _runs(stub), "all feeds RUNNING after kill -9", 60)
                after = [
                    (feed.address, feed.config_digest) for feed in (await stub.ListFeeds(pb.ListFeedsRequest())).feeds
                ]
                second.send_signal(signal.SIGTERM)
                output, _ = await asyncio.wait_for(second.communicate(), 15)
    assert before == after
    assert 0 == second.returncode
    assert not setting.socket.exists()
    for secret in (FAUCET_KEY, "an-api-password-of-24-ch", "a-keystore-password-of-30-char", "EcdsaD"):
        assert secret.encode() not in output


async def _runs(stub: "OperatorServiceAsyncStub") -> bool:
    return await _phases(stub) == [pb.FEED_PHASE_RUNNING] * 3


async def _own_view(setting: Setting, config: OperatorConfig) -> Preparation:
    """Read the keys that the process made: preparing again changes nothing."""
    return await prepare_nodes.prepare(replace(config, data=DataDir(setting.data_dir), secrets=_secrets(setting)))
