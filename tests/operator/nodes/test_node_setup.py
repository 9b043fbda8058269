"""One node on its way to its wanted state, and back to it when somebody has changed it."""

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from meshkit.job_templates import template
from meshkit.job_templates.template import JobTemplate
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable
from services.operator.nodes import feed_jobs
from services.operator.nodes.node_setup import NodeSetup
from services.operator.nodes.prepare_nodes import Preparation
from tests.job_templates import Leg, direct
from tests.operator.fake_node import FakeNode, Refusal, job_attributes, serving
from tests.operator.node_faults import Fault
from tests.operator.skipping_clock import SkippingClock
from tests.ports import free_base

_CHANGES = [("POST", "/v2/jobs"), ("POST", "/v2/bridge_types"), ("POST", "/v2/keys/ocr/import")]


def _contracts(config: OperatorConfig) -> dict[FeedTarget, str]:
    addresses = (
        "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615",
        "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "0x42614cd5F6264e8230d5Bed1D1504Ee547e13039",
    )
    return dict(zip(config.feeds, addresses, strict=True))


class Watched:
    """A node, what brings it to its state, and what it was counted to have done."""

    def __init__(self, config: OperatorConfig, prepared: Preparation, fake: FakeNode) -> None:
        self.config = config
        self.fake = fake
        self.failures: list[NodeFailure | None] = []
        self.setup = NodeSetup(
            config,
            prepared.nodes[1],
            ("12D3KooWArhvWmMj1FsrsQy2UPBZTv3ako7W2gSnW6vKqHEbxSzp@127.0.0.1:9901",),
            SkippingClock(),
            lambda _node, failure: self.failures.append(failure),
        )

    async def pass_without_error(self) -> tuple[str, ...]:
        """Make a pass and return its changes without the node's name."""
        outcome = await self.setup.run(_contracts(self.config), {})
        assert {} == outcome.errors
        return tuple(change.removeprefix("chainlink-node-2: ") for change in outcome.changes)

    def state(self) -> tuple[list[dict[str, Any]], dict[str, str], set[str], bool]:
        """Return jobs without their numbers in the order of their ids, bridges, bundles, and if the account is off."""
        listed = sorted(self.fake.jobs.values(), key=lambda job: str(job["externalJobID"]))
        return deepcopy(listed), dict(self.fake.bridges), set(self.fake.bundles), self.fake.is_account_off


@pytest.fixture(name="watched")
async def _watched(config: OperatorConfig, prepared: Preparation) -> AsyncIterator[Watched]:
    """Give a node that is as wanted."""
    meshed = replace(config, ports=replace(config.ports, node_api_base=free_base(5)))
    identity = prepared.identities[1]
    fake = FakeNode(identity.transmitter_address, identity.peer_id)
    async with serving(fake, meshed.ports.node_api(2)):
        watched = Watched(meshed, prepared, fake)
        await watched.pass_without_error()
        yield watched
        await watched.setup.close()


def _edited(field: str, value: object) -> Callable[[FakeNode], None]:
    def edit(fake: FakeNode) -> None:
        fake.jobs[1]["offChainReportingOracleSpec"][field] = value

    return edit


def _set(name: str, value: object) -> Callable[[FakeNode], None]:
    def edit(fake: FakeNode) -> None:
        fake.jobs[1][name] = value

    return edit


def _source(fake: FakeNode) -> None:
    fake.jobs[1]["pipelineSpec"]["dotDagSource"] = "answer [type=memo value=1];"


def _copied(**changes: object) -> Callable[[FakeNode], None]:
    def edit(fake: FakeNode) -> None:
        fake.jobs[90] = {**deepcopy(fake.jobs[1]), **changes}

    return edit


def _off(fake: FakeNode) -> None:
    fake.is_account_off = True


def _bridge(fake: FakeNode) -> None:
    fake.bridges[feed_jobs.BRIDGE_NAME] = "http://127.0.0.1:9/another"


