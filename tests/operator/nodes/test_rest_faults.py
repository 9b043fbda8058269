"""A node's API under faults: nothing is doubled, nothing is lost, and few logins are made."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from chainlink.jobs import JobSpec
from services.operator.config import OperatorConfig
from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable
from services.operator.nodes import feed_jobs, rest_session
from services.operator.nodes.identity import bootstrappers
from services.operator.nodes.login_limit import MOST, PERIOD_S
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.nodes.rest_client import Bridge, NodeClient
from services.operator.nodes.session_file import SessionFile
from tests.operator.fake_node import EMAIL, PASSWORD, FakeNode, serving
from tests.operator.node_faults import Fault
from tests.operator.skipping_clock import SkippingClock

_CONTRACT = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"
_URL = "http://127.0.0.1:3000/quotes/batch"
_BRIDGE = feed_jobs.BRIDGE_NAME
_QUICK = [fault for fault in Fault if fault not in (Fault.HANG, Fault.STORED_HANG)]
_LOGIN = ("POST", "/sessions")


@pytest.fixture(name="clock")
def _clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture(name="node")
async def _node(prepared: Preparation) -> AsyncIterator[FakeNode]:
    identity = prepared.identities[1]
    async with serving(FakeNode(identity.transmitter_address, identity.peer_id)) as node:
        yield node


@pytest.fixture(name="client")
async def _client(node: FakeNode, clock: SkippingClock) -> AsyncIterator[NodeClient]:
    async with _client_of(node, clock) as client:
        yield client


def _client_of(node: FakeNode, clock: SkippingClock, kept: SessionFile | None = None) -> NodeClient:
    return NodeClient("chainlink-node-2", node.url, EMAIL, PASSWORD, clock=clock, kept=kept)


@pytest.fixture(name="spec")
def _spec(config: OperatorConfig, prepared: Preparation) -> JobSpec:
    locators = bootstrappers(prepared.identities, config.ports)
    return feed_jobs.oracle_job("BTC / USD", 8, 1337, _CONTRACT, prepared.identities[1], locators, 1125)


@pytest.fixture(name="able")
async def _able(node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation) -> FakeNode:
    """Give a node that has what a job needs."""
    await _import(client, config, prepared)
    await client.create_bridge(_BRIDGE, _URL)
    return node


async def _import(client: NodeClient, config: OperatorConfig, prepared: Preparation) -> None:
    export, identity = prepared.nodes[1].ocr_export, prepared.identities[1]
    assert export is not None
    assert identity.ocr is not None
    await client.ensure_ocr_bundle(export, config.credentials.keystore_password, identity.ocr.bundle_id)


@pytest.mark.parametrize("fault", _QUICK)
async def test_a_job_is_made_once_whatever_happens(
    fault: Fault, able: FakeNode, client: NodeClient, spec: JobSpec
) -> None:
    """A fault of one POST leaves the job as wanted; where the node had it already, it is not posted again."""
    able.faults.plan(fault, "POST", "/v2/jobs")
    await client.create_job(spec)

    (found,) = await client.jobs()
    assert () == spec.differences(found["attributes"])
    # After a server error the services of what is stored may not run, so it is made anew.
    assert (2 if fault is Fault.STORED_SERVER_ERROR else 1) == able.job_count


@pytest.mark.parametrize("fault", _QUICK)
async def test_a_bridge_is_made_once_whatever_happens(fault: Fault, node: FakeNode, client: NodeClient) -> None:
    """A fault of one POST leaves the bridge as wanted; where the node had it already, it is not posted again."""
    await client.jobs()
    node.faults.plan(fault, "POST", "/v2/bridge_types")
    await client.create_bridge(_BRIDGE, _URL)

    assert Bridge(_URL) == await client.bridge(_BRIDGE)
    # A request that comes to nothing does not reach what counts them.
    assert (2 if fault is Fault.EXPIRED else 1) == node.requests.count(("POST", "/v2/bridge_types"))


@pytest.mark.parametrize("fault", _QUICK)
async def test_a_bundle_is_imported_once_whatever_happens(
    fault: Fault, node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation
) -> None:
    """A fault of one import leaves the node with the bundle."""
    node.faults.plan(fault, "POST", "/v2/keys/ocr/import")
    await _import(client, config, prepared)

    assert 1 == len(await client.ocr_bundle_ids())


@pytest.mark.parametrize("fault", _QUICK)
@pytest.mark.parametrize("path", ["/v2/jobs", "/v2/bridge_types", "/v2/keys/ocr", "/v2/keys/evm", "/v2/keys/p2p"])
async def test_what_only_reads_is_repeated(fault: Fault, path: str, able: FakeNode, client: NodeClient) -> None:
    """One fault of a list or a look is not seen by the caller."""
    able.faults.plan(fault, "GET", path)

    keys = [await client.ocr_bundle_ids(), await client.evm_accounts(1337), await client.peer_ids()]
    assert [1, 1, 1] == [len(found) for found in keys]
    assert ((), Bridge(_URL)) == (await client.jobs(), await client.bridge(_BRIDGE))
    assert {0} == {planned.times for planned in able.faults.planned}


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RESET, Fault.HTML, Fault.REDIRECT, Fault.HALF_BODY])
async def test_repeats_end(fault: Fault, node: FakeNode, client: NodeClient, clock: SkippingClock) -> None:
    """What fails again and again is an error, after some waits that become longer."""
    node.faults.plan(fault, "GET", "/v2/jobs", times=1000)
    with pytest.raises(NodeUnavailable, match="chainlink-node-2: GET /v2/jobs: "):
        await client.jobs()

    assert 2 == len(clock.slept_s)
    assert clock.slept_s == sorted(clock.slept_s)


@pytest.mark.parametrize(
    ("change", "path"), [("update", "/v2/bridge_types"), ("delete", "/v2/jobs")], ids=["bridge", "job"]
)
@pytest.mark.parametrize("fault", _QUICK)
async def test_changes_that_may_be_repeated_are(
    fault: Fault, change: str, path: str, able: FakeNode, client: NodeClient, spec: JobSpec
) -> None:
    """A PATCH and a DELETE are done after one fault, also if they were done before it."""
    await client.create_job(spec)
    able.faults.plan(fault, {"update": "PATCH", "delete": "DELETE"}[change], path)
    if change == "update":
        await client.update_bridge(_BRIDGE, "http://127.0.0.1:4000/")
        assert {_BRIDGE: "http://127.0.0.1:4000/"} == able.bridges
    else:
        await client.delete_job("1")
        assert {} == able.jobs


@pytest.mark.parametrize(("fault", "stored"), [(Fault.HANG, False), (Fault.STORED_HANG, True)])
async def test_a_post_that_hangs_is_looked_for(
    fault: Fault, stored: bool, able: FakeNode, client: NodeClient, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time-out a stored job is one that is made; what is not stored is left to the next pass."""
    monkeypatch.setattr(client._session._session, "_timeout", aiohttp.ClientTimeout(total=1.5))
    able.faults.plan(fault, "POST", "/v2/jobs")
    if stored:
        await client.create_job(spec)
    else:
        with pytest.raises(NodeUnavailable, match="no answer in time"):
            await client.create_job(spec)

    assert int(stored) == len(able.jobs) == able.job_count


