"""Requests that a real node was sent: the same status, the same shape, and the same text of errors."""

import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.oracle.chain.transactions.fee_bumping import Fees
from services.oracle.chain.transactions.in_flight import Attempt, Flight
from services.oracle.store.database import Database
from services.oracle.store.transactions import TransactionStore
from tests.dbinit.server import Server
from tests.oracle.conftest import SPARE_OF_REST, node_url
from tests.oracle.network import API_PASSWORD, EMAIL, oracle_job
from tests.oracle.rest.conftest import Api
from tests.oracle.rest.recordings import NEIGHBOURS, RECORDED, difference, job_rows

pytestmark = [pytest.mark.long(20), pytest.mark.asyncio(loop_scope="module")]
_BRIDGE = {"name": "hold-out-a", "url": "http://127.0.0.1:3000/quotes/batch", "minimumContractPayment": "0"}
_OTHER = {**_BRIDGE, "url": "http://127.0.0.1:3000/other"}
_CONTRACT = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
_BOOTSTRAPPER = "12D3KooWRHoBnVZ1vRSYUHhSSdkAMUQSVXLqzyzpdWA7gYV9zGRz@127.0.0.1:9901"
RECORDED_BOOTSTRAPPER = re.compile("p2pv2Bootstrappers|isBootstrapPeer = true")
_ONLY = 'type = "{}"\nschemaVersion = 1\n{}observationSource = "a [type=memo value=1]"\n'
# The recording names these by what they are about; the others by method and path.
_NAMED: dict[str, tuple[str, str, object]] = {
    "bridge create": ("POST", "/v2/bridge_types", _BRIDGE),
    "bridge create again": ("POST", "/v2/bridge_types", _BRIDGE),
    "bridge create case": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "Hold-Out-A"}),
    "bridge bad json": ("POST", "/v2/bridge_types", '{"name":'),
    "bridge bad name": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "bad name!"}),
    "bridge empty name": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": ""}),
    "bridge bad url": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "b", "url": "not a url"}),
    "bridge url no scheme": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "b", "url": "127.0.0.1:3000/x"}),
    "bridge no url": ("POST", "/v2/bridge_types", {"name": "b"}),
    "bridge neg pay": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "b", "minimumContractPayment": "-1"}),
    "bridge negative conf": ("POST", "/v2/bridge_types", {**_BRIDGE, "name": "b", "confirmations": -1}),
    "bridge get": ("GET", "/v2/bridge_types/hold-out-a", None),
    "bridge patch": ("PATCH", "/v2/bridge_types/hold-out-a", _OTHER),
    "bridge patch none": ("PATCH", "/v2/bridge_types/none", _OTHER),
    "bridge delete": ("DELETE", "/v2/bridge_types/hold-out-a", None),
    "bridge delete none": ("DELETE", "/v2/bridge_types/none", None),
    "evm import junk": ("POST", "/v2/keys/evm/import?oldpassword=x&evmChainID=1337", "{}"),
    "ocr import junk": ("POST", "/v2/keys/ocr/import?oldpassword=x", "{}"),
    "p2p import junk": ("POST", "/v2/keys/p2p/import?oldpassword=x", "junk"),
}
_SESSIONS: dict[str, tuple[str, str, object]] = {
    "login bad json": ("POST", "/sessions", '{"email":'),
    "login wrong": ("POST", "/sessions", {"email": EMAIL, "password": "wrong"}),
    "login": ("POST", "/sessions", {"email": EMAIL, "password": API_PASSWORD}),
    "logout": ("DELETE", "/sessions", None),
    "after logout": ("GET", "/v2/ping", None),
}
# Without a chain one check fails, which is another status.
_CHAINLESS = {"anon GET /health": 207}


async def _ask(
    api: Api, http: aiohttp.ClientSession, method: str, path: str, body: object = None, **headers: str
) -> dict[str, Any]:
    data = body if isinstance(body, str | None) else json.dumps(body)
    async with http.request(
        method, f"{api.node.url}{path}", data=data, headers=headers, allow_redirects=False
    ) as answer:
        text = await answer.text()
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    read = json.loads(text) if kind.endswith("json") and text else text
    return {"status": answer.status, "type": kind, "body": read}


@pytest_asyncio.fixture(name="stranger", scope="module", loop_scope="module")
async def _stranger() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that keeps no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield http


