"""The REST API of a real node process over real sockets, on a chain that cannot be reached."""

import asyncio
import io
import re
import signal
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.ocr.contract_config import ContractConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from meshkit.rpc.client import channel
from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.store.contracts import ContractConfigStore
from services.oracle.store.database import Database
from services.oracle.store.runs import RunStore
from tests.dbinit.server import Server
from tests.oracle.conftest import SPARE_OF_REST, node_url
from tests.oracle.network import API_PASSWORD, EMAIL, PASSWORD, NodeProcess, bootstrap_job, oracle_job
from tests.oracle.ocr.committee import demo_timings
from tests.oracle.rest.conftest import Api
from tests.waiting import until

pytestmark = [pytest.mark.long(25), pytest.mark.asyncio(loop_scope="module")]
CONTRACT = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
BOOTSTRAPPER = "12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:1"


async def test_sessions(api: Api) -> None:
    """Only the right password logs in; without a cookie /v2 is closed; the cookie is the real node's; it can end."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as stranger:
        other = Api(api.node, stranger)
        assert (401, "Authentication failed") == await other.detail("GET", "/v2/ping")
        assert 401 == (await other.call("POST", "/sessions", {"email": EMAIL, "password": "wrong"}))[0]
        assert 400 == (await other.call("POST", "/sessions", "no json"))[0]
        body = {"email": EMAIL.upper(), "password": API_PASSWORD}
        async with stranger.post(f"{api.node.url}/sessions", json=body) as response:
            assert "application/vnd.api+json" == response.content_type
            cookie = response.headers["Set-Cookie"]
            document = await response.json(content_type=None)
        assert cookie.startswith("clsession=")
        assert {"HttpOnly", "SameSite=Strict", "Max-Age=2592000"} <= set(cookie.split("; "))
        assert "Secure" not in cookie.split("; ")
        assert {"type": "session", "id": "sessionID", "attributes": {"authenticated": True}} == document["data"]
        assert (200, {"message": "pong"}) == await other.call("GET", "/v2/ping")
        assert 200 == (await other.call("DELETE", "/sessions"))[0]
        again = "session missing or expired, please login again"
        assert (401, again) == await other.detail("GET", "/v2/ping")


async def test_monitoring(api: Api) -> None:
    """The node is ready without its chain, and its health says what is missing; metrics are open, and say it first."""
    _, text = await api.call("GET", "/metrics")
    assert 'health{service_id="EVM.1337.HeadTracker.HeadListener"} 0.0' in text
    assert 'health{service_id="PipelineORM"} 1.0' in text
    assert 200 == (await api.call("GET", "/readyz"))[0]
    assert 200 == (await api.call("GET", "/readyz?full"))[0]
    status, document = await api.call("GET", "/health")
    failing = {item["id"] for item in document["data"] if item["attributes"]["status"] == "failing"}
    assert (207, {"EVM.1337.HeadTracker.HeadListener"}) == (status, failing)
    assert failing == {item["id"] for item in (await api.call("GET", "/health?failing"))[1]["data"]}
    status, text = await api.call("GET", "/metrics")
    assert 'head_tracker_current_head{evmChainID="1337"} 0.0' in text
    assert "2.27.0" == (await api.call("GET", "/v2/build_info"))[1]["version"]
    assert 404 == (await api.call("GET", "/v2/nothing"))[0]
    async with api.http.post(f"{api.node.url}/v2/jobs", data=io.BytesIO(b"#" * 1_100_000)) as response:
        assert 413 == response.status


async def test_keys(api: Api) -> None:
    """Keys of secrets.toml are listed; a bundle is imported once, its answer without a secret, and exported again."""
    _, evm = await api.call("GET", "/v2/keys/evm")
    _, p2p = await api.call("GET", "/v2/keys/p2p")
    assert [f"1337/{api.node.evm.address}"] == [item["id"] for item in evm["data"]]
    assert evm["data"][0]["attributes"]["ethBalance"] is None
    assert [api.node.p2p.peer_id] == [item["id"] for item in p2p["data"]]
    assert f"p2p_{api.node.p2p.peer_id}" == p2p["data"][0]["attributes"]["peerId"]

    export = api.node.ocr.export(PASSWORD, scrypt_n=2)
    assert 500 == (await api.call("POST", "/v2/keys/ocr/import?oldpassword=wrong", export))[0]
    assert 500 == (await api.call("POST", f"/v2/keys/ocr/import?oldpassword={PASSWORD}", "{}"))[0]
    status, answer = await api.call("POST", f"/v2/keys/ocr/import?oldpassword={PASSWORD}", export)
    assert (200, "keyV2s", api.node.ocr.id) == (status, answer["data"]["type"], answer["data"]["id"])
    assert api.node.ocr.public() == answer["data"]["attributes"]
    status, text = await api.detail("POST", f"/v2/keys/ocr/import?oldpassword={PASSWORD}", export)
    assert (500, f"key with ID {api.node.ocr.id} already exists") == (status, text)
    _, listed = await api.call("GET", "/v2/keys/ocr")
    assert api.node.ocr.id in {item["id"] for item in listed["data"]}

    status, again = await api.call("POST", f"/v2/keys/ocr/export/{api.node.ocr.id}?newpassword=other")
    assert 200 == status
    assert api.node.ocr == await asyncio.to_thread(OcrKeyBundle.from_export, again, "other")
    assert (500, "chainID is empty") == await api.detail("POST", "/v2/keys/evm/import?oldpassword=x", {})
    export_00 = await api.detail("POST", "/v2/keys/ocr/export/00?newpassword=other")
    assert (500, "unable to find OCR key with id 00") == export_00


async def test_made_and_deleted_keys(api: Api) -> None:
    """Keys of every kind are made, imported once, exported in their own form, and deleted by their own names."""
    assert (500, "chainID is empty") == await api.detail("POST", "/v2/keys/evm")
    assert 400 == (await api.call("POST", "/v2/keys/evm?evmChainID=x"))[0]
    assert 404 == (await api.call("POST", "/v2/keys/evm?evmChainID=1"))[0]
    evm, p2p, ocr = EvmKey.generate(), P2pKey.generate(), OcrKeyBundle.generate()
    for kind, key, name in (("evm", evm, evm.address), ("p2p", p2p, f"p2p_{p2p.peer_id}"), ("ocr", ocr, ocr.id)):
        path = f"/v2/keys/{kind}/import?oldpassword=x&evmChainID=1337"
        export = key.export("x", scrypt_n=2)
        assert key.id in (await api.call("POST", path, export))[1]["data"]["id"]
        assert 500 == (await api.call("POST", path, export))[0]
        assert 200 == (await api.call("DELETE", f"/v2/keys/{kind}/{name}"))[0]
        assert 404 == (await api.call("DELETE", f"/v2/keys/{kind}/{name}"))[0]

        status, made = await api.call("POST", f"/v2/keys/{kind}?evmChainID=1337")
        made_id = made["data"]["id"].removeprefix("1337/")
        assert 200 == status
        _, listed = await api.call("GET", f"/v2/keys/{kind}")
        assert made["data"]["id"] in {item["id"] for item in listed["data"]}
        assert 200 == (await api.call("DELETE", f"/v2/keys/{kind}/{made_id}"))[0]
    status, export = await api.call("POST", f"/v2/keys/p2p/export/{api.node.p2p.peer_id}?newpassword=x")
    assert (200, {"keyType", "publicKey", "peerID", "crypto"}) == (status, set(export))
    status, export = await api.call("POST", f"/v2/keys/evm/export/{api.node.evm.address}?newpassword=x")
    assert (200, {"address", "crypto", "id", "version"}, 3) == (status, set(export), export["version"])
    lower = f"/v2/keys/evm/export/{api.node.evm.address.lower()}?newpassword=x"
    assert (500, "Key not found") == await api.detail("POST", lower)


async def test_bridges(api: Api) -> None:
    """Bridges are created once, in lower case, changed and deleted; bad ones are refused with the node's statuses."""
    url = "http://127.0.0.1:8080/x"
    status, created = await api.call("POST", "/v2/bridge_types", {"name": "Agg-BTC", "url": url})
    assert (200, "bridges", "agg-btc") == (status, created["data"]["type"], created["data"]["id"])
    assert created["data"]["attributes"]["incomingToken"]
    body = {"name": "agg-btc", "url": url}
    assert (400, "Bridge Type agg-btc already exists") == await api.detail("POST", "/v2/bridge_types", body)
    for bad, status in (
        ({"url": url}, 400),
        ({"name": "x"}, 400),
        ({"name": "a.b", "url": url}, 422),
        ({"name": "x", "url": "127.0.0.1/x"}, 422),
        ("no json", 422),
    ):
        assert status == (await api.call("POST", "/v2/bridge_types", bad))[0], bad
    assert 200 == (await api.call("PATCH", "/v2/bridge_types/agg-btc", {"name": "y", "url": url + "y"}))[0]
    _, found = await api.call("GET", "/v2/bridge_types/agg-btc")
    assert url + "y" == found["data"]["attributes"]["url"]
    assert "incomingToken" not in found["data"]["attributes"]
    assert (404, "bridge not found") == await api.detail("GET", "/v2/bridge_types/nothing")

    for i in range(3):
        await api.call("POST", "/v2/bridge_types", {"name": f"page-{i}", "url": url})
    _, page = await api.call("GET", "/v2/bridge_types?size=2&page=2")
    assert 4 == page["meta"]["count"]
    assert 2 == len(page["data"])
    assert "next" not in page.get("links", {})
    assert "next" in (await api.call("GET", "/v2/bridge_types?size=2"))[1]["links"]
    assert 422 == (await api.call("GET", "/v2/bridge_types?size=x"))[0]
    assert 200 == (await api.call("DELETE", "/v2/bridge_types/agg-btc"))[0]
    assert 404 == (await api.call("DELETE", "/v2/bridge_types/agg-btc"))[0]


