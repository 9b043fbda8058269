"""GraphQL as Operator UI asks it, in one process, over what a node would hold and store."""

import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chainlink.jobs import JobSpec
from chainlink.keys.csa import CsaKey
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.rpc.endpoints import Standing
from meshkit.errors import NotFound
from services.oracle.jobs.job_spawner import ActiveJob
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.schedule import Schedule
from services.oracle.jobs.specification import BootstrapJob, CronJob, Head, Job, OracleJob, Timings, WebhookJob
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.rest import application
from services.oracle.rest.graphql.answers import NodeAnswers
from services.oracle.rest.graphql.query import GraphQl
from services.oracle.rest.jsonapi import Refused
from services.oracle.rest.keys.evm import EvmKeys
from services.oracle.settings import read_config
from services.oracle.store.bridges import Bridge
from services.oracle.store.jobs import JobError, StoredJob
from services.oracle.store.transactions import SentAttempt
from tests.oracle.rest.graphql.questions import QUESTIONS
from tests.oracle.test_settings import CONFIG, written

Client = TestClient[web.Request, web.Application]
_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_TIME = "2026-01-02T03:04:05Z"
_TIMINGS = Timings(5, 1, 1, 1, 1, 1, 1, 1, 1)
_PIPELINE = Pipeline.parse("a [type=memo value=1]")
_SPEC = JobSpec(contract_address="0xC", chain_id=5611, is_bootstrap=False, key_bundle_id="ee", bootstrappers=("p@h:1",))
_HASH = "0x" + "ab" * 32


def _head(number: int, kind: str, name: str | None = None) -> Head:
    return Head(kind, uuid.UUID(int=number), name, pipeline=None if number == 2 else _PIPELINE)


_JOBS: dict[int, Job] = {
    1: OracleJob(_head(1, "offchainreporting", "ETH / USD"), _SPEC, _TIMINGS, "ee", None, _PIPELINE, 0, 1),
    2: BootstrapJob(_head(2, "offchainreporting"), _SPEC, _TIMINGS),
    3: CronJob(_head(3, "cron", "hourly"), _PIPELINE, Schedule.parse("@every 1h"), 5611),
    4: WebhookJob(_head(4, "webhook", "by request"), _PIPELINE),
}
_RUNS = {
    1: PipelineRun(1, 1000, 2000, '{"a": 1}', ("1",), (None,), None, 1),
    2: PipelineRun(1, 1000, 2500, "{}", (None,), ("too late",), (TaskRun("a", "memo", 1, 2, None, "too late"),), 2),
    3: PipelineRun(9, 1000, 2500, "{}", ("1",), (None,), None, 3),
}


class Spawner:
    """Stand for the node's jobs."""

    def find(self, job_id: int) -> ActiveJob:
        """Return the job of a number."""
        if job_id not in _JOBS:
            raise NotFound("JobSpec", str(job_id))
        stored = StoredJob(job_id, _JOBS[job_id].external_job_id, _NOW)
        return ActiveJob(stored, _JOBS[job_id], JobStatus(""))

    def all(self) -> list[ActiveJob]:
        """Return all jobs."""
        return [self.find(number) for number in _JOBS]

    async def errors(self, job_id: int) -> list[JobError]:
        """Return the one error of the first job."""
        return [JobError(7, "no price", 3, _NOW, _NOW)] if job_id == 1 else []


class Runs:
    """Stand for the stored runs."""

    async def of_job(self, job_id: int | None, first: int, count: int) -> tuple[list[PipelineRun], int]:
        """Return a page of runs, and how many there are."""
        found = [run for run in reversed(_RUNS.values()) if job_id in (None, run.job_id)]
        return found[first : first + count], len(found)

    async def get(self, run_id: int) -> PipelineRun | None:
        """Return a run; one of them cannot be read."""
        if run_id == 66:
            raise RuntimeError("a secret of the database")
        return _RUNS.get(run_id)


