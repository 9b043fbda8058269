from collections.abc import AsyncIterator

import pytest

from chainlink.jobs import JobSpec
from services.operator.config import OperatorConfig
from services.operator.errors import NodeRefused, NodeUnavailable
from services.operator.nodes import feed_jobs
from services.operator.nodes.identity import bootstrappers
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.nodes.rest_client import Bridge, NodeClient
from tests.operator.fake_node import EMAIL, PASSWORD, FakeNode, serving
from tests.ports import free_port

_CONTRACT = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"


@pytest.fixture(name="node")
async def _node(prepared: Preparation) -> AsyncIterator[FakeNode]:
    identity = prepared.identities[1]
    async with serving(FakeNode(identity.transmitter_address, identity.peer_id)) as node:
        yield node


@pytest.fixture(name="client")
async def _client(node: FakeNode) -> AsyncIterator[NodeClient]:
    async with NodeClient("chainlink-node-2", node.url, EMAIL, PASSWORD) as client:
        yield client


@pytest.fixture(name="spec")
def _spec(config: OperatorConfig, prepared: Preparation) -> JobSpec:
    locators = bootstrappers(prepared.identities, config.ports)
    return feed_jobs.oracle_job("BTC / USD", 8, 1337, _CONTRACT, prepared.identities[1], locators, 1125)


async def _import(client: NodeClient, config: OperatorConfig, prepared: Preparation) -> str:
    assert prepared.nodes[1].ocr_export is not None
    return await client.import_ocr_bundle(prepared.nodes[1].ocr_export, config.credentials.keystore_password)


async def test_it_logs_in_once_and_again_when_the_session_is_gone(node: FakeNode, client: NodeClient) -> None:
    """The first 401 makes it log in, the cookie serves from then on, and an expired session is renewed."""
    await client.evm_accounts(1337)
    await client.evm_accounts(1337)
    assert 1 == node.requests.count(("POST", "/sessions"))

    node.expire_sessions()
    assert {node.evm_address.lower(): True} == await client.evm_accounts(1337)
    assert 2 == node.requests.count(("POST", "/sessions"))


async def test_wrong_credentials_are_refused_with_the_nodes_text(node: FakeNode) -> None:
    """A refused login is an error that names the node and has its text, and not the password."""
    async with NodeClient("chainlink-node-2", node.url, EMAIL, "wrong-password-1") as client:
        with pytest.raises(
            NodeRefused, match="chainlink-node-2: POST /sessions answered 401: Invalid password"
        ) as caught:
            await client.jobs()

    assert "wrong-password-1" not in str(caught.value)


async def test_keys_are_listed_in_the_operators_spelling(node: FakeNode, client: NodeClient) -> None:
    """Peer ids come without prefix, addresses in lower case."""
    assert frozenset({node.peer_id}) == await client.peer_ids()
    assert {node.evm_address.lower(): True} == await client.evm_accounts(1337)
    assert frozenset() == await client.ocr_bundle_ids()


async def test_bundle_import_gives_only_the_id(
    node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation
) -> None:
    """A bundle's import returns the id that the file has, although the node answers private keys."""
    imported = await _import(client, config, prepared)

    assert prepared.identities[1].ocr is not None
    assert prepared.identities[1].ocr.bundle_id == imported
    assert frozenset({imported}) == await client.ocr_bundle_ids()


async def test_errors_of_an_import_show_neither_password_nor_keys(
    node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation
) -> None:
    """An import that fails says so without the password of its query."""
    await _import(client, config, prepared)
    with pytest.raises(NodeUnavailable, match="already exists") as caught:
        await _import(client, config, prepared)

    assert config.credentials.keystore_password not in repr(caught.value)
    with pytest.raises(NodeUnavailable, match="failed to decrypt"):
        await client.import_ocr_bundle(prepared.nodes[1].ocr_export or "", "wrong-password-16")