async def test_jobs(api: Api) -> None:
    """Jobs are created, listed by number and by UUID, replaced and deleted; refusals have the node's statuses."""
    toml = oracle_job(api.node, CONTRACT, BOOTSTRAPPER)
    await api.call("POST", f"/v2/keys/ocr/import?oldpassword={PASSWORD}", api.node.ocr.export(PASSWORD, scrypt_n=2))
    status, text = await api.detail("POST", "/v2/jobs", {"toml": toml})
    assert 500 == status
    assert "not all bridges exist" in text
    assert [] == (await api.call("GET", "/v2/jobs"))[1]["data"]

    await api.call("POST", "/v2/bridge_types", {"name": "quotes", "url": "http://127.0.0.1:1/"})
    for bad, status in (
        ({}, 422),
        ({"toml": "x ="}, 422),
        ({"toml": toml.replace("BTC / USD", "x").replace(api.node.ocr.id, "00" * 32)}, 400),
        ({"toml": toml.replace(api.node.evm.address, CONTRACT)}, 400),
    ):
        assert status == (await api.call("POST", "/v2/jobs", bad))[0], bad
    status, created = await api.call("POST", "/v2/jobs", {"toml": toml})
    assert 200 == status, created
    attributes = created["data"]["attributes"]
    spec = attributes["offChainReportingOracleSpec"]
    assert ("BTC / USD", CONTRACT, "1s", "1337") == (
        attributes["name"],
        spec["contractAddress"],
        spec["observationTimeout"],
        spec["evmChainID"],
    )
    assert "jsonparse" in attributes["pipelineSpec"]["dotDagSource"]
    assert 409 == (await api.call("DELETE", "/v2/bridge_types/quotes"))[0]

    number, external = created["data"]["id"], attributes["externalJobID"]
    assert 500 == (await api.call("POST", "/v2/jobs", {"toml": toml}))[0]
    assert number == (await api.call("GET", f"/v2/jobs/{external}"))[1]["data"]["id"]
    assert 422 == (await api.call("DELETE", f"/v2/jobs/{external}"))[0]
    assert 422 == (await api.call("GET", "/v2/jobs/x"))[0]
    assert (404, "job not found") == await api.detail("GET", "/v2/jobs/4711")
    status, replaced = await api.call("PUT", f"/v2/jobs/{number}", {"toml": toml.replace("BTC / USD", "renamed")})
    assert (200, number, "renamed") == (status, replaced["data"]["id"], replaced["data"]["attributes"]["name"])
    status, _ = await api.call("DELETE", f"/v2/jobs/{number}")
    assert 204 == status
    assert 404 == (await api.call("DELETE", f"/v2/jobs/{number}"))[0]