_BY_HAND: dict[str, Callable[[FakeNode], None]] = {
    "a job deleted": lambda fake: fake.jobs.__delitem__(2),
    "all jobs deleted": lambda fake: fake.jobs.clear(),
    "a job's source": _source,
    "a job's name": _set("name", "my own"),
    "a job's gas": _set("gasLimit", 1000),
    "a job's forwarding": _set("forwardingAllowed", True),
    "a job's longest run": _set("maxTaskDuration", "1s"),
    "a job's contract": _edited("contractAddress", "0x292665a8A587c5df43d3f95815115C1BA971a8e3"),
    "a job's bundle": _edited("keyBundleID", "00" * 32),
    "a job's transmitter": _edited("transmitterAddress", "0x292665a8A587c5df43d3f95815115C1BA971a8e3"),
    "a job's bootstrappers": _edited("p2pv2Bootstrappers", None),
    "a job's timeout": _edited("observationTimeout", "20s"),
    "a job's patience with the chain": _edited("blockchainTimeout", "1s"),
    "a job's chain": _edited("evmChainID", "1"),
    "a job without its part of OCR": _set("offChainReportingOracleSpec", None),
    "a job of a form that no job has": _set("offChainReportingOracleSpec", ["p2pv2Bootstrappers"]),
    "a job under another id": _set("externalJobID", "6b9f6b1e-7a59-4d2a-9a35-0c1d2e3f4a5b"),
    "two jobs of one name": _copied(externalJobID="6b9f6b1e-7a59-4d2a-9a35-0c1d2e3f4a5b"),
    "two jobs of one id": _copied(),
    "the bridge's URL": _bridge,
    "the bridge deleted": lambda fake: fake.bridges.clear(),
    "the account switched off": _off,
    "the bundle deleted": lambda fake: fake.bundles.clear(),
}


@pytest.mark.parametrize("by_hand", _BY_HAND)
async def test_what_is_changed_by_hand_is_set_right(by_hand: str, watched: Watched) -> None:
    """One pass brings a node back to what it was, and the next has nothing to do."""
    before = watched.state()
    _BY_HAND[by_hand](watched.fake)
    assert before != watched.state()

    assert () != await watched.pass_without_error()
    assert before == watched.state()
    assert () == await watched.pass_without_error()


async def test_jobs_of_feeds_that_are_gone_are_deleted(watched: Watched) -> None:
    """A job of ours goes with its feed, also while another feed's contract is not known; other people's jobs stay."""
    gone, waiting, kept = watched.config.feeds
    left = replace(watched.config, feeds=(waiting, kept))
    setup = Watched(left, Preparation((watched.setup._node, watched.setup._node), 0), watched.fake).setup
    cron = {"name": "mine", "type": "cron", "externalJobID": "e780d641-a42e-4cd8-8165-bc5e82c08783"}
    watched.fake.jobs[77] = cron
    outcome = await setup.run({kept: _contracts(watched.config)[kept]}, {})
    await setup.close()

    assert ((f"chainlink-node-2: job {gone.name!r} deleted: its feed is not configured",), {}) == (
        outcome.changes,
        outcome.errors,
    )
    assert {waiting.name, kept.name, "mine"} == {job["name"] for job in watched.fake.jobs.values()}


async def test_no_job_is_deleted_while_the_list_of_feeds_is_not_whole(watched: Watched) -> None:
    """A feed whose template cannot be read at a restart of the operator keeps its jobs on every node."""
    lost, *left = watched.config.feeds
    config = replace(watched.config, feeds=tuple(left), feed_faults=("btc-usd.toml: no TOML",))
    setup = Watched(config, Preparation((watched.setup._node, watched.setup._node), 0), watched.fake).setup
    contracts = _contracts(watched.config)
    outcome = await setup.run({feed: contracts[feed] for feed in left}, {})
    await setup.close()

    assert ((), {}) == (outcome.changes, outcome.errors)
    assert lost.name in {job["name"] for job in watched.fake.jobs.values()}