@pytest_asyncio.fixture(name="recorded", scope="module", loop_scope="module")
async def _recorded(api: Api, stranger: aiohttp.ClientSession, postgres: Server) -> dict[str, dict[str, Any]]:
    """Give our answers to the requests of the recording, of a node with jobs, a run and a transaction."""
    found = {}
    for name in RECORDED["rest"]:
        if name.startswith("anon "):
            _, method, path = name.split(" ", 2)
            found[name] = await _ask(api, stranger, method, path)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        for name, request in _SESSIONS.items():
            found[name] = await _ask(api, other, *request)
    for name, request in _NAMED.items():
        found[name] = await _ask(api, api.http, *request)
    await _make(api, postgres)
    for name in RECORDED["rest"]:
        if name not in found:
            method, path = name.split(" ", 1)
            found[name] = await _ask(api, api.http, method, path)
    await _delete_jobs(api)
    await api.call("DELETE", "/v2/bridge_types/feedmesh-quotes")
    await api.call("DELETE", "/v2/bridge_types/quotes")
    return found


async def _make(api: Api, postgres: Server) -> None:
    """Make what the recorded node had."""
    await api.equip()
    await api.call("POST", "/v2/bridge_types", {**_BRIDGE, "name": "feedmesh-quotes"})
    for toml in (
        oracle_job(api.node, _CONTRACT, _BOOTSTRAPPER),
        _ONLY.format("cron", 'schedule = "CRON_TZ=UTC 0 0 0 1 1 *"\n'),
        _ONLY.format("webhook", ""),
    ):
        status, answer = await api.call("POST", "/v2/jobs", {"toml": toml})
        assert 200 == status, answer
    # The webhook runs on request, by its UUID.
    external = answer["data"]["attributes"]["externalJobID"]
    assert 200 == (await api.call("POST", f"/v2/jobs/{external}/runs", {}))[0]
    async with Database.connect(node_url(postgres, SPARE_OF_REST), max_connections=1, deadline_s=10) as database:
        store = TransactionStore(database, 1337)
        attempt = Attempt("0x" + "1" * 64, Fees(10**9), b"raw")
        flight = Flight(uuid.uuid4(), _CONTRACT, b"report", 500_000, 7, (attempt,))
        await store.begin(api.node.evm.address, flight)
        await store.settle(flight, "confirmed", attempt.hash, 5)


