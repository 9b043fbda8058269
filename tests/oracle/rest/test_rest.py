"""The REST API of a real node process over real sockets, on a chain that cannot be reached."""

import asyncio
import io
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.oracle.keys.ocr import OcrBundle
from tests.dbinit.server import Server
from tests.oracle.conftest import SPARE_OF_REST, node_url
from tests.oracle.network import API_PASSWORD, EMAIL, PASSWORD, NodeProcess, bootstrap_job, oracle_job

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONTRACT = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
BOOTSTRAPPER = "12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:1"


@dataclass
class Api:
    """Hold a node and a logged-in client of it."""

    node: NodeProcess
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON, or the text if the answer is none."""
        data = body if isinstance(body, str | None) else json.dumps(body)
        async with self.http.request(method, f"{self.node.url}{path}", data=data) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def detail(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Return status and detail of an error."""
        status, document = await self.call(method, path, body)
        return status, document["errors"][0]["detail"]


@pytest_asyncio.fixture(name="api", scope="module", loop_scope="module")
async def _api(postgres: Server) -> AsyncIterator[Api]:
    """Give a node without a chain, and a client that has logged in."""
    directory = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    node = NodeProcess.make("chainlink-node-6", directory / "6", directory, node_url(postgres, SPARE_OF_REST))
    node.write_files("http://127.0.0.1:1")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        try:
            await node.start()
            await node.ready(http)
            await node.login(http)
            yield Api(node, http)
        finally:
            await node.stop(signal.SIGKILL)
            shutil.rmtree(directory)


async def test_sessions(api: Api) -> None:
    """Only the right password logs in; without a cookie /v2 is closed; the cookie is the real node's; it can end."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as stranger:
        other = Api(api.node, stranger)
        assert (401, "Unauthorized") == await other.detail("GET", "/v2/ping")
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
        assert 401 == (await other.call("GET", "/v2/ping"))[0]


async def test_monitoring(api: Api) -> None:
    """The node is ready without its chain, and its health says what is missing; metrics are open."""
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
    assert api.node.ocr == await asyncio.to_thread(OcrBundle.from_export, again, "other")
    assert (500, "chainID is empty") == await api.detail("POST", "/v2/keys/evm/import?oldpassword=x", {})
    assert 404 == (await api.call("POST", "/v2/keys/ocr/export/00?newpassword=other"))[0]


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
        ({"name": "x", "url": "mailto:x"}, 422),
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
    assert (404, "JobSpec not found") == await api.detail("GET", "/v2/jobs/4711")
    status, replaced = await api.call("PUT", f"/v2/jobs/{number}", {"toml": toml.replace("BTC / USD", "renamed")})
    assert (200, number, "renamed") == (status, replaced["data"]["id"], replaced["data"]["attributes"]["name"])
    status, _ = await api.call("DELETE", f"/v2/jobs/{number}")
    assert 204 == status
    assert 404 == (await api.call("DELETE", f"/v2/jobs/{number}"))[0]


async def test_a_job_that_cannot_start_stays(api: Api) -> None:
    """A job without a bootstrapper is refused with 500, is stored all the same, and says why."""
    await api.call("POST", "/v2/bridge_types", {"name": "quotes", "url": "http://127.0.0.1:1/"})
    toml = oracle_job(api.node, CONTRACT, BOOTSTRAPPER).replace(f'"{BOOTSTRAPPER}"', "")
    assert (500, "Need at least one v2 bootstrap peer defined") == await api.detail("POST", "/v2/jobs", {"toml": toml})
    _, listed = await api.call("GET", "/v2/jobs")

    assert ["Need at least one v2 bootstrap peer defined"] == [
        error["description"] for error in listed["data"][0]["attributes"]["errors"]
    ]
    assert 207 == (await api.call("GET", "/health"))[0]
    assert 204 == (await api.call("DELETE", f"/v2/jobs/{listed['data'][0]['id']}"))[0]


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
