"""The operator's own client against a node of either program: everything made, nothing made twice, all set right."""

from collections.abc import AsyncIterator

import pytest

from meshkit.clock import SystemClock
from services.operator.config import FeedTarget
from services.operator.errors import NodeFailure
from services.operator.nodes import feed_jobs
from services.operator.nodes.node_setup import NodeSetup
from tests.node.node import NodeUnderTest
from tests.node.rest import Rest
from tests.node.test_life_of_a_node import address, delete_all

_BRIDGE = f"/v2/bridge_types/{feed_jobs.BRIDGE_NAME}"


class Client:
    """What brings the node under test to its state, and what it was counted to have done."""

    def __init__(self, node: NodeUnderTest) -> None:
        self.counted: list[NodeFailure | None] = []
        self.contracts = {feed: address(number) for number, feed in enumerate(node.config.feeds, 1)}
        self.setup = NodeSetup(
            node.config,
            node.prepared,
            node.bootstrappers,
            SystemClock(),
            lambda _name, failure: self.counted.append(failure),
        )

    async def changes(self, contracts: dict[FeedTarget, str] | None = None) -> list[str]:
        """Make a pass, and return in words what it has changed; it must have no error."""
        outcome = await self.setup.run(self.contracts if contracts is None else contracts, {})
        assert {} == {part: str(error) for part, error in outcome.errors.items()}
        return [change.split(": ", 1)[1] for change in outcome.changes]


@pytest.fixture(name="client")
async def _client(node: NodeUnderTest, api: Rest) -> AsyncIterator[Client]:
    client = Client(node)
    yield client
    await client.setup.close()
    await delete_all(api)


async def test_a_second_pass_and_a_second_process_change_nothing(node: NodeUnderTest, client: Client) -> None:
    """Bundle, bridge and jobs are made in one pass; then each is known for what it is, in one session."""
    made = await client.changes()
    assert {f"job {feed.name!r} created" for feed in node.config.feeds} == set(made[-2:])
    assert [] == await client.changes()

    fresh = Client(node)
    assert [] == await fresh.changes()
    await fresh.setup.close()
    assert ([None], []) == (client.counted, fresh.counted)


async def test_what_is_changed_by_hand_is_set_right(node: NodeUnderTest, api: Rest, client: Client) -> None:
    """A job deleted, one edited, another in the way, and the bridge bent: one pass mends it, and is the last."""
    await client.changes()
    before = {key: job["attributes"]["pipelineSpec"]["dotDagSource"] for key, job in (await api.jobs()).items()}
    by_name = {job["attributes"]["name"]: job for job in (await api.jobs()).values()}
    first, second = (by_name[feed.name] for feed in node.config.feeds)
    assert 204 == (await api.delete(f"/v2/jobs/{first['id']}")).status
    edited = _job_text(client, node, 1).replace("quote -> price -> answer", "quote -> price")
    assert 200 == (await api.send("PUT", f"/v2/jobs/{second['id']}", {"toml": edited})).status
    stray = _job_text(client, node, 0).replace(str(first["attributes"]["externalJobID"]), _STRAY_ID)
    assert 200 == (await api.post("/v2/jobs", {"toml": stray})).status
    bent = {"name": feed_jobs.BRIDGE_NAME, "url": "http://127.0.0.1:9/elsewhere"}
    assert 200 == (await api.send("PATCH", _BRIDGE, bent)).status

    names = [feed.name for feed in node.config.feeds]
    assert {
        f"bridge {feed_jobs.BRIDGE_NAME} changed",
        f"job {names[0]!r} deleted: it has the name of another job",
        f"job {names[1]!r} deleted: it differs in observationSource",
        f"job {names[0]!r} created",
        f"job {names[1]!r} created",
    } == set(await client.changes())
    assert before == {key: job["attributes"]["pipelineSpec"]["dotDagSource"] for key, job in (await api.jobs()).items()}
    assert [] == await client.changes()


async def test_a_feed_that_is_gone_takes_its_job_along(node: NodeUnderTest, api: Rest, client: Client) -> None:
    """A contract that is another now gives the feed another job, and the old one goes first."""
    await client.changes()
    moved = dict(client.contracts)
    feed = node.config.feeds[0]
    moved[feed] = address(77)

    assert [f"job {feed.name!r} deleted: it has the name of another job", f"job {feed.name!r} created"] == (
        await client.changes(moved)
    )
    contracts = {
        job["attributes"]["offChainReportingOracleSpec"]["contractAddress"] for job in (await api.jobs()).values()
    }
    assert set(moved.values()) == contracts


_STRAY_ID = "6b9f6b1e-7a59-4d2a-9a35-0c1d2e3f4a5b"


def _job_text(client: Client, node: NodeUnderTest, position: int) -> str:
    feed = node.config.feeds[position]
    return client.setup._job(feed, client.contracts[feed], {}).toml()