async def test_bridges_are_created_and_changed(node: FakeNode, client: NodeClient) -> None:
    """A bridge is none at first, then has the URL it was given last."""
    assert await client.bridge("feedmesh-quotes") is None
    await client.create_bridge("feedmesh-quotes", "http://127.0.0.1:3000/a")
    await client.update_bridge("feedmesh-quotes", "http://127.0.0.1:3000/b")

    assert Bridge("http://127.0.0.1:3000/b") == await client.bridge("feedmesh-quotes")
    with pytest.raises(NodeRefused, match="400: Bridge Type feedmesh-quotes already exists"):
        await client.create_bridge("feedmesh-quotes", "http://127.0.0.1:3000/a")


async def test_a_job_is_created_recognised_and_deleted(
    node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation, spec: JobSpec
) -> None:
    """A created job is listed as the one that was wanted; deleting it twice is fine."""
    await _import(client, config, prepared)
    await client.create_bridge(feed_jobs.BRIDGE_NAME, "http://127.0.0.1:3000")
    await client.create_job(spec)
    (found,) = await client.jobs()

    assert () == spec.differences(found["attributes"])
    await client.delete_job(found["id"])
    await client.delete_job(found["id"])
    assert () == await client.jobs()


async def test_a_job_that_was_stored_but_did_not_start_is_removed(
    node: FakeNode, client: NodeClient, config: OperatorConfig, prepared: Preparation, spec: JobSpec
) -> None:
    """A node that answers 500 and keeps the job all the same is left without it, so that a retry can succeed."""
    await _import(client, config, prepared)
    await client.create_bridge(feed_jobs.BRIDGE_NAME, "http://127.0.0.1:3000")
    node.services_fail = True
    with pytest.raises(NodeUnavailable, match="failed to start services"):
        await client.create_job(spec)
    assert {} == node.jobs

    node.services_fail = False
    await client.create_job(spec)
    assert 1 == len(node.jobs)


async def test_a_job_without_its_bridge_is_the_nodes_error(
    client: NodeClient, config: OperatorConfig, prepared: Preparation, spec: JobSpec
) -> None:
    """What the node says about a missing bridge or key reaches the caller."""
    with pytest.raises(NodeRefused, match="400: no key bundle"):
        await client.create_job(spec)
    await _import(client, config, prepared)
    with pytest.raises(NodeUnavailable, match="not all bridges exist"):
        await client.create_job(spec)


async def test_lists_are_read_to_their_last_page(
    node: FakeNode, client: NodeClient, prepared: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that comes in pages is returned whole."""
    monkeypatch.setattr("services.operator.nodes.rest_client._PAGE_SIZE", 2)
    for number in range(5):
        node.jobs[number] = {"name": f"job {number}"}

    assert ["0", "1", "2", "3", "4"] == [job["id"] for job in await client.jobs()]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (429, "Limit exceeded", "answered 429: Limit exceeded"),
        (500, "", "answered 500: no text"),
        (200, "<html>", "not JSON"),
        (200, "[]", "not a JSON object"),
        (200, "{}", "no list in `data`"),
    ],
)
async def test_odd_answers_are_temporary_errors(
    node: FakeNode, client: NodeClient, status: int, body: str, message: str
) -> None:
    """Rate limits, server errors and answers of another form are errors that a retry may mend: some are made."""
    node.failures += [(status, body)] * 3

    with pytest.raises(NodeUnavailable, match=message):
        await client.jobs()


async def test_a_dead_node_is_unavailable_and_not_ready() -> None:
    """Nobody listening is NodeUnavailable for calls, and simply not ready for the probe."""
    async with NodeClient("chainlink-node-9", f"http://127.0.0.1:{free_port()}", EMAIL, PASSWORD) as client:
        assert not await client.is_ready()
        with pytest.raises(NodeUnavailable, match="chainlink-node-9: GET /v2/jobs: no connection"):
            await client.jobs()


async def test_readiness_is_the_nodes_own_answer(node: FakeNode, client: NodeClient) -> None:
    """A node that answers 503 is not ready."""
    assert await client.is_ready()
    node.ready = False
    assert not await client.is_ready()