async def test_a_job_given_twice_is_there_once(able: FakeNode, client: NodeClient, spec: JobSpec) -> None:
    """What the node refuses because it has it, as from an earlier request that arrived late, is as wanted."""
    await client.create_job(spec)
    await client.create_job(spec)

    assert [1] == list(able.jobs)


async def test_another_job_of_the_same_id_is_replaced(able: FakeNode, client: NodeClient, spec: JobSpec) -> None:
    """A job that has the wanted one's id and is another does not stay in its way."""
    await client.create_job(spec)
    able.jobs[1]["pipelineSpec"]["dotDagSource"] = "a [type=memo value=1];"
    await client.create_job(spec)

    (found,) = await client.jobs()
    assert () == spec.differences(found["attributes"])


async def test_many_at_once_log_in_once(node: FakeNode, client: NodeClient) -> None:
    """Requests that all find the session gone share one login."""
    await asyncio.gather(*(client.jobs() for _ in range(12)))
    node.expire_sessions()
    await asyncio.gather(*(client.jobs() for _ in range(12)))

    assert 2 == node.requests.count(_LOGIN)


async def test_the_nodes_limit_of_logins_is_never_met(node: FakeNode, client: NodeClient, clock: SkippingClock) -> None:
    """However often sessions end, fewer logins are tried than the node takes; later there may be more."""
    for _ in range(MOST):
        node.expire_sessions()
        await client.jobs()
    node.expire_sessions()
    for _ in range(10):
        with pytest.raises(NodeUnavailable, match="POST /sessions: not tried now") as caught:
            await client.jobs()
        assert NodeFailure.LOGIN is caught.value.failure
    assert MOST == node.requests.count(_LOGIN)

    clock.advance(PERIOD_S)
    assert () == await client.jobs()


async def test_a_node_that_takes_no_login_is_left_alone(
    node: FakeNode, client: NodeClient, clock: SkippingClock
) -> None:
    """After 429 no login is tried for as long as the node counts."""
    node.logins_left = 0
    for _ in range(5):
        with pytest.raises(NodeUnavailable, match="POST /sessions: answered 429: Limit exceeded"):
            await client.jobs()
    assert 1 == node.requests.count(_LOGIN)

    clock.advance(PERIOD_S)
    node.logins_left = 1
    assert () == await client.jobs()