@pytest_asyncio.fixture(name="neighbours", scope="module", loop_scope="module")
async def _neighbours(
    api: Api, stranger: aiohttp.ClientSession, recorded: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Give our answers to further requests, one after the other; `@ID@` is what the last one that is kept made."""
    assert recorded
    await api.call("POST", "/v2/bridge_types", {"name": _BRIDGE["name"], "url": _BRIDGE["url"]})
    known = {"EVM": api.node.evm.address, "OCR": api.node.ocr.id, "P2P": api.node.p2p.peer_id}
    found = {}
    for row in NEIGHBOURS["rest"]:
        if row.get("fresh"):
            await _delete_jobs(api)
        request = row.get("request")
        text = request if isinstance(request, str | None) else json.dumps(request)
        path, body = _filled(row["path"], known), None if text is None else _filled(text, known)
        http = stranger if row.get("anonymous") else api.http
        found[row["name"]] = answer = await _ask(api, http, row["method"], path, body, **row.get("headers", {}))
        if row.get("keep") and answer["status"] == 200:
            data = answer["body"]["data"]
            known |= {"ID": data["id"], "UUID": data["attributes"].get("externalJobID", "")}
    await _delete_jobs(api)
    return found


async def _delete_jobs(api: Api) -> list[dict[str, Any]]:
    """Delete all jobs; return what they were."""
    jobs: list[dict[str, Any]] = (await api.call("GET", "/v2/jobs"))[1]["data"]
    for job in jobs:
        await api.call("DELETE", f"/v2/jobs/{job['id']}")
    return jobs


def _filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"@{name}@", value)
    return text


def _unlike(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """Return in what an answer is not like the node's; nothing if it is."""
    # Of an answer without a body the type says nothing.
    places = ("status", "type") if wanted["body"] else ("status",)
    if any(wanted[place] != found[place] for place in places):
        return f"{wanted['status']} {wanted['type']} {found}"
    body = wanted["body"]
    if isinstance(body, dict) and "errors" in body:
        texts = _anonymous(body), _anonymous(found["body"])
        return "" if texts[0] == texts[1] else " ".join(texts)
    return "" if wanted["type"] == "text/html" else difference(body, found["body"])


def _anonymous(body: object) -> str:
    """Return a text without numbers of jobs and UUIDs."""
    text = json.dumps(body, ensure_ascii=False)
    return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|job: [0-9]+", "X", text)


@pytest.mark.parametrize("name", RECORDED["rest"])
async def test_the_same_as_the_node(api: Api, recorded: dict[str, dict[str, Any]], name: str) -> None:
    """Each recorded request gets the recorded status, shape and text."""
    wanted = dict(RECORDED["rest"][name])
    wanted["status"] = _CHAINLESS.get(name, wanted["status"])

    assert "" == _unlike(wanted, recorded[name])


async def test_its_neighbours(api: Api, neighbours: dict[str, dict[str, Any]]) -> None:
    """So does each request beside them: other values, methods, pages, ids and bodies."""
    known = {"EVM": api.node.evm.address, "OCR": api.node.ocr.id, "P2P": api.node.p2p.peer_id}
    rows = json.loads(_filled(json.dumps(NEIGHBOURS["rest"]), known))

    names = [row["name"] for row in NEIGHBOURS["rest"]]
    unlike = {name: _unlike(row, neighbours[name]) for name, row in zip(names, rows, strict=True)}
    assert {} == {name: text for name, text in unlike.items() if text}


@pytest.mark.parametrize("name", RECORDED["jobs"])
async def test_the_same_for_jobs(api: Api, neighbours: dict[str, dict[str, Any]], name: str) -> None:
    """Each recorded job is taken or refused as it was; one that could not be started stays, and says why."""
    assert neighbours
    row = job_rows()[name]
    toml = row["toml"].replace("@EVM@", api.node.evm.address).replace("@OCR@", api.node.ocr.id)
    if not RECORDED_BOOTSTRAPPER.search(toml):
        # That node had one in its configuration.
        toml = toml.replace("observationSource", f'p2pv2Bootstrappers = ["{_BOOTSTRAPPER}"]\nobservationSource', 1)
    answer = await _ask(api, api.http, "POST", "/v2/jobs", {"toml": toml})
    stored = await _delete_jobs(api)

    detail = answer["body"]["errors"][0]["detail"] if "errors" in answer["body"] else None
    shown = _anonymous((row["status"], row["detail"])).replace("@EVM@", api.node.evm.address)
    assert shown == _anonymous((answer["status"], detail))
    if answer["status"] == 200:
        assert "" == difference(RECORDED["job_answer"]["body"], answer["body"])
    is_stored = answer["status"] == 200 or "create services" in str(detail) or name == "cron"
    assert is_stored == bool(stored)
    if is_stored and detail is not None:
        (error,) = stored[0]["attributes"]["errors"]
        assert detail.endswith(error["description"])


async def test_jobs_are_shown_as_they_were_written(api: Api, neighbours: dict[str, dict[str, Any]]) -> None:
    """What a job leaves to the node is null or nought, what it says is as it says it, whatever is in force."""
    assert neighbours
    toml = RECORDED["jobs"]["ok minimal"]["toml"].replace("@EVM@", api.node.evm.address)
    toml = toml.replace("@OCR@", api.node.ocr.id).replace(
        '"10s"', '"10000ms"\nmaxTaskDuration = "5s"\nname = "hold out"'
    )
    status, answer = await api.call("POST", "/v2/jobs", {"toml": toml})
    assert 200 == status
    await api.call("DELETE", f"/v2/jobs/{answer['data']['id']}")

    wanted, found = RECORDED["job_answer"]["body"]["data"]["attributes"], answer["data"]["attributes"]
    spec = {**wanted["offChainReportingOracleSpec"], "transmitterAddress": api.node.evm.address}
    spec |= {"keyBundleID": api.node.ocr.id}
    spec |= {name: found["offChainReportingOracleSpec"][name] for name in ("createdAt", "updatedAt")}
    own = {"errors": [], "externalJobID": found["externalJobID"], "offChainReportingOracleSpec": spec}
    pipeline = {**wanted["pipelineSpec"], "id": found["pipelineSpec"]["id"], "jobID": found["pipelineSpec"]["jobID"]}
    assert {**wanted, **own, "pipelineSpec": pipeline} == found
