import json
import tomllib
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.jobs import JobSpec
from meshkit.configuration.feeds.timings import FeedTimings
from meshkit.job_templates.template import JobTemplate, read
from services.operator.config import OperatorConfig
from services.operator.errors import TemplateRefused
from services.operator.nodes import feed_jobs
from services.operator.nodes.identity import NodeIdentity, bootstrappers
from services.operator.nodes.prepare_nodes import Preparation
from tests.job_templates import Leg, direct
from tests.operator.fake_node import job_attributes

_CONTRACT = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"


@pytest.fixture(name="oracle")
def _oracle(prepared: Preparation) -> NodeIdentity:
    return prepared.identities[1]


@pytest.fixture(name="spec")
def _spec(config: OperatorConfig, prepared: Preparation, oracle: NodeIdentity) -> JobSpec:
    locators = bootstrappers(prepared.identities, config.ports)
    timeout_ms = feed_jobs.observation_timeout_ms(config.ocr)
    return feed_jobs.oracle_job("BTC / USD", 8, 1337, _CONTRACT, oracle, locators, timeout_ms)


def test_oracle_job_has_what_a_node_requires(spec: JobSpec, oracle: NodeIdentity, prepared: Preparation) -> None:
    """An oracle's job names contract, keys and bootstrapper as a node takes them."""
    found = tomllib.loads(spec.toml())
    assert oracle.ocr is not None

    assert ("offchainreporting", 1, "BTC / USD") == (found["type"], found["schemaVersion"], found["name"])
    assert ("1337", _CONTRACT, False) == (found["evmChainID"], found["contractAddress"], found["isBootstrapPeer"])
    assert (oracle.ocr.bundle_id, oracle.transmitter_address) == (found["keyBundleID"], found["transmitterAddress"])
    assert [f"{prepared.identities[0].peer_id}@127.0.0.1:9901"] == found["p2pv2Bootstrappers"]
    assert 5 == uuid.UUID(found["externalJobID"]).version
    assert "<{}>" not in spec.toml()


def test_bootstrap_job_has_no_more_than_a_node_allows(prepared: Preparation) -> None:
    """A bootstrap job has no source, no keys and no bootstrapper."""
    found = tomllib.loads(feed_jobs.bootstrap_job("BTC / USD", 1337, _CONTRACT, prepared.identities[0]).toml())

    assert found["isBootstrapPeer"] is True
    assert [] == found["p2pv2Bootstrappers"]
    assert not {"observationSource", "keyBundleID", "transmitterAddress", "observationTimeout"} & set(found)


@given(st.sampled_from(["BTC / USD", "USD0++ / USD", 'A"B / C\\D', "é / USD", "a,b / c"]), st.integers(0, 18))
@settings(deadline=None)
def test_source_asks_for_the_feed_and_scales(feed: str, decimals: int) -> None:
    """The pipeline's request, unquoted as DOT does, is JSON that names the feed; the factor is 10^decimals."""
    source = feed_jobs.observation_source(feed, decimals, 2000)
    quoted = source.split('requestData="', 1)[1].split('" timeout', 1)[0]
    body = json.loads(quoted.replace('\\"', '"').replace("\\\\", "\\"))

    assert {"data": {"feed": feed}} == body
    assert f"times={10**decimals}]" in source
    assert 'bridge name="feedmesh-quotes"' in source
    assert 'path="data,result"' in source


@given(st.integers(1, 100_000), st.integers(0, 100_000))
@settings(deadline=None)
def test_timeouts_are_within_the_nodes_bounds(round_ms: int, grace_ms: int) -> None:
    """An observation may take 1 s to 20 s, its task less; with real rounds both fit before the grace."""
    settings = FeedTimings(300_000, 1, round_ms, grace_ms, 1, 1, 1, 1)
    timeout_ms = feed_jobs.observation_timeout_ms(settings)

    assert 1000 <= timeout_ms <= 20_000
    if round_ms - grace_ms > 1334:
        assert timeout_ms + grace_ms <= round_ms
    task_ms = int(feed_jobs.observation_source("BTC / USD", 8, timeout_ms).split('timeout="')[1].split("ms")[0])
    assert task_ms < timeout_ms


def test_job_id_depends_on_chain_contract_and_node() -> None:
    """The id is the same for the same three, in whichever spelling of the address, and differs otherwise."""
    first = feed_jobs.external_job_id(1337, _CONTRACT, "chainlink-node-2")

    assert first == feed_jobs.external_job_id(1337, _CONTRACT.lower(), "chainlink-node-2")
    others = [
        (1338, _CONTRACT, "chainlink-node-2"),
        (1337, "0x" + "1" * 40, "chainlink-node-2"),
        (1337, _CONTRACT, "n"),
    ]
    assert 4 == len({first, *(feed_jobs.external_job_id(*other) for other in others)})