async def test_a_job_that_cannot_start_stays(api: Api) -> None:
    """A job without a bootstrapper is refused with 500, is stored all the same, and says why."""
    await api.call("POST", "/v2/bridge_types", {"name": "quotes", "url": "http://127.0.0.1:1/"})
    toml = oracle_job(api.node, CONTRACT, BOOTSTRAPPER).replace(f'"{BOOTSTRAPPER}"', "")
    status, text = await api.detail("POST", "/v2/jobs", {"toml": toml})
    assert 500 == status
    assert re.fullmatch("failed to create services for job: [0-9]+: Need at least one v2 bootstrap peer defined", text)
    _, listed = await api.call("GET", "/v2/jobs")

    assert ["Need at least one v2 bootstrap peer defined"] == [
        error["description"] for error in listed["data"][0]["attributes"]["errors"]
    ]
    assert 207 == (await api.call("GET", "/health"))[0]
    assert 204 == (await api.call("DELETE", f"/v2/jobs/{listed['data'][0]['id']}"))[0]


async def test_runs(api: Api, postgres: Server) -> None:
    """A job's runs are listed newest first and found by number; none is started by hand; errors are dismissed."""
    await api.equip()
    toml = oracle_job(api.node, CONTRACT, BOOTSTRAPPER).replace(f'"{BOOTSTRAPPER}"', "")
    assert 500 == (await api.call("POST", "/v2/jobs", {"toml": toml}))[0]
    job = (await api.call("GET", "/v2/jobs"))[1]["data"][0]
    number = int(job["id"])
    task = TaskRun("quote", "bridge", 1_000, 1_500, None, "no answer")
    good = PipelineRun(number, 1_000, 2_000, '{"jobRun": {"meta": {}}}', ("65",), (None,), ())
    bad = PipelineRun(number, 3_000, 4_000, "{}", (None,), ("quote: no answer",), (task,))
    async with Database.connect(node_url(postgres, SPARE_OF_REST), max_connections=1, deadline_s=10) as database:
        runs = RunStore(database, 1)
        for run in (good, good, bad):
            runs.note(run)
            await runs.flush()

    status, document = await api.call("GET", f"/v2/jobs/{number}/runs")
    assert (200, 2) == (status, document["meta"]["count"])
    newest, older = (item["attributes"] for item in document["data"])
    assert (["quote: no answer"], ["no answer"], [None]) == (newest["errors"], newest["allErrors"], newest["outputs"])
    assert [("quote", "bridge", "1970-01-01T00:00:01.5Z")] == [
        (task["dotId"], task["type"], task["finishedAt"]) for task in newest["taskRuns"]
    ]
    assert (["65"], [None]) == (older["outputs"], older["errors"])
    assert "jsonparse" in older["pipelineSpec"]["dotDagSource"]
    run_id = document["data"][0]["id"]
    assert run_id == (await api.call("GET", f"/v2/jobs/{number}/runs/{run_id}"))[1]["data"]["id"]
    assert (500, "sql: no rows in result set") == await api.detail("GET", f"/v2/jobs/{number}/runs/4711")
    assert 422 == (await api.call("GET", "/v2/jobs/x/runs"))[0]
    assert 1 == len((await api.call("GET", "/v2/pipeline/runs?size=1&page=2"))[1]["data"])
    assert (500, "manual job runs not supported on secure builds") == await api.detail(
        "POST", f"/v2/jobs/{number}/runs"
    )

    error = job["attributes"]["errors"][0]["id"]
    assert 204 == (await api.call("DELETE", f"/v2/pipeline/job_spec_errors/{error}"))[0]
    assert 404 == (await api.call("DELETE", f"/v2/pipeline/job_spec_errors/{error}"))[0]
    assert 204 == (await api.call("DELETE", f"/v2/jobs/{number}"))[0]
    assert [] == (await api.call("GET", "/v2/pipeline/runs"))[1]["data"]


