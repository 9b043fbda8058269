"""The jobs of OCR2 feeds."""

import tomllib
from dataclasses import replace

import pytest

from chainlink.ocr2.jobs import Ocr2JobSpec
from services.operator.config import OperatorConfig
from services.operator.nodes import feed_jobs, ocr2_jobs, prepare_nodes
from services.operator.nodes.identity import NodeIdentity
from services.operator.nodes.job_and_bridge_changes import (
    CreateJob,
    DeleteJob,
    ImportBundle,
    NodeState,
    WantedJobs,
    decide_node,
)
from services.operator.nodes.rest_client import Bridge

ADDRESS = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"
URL = "http://127.0.0.1:3000/quotes/batch"


@pytest.fixture(name="oracle")
async def _oracle(config: OperatorConfig) -> NodeIdentity:
    """Give an oracle of a mesh with a feed of OCR2."""
    feeds = (replace(config.feeds[0], ocr_version=2), *config.feeds[1:])
    prepared = await prepare_nodes.prepare(replace(config, feeds=feeds))
    assert prepared.nodes[0].identity.ocr2 is None
    assert prepared.nodes[1].ocr2_export is not None
    return prepared.identities[1]


def _job(oracle: NodeIdentity) -> Ocr2JobSpec:
    return ocr2_jobs.oracle_job("BTC / USD", 8, 1337, ADDRESS, oracle, ("12D3@h:1",), 1000, config_block=17)


def _answered(spec: Ocr2JobSpec) -> dict[str, object]:
    read = tomllib.loads(spec.toml())
    own = {
        name: read[name] for name in ("contractID", "relay", "p2pv2Bootstrappers", "ocrKeyBundleID", "transmitterID")
    }
    attributes = {"name": spec.name, "type": read["type"], "externalJobID": spec.external_job_id}
    attributes["offChainReporting2OracleSpec"] = own | {"relayConfig": read["relayConfig"]}
    attributes["pipelineSpec"] = {"dotDagSource": read["observationSource"].strip()}
    return attributes


def test_an_oracles_job(oracle: NodeIdentity) -> None:
    """It has the node's keys of OCR2, the pipeline of every feed, and where the configuration is to be looked for."""
    read = tomllib.loads(_job(oracle).toml())

    assert oracle.ocr2 is not None
    assert oracle.ocr is not None
    assert oracle.ocr.bundle_id != oracle.ocr2.bundle_id == read["ocrKeyBundleID"]
    assert oracle.transmitter_address == read["transmitterID"]
    assert feed_jobs.observation_source("BTC / USD", 8, 1000) == read["observationSource"]
    assert {"chainID": 1337, "fromBlock": 17} == read["relayConfig"]


def test_who_serves_no_such_feed_has_no_such_job(oracle: NodeIdentity) -> None:
    """Without keys of OCR2 no job of it can be made up."""
    with pytest.raises(ValueError, match="no key bundle of OCR2"):
        _job(replace(oracle, ocr2=None))


def test_a_node_is_given_what_it_lacks(oracle: NodeIdentity) -> None:
    """Both bundles come first and then the job; a node that has all is left alone, its job is known as ours."""
    spec = _job(oracle)
    assert oracle.ocr is not None
    assert oracle.ocr2 is not None
    bundles = frozenset({oracle.ocr.bundle_id, oracle.ocr2.bundle_id})
    attributes = _answered(spec)
    wanted = WantedJobs((spec,), names={"BTC / USD"}, all_feeds=True)

    def decided(found: NodeState, wanted: WantedJobs = wanted) -> list[object]:
        ours, ocr2 = oracle.ocr, oracle.ocr2
        assert ours is not None
        assert ocr2 is not None
        return list(decide_node(oracle.name, ours.bundle_id, URL, wanted, found, ocr2_bundle_id=ocr2.bundle_id))

    bare = decided(NodeState(frozenset({oracle.ocr.bundle_id}), Bridge(URL), ()))
    assert [ImportBundle(oracle.ocr2.bundle_id, 2), CreateJob(spec)] == bare
    has_it = NodeState(bundles, Bridge(URL), ({"id": "1", "attributes": attributes},))
    assert [] == decided(has_it)
    assert feed_jobs.is_ours(attributes, oracle.name)
    gone = decided(has_it, WantedJobs((), all_feeds=True))
    assert [DeleteJob("1", "BTC / USD", "its feed is not configured")] == gone


def test_a_feed_that_changes_its_protocol(oracle: NodeIdentity) -> None:
    """The job of OCR1 at the same contract goes for that of OCR2, and the other way round."""
    new, old = _job(oracle), feed_jobs.oracle_job("BTC / USD", 8, 1337, ADDRESS, oracle, ("12D3@h:1",), 1000)

    assert new.external_job_id == old.external_job_id
    assert "type" in new.differences(old.attributes())
    assert "type" in old.differences(_answered(new))
