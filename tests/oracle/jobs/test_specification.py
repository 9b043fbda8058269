"""Job specifications."""

from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.errors import MeshError
from services.oracle.jobs.reading.job_reader import read
from services.oracle.jobs.specification import BootstrapJob, CronJob, OracleJob, WebhookJob
from services.oracle.settings import Config, read_config
from tests.oracle.test_settings import CONFIG, written

ORACLE = """
type = "offchainreporting"
schemaVersion = 1
name = "BTC / USD"
externalJobID = "6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5b"
evmChainID = "5611"
contractAddress = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
isBootstrapPeer = false
keyBundleID = "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e"
transmitterAddress = "0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C"
p2pv2Bootstrappers = ["12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:9901"]
observationTimeout = "10s"
observationSource = \"\"\"
    ds1 [type=bridge name="agg-btc-usd" requestData="{\\\\"data\\\\":{\\\\"pair\\\\":\\\\"BTC/USD\\\\"}}" timeout="5s"];
    ds1_parse [type=jsonparse path="data,result"];
    ds1 -> ds1_parse;
\"\"\"
"""
BOOTSTRAP = """
type = "offchainreporting"
schemaVersion = 1
evmChainID = 5611
contractAddress = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
isBootstrapPeer = true
p2pv2Bootstrappers = []
somethingUnknown = "is ignored"
"""


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Config:
    """Give the configuration of a node on chain 5611."""
    return read_config(written(tmp_path, "config.toml", CONFIG))


def test_an_oracle_job(config: Config) -> None:
    """A specification as deployments have it is read, missing values are the node's and the chain's."""
    job = read(ORACLE, config)

    assert isinstance(job, OracleJob)
    assert ("BTC / USD", 5611, 500_000) == (job.name, job.chain_id, job.gas_limit)
    assert ["agg-btc-usd"] == job.pipeline.bridges()
    timings = job.timings
    assert (10.0, 1.0, 20.0, 60.0, 1) == (
        timings.observation_s,
        timings.observation_grace_s,
        timings.blockchain_s,
        timings.config_poll_s,
        timings.config_confirmations,
    )


def test_a_bootstrap_job(config: Config) -> None:
    """A bootstrap job needs neither keys nor a pipeline; keys of the text that nobody knows are ignored."""
    job = read(BOOTSTRAP, config)

    assert isinstance(job, BootstrapJob)
    assert job.contract == job.label


def test_jobs_without_a_contract(config: Config) -> None:
    """A job of a schedule and one on request are nothing but a pipeline."""
    text = 'schemaVersion = 1\nname = "x"\nobservationSource = "a [type=memo value=1]"\n'
    cron = read(f'type = "cron"\nschedule = "@every 10s"\nevmChainID = "5611"\n{text}', config)
    webhook = read(f'type = "webhook"\n{text}', config)

    assert isinstance(cron, CronJob)
    assert (10.0, 5611, "x") == (cron.schedule.every_s, cron.evm_chain_id, cron.label)
    assert isinstance(webhook, WebhookJob)
    assert "a" == webhook.pipeline.steps[0].id
    initiators = '[[externalInitiators]]\nname = "one"\n[[externalInitiators]]\nname = "two"\n'
    with pytest.raises(MeshError, match=r"named one: sql: no rows in result set; unable to find .* named two:"):
        read(f'type = "webhook"\n{text}{initiators}', config)


@pytest.mark.parametrize(
    ("old", "new", "status", "error"),
    [
        ("type=bridge", "type=fortune", 422, 'unknown task type: "fortune"'),
        ('timeout="5s"', 'timeout="11s"', 400, "individual max task duration must be < observation timeout"),
        ('evmChainID = "5611"', 'evmChainID = "1"', 400, "chain id does not exist: 1"),
        ('type = "offchainreporting"', 'type = "keeper"', 501, "jobs of the type keeper are not run by this node"),
    ],
)
def test_refused_specifications(config: Config, old: str, new: str, status: int, error: str) -> None:
    """A rule that is broken is told under the status that the real node answers."""
    assert old in ORACLE
    with pytest.raises(MeshError, match=error) as refusal:
        read(ORACLE.replace(old, new, 1), config)
    assert status == refusal.value.http_status


def test_ocr_can_be_off(config: Config) -> None:
    """With OCR off no job is taken."""
    off = replace(config, ocr=replace(config.ocr, enabled=False))

    with pytest.raises(MeshError, match="disabled") as error:
        read(ORACLE, off)
    assert 501 == error.value.http_status