class Sent:
    """Stand for the stored transactions."""

    async def transactions(self, first: int, count: int) -> tuple[list[SentAttempt], int]:
        """Return the only one, of a chain that the configuration has no more."""
        return [_sent(204)][first : first + count], 1

    async def attempts(self, first: int, count: int) -> tuple[list[SentAttempt], int]:
        """Return the only one."""
        return [_sent(5611)][first : first + count], 1

    async def attempt(self, hash_: str) -> SentAttempt | None:
        """Return the one of the hash."""
        return _sent(5611) if hash_ == _HASH else None


def _sent(chain_id: int) -> SentAttempt:
    return SentAttempt(chain_id, "0xA", "0xB", b"\1", 21000, 4, "reverted", 12, _HASH, 10**9, b"\2")


class Sessions:
    """Stand for sessions: a request without the header has none."""

    def routes(self) -> tuple[web.RouteDef, ...]:
        """Return no routes."""
        return ()

    def limit(self, request: web.Request) -> None:
        """Take everything."""

    async def require(self, request: web.Request) -> None:
        """Refuse who has not logged in."""
        if "Logged-In" not in request.headers:
            raise Refused(401, "session missing or expired, please login again")


@pytest.fixture(name="ring", scope="module")
def _ring() -> SimpleNamespace:
    """Give a key of each kind."""
    keys = {"evm": EvmKey, "p2p": P2pKey, "ocr": OcrKeyBundle, "ocr2": Ocr2KeyBundle, "csa": CsaKey}
    made = {name: kind.generate() for name, kind in keys.items()}  # type: ignore[attr-defined]
    return SimpleNamespace(**{name: {key.id: key} for name, key in made.items()})


@pytest.fixture(name="client")
async def _client(ring: SimpleNamespace, tmp_path: Path) -> AsyncIterator[Client]:
    """Give a client of a node with a chain, a bridge, a job of each kind, runs and a transaction."""
    config = read_config(written(tmp_path, "config.toml", CONFIG))

    async def number(_method: str, _address: str, _block: str) -> int:
        return 15 * 10**17

    rpc = SimpleNamespace(book=SimpleNamespace(standing=lambda _: Standing.GOOD), number=number)
    chains: Any = {5611: SimpleNamespace(settings=config.evm[0], rpc=rpc)}
    bridge = Bridge("quotes", "http://127.0.0.1:3000/", 0, None, "token", _NOW)
    bridges = SimpleNamespace(all=lambda: [bridge], get=lambda name: bridge if name == "quotes" else None)
    parts: Any = (config, ring, EvmKeys(ring, chains), chains, bridges, Spawner(), Runs(), Sent())  # type: ignore[arg-type]
    sessions: Any = Sessions()
    controllers = [GraphQl(NodeAnswers(*parts).fields(), sessions.require)]
    async with TestClient(TestServer(application.create(sessions, controllers, config.web_server))) as client:
        yield client


async def _asked(client: Client, query: str, **variables: Any) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    answer = await client.post("/query", json=body, headers={"Logged-In": "yes"})
    assert (200, "application/json") == (answer.status, answer.content_type)
    found: dict[str, Any] = await answer.json()
    return found


@pytest.mark.parametrize("name", QUESTIONS)
async def test_what_the_pages_ask(name: str, client: Client) -> None:
    """Every question of a page has an answer without an error, and what is not there is said so."""
    query, variables, wanted = QUESTIONS[name]
    found = await _asked(client, query, **variables)

    assert "errors" not in found
    assert wanted == _without(found["data"])


def _without(value: Any) -> Any:
    """Return an answer without what differs each time: keys, and the texts of the configuration."""
    if isinstance(value, dict):
        return {name: bool(each) if name in _MADE else _without(each) for name, each in value.items()}
    return [_without(each) for each in value] if isinstance(value, list) else value


_MADE = (
    *("address", "peerID", "publicKey", "configPublicKey", "offChainPublicKey", "onChainPublicKey"),
    *("onChainSigningAddress", "user", "effective", "keyId", "taskId"),
)