async def test_a_start_without_a_chain(api: Api, postgres: Server) -> None:
    """Without any RPC a job runs with its contract's last configuration, from which its peers and place follow."""
    members = [(api.node.evm, api.node.p2p, api.node.ocr)]
    members += [(EvmKey.generate(), P2pKey.generate(), OcrKeyBundle.generate()) for _ in range(3)]
    keys = [ocr.keys for _, _, ocr in members]
    offchain = replace(
        demo_timings(4),
        offchain_public_keys=tuple(key.offchain_public_key for key in keys),
        peer_ids=tuple(p2p.peer_id for _, p2p, _ in members),
    )
    encoded = offchain.encode(
        SharedSecretEncryptions.seal(bytes(16), bytes(32), [key.config_public_key for key in keys])
    )
    signers = tuple(key.signing_address for key in keys)
    config = ContractConfig(CONTRACT, 1, signers, tuple(evm.address for evm, _, _ in members), 1, 1, encoded)
    async with Database.connect(node_url(postgres, SPARE_OF_REST), max_connections=1, deadline_s=10) as database:
        await ContractConfigStore(database).save(1337, config, 5)
    await api.equip()
    toml = oracle_job(api.node, CONTRACT, BOOTSTRAPPER)
    status, created = await api.call("POST", "/v2/jobs", {"toml": toml})
    assert 200 == status, created
    async with channel(api.node.run_dir / f"{api.node.name}.sock") as open_channel:
        stub = OracleServiceStub(open_channel)

        async def runs() -> bool:
            listed: pb.ListJobsResponse = await stub.ListJobs(pb.ListJobsRequest(), timeout=5)
            return [(config.digest().hex(), 0)] == [(job.config_digest, job.oracle_index) for job in listed.jobs]

        await until(runs, "the job runs with the last configuration")
    assert 204 == (await api.call("DELETE", f"/v2/jobs/{created['data']['id']}"))[0]


