"""A node's REST API as Chainlink 2.27 answers it, on a real socket, with the oddities that a client must bear."""

import random
import re
import tomllib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from chainlink.errors import KeyUnreadable
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.units import NS_PER_S, parse_duration_ns
from tests.operator.node_faults import NodeFaults

EMAIL = "operator@example.com"
PASSWORD = "an-api-password-of-24-ch"
_PAGE = 25


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass
class FakeNode:
    """One node's state; tests read and change it."""

    evm_address: str
    peer_id: str
    port: int = 0
    ready: bool = True
    bundles: dict[str, OcrKeyBundle] = field(default_factory=dict)
    bridges: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    # What the next request is answered instead: status and body.
    failures: list[tuple[int, str]] = field(default_factory=list)
    faults: NodeFaults = field(default_factory=NodeFaults)
    # How many more logins are taken; the rest is one too many.
    logins_left: int = 1_000_000
    # As many as a page has at most, whatever is asked for.
    longest_page: int = 1000
    # Jobs are stored, but their services do not start.
    services_fail: bool = False
    job_count: int = 0
    is_account_off: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def expire_sessions(self) -> None:
        """Forget all logins, as after an idle timeout."""
        self.sessions.clear()

    def mutations(self) -> list[tuple[str, str]]:
        """Return the requests so far that were meant to change something, without logins."""
        return [request for request in self.requests if request[0] != "GET" and request[1] != "/sessions"]

    # handlers

    async def dispatch(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, well or as it is planned."""
        return await self.faults.answer(request, self.expire_sessions, lambda: self._answer(request))

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/readyz":
            return web.Response(status=200 if self.ready else 503)
        self.requests.append((request.method, request.path))
        if self.failures:
            status, text = self.failures.pop(0)
            return web.Response(status=status, text=text)
        body = await request.read()
        if request.path == "/sessions":
            return self._log_in(orjson.loads(body))
        if request.cookies.get("clsession") not in self.sessions:
            return _error(401, "Unauthorized")
        try:
            return self._route(request.method, request.path, request.query, body)
        except Refusal as refusal:
            return _error(refusal.status, refusal.detail)

    def _log_in(self, credentials: Any) -> web.Response:
        if not self.logins_left:
            return web.Response(status=429, text="Limit exceeded")
        self.logins_left -= 1
        if credentials != {"email": EMAIL, "password": PASSWORD}:
            return _error(401, "Invalid password")
        session = uuid.uuid4().hex
        self.sessions.add(session)
        response = _document({"type": "session", "id": "sessionID", "attributes": {"authenticated": True}})
        response.set_cookie("clsession", session, httponly=True, samesite="Strict", max_age=2_592_000)
        return response

    def _route(self, method: str, path: str, query: Any, body: bytes) -> web.Response:
        match (method, path.strip("/").split("/")):
            case ("GET", ["v2", "keys", "evm"]):
                return _list([self._account()], query)
            case ("POST", ["v2", "keys", "evm", "chain"]):
                if (query["address"], query["evmChainID"], query["enabled"]) != (self.evm_address, "1337", "true"):
                    raise Refusal(500, "Key not found")
                self.is_account_off = False
                return _document(self._account())
            case ("GET", ["v2", "keys", "p2p"]):
                key = {"peerId": f"p2p_{self.peer_id}", "publicKey": "00"}
                return _list([_resource("encryptedP2PKeys", self.peer_id, key)], query)
            case ("GET", ["v2", "keys", "ocr"]):
                return _list(self._bundle_list(), query)
            case ("POST", ["v2", "keys", "ocr", "import"]):
                return self._import(body, query["oldpassword"])
            case ("POST", ["v2", "bridge_types"]):
                return self._create_bridge(orjson.loads(body))
            case ("GET", ["v2", "bridge_types", name]):
                return self._bridge(name)
            case ("PATCH", ["v2", "bridge_types", name]):
                self._bridge(name)
                self.bridges[name] = orjson.loads(body)["url"]
                return self._bridge(name)
            case ("GET", ["v2", "jobs"]):
                return _list([self._job(number) for number in self.jobs], query, self.longest_page)
            case ("GET", ["v2", "jobs", job_id]):
                return _document(self._job(self._number(job_id)))
            case ("POST", ["v2", "jobs"]):
                return self._create_job(orjson.loads(body)["toml"])
            case ("DELETE", ["v2", "jobs", job_id]):
                return self._delete_job(job_id)
        return _error(404, "not found")

    def _account(self) -> dict[str, Any]:
        shown = {"address": self.evm_address, "evmChainID": "1337", "disabled": self.is_account_off}
        return _resource("eTHKeys", f"1337/{self.evm_address}", shown)

    def _bundle_list(self) -> list[dict[str, Any]]:
        listed = [_resource("keyV2s", key, {"onChainSigningAddress": "ocrsad_0x"}) for key in self.bundles]
        random.shuffle(listed)
        return listed

    def _import(self, body: bytes, password: str) -> web.Response:
        try:
            bundle = OcrKeyBundle.read(body, password)
        except KeyUnreadable as error:
            raise Refusal(500, f"failed to decrypt OCR key: {error}") from error
        if bundle.id in self.bundles:
            raise Refusal(500, f"key with ID {bundle.id} already exists")
        self.bundles[bundle.id] = bundle
        # The real node answers the key itself, not its public view.
        return _document(
            _resource("keyV2s", bundle.id, orjson.loads(re.sub(rb":(\d+),", rb':"\1",', bundle.plaintext)))
        )

    def _create_bridge(self, bridge: Any) -> web.Response:
        name = bridge["name"].lower()
        if not re.fullmatch("[a-z0-9-_]+", name):
            raise Refusal(422, "task type validation: name contains invalid characters")
        if name in self.bridges:
            raise Refusal(400, f"Bridge Type {name} already exists")
        self.bridges[name] = bridge["url"]
        return self._bridge(name)

    def _bridge(self, name: str) -> web.Response:
        if name not in self.bridges:
            raise Refusal(404, "bridge not found")
        return _document(_resource("bridges", name, {"name": name, "url": self.bridges[name], "confirmations": 0}))

    def _create_job(self, text: str) -> web.Response:
        try:
            spec = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Refusal(422, f"failed to parse TOML: {error}") from error
        attributes = job_attributes(text)
        bundle, address = spec.get("keyBundleID"), spec.get("transmitterAddress")
        if bundle is not None and bundle not in self.bundles:
            raise Refusal(400, f"no key bundle with id: {bundle}")
        if address is not None and address != self.evm_address:
            raise Refusal(400, f"no key matching transmitter address: {address}")
        names = re.findall(r'type=bridge name="([^"]+)"', spec.get("observationSource", ""))
        if not all(name in self.bridges for name in names):
            raise Refusal(500, "not all bridges exist")
        for job in self.jobs.values():
            if job["name"] == attributes["name"] or job["externalJobID"] == attributes["externalJobID"]:
                raise Refusal(500, "ERROR: duplicate key value violates unique constraint (SQLSTATE 23505)")
            if _contract(job) == _contract(attributes):
                raise Refusal(500, "CreateJobFailed: a job with contract address already exists")
        self.job_count += 1
        self.jobs[self.job_count] = attributes
        if self.services_fail:
            raise Refusal(500, "failed to start services of the job")
        return _document(self._job(self.job_count))

    def _delete_job(self, job_id: str) -> web.Response:
        if not job_id.isdigit():
            raise Refusal(422, "strconv.ParseInt: invalid syntax")
        if self.jobs.pop(int(job_id), None) is None:
            raise Refusal(404, "JobSpec not found")
        return web.Response(status=204)

    def _number(self, job_id: str) -> int:
        for number, job in self.jobs.items():
            if job_id in (str(number), job["externalJobID"]):
                return number
        raise Refusal(404, "job not found")

    def _job(self, number: int) -> dict[str, Any]:
        return _resource("jobs", str(number), self.jobs[number])


def job_attributes(text: str) -> dict[str, Any]:
    """Return a job's attributes as a node answers them: durations and defaults in Go's manner."""
    spec = tomllib.loads(text)
    timeout_ns = parse_duration_ns(spec.get("observationTimeout", "10s"))
    return {
        "name": spec["name"],
        "type": spec["type"],
        "schemaVersion": spec["schemaVersion"],
        "externalJobID": spec["externalJobID"],
        "offChainReportingOracleSpec": {
            "contractAddress": spec["contractAddress"],
            "p2pv2Bootstrappers": spec["p2pv2Bootstrappers"] or None,
            "isBootstrapPeer": spec["isBootstrapPeer"],
            "keyBundleID": spec.get("keyBundleID"),
            "transmitterAddress": spec.get("transmitterAddress"),
            "observationTimeout": f"{timeout_ns / NS_PER_S:g}s",
            "blockchainTimeout": "20s",
            "evmChainID": spec["evmChainID"],
        },
        "offChainReporting2OracleSpec": None,
        "pipelineSpec": {"id": 1, "jobID": 0, "dotDagSource": spec.get("observationSource", "")},
        "errors": [],
    }


@asynccontextmanager
async def serving(node: FakeNode, port: int = 0) -> AsyncIterator[FakeNode]:
    """Serve a node's API on 127.0.0.1 until the block ends; port 0 takes a free one."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", node.dispatch)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        node.port = runner.addresses[0][1]
        yield node
    finally:
        node.faults.released.set()
        await runner.cleanup()


def _contract(job: dict[str, Any]) -> str:
    return str(job["offChainReportingOracleSpec"]["contractAddress"]).lower()


def _resource(kind: str, identifier: str, attributes: Any) -> dict[str, Any]:
    return {"type": kind, "id": identifier, "attributes": attributes}


def _document(data: Any, **more: Any) -> web.Response:
    return web.Response(body=orjson.dumps({"data": data, **more}), content_type="application/vnd.api+json")


def _list(items: list[dict[str, Any]], query: Any, longest: int = 1000) -> web.Response:
    size, page = min(int(query.get("size", _PAGE)), longest), int(query.get("page", 1))
    shown = items[(page - 1) * size : page * size]
    more: dict[str, Any] = {"meta": {"count": len(items)}}
    if page * size < len(items):
        more["links"] = {"next": {"href": f"?page={page + 1}&size={size}"}}
    return _document(shown, **more)


def _error(status: int, detail: str) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps({"errors": [{"detail": detail}]}), content_type="application/json"
    )