async def test_all_may_be_asked_of_the_schema(client: Client) -> None:
    """The library's own question for the whole schema is answered, and of no kind of change."""
    from graphql import build_client_schema, get_introspection_query

    found = await _asked(client, get_introspection_query(input_value_deprecation=True))
    schema = build_client_schema(found["data"])

    assert "errors" not in found
    assert schema.query_type is not None
    assert {"jobs", "job", "ethKeys", "configv2"} <= set(schema.query_type.fields)
    assert None is schema.mutation_type


@pytest.mark.parametrize("kind", ["mutation", "subscription"])
async def test_nothing_is_changed(kind: str, client: Client) -> None:
    """A change is answered in GraphQL's form that this node is read-only."""
    found = await _asked(client, f'{kind} {{ deleteJob(id: "1") {{ __typename }} }}')

    assert None is found["data"]
    assert ["READ_ONLY"] == [error["extensions"]["code"] for error in found["errors"]]


async def test_who_is_not_logged_in(client: Client) -> None:
    """Pages learn it by an error of this code, with the status 200."""
    answer = await client.post("/query", json={"query": "{ jobs { metadata { total } } }"})

    assert 200 == answer.status
    assert ["UNAUTHORIZED"] == [error["extensions"]["code"] for error in (await answer.json())["errors"]]


_NESTED = "{ job(id: 1) " + "{ ... on Job { runs { results { job " * 9 + "{ id }" + "} } } }" * 9 + " }"
_MANY = "{ " + " ".join(f"a{at}: jobs {{ metadata {{ total }} }}" for at in range(350)) + " }"
_CIRCLE = "{ jobs { results { ...A } } } fragment A on Job { runs { results { job { ...A } } } }"
_BOMB = "{ ...F0 } " + " ".join(f"fragment F{at} on Query {{ ...F{at + 1} ...F{at + 1} }}" for at in range(11))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{", "Syntax Error"),
        ("", "Syntax Error"),
        ("{ nothing }", "Cannot query field 'nothing'"),
        ("{ job { __typename } }", "Argument 'Query.job(id:)'"),
        (_NESTED, "nests deeper than 20 levels"),
        ("{ " + "a { " * 5000, "nested too deeply"),
        ("{ " + "a " * 5000 + "}", "more than 3000 tokens"),
        (_MANY, "Document contains more than 3000 tokens"),
        (_CIRCLE, "nests deeper than 20 levels"),
        (_BOMB + " fragment F11 on Query { jobs { metadata { total } } }", "more than 2000 fields"),
        ("query A { jobs { metadata { total } } } query B { __typename }", "operation name"),
    ],
)
async def test_questions_that_are_none(query: str, told: str, client: Client) -> None:
    """What is no question, or too much of one, is an error of GraphQL's form that says what is wrong."""
    found = await _asked(client, query)

    assert told in found["errors"][0]["message"]


async def test_what_fails_inside_is_not_shown(client: Client) -> None:
    """The rest is answered, and the error is in the log, not in the answer."""
    found = await _asked(client, "{ jobs { metadata { total } } bad: features { ... on Features { csa } } }")
    assert "errors" not in found
    failed = await _asked(client, '{ jobRun(id: "66") { __typename } }')

    assert ["internal error"] == [error["message"] for error in failed["errors"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("no json", "invalid character"),
        ("[]", "body: found list"),
        ("{}", "query: found NoneType"),
        ('{"query": 7}', "query: found int"),
        ('{"query": "{__typename}", "variables": []}', "variables: found list"),
        ('{"query": "{__typename}", "operationName": 7}', "operationName: found int"),
    ],
)
async def test_bodies_that_are_none(body: str, told: str, client: Client) -> None:
    """A body that holds no question has the status 400, and names the field."""
    answer = await client.post("/query", data=body, headers={"Logged-In": "yes"})

    assert 400 == answer.status
    assert told in (await answer.json(content_type=None))["errors"][0]["detail"]


def test_the_library_is_not_imported_at_the_start() -> None:
    """A node that is never asked does not hold it."""
    code = "import sys, services.oracle.rest.graphql.query; print('graphql' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False\n" == found.stdout