async def test_everything_survives_a_kill(api: Api) -> None:
    """After kill -9 the session, the bridges, the bundle and the jobs are there again."""
    status, created = await api.call("POST", "/v2/jobs", {"toml": bootstrap_job(CONTRACT)})
    assert 200 == status
    await api.node.stop(signal.SIGKILL)
    await api.node.start()
    await api.node.ready(api.http)

    status, jobs = await api.call("GET", "/v2/jobs")
    assert (200, [created["data"]["id"]]) == (status, [job["id"] for job in jobs["data"]])
    assert jobs["data"][0]["attributes"]["offChainReportingOracleSpec"]["isBootstrapPeer"]
    assert "quotes" in {item["id"] for item in (await api.call("GET", "/v2/bridge_types"))[1]["data"]}
    assert api.node.ocr.id in {item["id"] for item in (await api.call("GET", "/v2/keys/ocr"))[1]["data"]}
    log = api.node.log.read_text()
    secrets = (api.node.evm.private_key.hex(), API_PASSWORD, PASSWORD, "the-password-of-the-keystore")
    assert not [secret for secret in secrets if secret in log]


async def test_port_in_use(api: Api) -> None:
    """A second node on the same ports ends with code 1 and an error that names the setting and the address."""
    directory = api.node.directory.parent
    second = NodeProcess.make("chainlink-node-7", directory / "7", directory, api.node.database_url)
    second.evm, second.p2p, second.ocr = api.node.evm, api.node.p2p, api.node.ocr
    second.p2p_port = api.node.p2p_port
    second.write_files("http://127.0.0.1:1")
    await second.start()

    assert second.process is not None
    assert 1 == await asyncio.wait_for(second.process.wait(), 20)
    log = second.log.read_text()
    assert f"P2P.V2.ListenAddresses: cannot listen on 127.0.0.1:{api.node.p2p_port}" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("name", "old", "new", "error"),
    [
        ("config.toml", "ChainID", "ChainIdentity", r"config.toml: EVM[0].ChainID"),
        ("secrets.toml", "the-password-of-the-keystore", "another-keystore-password", "unable to decrypt"),
        ("secrets.toml", PASSWORD, "the-wrong-password-of-it", "secrets.toml"),
    ],
)
async def test_bad_files_end_the_node(api: Api, name: str, old: str, new: str, error: str, tmp_path: Path) -> None:
    """A bad file ends the process with code 1 and one line that names the field, without a traceback."""
    node = NodeProcess.make("chainlink-node-8", tmp_path / "8", api.node.run_dir, api.node.database_url)
    node.write_files("http://127.0.0.1:1")
    file = node.directory / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    await node.start()

    assert node.process is not None
    assert 1 == await asyncio.wait_for(node.process.wait(), 20)
    log = node.log.read_text()
    assert error in log
    assert "Traceback" not in log
