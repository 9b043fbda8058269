"""OCR2 jobs: their text, and what nodes answer of them."""

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from chainlink.ocr2 import jobs
from chainlink.ocr2.jobs import Ocr2JobSpec

ADDRESS, TRANSMITTER = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615", "0xb2120143da57569d36558B36A532E3a96F5e43b3"
SOURCE = '\n    quote [type=bridge name="q" requestData="{\\"data\\":{\\"feed\\":\\"BTC / USD\\"}}"];\n'
ORACLE = Ocr2JobSpec(
    contract_address=ADDRESS,
    chain_id=1337,
    is_bootstrap=False,
    external_job_id="6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5b",
    name="BTC / USD",
    bootstrappers=("12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:9901",),
    key_bundle_id="ab" * 32,
    transmitter_address=TRANSMITTER,
    observation_source=SOURCE,
)
BOOTSTRAP = Ocr2JobSpec(
    contract_address=ADDRESS,
    chain_id=1337,
    is_bootstrap=True,
    external_job_id="6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5c",
    name="bootstrap BTC / USD",
)


def answered(spec: Ocr2JobSpec) -> dict[str, Any]:
    """Return what a node answers of a job, as one of 2.23.0 did."""
    read = tomllib.loads(spec.toml())
    shared = {"contractID": read["contractID"], "relay": read["relay"], "relayConfig": {"chainID": 1337}}
    shared |= {"blockchainTimeout": "0s", "contractConfigTrackerPollInterval": "0s", "contractConfigConfirmations": 0}
    attributes = {"name": spec.name, "type": read["type"], "schemaVersion": 1, "externalJobID": spec.external_job_id}
    attributes |= {"gasLimit": None, "forwardingAllowed": False, "maxTaskDuration": "0s", "errors": []}
    specs: dict[str, Any] = {"offChainReporting2OracleSpec": None, "bootstrapSpec": None}
    if spec.is_bootstrap:
        return attributes | specs | {"bootstrapSpec": shared, "pipelineSpec": {"id": 0, "dotDagSource": ""}}
    own = {name: read[name] for name in ("p2pv2Bootstrappers", "ocrKeyBundleID", "transmitterID")}
    source = read["observationSource"].strip()
    pipeline = {"id": 3, "jobID": 0, "dotDagSource": source}
    return attributes | specs | {"offChainReporting2OracleSpec": shared | own, "pipelineSpec": pipeline}


def test_an_oracles_job() -> None:
    """It has every key that a node demands of a median job, and its source to the letter."""
    read = tomllib.loads(ORACLE.toml())

    assert SOURCE == read["observationSource"]
    assert ("offchainreporting2", 1, "evm", "median") == tuple(
        read[name] for name in ("type", "schemaVersion", "relay", "pluginType")
    )
    assert (ADDRESS, ORACLE.key_bundle_id, TRANSMITTER) == (
        *(read["contractID"], read["ocrKeyBundleID"], read["transmitterID"]),
    )
    assert {"chainID": 1337} == read["relayConfig"]
    later = replace(ORACLE, from_block=17)
    assert {"chainID": 1337, "fromBlock": 17} == tomllib.loads(later.toml())["relayConfig"]
    assert () == later.differences(answered(ORACLE))
    assert "multiply" in read["pluginConfig"]["juelsPerFeeCoinSource"]


def test_a_bootstrap_job() -> None:
    """It has nothing that a node refuses of a bootstrapper: neither source nor keys."""
    read = tomllib.loads(BOOTSTRAP.toml())

    expected = {"type", "schemaVersion", "name", "externalJobID", "relay", "contractID", "relayConfig"}
    assert expected == set(read)
    assert "bootstrap" == read["type"]


@pytest.mark.parametrize("spec", [ORACLE, BOOTSTRAP])
def test_what_a_node_answers_of_a_job_is_that_job(spec: Ocr2JobSpec) -> None:
    """A job does not differ from what a node answers of it, in whatever way the chain's id is spelled."""
    attributes = answered(spec)
    for chain_id in (1337, "1337", 1337.0):
        for name in ("offChainReporting2OracleSpec", "bootstrapSpec"):
            if attributes[name] is not None:
                attributes[name]["relayConfig"] = {"chainID": chain_id}
        assert () == spec.differences(json.loads(json.dumps(attributes)))
        assert (1337, ADDRESS) == jobs.contract_of(attributes)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        (replace(ORACLE, name="another"), ("name",)),
        (replace(ORACLE, contract_address=TRANSMITTER), ("contractID",)),
        (replace(ORACLE, chain_id=1), ("relayConfig.chainID",)),
        (replace(ORACLE, key_bundle_id="cd" * 32), ("ocrKeyBundleID",)),
        (replace(ORACLE, transmitter_address=ADDRESS), ("transmitterID",)),
        (replace(ORACLE, bootstrappers=()), ("p2pv2Bootstrappers",)),
        (replace(ORACLE, observation_source="a [type=memo];"), ("observationSource",)),
        (replace(BOOTSTRAP, name=ORACLE.name), ("type", "relay", "contractID", "relayConfig.chainID")),
    ],
)
def test_what_differs_is_named(changed: Ocr2JobSpec, names: tuple[str, ...]) -> None:
    """Each field that is another one than a node has is named, and no other."""
    assert names == changed.differences(answered(ORACLE))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"type": "offchainreporting", "offChainReportingOracleSpec": {"contractAddress": ADDRESS}},
        {"type": "offchainreporting2", "offChainReporting2OracleSpec": None},
        {"type": "bootstrap", "bootstrapSpec": {"relay": "solana", "relayConfig": {"chainID": 1}}},
        {"type": ["bootstrap"]},
    ],
)
def test_other_jobs_have_no_contract_of_ours(attributes: dict[str, Any]) -> None:
    """What is no OCR2 job of an EVM chain has none of its contracts, and what nodes never answer does not raise."""
    assert None is jobs.contract_of(attributes)
    assert ORACLE.differences(attributes)