async def test_a_changed_template_replaces_the_job(watched: Watched) -> None:
    """A job whose template is another one is deleted and made anew under the same id; the others stay."""

    async def served(decimals: int) -> tuple[tuple[str, ...], dict[str, Any]]:
        found = template.read("btc-usd.toml", direct("BTC / USD", [Leg("kraken", "BTC")], decimals))
        assert isinstance(found, JobTemplate)
        feeds = (replace(watched.config.feeds[0], template=found), *watched.config.feeds[1:])
        config = replace(watched.config, feeds=feeds)
        setup = Watched(config, Preparation((watched.setup._node, watched.setup._node), 0), watched.fake).setup
        outcome = await setup.run(_contracts(config), {})
        await setup.close()
        assert {} == outcome.errors
        (job,) = [job for job in watched.fake.jobs.values() if job["name"] == "BTC / USD"]
        return outcome.changes, job

    _, before = await served(8)
    changes, after = await served(9)

    assert (
        "chainlink-node-2: job 'BTC / USD' deleted: it differs in observationSource",
        "chainlink-node-2: job 'BTC / USD' created",
    ) == changes
    assert before["externalJobID"] == after["externalJobID"]
    assert before != after


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.HANG, Fault.STORED_HANG)])
@pytest.mark.parametrize(("method", "path"), _CHANGES)
async def test_a_fault_of_any_change_ends_in_the_same_state(
    method: str, path: str, fault: Fault, watched: Watched
) -> None:
    """Whatever happens to one request, the passes end in the same state as without it."""
    before = watched.state()
    for part in (watched.fake.jobs, watched.fake.bridges, watched.fake.bundles):
        part.clear()
    watched.fake.faults.plan(fault, method, path)
    for _ in range(2):
        outcome = await watched.setup.run(_contracts(watched.config), {})

    assert ((), {}) == (outcome.changes, outcome.errors)
    assert before == watched.state()


async def test_a_job_that_the_node_refuses_stops_no_other(watched: Watched) -> None:
    """All jobs are made but the one that cannot be, and the error says which request was refused."""
    refused = watched.fake._create_job

    def without_btc(text: str) -> Any:
        if 'name = "BTC / USD"' in text:
            raise Refusal(400, "toml unmarshal error on spec")
        return refused(text)

    watched.fake.jobs.clear()
    watched.fake._create_job = without_btc  # type: ignore[method-assign]
    outcome = await watched.setup.run(_contracts(watched.config), {})

    assert {"ETH / USD", "EUR / USD"} == {job["name"] for job in watched.fake.jobs.values()}
    assert {"chainlink-node-2"} == set(outcome.errors)
    assert "POST /v2/jobs answered 400: toml unmarshal error on spec" in str(outcome.errors["chainlink-node-2"])
    assert {"account": 0, "bundle": 0, "bridge": 0, "job": 3} == dict(watched.setup.differing)
    assert [NodeFailure.REFUSED] == [failure for failure in watched.failures if failure is not None]


async def test_failures_of_many_are_one_error(watched: Watched) -> None:
    """The first error stands for all, and says how many there were."""
    watched.fake.jobs.clear()
    watched.fake.services_fail = True
    outcome = await watched.setup.run(_contracts(watched.config), {})

    error = outcome.errors["chainlink-node-2"]
    assert isinstance(error, NodeUnavailable)
    assert "failed to start services of the job (of the node's changes, 2 more failed)" in str(error)


async def test_a_node_that_answers_otherwise_is_told_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with defaults of its own is an error once, and is not given the same jobs again and again."""

    def with_own_defaults(text: str) -> dict[str, Any]:
        attributes = job_attributes(text)
        attributes["offChainReportingOracleSpec"]["blockchainTimeout"] = "7s"
        return attributes

    monkeypatch.setattr("tests.operator.fake_node.job_attributes", with_own_defaults)
    watched.fake.jobs.clear()
    outcome = await watched.setup.run(_contracts(watched.config), {})

    assert isinstance(outcome.errors["chainlink-node-2"], NodeRefused)
    assert "3 jobs are answered otherwise than they were given: blockchainTimeout" in str(
        outcome.errors["chainlink-node-2"]
    )
    assert () == await watched.pass_without_error()