async def test_wrong_credentials_are_tried_seldom(node: FakeNode, clock: SkippingClock) -> None:
    """A password that is refused is tried again after longer and longer waits, and the error stays the same."""
    async with NodeClient("chainlink-node-2", node.url, EMAIL, "wrong-password-1", clock=clock) as client:
        for _ in range(120):
            with pytest.raises(NodeRefused, match="POST /sessions answered 401: Invalid password"):
                await client.jobs()
            clock.advance(1)

    assert 5 == node.requests.count(_LOGIN)  # at 0, 5, 15, 35 and 75 s


async def test_a_session_outlives_the_operator(node: FakeNode, clock: SkippingClock, tmp_path: Path) -> None:
    """A client made anew goes on in the session that was kept, in a file that nobody else may read."""
    path = tmp_path / "sessions" / "chainlink-node-2.json"
    for _ in range(3):
        async with _client_of(node, clock, SessionFile(path)) as client:
            assert () == await client.jobs()

    assert 1 == node.requests.count(_LOGIN)
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"clsession": 1}', '{"clsession": "old"}'])
async def test_a_kept_session_that_is_none_is_made_anew(
    content: str, node: FakeNode, clock: SkippingClock, tmp_path: Path
) -> None:
    """A damaged file, and a session that the node does not know any more, cost one login."""
    path = tmp_path / "chainlink-node-2.json"
    path.write_text(content)
    async with _client_of(node, clock, SessionFile(path)) as client:
        assert () == await client.jobs()

    assert 1 == node.requests.count(_LOGIN)


async def test_a_session_that_never_holds_is_an_error(
    node: FakeNode, client: NodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that logs us in and knows nothing of it is not asked for ever."""
    node.faults.plan(Fault.EXPIRED, "GET", "/v2/jobs", times=1000)
    with pytest.raises(NodeRefused, match="GET /v2/jobs answered 401: logged in, and yet: Unauthorized"):
        await client.jobs()

    assert 2 == node.requests.count(_LOGIN)


async def test_nobody_else_gets_the_password(node: FakeNode, client: NodeClient, prepared: Preparation) -> None:
    """A node that sends us elsewhere is an error: neither login nor cookie go where it points."""
    other = FakeNode("0x", "12D3KooW")
    async with serving(other):
        node.faults.elsewhere = f"{other.url}/sessions"
        node.faults.plan(Fault.REDIRECT, "POST", "/sessions", times=1000)
        with pytest.raises(NodeUnavailable, match="POST /sessions: answered 302: a redirection"):
            await client.jobs()
        assert not await _ready_elsewhere(node, client)

    assert [] == other.requests


async def _ready_elsewhere(node: FakeNode, client: NodeClient) -> bool:
    node.faults.plan(Fault.REDIRECT, "GET", "/readyz")
    return await client.is_ready()


async def test_a_short_page_is_not_the_last(node: FakeNode, client: NodeClient) -> None:
    """A node that gives 25 a page, whatever it is asked for, is read to its end."""
    node.longest_page = 25
    for number in range(1, 1062):
        node.jobs[number] = {"name": f"job {number}"}

    assert [str(number) for number in range(1, 1062)] == [job["id"] for job in await client.jobs()]


async def test_pages_that_never_end_are_an_error(
    node: FakeNode, client: NodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that names a next page and gives the same again is not read for ever."""
    body = '{"data":[{"type":"jobs","id":"1","attributes":{}}],"links":{"next":"/v2/jobs?page=2"}}'
    await client.jobs()
    node.failures += [(200, body)] * 10
    with pytest.raises(NodeUnavailable, match="page 2 has nothing that pages before it had not"):
        await client.jobs()


@pytest.mark.parametrize("body", ['{"data":[1]}', '{"data":[{"id":"1"}]}', '{"data":[{"attributes":{}}]}'])
async def test_items_of_another_form_are_an_error(body: str, node: FakeNode, client: NodeClient) -> None:
    """A list of what has no id, or no attributes, is the node's error, not ours."""
    await client.jobs()
    node.failures += [(200, body)]
    with pytest.raises(NodeUnavailable, match="no object with `id` and `attributes`"):
        await client.jobs()


async def test_a_node_that_wants_to_be_left_alone_is(node: FakeNode, client: NodeClient, clock: SkippingClock) -> None:
    """After 429 the next try waits at least as long as the node says."""
    node.faults.plan(Fault.LIMIT, "GET", "/v2/jobs")
    await client.jobs()

    assert 2 <= sum(clock.slept_s)


async def test_an_endless_answer_is_cut(node: FakeNode, client: NodeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer longer than any node's is not read to its end."""
    monkeypatch.setattr(rest_session, "_LONGEST_ANSWER_BYTES", 1000)
    node.failures += [(200, "[" + "1," * 1000)] * 3
    with pytest.raises(NodeUnavailable, match="the answer is longer than 1000 bytes"):
        await client.jobs()