def test_job_id_never_changes() -> None:
    """The id of a given job is this one for ever: another would make every node replace its jobs."""
    assert "51277e67-b8c4-52eb-bfe6-0a18ffeddc8f" == feed_jobs.external_job_id(1337, _CONTRACT, "chainlink-node-2")


def test_a_job_as_a_node_answers_it_is_no_difference(spec: JobSpec, prepared: Preparation) -> None:
    """What a node answers about a job it was given is recognised as that job."""
    bootstrap = feed_jobs.bootstrap_job("BTC / USD", 1337, _CONTRACT, prepared.identities[0])

    assert () == spec.differences(job_attributes(spec.toml()))
    assert () == bootstrap.differences(job_attributes(bootstrap.toml()))
    assert feed_jobs.is_ours(job_attributes(spec.toml()), "chainlink-node-2")
    assert not feed_jobs.is_ours(job_attributes(spec.toml()), "chainlink-node-3")


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        (("name",), "ETH / USD", "name"),
        (("offChainReportingOracleSpec", "keyBundleID"), "00" * 32, "keyBundleID"),
        (("offChainReportingOracleSpec", "transmitterAddress"), "0x" + "1" * 40, "transmitterAddress"),
        (("offChainReportingOracleSpec", "p2pv2Bootstrappers"), None, "p2pv2Bootstrappers"),
        (("offChainReportingOracleSpec", "observationTimeout"), "5s", "observationTimeout"),
        (("offChainReportingOracleSpec", "evmChainID"), "1", "evmChainID"),
        (("pipelineSpec", "dotDagSource"), "a -> b", "observationSource"),
    ],
)
def test_each_field_is_compared(spec: JobSpec, field: tuple[str, ...], value: object, name: str) -> None:
    """A job that differs in one field is told apart by that field."""
    attributes: Any = job_attributes(spec.toml())
    parent = attributes
    for part in field[:-1]:
        parent = parent[part]
    parent[field[-1]] = value

    assert (name,) == spec.differences(attributes)


def test_a_bootstrap_node_cannot_observe(prepared: Preparation) -> None:
    """An oracle's job for a node without an OCR bundle is a mistake."""
    with pytest.raises(ValueError, match="chainlink-node-1 is a bootstrap node"):
        feed_jobs.oracle_job("BTC / USD", 8, 1337, _CONTRACT, prepared.identities[0], (), 1000)


def test_a_template_becomes_each_nodes_job(config: OperatorConfig, prepared: Preparation, oracle: NodeIdentity) -> None:
    """Its pipeline and timings are as they are, with the node's keys and port; only the id is one of ours."""
    found = read("eth-usd.toml", direct("ETH / USD", [Leg("kraken", "ETH")]))
    assert isinstance(found, JobTemplate)
    assert oracle.ocr is not None
    locators = bootstrappers(prepared.identities, config.ports)

    made = feed_jobs.template_job(found, 5611, _CONTRACT, oracle, locators, 3000)
    text = tomllib.loads(made.toml())

    assert ("ETH / USD", "5611", _CONTRACT) == (text["name"], text["evmChainID"], text["contractAddress"])
    assert (oracle.ocr.bundle_id, oracle.transmitter_address) == (text["keyBundleID"], text["transmitterAddress"])
    assert (list(locators), "10s", 3) == (
        text["p2pv2Bootstrappers"],
        text["observationTimeout"],
        text["contractConfigConfirmations"],
    )
    assert "http://127.0.0.1:3000/quote/kraken/ETH/USD" in text["observationSource"]
    assert feed_jobs.is_ours(job_attributes(made.toml()), oracle.name)
    assert () == made.differences(job_attributes(made.toml()))
    assert ("blockchainTimeout",) == replace(made, blockchain_timeout_ns=10**9).differences(job_attributes(made.toml()))


def test_a_template_becomes_a_bootstrap_nodes_job(prepared: Preparation) -> None:
    """It has no pipeline, no keys and no bootstrapper, since nodes refuse them."""
    found = read("eth-usd.toml", direct("ETH / USD", [Leg("kraken", "ETH")]))
    assert isinstance(found, JobTemplate)

    made = tomllib.loads(feed_jobs.template_job(found, 5611, _CONTRACT, prepared.identities[0], ("x",), 3000).toml())

    assert made["isBootstrapPeer"] is True
    assert [] == made["p2pv2Bootstrappers"]
    assert not {"observationSource", "keyBundleID", "transmitterAddress"} & set(made)


def test_a_template_that_no_node_takes_is_refused(oracle: NodeIdentity) -> None:
    """The error names the file and the field."""
    found = read("eth-usd.toml", direct("ETH / USD", [Leg("kraken", "ETH")]).replace('"10s"', '"10h"'))
    assert isinstance(found, JobTemplate)

    with pytest.raises(TemplateRefused, match=r"eth-usd\.toml.*observationTimeout"):
        feed_jobs.template_job(found, 5611, _CONTRACT, oracle, (), 3000)
